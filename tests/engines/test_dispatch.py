"""Parts that are added: a branch that was forgotten raises, and what has no kernel is played by torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import neucb
from neucb.agents.recipes import build, settings
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.rules.inverse_gap import EpsilonGreedy
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.engines.compiled.stage import make_reaction, make_rule, make_timing
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.orders.order import FixedOrder, Order
from neucb.environments.orders.registry import ORDERS
from neucb.runs.api import prepare
from neucb.runs.summary import summary
from tests.support.tables import toy

SPEC = Spec((0,), 3, 4, 10)


def add_recipe(monkeypatch: pytest.MonkeyPatch, base: str, **parts: Any) -> None:
    """Register the recipe "fake" with parts of which nothing but their names is known."""
    for part, table in (
        ("kind", settings.KINDS),
        ("oracle", settings.ORACLES),
        ("wrapper", settings.WRAPPERS),
        ("rule", settings.RULES),
    ):
        if part in parts:
            monkeypatch.setitem(table, parts[part], ())
    monkeypatch.setitem(RECIPES, "fake", replace(RECIPES[base], name="fake", **parts))


@pytest.mark.parametrize(
    ("base", "part", "noun", "missing"),
    [
        ("neural-greedy", "rule", "rule", "no rule 'none-such'"),
        ("squarecb", "rule", "rule", "no rule 'none-such'"),
        ("neural-greedy", "wrapper", "wrapper", "no wrapper 'none-such'"),
        ("squarecb", "wrapper", "wrapper", "no wrapper 'none-such'"),
        ("fastcb", "loss", "loss", "no loss 'none-such'"),
        ("kl", "kind", "kind of agent", "no agent of kind 'none-such' with the oracle 'neural'"),
        ("epsilon-greedy", "oracle", "oracle", "no agent of kind 'reduction' with the oracle 'none-such'"),
    ],
)
def test_a_part_without_a_branch_is_never_taken_for_another(
    base: str, part: str, noun: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_recipe(monkeypatch, base, **{part: "none-such"})
    for engine in ("auto", "torch"):
        with pytest.raises(InputError, match=f"unknown {noun} 'none-such'"):
            neucb.run("fake", toy(), 10, 1, engine=engine)
    with pytest.raises(InputError, match=f"cannot play this run: it has {missing}; use the torch engine"):
        neucb.run("fake", toy(), 10, 1, engine="compiled")


def test_a_reduction_without_a_rule_is_not_greedy(monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(monkeypatch, "neural-greedy", rule="none")
    with pytest.raises(InputError, match="unknown rule 'none'"):
        neucb.run("fake", toy(), 10, 1)


def test_the_kernels_own_dispatch_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(monkeypatch, "neural-greedy", rule="none-such", wrapper="none-such")
    with pytest.raises(InputError, match="unknown rule 'none-such'"):
        make_rule(RECIPES["fake"], {}, SPEC)
    with pytest.raises(InputError, match="unknown wrapper 'none-such'"):
        make_timing(RECIPES["fake"], {})


@pytest.mark.parametrize("table", ["features", "gamma_schedule"])
def test_a_choice_without_a_branch_raises(table: str) -> None:
    chosen = RECIPES["squarecb"].settings({}) | {table: "none-such"}
    with pytest.raises(InputError, match=f"unknown {table} 'none-such'"):
        build.build(RECIPES["squarecb"], chosen)


def test_a_rule_that_torch_alone_knows_is_played_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the summary, of which the command line prints the line, says why."""
    add_recipe(monkeypatch, "squarecb", rule="always-random")
    monkeypatch.setattr(build, "make_rule", lambda recipe, own: EpsilonGreedy(1.0))
    job = prepare("fake", toy(), 1500, 3)
    job.play()
    assert job.engine == "torch"
    assert summary(job)["not_compiled"] == "it has no rule 'always-random'"
    last = job.frame().groupby("seed").tail(1)
    np.testing.assert_allclose(last["regret"], 1000, atol=4 * np.sqrt(1500 * 2 / 9))


class Stubborn(Order):
    """Shows a row again until it is played right, then one that was not shown: it reacts to the agent."""

    def __init__(self, labels: Any, arms: int, horizon: int, rng: np.random.Generator) -> None:
        self.rows, self.at = rng.permutation(len(labels)), 0

    def row(self, t: int) -> int:
        return int(self.rows[self.at])

    def saw(self, label: int, loss: float) -> None:
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
        rows = own["context"].to_numpy()
        again = own["loss"].to_numpy()[:-1] == 1.0
        np.testing.assert_array_equal(rows[1:][again], rows[:-1][again])
        right = int((own["loss"] == 0.0)[:-1].sum())
        assert len(set(rows)) == right + 1 > 100
    with pytest.raises(InputError, match="cannot play this run: it has no kernel for the order stubborn"):
        prepare("epsilon-greedy", toy(), 300, 1, order="stubborn", engine="compiled")
    env = ClassificationVectorEnv(toy(), 1, order="stubborn")
    with pytest.raises(InputError, match="no kernel for the order Stubborn"):
        make_reaction(env.script(3), env.encoded.labels)


class Backwards(FixedOrder):
    def draw(self, labels: Any, horizon: int, rng: np.random.Generator) -> Any:
        return np.arange(len(labels))[::-1][:horizon]


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
    assert traces[0]["context"].tolist() == [*range(1499, 1299, -1)] * 2
    assert traces[0]["action"].tolist() == traces[1]["action"].tolist()
