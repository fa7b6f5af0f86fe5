"""User-defined agents: types of distributions, and learning by autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import neucb
from neucb.agents.baselines import Supervised
from neucb.agents.losses import KL
from neucb.agents.module.oracle import Module, perceptron
from neucb.agents.prediction import Prediction
from neucb.agents.protocols import uses_autograd
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES, find_recipe
from neucb.agents.rules.inverse_gap import EpsilonGreedy
from neucb.agents.wrappers.delay import Delayed
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.engines.checks import distribution
from neucb.testing import check_agent


class Uniform:
    """Uniform play with distributions of any type."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def reset(self, spec: Any) -> None:
        self.shape = (spec.replicas, spec.arms)

    def distribution(self, context: Any) -> Any:
        return self.kind(np.full(self.shape, 1.0 / self.shape[1]))

    def update(self, context: Any, action: Any, loss: Any) -> None:
        pass


@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist])
def test_distributions_may_be_arrays_or_lists(kind: Any) -> None:
    frame = neucb.run(Uniform(kind), "iris", 50, 2)
    assert frame["loss"].tolist() == neucb.run("uniform", "iris", 50, 2)["loss"].tolist()
    check_agent(lambda: Uniform(kind), learns=False)


def test_an_invalid_distribution_is_a_one_line_error() -> None:
    with pytest.raises(InputError, match=r"must be numbers \[R, K\], a tensor or an array; it is a NoneType"):
        neucb.run(Uniform(lambda p: None), "iris", 50, 1)


def test_out_of_memory_is_not_an_invalid_distribution() -> None:
    """Errors of torch while a tensor is moved are raised unchanged."""

    class Full(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        distribution(torch.ones(1, 2).as_subclass(Full), Spec((0,), 2, 3, 5))


class Logistic:
    """Oracle in usual PyTorch style: a parameter, an optimiser, backward()."""

    def reset(self, spec: Any) -> None:
        self.weights = torch.zeros(spec.replicas, spec.features, spec.arms, requires_grad=True)
        self.steps = torch.optim.SGD([self.weights], lr=2.0)

    def predict(self, context: Any) -> Prediction:
        return Prediction(torch.bmm(context.unsqueeze(1), self.weights).squeeze(1).sigmoid())

    def update(self, context: Any, action: Any, loss: Any) -> None:
        self.steps.zero_grad()
        predicted = self.predict(context).mean.gather(1, action.unsqueeze(1)).squeeze(1)
        torch.nn.functional.binary_cross_entropy(predicted, loss, reduction="sum").backward()  # type: ignore[no-untyped-call]
        self.steps.step()


class Greedy(Logistic):
    """The same as an agent that keeps the graph from `distribution` to `update`."""

    def distribution(self, context: Any) -> Any:
        self.mean = self.predict(context).mean
        return torch.softmax(-50.0 * self.mean, 1)

    def update(self, context: Any, action: Any, loss: Any) -> None:
        self.steps.zero_grad()
        predicted = self.mean.gather(1, action.unsqueeze(1)).squeeze(1)
        torch.nn.functional.binary_cross_entropy(predicted, loss, reduction="sum").backward()  # type: ignore[no-untyped-call]
        self.steps.step()


@pytest.mark.parametrize("order", ["shuffled", "weakest-class"])  # both loops
@pytest.mark.parametrize("make", [Greedy, lambda: neucb.Reduction(Logistic(), EpsilonGreedy(0.05))])
def test_an_agent_or_an_oracle_may_call_backward(make: Any, order: str) -> None:
    frame = neucb.run(make(), "iris", 150, 3, order=order)
    uniform = neucb.run("uniform", "iris", 150, 3, order=order)
    assert frame.groupby("seed")["loss"].max().max() < 0.6 * uniform.groupby("seed")["loss"].max().min()


def test_an_agent_with_autograd_supports_delay_and_passes_check_agent() -> None:
    neucb.run(neucb.Reduction(Logistic(), EpsilonGreedy(0.05)), "iris", 60, 2, delay=5)
    check_agent(lambda: neucb.Reduction(Logistic(), EpsilonGreedy(0.05)))


def test_gradients_are_recorded_by_default() -> None:
    module = Module(perceptron(), KL(), lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    assert not any(uses_autograd(make_agent(recipe)) for recipe in RECIPES.values())
    user_agent = neucb.Reduction(Logistic(), EpsilonGreedy(0.1))
    oracle = make_agent(find_recipe("kl")).oracle  # type: ignore[attr-defined]
    with_user_rule = neucb.Reduction(oracle, lambda prediction, now: prediction.mean)
    with_module = neucb.Reduction(module, EpsilonGreedy(0.1))
    agents = (
        user_agent,
        Delayed(user_agent, delay=3),
        Greedy(),
        with_user_rule,
        with_module,
        Supervised(module),
    )
    assert all(uses_autograd(agent) for agent in agents)


def test_an_agent_can_declare_that_it_uses_no_autograd() -> None:
    class Undeclared(neucb.Reduction):
        pass

    class Declares(Uniform):
        uses_autograd = False

        def update(self, context: Any, action: Any, loss: Any) -> None:
            assert not torch.is_grad_enabled()

    recipe_agent = make_agent(find_recipe("squarecb"))
    assert uses_autograd(Undeclared(recipe_agent.oracle, recipe_agent.rule))  # type: ignore[attr-defined]
    neucb.run(Declares(np.asarray), "iris", 60, 2)
    neucb.run(Declares(np.asarray), "synthetic:linear", 60, 2)
