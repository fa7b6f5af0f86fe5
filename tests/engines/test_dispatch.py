"""Parts that are added: a branch that was forgotten raises, and what has no kernel is played by torch."""

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
    """A rule as a user adds it: without a compiled form."""

    name = "always-random"
    formula = "p_a = 1 / K"

    def __call__(self, prediction: Prediction, now: Round) -> torch.Tensor:
        return torch.full_like(prediction.mean, 1 / prediction.mean.shape[1], dtype=torch.float64)


def half_gap(gap: Any, least: Any, strength: Any, arms: Any, exp: Any) -> Any:
    return 1.0 / (arms + strength * gap)


class HalfGap(GapRule):
    """A rule with a weight, registered after the kernels were made from the recipes."""

    name = "half-gap"
    formula = "p_a = 1 / (K + 50 gap) for a != b = argmin yhat, p_b the rest"
    weight = staticmethod(half_gap)

    @property
    def schedule(self) -> Schedule:
        return Power(50.0, 0.0)


class Halved(Squared):
    """A loss of the user's own: the squared loss, computed otherwise, so that it has no kernel."""

    name = "halved"

    def value(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (predicted.clamp(0.0, 1.0) - target) ** 2


class Lazy(InverseGap):
    """A rule that has a base with a kernel, and another policy: a kernel would play that of the base."""

    name = "lazy"

    def __call__(self, prediction: Prediction, now: Round) -> torch.Tensor:
        return torch.full_like(prediction.mean, 1 / prediction.mean.shape[1], dtype=torch.float64)


@dataclass(frozen=True)
class Steps(Power):
    """A schedule that has a base with a compiled form, and another formula."""

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
        ("squarecb", {"rule": Lazy}, "no compiled form of the rule 'lazy'"),
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
def test_a_part_without_a_kernel_is_played_by_torch_which_says_why(
    base: str, parts: dict[str, Any], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And never taken for another: the summary, of which the command line prints the line, has the reason."""
    add_recipe(monkeypatch, base, **parts)
    job = prepare("fake", toy(), 60, 2)
    job.play()
    assert job.engine == "torch"
    assert summary(job)["not_compiled"] == f"it has {missing}"
    with pytest.raises(InputError, match=f"cannot play this run: it has {missing}; use the torch engine"):
        neucb.run("fake", toy(), 10, 1, engine="compiled")


def test_a_rule_that_torch_alone_knows_plays_its_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(monkeypatch, "squarecb", rule=AlwaysRandom, defaults=())
    last = neucb.run("fake", toy(), 1500, 3).groupby("seed").tail(1)
    np.testing.assert_allclose(last["regret"], 1000, atol=4 * np.sqrt(1500 * 2 / 9))


def test_a_loss_that_torch_alone_knows_is_minimised(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the squared loss, so that the recipe takes the very actions of that loss on the same engine."""
    add_recipe(monkeypatch, "sq", loss=Halved)
    known, added = (neucb.run(name, toy(), 200, 2, engine="torch") for name in ("sq", "fake"))
    assert known["regret"].tolist() == added["regret"].tolist()
    assert "(f_a - y)^2 / 2" in RECIPES["fake"].formula


@pytest.mark.parametrize(
    ("base", "part", "message"),
    [
        ("neural-greedy", "rule", "the recipe fake has no exploration rule"),
        ("neural-greedy", "oracle", "the recipe fake has no oracle"),
    ],
)
def test_a_reduction_without_a_part_is_refused(
    base: str, part: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not greedy."""
    add_recipe(monkeypatch, base, **{part: None}, defaults=())
    for engine in ("auto", "torch"):
        with pytest.raises(InputError, match=message):
            neucb.run("fake", toy(), 10, 1, engine=engine)


def test_a_rule_that_needs_deviations_has_them_or_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(monkeypatch, "neural-ucb", wrapper=None, defaults=())
    with pytest.raises(InputError, match="needs an oracle with standard deviations"):
        neucb.run("fake", toy(), 10, 1)


def test_the_kernels_own_parts_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(monkeypatch, "neural-greedy", rule=AlwaysRandom, loss=Halved)
    with pytest.raises(InputError, match="no compiled form of the rule 'always-random'"):
        make_rule(RECIPES["fake"], {}, SPEC)
    with pytest.raises(InputError, match="no compiled form of the loss 'halved'"):
        loss_code(RECIPES["fake"])


def test_a_schedule_with_another_formula_is_not_played_by_the_code_of_its_base() -> None:
    with pytest.raises(InputError, match="the schedule Steps has no compiled form; use the torch engine"):
        Steps(2.0).kernel(3, 10)


@pytest.mark.parametrize("name", ["feature_map", "gamma_schedule"])
def test_a_choice_without_a_branch_raises(name: str) -> None:
    chosen = RECIPES["squarecb"].settings({}) | {name: "none-such"}
    with pytest.raises(InputError, match=f"unknown {name} 'none-such'"):
        RECIPES["squarecb"].kind.make(RECIPES["squarecb"], chosen)


class Stubborn(Order):
    """Shows a row again until it is played right, then one that was not shown: it reacts to the agent."""

    def __init__(self, labels: Any, arms: int, horizon: int, rng: np.random.Generator) -> None:
        self.rows, self.at = rng.permutation(len(labels)), 0

    def row(self, t: int) -> int:
        return int(self.rows[self.at])

    def observe(self, label: int, loss: float) -> None:
        self.at += loss == 0.0


def test_an_order_that_reacts_and_has_no_kernel_is_played_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ORDERS, "stubborn", Stubborn)
    job = prepare("epsilon-greedy", toy(), 300, "3,8", order="stubborn", trace=True)
    assert job.engine == "torch"
    job.play()
    assert summary(job)["not_compiled"] == "it has no kernel for the order stubborn"
    assert job.log.trace is not None
    trace = job.log.trace.frame(300)
    for seed in (3, 8):
        own = trace[trace["seed"] == seed]
        rows = own["row"].to_numpy()
        again = own["loss"].to_numpy()[:-1] == 1.0
        np.testing.assert_array_equal(rows[1:][again], rows[:-1][again])
        right = int((own["loss"] == 0.0)[:-1].sum())
        assert len(set(rows)) == right + 1 > 100
    with pytest.raises(InputError, match="cannot play this run: it has no kernel for the order stubborn"):
        prepare("epsilon-greedy", toy(), 300, 1, order="stubborn", engine="compiled")
    env = ClassificationVectorEnv(toy(), 1, order="stubborn")
    with pytest.raises(InputError, match="no kernel for the order Stubborn"):
        make_adaptive_order(env.script(3), env.encoded.labels)


class Backwards(FixedOrder):
    def draw(self, labels: Any, horizon: int, rng: np.random.Generator) -> Any:
        return np.arange(len(labels))[::-1][:horizon]


@pytest.mark.slow
def test_an_order_that_does_not_react_is_played_by_both_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ORDERS, "backwards", Backwards)
    traces = []
    for engine in ("torch", "compiled"):
        job = prepare(
            "squarecb", toy(), 200, 2, order="backwards", trace=True, dtype="float64", engine=engine
        )
        job.play()
        assert job.log.trace is not None
        traces.append(job.log.trace.frame(200))
    assert traces[0]["row"].tolist() == [*range(1499, 1299, -1)] * 2
    assert traces[0]["action"].tolist() == traces[1]["action"].tolist()
