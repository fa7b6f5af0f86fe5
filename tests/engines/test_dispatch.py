"""Added parts: an unknown part raises an error, and a part without a kernel is played by torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

import neucb
from neucb.agents.linear.oracle import Linear
from neucb.agents.losses import Squared
from neucb.agents.prediction import Prediction, Round
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.recipe import Kind, OraclePart, Wrapper
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.rules.confidence import LowerConfidence
from neucb.agents.rules.inverse_gap import GapRule, InverseGap
from neucb.agents.rules.rule import Rule
from neucb.agents.rules.schedules import Power, Schedule
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.engines.compiled.inputs import loss_code, make_adaptive_order, make_rule
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.orders.order import FixedOrder, Order
from neucb.environments.orders.registry import ORDERS
from neucb.runs.api import prepare
from neucb.runs.summary import summary
from tests.support.tables import toy

SPEC = Spec((0,), 3, 4, 10)


class AlwaysRandom(Rule):
    """User-defined rule without a compiled form."""

    name = "always-random"
    formula = "p_a = 1 / K"

    def __call__(self, prediction: Prediction, now: Round) -> torch.Tensor:
        return torch.full_like(prediction.mean, 1 / prediction.mean.shape[1], dtype=torch.float64)


def half_gap(gap: Any, least: Any, strength: Any, arms: Any, exp: Any) -> Any:
    return 1.0 / (arms + strength * gap)


class HalfGap(GapRule):
    """Rule with a weight, defined after the kernels were built from the recipes."""

    name = "half-gap"
    formula = "p_a = 1 / (K + 50 gap) for a != b = argmin yhat, p_b the rest"
    weight = staticmethod(half_gap)

    @property
    def schedule(self) -> Schedule:
        return Power(50.0, 0.0)


class Halved(Squared):
    """User-defined loss: the squared loss, without a kernel."""

    name = "halved"

    def value(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (predicted.clamp(0.0, 1.0) - target) ** 2


class Overriding(InverseGap):
    """Rule that overrides the policy of a base with a kernel, which would play the base's policy."""

    name = "overriding"

    def __call__(self, prediction: Prediction, now: Round) -> torch.Tensor:
        return torch.full_like(prediction.mean, 1 / prediction.mean.shape[1], dtype=torch.float64)


