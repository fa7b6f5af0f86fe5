"""Exploration rules and schedules: hand-computed tables, limits, ties, and published inequalities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neucb.agents.base import ExplorationRule, Reduction
from neucb.agents.prediction import Prediction, Round
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.rules.inverse_gap import EpsilonGreedy, FastInverseGap, InverseGap, Softmax
from neucb.agents.rules.schedules import Doubling, FastTheory, ObservedLoss, Power, Schedule, SquareTheory
from neucb.core.errors import InputError
from tests.support.rounds import now


def policy(rule: ExplorationRule, rows: list[list[float]], at: Round | None = None) -> NDArray[np.float64]:
    mean = torch.tensor(rows, dtype=torch.float64)
    at = at or now(loss=(0.0,) * len(rows))
    return np.asarray(rule(Prediction(mean), at).numpy(), dtype=np.float64)


ROWS = [[0.2, 0.5, 0.9], [0.7, 0.3, 0.3]]


def test_inverse_gap_equals_hand_computed_numbers() -> None:
    """Two rows, two gammas: 10 and 40. Row 2 ties arms 1 and 2; the lower index is the best arm."""
    p = policy(InverseGap(Power((10.0, 40.0), 0.0)), ROWS)
    row_1 = [1 - 1 / 6 - 1 / 10, 1 / 6, 1 / 10]  # gaps 0.3 and 0.7: 1 / (3 + 3), 1 / (3 + 7)
    row_2 = [1 / 19, 1 - 1 / 19 - 1 / 3, 1 / 3]  # gaps 0.4 and 0: 1 / (3 + 16), 1 / 3
    np.testing.assert_allclose(p, [row_1, row_2], rtol=1e-12)


def test_fast_inverse_gap_equals_hand_computed_numbers() -> None:
    p = policy(FastInverseGap(Power((10.0, 40.0), 0.0)), ROWS)
    row_1 = [0.0, 0.2 / 3.6, 0.2 / 7.6]  # yhat_b = 0.2: 0.2 / (0.6 + 10 gap)
    row_2 = [0.3 / 16.9, 0.0, 0.3 / 0.9]  # yhat_b = 0.3: 0.3 / (0.9 + 40 gap)
    row_1[0] = 1 - sum(row_1)
    row_2[1] = 1 - sum(row_2)
    np.testing.assert_allclose(p, [row_1, row_2], rtol=1e-12)


def test_epsilon_greedy_equals_hand_computed_numbers() -> None:
    p = policy(EpsilonGreedy((0.3, 0.0)), ROWS)
    np.testing.assert_allclose(p, [[0.8, 0.1, 0.1], [0.0, 1.0, 0.0]], rtol=1e-12)


def test_epsilon_decays_with_the_rounds() -> None:
    """Round 9: 0.3 / 9^0.5 = 0.1, and 2 / 9^0 is no more than 1."""
    p = policy(EpsilonGreedy((0.3, 2.0), (0.5, 0.0)), ROWS, now(9))
    np.testing.assert_allclose(p, [[1 - 0.2 / 3, 0.1 / 3, 0.1 / 3], [1 / 3] * 3], rtol=1e-12)


def test_softmax_equals_hand_computed_numbers() -> None:
    p = policy(Softmax(Power((10.0, 0.0), 0.0)), ROWS)
    weight = [1.0, math.exp(-3), math.exp(-7)]  # gaps 0.3 and 0.7
    np.testing.assert_allclose(p, [[w / sum(weight) for w in weight], [1 / 3] * 3], rtol=1e-12)


def test_softmax_excludes_unavailable_arms() -> None:
    prediction = Prediction(torch.tensor(ROWS), available=torch.tensor([[True, False, True]] * 2))
    p = Softmax(Power((10.0, 0.0), 0.0))(prediction, now())
    weight = math.exp(-7)
    expected = [[1 / (1 + weight), 0.0, weight / (1 + weight)], [0.5, 0.0, 0.5]]
    np.testing.assert_allclose(p.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("rule", [InverseGap, FastInverseGap])
def test_gamma_0_is_uniform_and_large_gamma_greedy(rule: type[InverseGap] | type[FastInverseGap]) -> None:
    np.testing.assert_allclose(policy(rule(Power(0.0, 0.0)), ROWS), 1 / 3)
    greedy = policy(rule(Power(1e12, 0.0)), [[0.2, 0.5, 0.9], [0.7, 0.3, 0.4]])
    np.testing.assert_allclose(greedy, [[1, 0, 0], [0, 1, 0]], atol=1e-10)


@pytest.mark.parametrize("rule", [InverseGap(Power()), FastInverseGap(Power()), EpsilonGreedy()])
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.lists(st.floats(0.001, 5), min_size=4, max_size=4), min_size=1, max_size=3))
def test_a_policy_is_a_distribution_that_prefers_the_best(
    rule: ExplorationRule, rows: list[list[float]]
) -> None:
    p = policy(rule, rows)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(1), 1.0, atol=1e-12)
    favourite = np.array(rows)[np.arange(len(rows)), p.argmax(1)]
    np.testing.assert_allclose(favourite, np.min(rows, axis=1), rtol=1e-9)


def test_predictions_of_0_give_finite_probabilities() -> None:
    p = policy(FastInverseGap(Power(0.0)), [[0.0, 0.0], [0.0, 0.5]])
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p[0], 0.5)


def test_ties_go_to_the_lowest_index_despite_rounding() -> None:
    p = policy(EpsilonGreedy(0.0), [[0.3 + 1e-17, 0.1 + 0.2, 0.3], [0.9, 0.1 + 0.2, 0.3]])
    np.testing.assert_array_equal(p, [[1, 0, 0], [0, 1, 0]])


LOSSES = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@settings(max_examples=300, deadline=None)
@given(h=LOSSES, yhat=LOSSES, gamma=st.floats(0.1, 1e4))
def test_squarecb_inequality(h: list[float], yhat: list[float], gamma: float) -> None:
    """Foster and Rakhlin, Lemma 3: the regret of a round against the oracle's squared error."""
    p = policy(InverseGap(Power(gamma, 0.0)), [yhat])[0]
    truth, guess = np.array(h), np.array(yhat)
    regret = p @ truth - truth.min()
    assert regret <= 2 * 3 / gamma + gamma / 4 * (p @ (guess - truth) ** 2) + 1e-9


