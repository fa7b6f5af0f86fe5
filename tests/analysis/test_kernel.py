"""The neural tangent kernel: structure against the matrix built directly, closed form against networks."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neucb import cli
from neucb.agents.initialisation import INITIALISATIONS, Initialisation, draw_network
from neucb.core.errors import InputError
from neucb.environments.classification import load
from neucb.runs.api import prepare
from neucb.theory.diagnose import diagnose, power_of
from neucb.theory.diagnosis import Question
from neucb.theory.dimension import (
    effective_dimension,
    largest_eigenvalue,
    log_determinants,
    neural_ts_shape,
    neural_ucb_bound,
    reward_norm,
    spectrum,
)
from neucb.theory.kernel import Kernel, closed_form, empirical, with_constant

INITS: tuple[Initialisation, ...] = ("he", "ntk", "paper")
T, K, D = 9, 3, 4


@pytest.fixture
def contexts() -> NDArray[np.float64]:
    """Rows of different norms, one of them 0 before the constant input."""
    x = np.random.default_rng(0).standard_normal((T, D))
    x[3] = 0.0
    return with_constant(x, 0.3)


def direct(x: NDArray[Any], head: float, first: float) -> NDArray[np.float64]:
    """H of the encodings z = e_a (x) x in R^(dK) themselves, entry by entry, arm after arm."""
    z = np.vstack([np.kron(np.eye(K)[a], row) for a in range(K) for row in x])
    H = np.empty((len(z), len(z)))
    for i, u in enumerate(z):
        for j, v in enumerate(z):
            size = float(np.linalg.norm(u) * np.linalg.norm(v))
            angle = 0.0 if i == j else math.acos(min(1.0, max(-1.0, u @ v / size)))
            bend = math.sin(angle) + (math.pi - angle) * math.cos(angle)
            H[i, j] = (head * size * bend + first * (u @ v) * (math.pi - angle)) / (2 * math.pi)
    return H


@pytest.mark.parametrize(("init", "head", "first"), [("he", 2, 1), ("ntk", 2, 2), ("paper", 1, 1 / 50)])
def test_the_parts_make_the_whole_matrix(
    contexts: NDArray[Any], init: Initialisation, head: float, first: float
) -> None:
    kernel = closed_form(contexts, K, init, 50)
    np.testing.assert_allclose(kernel.full(), direct(contexts, head, first), atol=1e-12)


def minors(H: NDArray[np.float64], rounds: int) -> NDArray[np.float64]:
    rows = np.concatenate([a * T + np.arange(rounds) for a in range(K)])
    return np.asarray(H[np.ix_(rows, rows)], dtype=np.float64)


@pytest.mark.parametrize("regularization", [0.01, 2.0])
def test_every_t_has_its_determinant(contexts: NDArray[Any], regularization: float) -> None:
    kernel = closed_form(contexts, K)
    H = direct(contexts, 2, 1)
    logs = log_determinants(kernel, regularization)
    for t in range(1, T + 1):
        small = minors(H, t)
        expected = np.linalg.slogdet(np.eye(t * K) + small / regularization)[1]
        assert logs[t - 1] == pytest.approx(expected, rel=1e-9)
    dimension = effective_dimension(logs, regularization, K, np.arange(1, T + 1))
    assert dimension[-1] == pytest.approx(logs[-1] / math.log(1 + T * K / regularization))


def test_every_t_has_its_norm_of_the_reward(contexts: NDArray[Any]) -> None:
    """Rewards that are not one-hot, so that their mean over arms differs from round to round."""
    rewards = np.random.default_rng(1).random((T, K))
    found = reward_norm(closed_form(contexts, K), rewards)
    H = direct(contexts, 2, 1)
    assert found.ridge == 0.0
    for t in range(1, T + 1):
        r = rewards[:t].T.ravel()  # arm after arm
        expected = math.sqrt(2 * r @ np.linalg.solve(minors(H, t), r))
        assert found.values[t - 1] == pytest.approx(expected, rel=1e-6)


def test_a_row_that_occurs_twice_needs_a_ridge(contexts: NDArray[Any]) -> None:
    """With the same reward the ridge does not matter; with another S is as large as the ridge is small."""
    twice = np.vstack([contexts, contexts[2]])
    rewards = np.eye(K)[np.arange(T + 1) % K]
    apart = reward_norm(closed_form(twice, K), rewards)
    assert apart.ridge == 1e-8
    assert apart.values[-1] > 1000 * apart.values[-2]
    rewards[-1] = rewards[2]
    alike = reward_norm(closed_form(twice, K), rewards)
    assert alike.ridge == 1e-8
    assert alike.values[-1] == pytest.approx(alike.values[-2], rel=1e-3)


def test_the_spectrum_is_that_of_the_whole_matrix(contexts: NDArray[Any]) -> None:
    kernel = closed_form(contexts, K)
    within, true = spectrum(kernel), np.linalg.eigvalsh(direct(contexts, 2, 1))
    rest = np.linalg.eigvalsh(kernel.within + K * np.outer(kernel.across, kernel.across))
    np.testing.assert_allclose(np.sort(np.concatenate([*[within] * (K - 1), rest])), true, atol=1e-10)
    assert within[0] == pytest.approx(true[0], abs=1e-10)
    assert largest_eigenvalue(kernel) == pytest.approx(true[-1])
    assert largest_eigenvalue(kernel.first(2)) == pytest.approx(
        np.linalg.eigvalsh(kernel.first(2).full())[-1]
    )


@pytest.mark.parametrize("init", INITS)
def test_the_kernel_of_a_network_is_that_of_its_gradients(
    contexts: NDArray[Any], init: Initialisation
) -> None:
    width = 5
    first, head = draw_network(3, K, D + 1, width, init)
    factor = INITIALISATIONS[init](width)[2]
    W, w2 = (torch.from_numpy(one).requires_grad_() for one in (first, head))
    rows = []
    for a in range(K):
        for x in torch.from_numpy(contexts):
            f = factor * w2 @ (W[a] @ x).relu()
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(f, (W, w2))]))
    gradients = torch.stack(rows).numpy()
    np.testing.assert_allclose(empirical(contexts, first, head, factor), gradients @ gradients.T, atol=1e-12)


@pytest.mark.parametrize("init", INITS)
def test_networks_come_to_the_closed_form_as_they_grow_wide(
    contexts: NDArray[Any], init: Initialisation
) -> None:
    """The error of one network falls like 1 / sqrt(m): 10 times from m = 100 to 10,000, at 6 seeds."""

    def gap(width: int) -> float:
        expected = closed_form(contexts, K, init, width).full()
        gaps = []
        for seed in range(6):
            network = (*draw_network(seed, K, D + 1, width, init), INITIALISATIONS[init](width)[2])
            found = empirical(contexts, *network)
            gaps.append(np.linalg.norm(found - expected) / np.linalg.norm(expected))
        return float(np.mean(gaps))

    narrow, wide = gap(100), gap(10_000)
    assert wide < 0.05
    assert 5 < narrow / wide < 20


def test_the_bounds_by_hand() -> None:
    """T = 2, g = 2 at T, S = 3, lambda = 4, delta = 1/e, K = 3."""
    logs, norm = np.array([1.0, 2.0]), np.array([1.0, 3.0])
    t = np.array([1, 2])
    ucb = neural_ucb_bound(logs, norm, 4.0, math.exp(-1), t)
    assert ucb[1] == pytest.approx(3 * math.sqrt(2 * 4) * (0.5 * math.sqrt(6) + 2 * 2 * 3) + 1)
    ts = neural_ts_shape(logs, norm, 4.0, 3, math.exp(-1), t)
    c = math.sqrt(4 * math.log(2) + 2 * math.log(3))
    grown = 2 * math.log(7) / math.log(1 + 6 / 4)
    assert ts[1] == pytest.approx((1 + c) * (3 + 0.5 * math.sqrt(6)) * math.sqrt(16 * 2 * (grown + 1)))


def test_contexts_of_their_own_direction_have_full_dimension() -> None:
    """Orthogonal contexts: log det grows like T, so that the effective dimension does but for its log."""
    logs = log_determinants(closed_form(np.eye(64), 2), 1.0)
    assert power_of(np.arange(1, 65), logs) == pytest.approx(1.0, abs=0.05)


def test_power_of_an_exact_power() -> None:
    t = np.array([1, 31, 62, 100, 125, 250, 500])
    assert power_of(t, np.where(t == 100, 9.0, 3 * t**0.7)) == pytest.approx(0.7)  # 100 is no half of T


def test_diagnose_puts_the_pieces_together() -> None:
    encoded = load("iris")
    found = diagnose(encoded, Question(rounds=60, ridges=(0.1, 1.0)), prepare)
    assert found.kept[-1] == 60
    assert found.ridges[0].dimension[-1] > found.ridges[1].dimension[-1] > 0
    assert 0 < found.network_gap < 1
    for one in found.ridges:
        assert (one.ucb_bound >= one.ucb_regret).all()
        assert (one.ts_shape > 0).all()
        assert one.ucb_regret[-1] >= 1
    assert found.largest >= found.eigenvalues[-1]
    assert len(found.eigenvalues) == 60


def neucb(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["neucb", "diagnose", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_command_prints_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, "--dataset", "iris", "--rounds", "999", "--ridge", "1") == 0
    out, err = capsys.readouterr()
    for word in ("eigenvalues", "S ", "dimension", "UCB bound", "vacuous", "closed form", "repeat a context"):
        assert word in out.replace("\n", " ")
    assert "150 rounds instead of 999" in err


def test_the_command_prints_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert neucb(monkeypatch, "--dataset", "iris", "--rounds", "50", "--ridge", "0.5,1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["t"][-1] == 50
    assert [one["ridge"] for one in found["ridges"]] == [0.5, 1.0]
    assert len(found["ridges"][0]["ucb_bound"]) == len(found["t"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rounds", "30000"), "32..20,000 rounds, not 30,000"),
        (("--rounds", "31"), "32..20,000 rounds, not 31"),
        (("--ridge", "0"), "a finite number > 0"),
        (("--ridge", "1,inf"), "a finite number > 0"),
        (("--ridge", "nan"), "a finite number > 0"),
        (("--ridge", "a"), "not 'a'"),
        (("--init", "hee"), "did you mean 'he'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: tuple[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert neucb(monkeypatch, "--dataset", "iris", *arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_kernel_that_no_ridge_saves_is_refused() -> None:
    with pytest.raises(InputError, match="positive definite"):
        reward_norm(Kernel(-np.eye(3), np.ones(3), 2), np.ones((3, 2)))
