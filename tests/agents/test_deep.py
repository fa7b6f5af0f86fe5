"""Neural recipes with several hidden layers: they learn, and keep to what all recipes keep to.

Their numbers are held to autograd where those of one hidden layer are: test_neural.py, test_training.py,
test_uncertainty.py, test_ensemble.py, test_module_parts.py, test_foreseen.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import neucb
from neucb.agents.recipes.oracles import NEURAL as NETWORK
from neucb.agents.recipes.oracles import make_network
from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import DivergedError, InputError
from neucb.core.spec import Spec
from neucb.runs.api import prepare
from neucb.testing import check_agent
from tests.support.runs import with_agent
from tests.support.tables import cyclic as toy

NEURAL = [name for name, recipe in RECIPES.items() if recipe.oracle == NETWORK]


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("name", ["kl-perturbed", "sq", "neural-ucb", "neural-linear", "neural-bootstrap"])
def test_deep_recipes_learn_like_shallow_ones(name: str, depth: int) -> None:
    """With the recipe's own defaults, one step a round, on digits; uniform play makes 450 mistakes in 500."""
    shallow, deep = (
        neucb.run(name, "digits", 500, 3, settings={"depth": one}, engine="torch") for one in (1, depth)
    )
    ends = [frame.groupby("seed")["loss"].last().mean() for frame in (shallow, deep)]
    assert ends[1] < 1.35 * ends[0]
    assert ends[1] < 0.7 * 450


@pytest.mark.parametrize("name", NEURAL)
def test_every_neural_recipe_takes_a_depth(name: str, tmp_path: Path) -> None:
    """Two replicas with other step sizes: the second is as it is alone, and both come back from a file."""
    settings: dict[str, Any] = {"depth": 2, "width": 8, "lr": [0.3, 0.6]}
    frame, agent = with_agent(name, toy(60), seeds=2, settings=settings)
    assert frame["depth"].unique() == [2]
    alone = neucb.run(name, toy(60), seeds=[1], settings={**settings, "lr": 0.6}, engine="torch")
    assert frame[frame["seed"] == 1]["loss"].tolist() == alone["loss"].tolist()
    agent.save(tmp_path / "deep.safetensors")
    again = neucb.load_agent(tmp_path / "deep.safetensors")
    context = torch.randn(2, agent.spec.features, generator=torch.Generator().manual_seed(1))
    for one in (agent, again):
        one.update(context, torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(again.distribution(context), agent.distribution(context), rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("name", NEURAL)
def test_deep_recipes_are_agents(name: str, depth: int) -> None:
    """That they learn with the steps of their defaults: see above."""
    replay = (
        {"updates_per_round": 2} if RECIPES[name].settings({})["updates_per_round"] != 1 else {}
    )  # 16 take long
    settings = {"depth": depth, "width": 32, **replay}
    check_agent(name, settings=settings, learns=False)


def test_arms_share_what_is_above_the_first_layer() -> None:
    """A step on arm 0 moves the features of arm 1, whose own block of the first layer stays as it was."""
    oracle = make_network(RECIPES["kl"], RECIPES["kl"].settings({"depth": 2, "width": 9}))
    oracle.reset(Spec((0,), 2, 4, 5, dtype="float64"))
    x = torch.ones(1, 4, dtype=torch.float64) / 2
    before = oracle.forward(x)
    oracle.update(x, torch.tensor([0]), torch.tensor([1.0]))
    after = oracle.forward(x)
    assert torch.equal(after.hidden[:, 1], before.hidden[:, 1])
    assert not torch.equal(after.hidden[:, 0], before.hidden[:, 0])
    assert not torch.equal(after.features()[:, 1], before.features()[:, 1])


def test_the_formula_of_a_recipe_that_takes_a_depth_says_what_it_does() -> None:
    for name, recipe in RECIPES.items():
        assert ("with depth L > 1, f_a = " in recipe.formula) == (name in NEURAL)


def test_the_compiled_engine_refuses_depth() -> None:
    settings = {"depth": 2, "width": 8}
    assert prepare("kl", toy(100), 60, 2, settings=settings).engine == "torch"
    with pytest.raises(InputError, match="it supports one hidden layer; use the torch engine"):
        prepare("kl", toy(100), 60, 2, settings=settings, engine="compiled")


@pytest.mark.parametrize("order", ["shuffled", "weakest-class"])  # both loops
def test_a_gradient_that_overflows_before_its_predictions_is_a_divergence(order: str) -> None:
    """Its square does in U, so that deviations are not finite, and no probability is."""
    settings = {"depth": 3, "width": 9, "lr": 3.0, "clip_mean": 0.8}
    words = r"neural-ucb, round 8, seed 3: .* no longer finite, .*\(lr = 3, 1.7 in this round\)"
    with pytest.raises(DivergedError, match=words):
        neucb.run("neural-ucb", "digits", 400, 4, settings=settings, order=order)


def test_what_a_deep_network_cannot_be_is_refused() -> None:
    for settings in ({"c_p": 30.0}, {"c_p": 5.0, "perturbations": 1}):
        with pytest.raises(InputError, match="c_p is too large"):
            neucb.run("sq-perturbed", toy(), 5, 1, settings={"depth": 2, **settings})
    with pytest.raises(InputError, match="up to 3,000 parameters"):
        neucb.run("neural-ucb", toy(), 5, 1, settings={"depth": 2, "covariance": "full"})