@settings(max_examples=300, deadline=None)
@given(h=LOSSES, yhat=LOSSES, extra=st.floats(0, 1e3))
def test_fastcb_inequality(h: list[float], yhat: list[float], extra: float) -> None:
    """Foster and Krishnamurthy: the regret of a round against the oracle's triangular discrimination."""
    gamma = 2 * 3 + extra
    p = policy(FastInverseGap(Power(gamma, 0.0)), [yhat])[0]
    truth, guess = np.array(h), np.clip(yhat, 1e-6, 1)
    regret = p @ truth - truth.min()
    error = p @ ((truth - guess) ** 2 / (truth + guess))
    assert regret <= 5 * 3 / gamma * (p @ truth) + 7 * gamma * error + 1e-5


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Power((10.0, 50.0), (0.5, 0.25)), (30.0, 50.0 * 9**0.25)),
        (Power(7.0, 0.0), (7.0, 7.0)),
        (ObservedLoss(10.0, 0.5), (20.0, 40.0)),
        (
            SquareTheory((4.0, 9.0), 0.1),
            ((525 / (4 + math.log(20))) ** 0.5, (525 / (9 + math.log(20))) ** 0.5),
        ),
        (FastTheory((1e6, 3.0), 2.0), (math.sqrt(3 * 1e6 / 6), 30.0)),
    ],
)
def test_schedules_equal_hand_computed_numbers(schedule: Schedule, expected: tuple[float, float]) -> None:
    """Round 9 of 175, K = 3, observed losses 3 and 15."""
    gamma = schedule(now(9, (3.0, 15.0), 175), 3)
    assert gamma.tolist() == pytest.approx(expected)


def test_gamma_of_a_replica_does_not_depend_on_the_batch() -> None:
    others = (0.13, 0.37, 0.5, 0.9, 1.7) * 4  # enough for vectorised loops
    for number in (3, 7, 977, 9_999):
        at = now(number, (0.0,) * len(others))
        for r, exponent in enumerate(others):
            alone = Power(3.0, exponent)(now(number, (0.0,)), 2)
            assert Power(3.0, others)(at, 2)[r] == alone[0]


@pytest.mark.parametrize("rule", [InverseGap(Power(9.0)), FastInverseGap(Power(9.0)), EpsilonGreedy(0.3)])
def test_a_rule_changes_neither_predictions_nor_itself(rule: ExplorationRule) -> None:
    mean = torch.tensor(ROWS, dtype=torch.float64)
    prediction = Prediction(mean.clone(), available=torch.tensor([[True, True, False], [True] * 3]))
    first = rule(prediction, now(4))
    assert torch.equal(rule(prediction, now(4)), first)
    assert torch.equal(prediction.mean, mean)


def test_after_advances_a_round() -> None:
    later = now(4, (1.0, 2.0)).after(torch.tensor([0.5, 1.0]))
    assert later.number == 5
    assert later.observed_loss.tolist() == [1.5, 3.0]


def test_a_wrong_number_of_values_is_rejected() -> None:
    with pytest.raises(InputError, match=r"3 values .* for 2 replicas; give one value, or one per replica"):
        Power((1.0, 2.0, 3.0))(now(), 2)


@pytest.mark.parametrize(
    ("name", "chosen", "expected"),
    [
        ("kl", {"gamma": 7.0, "gamma_power": 0.0}, FastInverseGap(Power(7.0, 0.0))),
        ("kl", {"gamma": 7.0, "gamma_schedule": "loss"}, FastInverseGap(ObservedLoss(7.0, 0.5))),
        ("squarecb", {"gamma": 7.0, "gamma_schedule": "epochs"}, InverseGap(Doubling(7.0))),
        ("sq", {"gamma_schedule": "theory", "regression_regret": 3.0}, InverseGap(SquareTheory(3.0))),
        (
            "fastcb",
            {"gamma_schedule": "theory", "regression_regret": 3.0, "best_loss": 9.0},
            FastInverseGap(FastTheory(9.0, 3.0)),
        ),
        ("softmax", {"gamma": 7.0, "gamma_schedule": "loss"}, Softmax(ObservedLoss(7.0, 0.5))),
    ],
)
def test_settings_select_rule_and_schedule(name: str, chosen: dict[str, Any], expected: object) -> None:
    agent = make_agent(RECIPES[name], chosen)
    assert isinstance(agent, Reduction)
    assert agent.rule == expected


def test_softmax_rejects_the_theory_schedule() -> None:
    with pytest.raises(InputError, match="unknown gamma_schedule 'theory'"):
        make_agent(RECIPES["softmax"], {"gamma_schedule": "theory"})
