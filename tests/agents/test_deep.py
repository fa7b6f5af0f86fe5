"""Neural recipes with several hidden layers learn and pass the checks of all recipes.

Other tests compare their numbers with autograd: test_neural.py, test_training.py,
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
    """With default settings, one step per round, on digits; uniform play makes 450 mistakes in 500."""
    shallow, deep = (
        neucb.run(name, "digits", 500, 3, settings={"depth": layers}, engine="torch") for layers in (1, depth)
    )
    ends = [frame.groupby("seed")["loss"].last().mean() for frame in (shallow, deep)]
    assert ends[1] < 1.35 * ends[0]
    assert ends[1] < 0.7 * 450


@pytest.mark.parametrize("name", NEURAL)
def test_every_neural_recipe_supports_depth(name: str, tmp_path: Path) -> None:
    """Two replicas with different step sizes: the second equals a single run, both survive a file."""
    settings: dict[str, Any] = {"depth": 2, "width": 8, "lr": [0.3, 0.6]}
    frame, agent = with_agent(name, toy(60), seeds=2, settings=settings)
    assert frame["depth"].unique() == [2]
    alone = neucb.run(name, toy(60), seeds=[1], settings={**settings, "lr": 0.6}, engine="torch")
    assert frame[frame["seed"] == 1]["loss"].tolist() == alone["loss"].tolist()
    agent.save(tmp_path / "deep.safetensors")
    loaded = neucb.load_agent(tmp_path / "deep.safetensors")
    context = torch.randn(2, agent.spec.features, generator=torch.Generator().manual_seed(1))
    for trained in (agent, loaded):
        trained.update(context, torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(loaded.distribution(context), agent.distribution(context), rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("name", NEURAL)
def test_deep_recipes_pass_check_agent(name: str, depth: int) -> None:
    """Learning is tested above."""
    replay = (
        {"updates_per_round": 2} if RECIPES[name].settings({})["updates_per_round"] != 1 else {}
    )  # 16 take long
    settings = {"depth": depth, "width": 32, **replay}
    check_agent(name, settings=settings, learns=False)


def test_arms_share_the_layers_above_the_first() -> None:
    """A step on arm 0 moves the features of arm 1 but not its block of the first layer."""
    oracle = make_network(RECIPES["kl"], RECIPES["kl"].settings({"depth": 2, "width": 9}))
    oracle.reset(Spec((0,), 2, 4, 5, dtype="float64"))
    x = torch.ones(1, 4, dtype=torch.float64) / 2
    before = oracle.forward(x)
    oracle.update(x, torch.tensor([0]), torch.tensor([1.0]))
    after = oracle.forward(x)
    assert torch.equal(after.hidden[:, 1], before.hidden[:, 1])
    assert not torch.equal(after.hidden[:, 0], before.hidden[:, 0])
    assert not torch.equal(after.features()[:, 1], before.features()[:, 1])


def test_formulas_of_neural_recipes_describe_depth() -> None:
    for name, recipe in RECIPES.items():
        assert ("with depth L > 1, f_a = " in recipe.formula) == (name in NEURAL)


def test_the_compiled_engine_rejects_depth() -> None:
    settings = {"depth": 2, "width": 8}
    assert prepare("kl", toy(100), 60, 2, settings=settings).engine == "torch"
    with pytest.raises(InputError, match="it supports one hidden layer; use the torch engine"):
        prepare("kl", toy(100), 60, 2, settings=settings, engine="compiled")


@pytest.mark.parametrize("order", ["shuffled", "weakest-class"])  # both loops
def test_an_overflowing_gradient_is_a_divergence(order: str) -> None:
    """The square of the gradient overflows in U, so that deviations and probabilities are not finite."""
    settings = {"depth": 3, "width": 9, "lr": 3.0, "clip_mean": 0.8}
    message = r"neural-ucb, round 8, seed 3: .* no longer finite, .*\(lr = 3, 1.7 in this round\)"
    with pytest.raises(DivergedError, match=message):
        neucb.run("neural-ucb", "digits", 400, 4, settings=settings, order=order)


def test_invalid_settings_of_a_deep_network_are_rejected() -> None:
    for settings in ({"c_p": 30.0}, {"c_p": 5.0, "perturbations": 1}):
        with pytest.raises(InputError, match="c_p is too large"):
            neucb.run("sq-perturbed", toy(), 5, 1, settings={"depth": 2, **settings})
    with pytest.raises(InputError, match="up to 3,000 parameters"):
        neucb.run("neural-ucb", toy(), 5, 1, settings={"depth": 2, "covariance": "full"})
