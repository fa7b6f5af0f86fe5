"""Agents of a user's own: what their distribution may be, and that they may learn by autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import neucb
from neucb.agents.base import is_foreign
from neucb.agents.losses import KL
from neucb.agents.module.oracle import Module, perceptron
from neucb.agents.prediction import Prediction
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import find_recipe
from neucb.agents.rules.inverse_gap import EpsilonGreedy
from neucb.agents.wrappers.delay import Delayed
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.engines.lockstep.loop import distribution
from neucb.testing import check_agent


class Uniform:
    """Uniform play, in numbers of any kind."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def reset(self, spec: Any) -> None:
        self.shape = (spec.replicas, spec.arms)

    def distribution(self, context: Any) -> Any:
        return self.kind(np.full(self.shape, 1.0 / self.shape[1]))

    def update(self, context: Any, action: Any, loss: Any) -> None:
        pass


@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist])
def test_arrays_and_lists_are_distributions_in_a_run_and_in_check_agent(kind: Any) -> None:
    ours = neucb.run(Uniform(kind), "iris", 50, 2)
    assert ours["loss"].tolist() == neucb.run("uniform", "iris", 50, 2)["loss"].tolist()
    check_agent(lambda: Uniform(kind), learns=False)


def test_a_distribution_that_is_none_is_one_line() -> None:
    with pytest.raises(InputError, match=r"must be numbers \[R, K\], a tensor or an array; it is a NoneType"):
        neucb.run(Uniform(lambda p: None), "iris", 50, 1)


def test_a_device_out_of_memory_is_not_called_a_bad_distribution() -> None:
    """Moving a tensor may fail for the device's reasons: what torch says of it comes through."""

    class Full(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        distribution(torch.ones(1, 2).as_subclass(Full), Spec((0,), 2, 3, 5))


class Logistic:
    """An oracle as PyTorch is usually written: a parameter, an optimiser, backward()."""

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
    """The same as an agent, which keeps the graph from `distribution` to `update`."""

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


def test_an_agent_that_calls_backward_may_hear_late_and_is_checked() -> None:
    neucb.run(neucb.Reduction(Logistic(), EpsilonGreedy(0.05)), "iris", 60, 2, delay=5)
    check_agent(lambda: neucb.Reduction(Logistic(), EpsilonGreedy(0.05)))


def test_gradients_are_recorded_for_foreign_parts_only() -> None:
    module = Module(perceptron(), KL(), lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    ours = [make_agent(find_recipe(name)) for name in ("kl-perturbed", "exp4", "neural-ucb", "linucb")]
    assert not any(is_foreign(agent) for agent in [*ours, neucb.Reduction(module, EpsilonGreedy(0.1))])
    theirs = neucb.Reduction(Logistic(), EpsilonGreedy(0.1))
    ruled = neucb.Reduction(make_agent(find_recipe("kl")).oracle, lambda prediction, now: prediction.mean)  # type: ignore[attr-defined]
    assert all(is_foreign(agent) for agent in (theirs, Delayed(theirs, delay=3), Greedy(), ruled))