@dataclass(frozen=True)
class Steps(Power):
    """Schedule that overrides the formula of a base with a compiled form."""

    def __call__(self, now: Round, arms: int) -> torch.Tensor:
        return torch.full_like(now.observed_loss, float(now.number // 100))


WRAPPER = Wrapper("no-op", "it changes nothing", lambda oracle, settings: oracle)
KIND = Kind("doubled", "p_a = 1 / K", lambda recipe, settings: make_agent(RECIPES["uniform"]))
ORACLE = OraclePart("other", (), lambda recipe: ["yhat_a = 0"], lambda recipe, settings: Linear(Squared()))


def add_recipe(monkeypatch: pytest.MonkeyPatch, base: str, **parts: Any) -> None:
    monkeypatch.setitem(RECIPES, "fake", replace(RECIPES[base], name="fake", **parts))


@pytest.mark.parametrize(
    ("base", "parts", "missing"),
    [
        ("neural-greedy", {"rule": AlwaysRandom}, "no compiled form of the rule 'always-random'"),
        ("squarecb", {"rule": AlwaysRandom, "defaults": ()}, "no compiled form of the rule 'always-random'"),
        ("squarecb", {"rule": HalfGap, "defaults": ()}, "no compiled form of the rule 'half-gap'"),
        ("squarecb", {"rule": Overriding}, "no compiled form of the rule 'overriding'"),
        ("neural-greedy", {"wrapper": WRAPPER}, "no wrapper 'no-op'"),
        ("squarecb", {"wrapper": WRAPPER}, "no wrapper 'no-op'"),
        ("kl", {"loss": Halved}, "no compiled form of the loss 'halved'"),
        ("fastcb", {"loss": Halved}, "no compiled form of the loss 'halved'"),
        ("kl", {"kind": KIND}, "no agent of kind 'doubled' with the oracle 'neural'"),
        (
            "epsilon-greedy",
            {"oracle": ORACLE},
            "no agent of kind 'reduction' with the oracle 'other'",
        ),
        (
            "neural-linear",
            {"rule": LowerConfidence},
            "no rule 'lower-confidence' for arms that are predicted together",
        ),
    ],
)
def test_a_part_without_a_kernel_is_played_by_torch_with_the_reason(
    base: str, parts: dict[str, Any], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary states the reason."""
    add_recipe(monkeypatch, base, **parts)
    run = prepare("fake", toy(), 60, 2)
    run.play()
    assert run.engine == "torch"
    assert summary(run)["not_compiled"] == f"it has {missing}"
    with pytest.raises(InputError, match=f"cannot play this run: it has {missing}; use the torch engine"):
        neucb.run("fake", toy(), 10, 1, engine="compiled")


def test_a_rule_without_a_kernel_plays_its_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(monkeypatch, "squarecb", rule=AlwaysRandom, defaults=())
    last = neucb.run("fake", toy(), 1500, 3).groupby("seed").tail(1)
    np.testing.assert_allclose(last["regret"], 1000, atol=4 * np.sqrt(1500 * 2 / 9))


def test_a_loss_without_a_kernel_is_minimised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss equals the squared loss, so that the recipe takes the same actions on the same engine."""
    add_recipe(monkeypatch, "sq", loss=Halved)
    squared, added = (neucb.run(name, toy(), 200, 2, engine="torch") for name in ("sq", "fake"))
    assert squared["regret"].tolist() == added["regret"].tolist()
    assert "(f_a - y)^2 / 2" in RECIPES["fake"].formula


@pytest.mark.parametrize(
    ("base", "part", "message"),
    [
        ("neural-greedy", "rule", "the recipe fake has no exploration rule"),
        ("neural-greedy", "oracle", "the recipe fake has no oracle"),
    ],
)
def test_a_reduction_without_a_part_is_rejected(
    base: str, part: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_recipe(monkeypatch, base, **{part: None}, defaults=())
    for engine in ("auto", "torch"):
        with pytest.raises(InputError, match=message):
            neucb.run("fake", toy(), 10, 1, engine=engine)


def test_a_rule_that_needs_deviations_rejects_an_oracle_without(monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(monkeypatch, "neural-ucb", wrapper=None, defaults=())
    with pytest.raises(InputError, match="needs an oracle with standard deviations"):
        neucb.run("fake", toy(), 10, 1)


def test_kernel_builders_reject_unknown_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(monkeypatch, "neural-greedy", rule=AlwaysRandom, loss=Halved)
    with pytest.raises(InputError, match="no compiled form of the rule 'always-random'"):
        make_rule(RECIPES["fake"], {}, SPEC)
    with pytest.raises(InputError, match="no compiled form of the loss 'halved'"):
        loss_code(RECIPES["fake"])


def test_a_schedule_that_overrides_its_formula_has_no_compiled_form() -> None:
    with pytest.raises(InputError, match="the schedule Steps has no compiled form; use the torch engine"):
        Steps(2.0).kernel(3, 10)


@pytest.mark.parametrize("name", ["feature_map", "gamma_schedule"])
def test_an_unknown_choice_is_an_error(name: str) -> None:
    settings = RECIPES["squarecb"].settings({}) | {name: "none-such"}
    with pytest.raises(InputError, match=f"unknown {name} 'none-such'"):
        RECIPES["squarecb"].kind.make(RECIPES["squarecb"], settings)


class Repeating(Order):
    """Adaptive order: repeats a row until its loss is 0, then takes a new row."""

    def __init__(self, labels: Any, arms: int, horizon: int, rng: np.random.Generator) -> None:
        self.rows, self.at = rng.permutation(len(labels)), 0

    def row(self, t: int) -> int:
        return int(self.rows[self.at])

    def observe(self, label: int, loss: float) -> None:
        self.at += loss == 0.0


def test_an_adaptive_order_without_a_kernel_is_played_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ORDERS, "repeating", Repeating)
    run = prepare("epsilon-greedy", toy(), 300, "3,8", order="repeating", trace=True)
    assert run.engine == "torch"
    run.play()
    assert summary(run)["not_compiled"] == "it has no kernel for the order repeating"
    assert run.log.trace is not None
    trace = run.log.trace.frame(300)
    for seed in (3, 8):
        own = trace[trace["seed"] == seed]
        rows = own["row"].to_numpy()
        repeated = own["loss"].to_numpy()[:-1] == 1.0
        np.testing.assert_array_equal(rows[1:][repeated], rows[:-1][repeated])
        solved = int((own["loss"] == 0.0)[:-1].sum())
        assert len(set(rows)) == solved + 1 > 100
    with pytest.raises(InputError, match="cannot play this run: it has no kernel for the order repeating"):
        prepare("epsilon-greedy", toy(), 300, 1, order="repeating", engine="compiled")
    env = ClassificationVectorEnv(toy(), 1, order="repeating")
    with pytest.raises(InputError, match="no kernel for the order Repeating"):
        make_adaptive_order(env.script(3), env.encoded.labels)


class Backwards(FixedOrder):
    def draw(self, labels: Any, horizon: int, rng: np.random.Generator) -> Any:
        return np.arange(len(labels))[::-1][:horizon]


@pytest.mark.slow
def test_a_fixed_order_is_played_by_both_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ORDERS, "backwards", Backwards)
    traces = []
    for engine in ("torch", "compiled"):
        run = prepare(
            "squarecb", toy(), 200, 2, order="backwards", trace=True, dtype="float64", engine=engine
        )
        run.play()
        assert run.log.trace is not None
        traces.append(run.log.trace.frame(200))
    assert traces[0]["row"].tolist() == [*range(1499, 1299, -1)] * 2
    assert traces[0]["action"].tolist() == traces[1]["action"].tolist()
