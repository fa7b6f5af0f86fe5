"""Neural oracle and its perturbations: comparison with autograd, and properties of every oracle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from neucb.agents.base import Oracle
from neucb.agents.initialisation import INITIALISATIONS, output_factor, step_share
from neucb.agents.linear.oracle import Linear
from neucb.agents.losses import KL, Loss, Squared
from neucb.agents.network.expected_perturbation import ExpectedPerturbation
from neucb.agents.network.layers import outputs, split
from neucb.agents.network.oracle import Neural
from neucb.agents.network.sign_perturbation import SignPerturbation
from neucb.agents.network.weights import Initial, PlainWeights, Weights
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from tests.support.plain import Plain
from tests.support.rounds import ARMS, FEATURES, rounds

ROUNDS = 200
LOSSES: dict[str, Loss] = {"squared": Squared(), "kl": KL()}


def weights_of(count: float | None, c_p: Any) -> Weights:
    if count is None:
        return PlainWeights()
    return ExpectedPerturbation(c_p) if math.isinf(count) else SignPerturbation(c_p, int(count))


VARIANTS: dict[str, dict[str, Any]] = {
    "one step": {},
    "normalized": {"input_scaling": (0.5, 1.0)},
    "replayed": {"updates_per_round": 4},
    "per arm": {"per_arm": True},
    "all": {"input_scaling": (0.0, 0.7), "updates_per_round": 3, "per_arm": True},
    "deep": {"depth": 3},
    "deep, all": {"depth": 2, "input_scaling": (0.7, 0.0), "updates_per_round": 3, "per_arm": True},
}
CASES: list[Any] = [(count, "he", "one step") for count in (None, math.inf, 1, 3, 10)]
CASES += [
    pytest.param(count, init, "one step", marks=pytest.mark.slow)
    for count in (None, math.inf, 1, 3, 10)
    for init in ("ntk", "paper")
]
CASES += [
    (count, "he", variant) for count in (None, math.inf, 3) for variant in VARIANTS if variant != "one step"
]
CASES += [(None, "ntk", "deep"), (math.inf, "paper", "deep")]


@pytest.mark.parametrize("loss", ["squared", "kl"])
@pytest.mark.parametrize(("count", "init", "variant"), CASES)
def test_trajectory_equals_autograd(loss: str, count: float | None, init: Any, variant: str) -> None:
    """Two replicas with different rows, seeds and settings in one batch."""
    seeds = (5, 11)
    length = ROUNDS if variant == "one step" else 60
    c_p = (0.4, 0.2) if count is not None and math.isinf(count) else (0.12, 0.05)
    settings: dict[str, Any] = {
        "lr": (0.2, 0.5),
        "lr_power": (0.0, 0.3),
        "intercept": (1.0, 0.3),
        "radius": (math.inf, 1.5),
        **VARIANTS[variant],
    }
    per_arm = settings.pop("per_arm", False)
    oracle = Neural(LOSSES[loss], weights_of(count, c_p), width=8, init=init, **settings)
    oracle.reset(Spec(seeds, ARMS, FEATURES, length, dtype="float64", per_arm=per_arm))
    plain = [
        Plain(
            seed,
            ARMS,
            FEATURES,
            loss,
            init=init,
            c_p=c_p[r],
            count=count,
            per_arm=per_arm,
            **{name: value[r] if isinstance(value, tuple) else value for name, value in settings.items()},
        )
        for r, seed in enumerate(seeds)
    ]
    # The expected KL form is exact up to 2e-9, the error of its normal mixture; the others up to rounding.
    tolerance = 1e-6 if loss == "kl" and count is not None and math.isinf(count) else 1e-9
    for x, action, target in rounds(2, length, per_arm=per_arm):
        mean = oracle.predict(x).mean
        for r, replica in enumerate(plain):
            torch.testing.assert_close(mean[r], replica.predict(x[r]), atol=tolerance, rtol=0)
            replica.update(x[r], int(action[r]), float(target[r]))
        oracle.update(x, action, target)
    distance = torch.stack([(replica.theta - replica.start).norm() for replica in plain]).detach()
    torch.testing.assert_close(oracle.weights.distance(), distance, atol=1e-5, rtol=1e-6)
    assert float(distance[0]) > 0.1  # the networks have moved
    assert float(distance[1]) <= 1.5 + 1e-9


def test_a_strong_pull_equals_autograd() -> None:
    """A strong pull shrinks the scale below its floor many times."""
    oracle = Neural(Squared(), ExpectedPerturbation(2.5), width=8, lr=0.3)
    oracle.reset(Spec((3,), ARMS, FEATURES, ROUNDS, dtype="float64"))
    plain = Plain(3, ARMS, FEATURES, "squared", c_p=2.5, count=math.inf, lr=0.3)
    for x, action, target in rounds(1, ROUNDS):
        torch.testing.assert_close(oracle.predict(x).mean[0], plain.predict(x[0]), atol=1e-9, rtol=0)
        oracle.update(x, action, target)
        plain.update(x[0], int(action), float(target))


def test_a_radius_that_is_not_reached_changes_nothing() -> None:
    for count in (None, math.inf, 3):
        free = Neural(KL(), weights_of(count, 0.1), width=8)
        bound = Neural(KL(), weights_of(count, 0.1), width=8, radius=1e6)
        for oracle in (free, bound):
            oracle.reset(Spec((0, 1), ARMS, FEATURES, 50))
        for x, action, target in rounds(2, 50):
            assert torch.equal(free.predict(x).mean, bound.predict(x).mean)
            free.update(x, action, target)
            bound.update(x, action, target)


def test_initial_weights_have_the_stated_variances() -> None:
    initial = Initial.draw(Spec((0,), 20, 60, 1, dtype="float64"), 100, "he", 61)
    assert initial.parameters == 20 * 100 * 61 + 100
    assert float(initial.first.var()) == pytest.approx(2 / 100, rel=0.02)
    assert float(initial.head.var()) == pytest.approx(1 / 100, rel=0.4)


def test_initial_layers_are_independent_and_keep_the_norm() -> None:
    """Layers keep a norm of about 1; W1 equals that of the shallow network."""
    spec, x = Spec((0,), 2, 60, 1, dtype="float64"), torch.full((1, 1, 61), 61**-0.5, dtype=torch.float64)
    shallow, deep = (Initial.draw(spec, 300, "he", 61, depth) for depth in (1, 3))
    assert torch.equal(deep.first, shallow.first)
    assert deep.parameters == shallow.parameters + 2 * 300**2
    layers, last = split(deep.head, 300)
    for layer in layers:
        assert float(layer.var()) == pytest.approx(2 / 300, rel=0.02)
    assert float(last.var()) == pytest.approx(1 / 300, rel=0.3)
    assert not torch.equal(layers[0], layers[1])
    active = torch.bmm(x.expand(2, -1, -1), deep.first).relu().transpose(0, 1)  # [1, 2, m]
    further = outputs(active, deep.head, 1.0)[1]
    for values in (active, *further):
        assert values.square().sum(2).tolist()[0] == pytest.approx([1.0, 1.0], rel=0.35)


@pytest.mark.parametrize("init", ["he", "ntk", "paper"])
def test_the_output_factor_is_the_product_over_layers(init: Any) -> None:
    for depth in (1, 2, 4):
        assert output_factor(50, init, depth) == pytest.approx(INITIALISATIONS[init](50)[2] ** depth)


@pytest.mark.parametrize("init", ["he", "ntk", "paper"])
def test_first_steps_move_outputs_equally_at_any_depth(init: Any) -> None:
    """Mean of step_share <grad f, step> at theta_0 over 30 networks of 200 units, for several depths."""
    spec, x = Spec(tuple(range(30)), 2, 4, 1, dtype="float64"), torch.full((30, 4), 0.5, dtype=torch.float64)
    moves = []
    for depth in (1, 2, 4):
        oracle = Neural(Squared(), PlainWeights(), width=200, depth=depth, init=init, intercept=0.0)
        oracle.reset(spec)
        forward, arm = oracle.forward(x), torch.zeros(30, dtype=torch.int64)
        plain, step = forward.played(arm, share=1.0), forward.played(arm)
        first = step.delta.square().sum(1) * step.x.square().sum(1)
        square = first + (plain.head * step.head).sum(1)
        share = step_share(200, init, depth) * output_factor(200, init, depth) ** 2
        moves.append(share * float(square.mean()))
    assert moves[1:] == pytest.approx([moves[0]] * 2, rel=0.1)
    assert [step_share(200, "he", depth) for depth in (1, 2, 4)] == pytest.approx([1.0, 12 / 13, 0.8])


MAKERS: dict[str, Callable[[], Oracle]] = {
    "ridge": lambda: Linear(Squared()),
    "logistic": lambda: Linear(KL()),
    "plain": lambda: Neural(KL(), PlainWeights(), width=16),
    "expected": lambda: Neural(KL(), ExpectedPerturbation(0.5), width=16),
    "signs": lambda: Neural(KL(), SignPerturbation(0.2, 3), width=16),
    "deep": lambda: Neural(KL(), PlainWeights(), width=16, depth=3, input_scaling=0.5),
    "deep, expected": lambda: Neural(KL(), ExpectedPerturbation(0.5), width=16, depth=2),
    "deep, signs": lambda: Neural(KL(), SignPerturbation(0.1, 3), width=16, depth=2),
}


@pytest.mark.parametrize("name", MAKERS)
def test_predict_changes_no_state(name: str) -> None:
    predicting, other = MAKERS[name](), MAKERS[name]()
    for oracle in (predicting, other):
        oracle.reset(Spec((0, 1), ARMS, FEATURES, 40))
    for x, action, target in rounds(2, 40):
        first = predicting.predict(x).mean.clone()
        predicting.predict(-x)
        assert torch.equal(predicting.predict(x).mean, first)
        predicting.predict(x.flip(0))
        predicting.update(x, action, target)
        other.update(x, action, target)
    assert torch.equal(predicting.predict(x).mean, other.predict(x).mean)


@pytest.mark.parametrize("name", MAKERS)
def test_a_replica_does_not_depend_on_its_neighbours(name: str) -> None:
    """Seed 5 in a batch of seeds 3 to 6 equals seed 5 alone to the bit."""
    together, alone = MAKERS[name](), MAKERS[name]()
    together.reset(Spec((3, 4, 5, 6), ARMS, FEATURES, 300))
    alone.reset(Spec((5,), ARMS, FEATURES, 300))
    for x, action, target in rounds(4, 300):
        x, target = x.float(), target.float()
        assert torch.equal(together.predict(x).mean[2:3], alone.predict(x[2:3]).mean)
        together.update(x, action, target)
        alone.update(x[2:3], action[2:3], target[2:3])


@pytest.mark.parametrize("name", ["plain", "expected", "signs"])
def test_seeds_determine_the_network(name: str) -> None:
    x = rounds(3, 1)[0][0][:1].expand(3, -1)
    oracle = MAKERS[name]()
    oracle.reset(Spec((7, 7, 8), ARMS, FEATURES, 1))
    mean = oracle.predict(x).mean
    assert torch.equal(mean[0], mean[1])
    assert not torch.equal(mean[0], mean[2])


def test_invalid_settings_are_rejected() -> None:
    spec = Spec((0,), ARMS, FEATURES, 1)
    for oracle in (
        Neural(KL(), PlainWeights(), lr=0.0),
        Neural(KL(), PlainWeights(), width=0),
        Neural(KL(), PlainWeights(), depth=0),
        Neural(KL(), PlainWeights(), radius=-1.0),
        Neural(KL(), ExpectedPerturbation(-0.1)),
        Neural(KL(), SignPerturbation(0.1, 0)),
        Neural(KL(), PlainWeights(), lr=(0.1, 0.2)),
        Linear(Squared(), regularization=0.0),
    ):
        with pytest.raises(InputError):
            oracle.reset(spec)
