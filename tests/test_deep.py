"""Neural recipes with several hidden layers: against plain torch, and where they are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import neucb
from neucb.agents.agent import Reduction
from neucb.agents.module import perceptron
from neucb.agents.recipes import RECIPES
from neucb.errors import InputError
from neucb.runner import prepare
from neucb.spec import Spec
from neucb.streams import stream
from tests.test_environment import toy

SPEC = Spec((3, 8), 3, 4, 40, dtype="float64")


@pytest.mark.parametrize("name", ["kl", "sq"])
def test_equals_plain_torch(name: str) -> None:
    """Three steps a round on three hidden layers, other step schedules in every replica."""
    lr, power = (0.4, 0.9), (0.3, 0.1)
    given = {"depth": 3, "width": 7, "replay": 3, "lr": lr, "lr_power": power}
    agent = RECIPES[name].build(given)
    assert isinstance(agent, Reduction)
    agent.reset(SPEC)
    rng = np.random.default_rng(0)
    contexts, losses = rng.standard_normal((40, 2, 4)), rng.random((40, 2))
    for x, y in zip(torch.tensor(contexts), torch.tensor(losses), strict=True):
        agent.update(x, torch.tensor([1, 2]), y)
    probe = torch.tensor(rng.standard_normal((2, 4)))
    predicted = agent.oracle.predict(probe).mean

    for r, arm in enumerate((1, 2)):
        with torch.random.fork_rng():
            torch.manual_seed(int(stream(SPEC.seeds[r], "init").integers(2**63)))
            alone = perceptron(depth=3, width=7)(SPEC).double()
        draws = stream(SPEC.seeds[r], "replay").random((256, 2))
        for t in range(40):
            for past in (t, *(draws[t] * (t + 1)).astype(int)):
                f = alone(torch.tensor(contexts[past, r]))[arm]
                y = torch.tensor(losses[past, r])
                if name == "kl":
                    loss = torch.nn.functional.binary_cross_entropy_with_logits(f, y)
                else:
                    loss = (f - y).square() / 2
                gradients = torch.autograd.grad(loss, list(alone.parameters()))
                with torch.no_grad():
                    for one, gradient in zip(alone.parameters(), gradients, strict=True):
                        one.sub_(lr[r] / (t + 1) ** power[r] * gradient)
        f = alone(probe[r]).detach()
        expected = f.sigmoid() if name == "kl" else f
        torch.testing.assert_close(predicted[r], expected, rtol=1e-9, atol=1e-12)


def test_a_deep_recipe_learns_and_comes_back(tmp_path: Path) -> None:
    settings = {"depth": 2, "width": 16, "lr": [0.3, 0.5], "replay": 4}
    frame, agent = neucb.run("kl", toy(400), seeds=2, settings=settings, return_agent=True)
    alone = neucb.run("kl", toy(400), seeds=[1], settings={**settings, "lr": 0.5})
    last = frame[frame["round"] == 400]
    assert frame["depth"].unique() == [2]
    assert last["loss"].tolist()[1] == alone["loss"].tolist()[-1]
    assert last["loss"].max() < 0.7 * 400 * 2 / 3  # of uniform play
    agent.save(tmp_path / "deep.safetensors")
    again = neucb.load_agent(tmp_path / "deep.safetensors")
    context = torch.randn(2, agent.spec.features, generator=torch.Generator().manual_seed(1))
    for one in (agent, again):
        one.update(context, torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))  # by the step size of round 401
    torch.testing.assert_close(again.distribution(context), agent.distribution(context), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["neural-falcon", "neural-bootstrap", "supervised"])
def test_epochs_ensembles_and_skylines_take_a_depth(name: str) -> None:
    settings = {"depth": 2, "width": 8, "lr": [0.5, 1.0]}
    job = prepare(name, toy(100), 60, 2, settings=settings)
    assert job.engine == "torch"
    job.play()
    assert job.log.round == 60
    with pytest.raises(InputError, match="it knows one hidden layer; use the torch engine"):
        prepare(name, toy(100), 60, 2, settings=settings, engine="compiled")


def test_what_needs_one_hidden_layer_says_so() -> None:
    recipe = RECIPES["neural-linear"]
    with pytest.raises(InputError, match="neural-linear is made for one hidden layer and takes no depth=2"):
        recipe.settings({"depth": 2})
    assert recipe.settings({"depth": 1})["depth"] == 1


def test_settings_of_one_hidden_layer_are_refused() -> None:
    with pytest.raises(InputError, match="radius is for one hidden layer; leave it out with depth=2"):
        RECIPES["kl"].settings({"depth": 2, "radius": 1.0})


def test_a_recipe_s_normalised_steps_are_not_claimed_for_a_deeper_network() -> None:
    """The recipe's default is 0.5: the log says 0, which is what is played, and 0.5 is refused."""
    recipe = RECIPES["kl"]
    deep = recipe.settings({"depth": 2})
    assert (recipe.settings({})["normalize"], deep["normalize"]) == (0.5, 0.0)
    assert recipe.settings(deep) == deep
    with pytest.raises(InputError, match="normalize is for one hidden layer; leave it out with depth=2"):
        recipe.settings({"depth": 2, "normalize": 0.5})
