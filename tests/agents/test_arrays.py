"""Agents over NumPy arrays play as the same agents over tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import neucb
from neucb.agents.base import ask
from neucb.agents.prediction import Prediction
from neucb.agents.wrappers.arrays import OverArrays, over_tensors
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.runs.api import prepare
from neucb.testing import check_agent
from tests.support.readme import agent_block
from tests.support.tables import toy


class Ridge:
    """Ridge regression per arm with epsilon-greedy play, over tensors."""

    uses_autograd = False

    def reset(self, spec: Spec) -> None:
        shape = spec.replicas, spec.arms, spec.features
        self.a = torch.eye(spec.features, dtype=torch.float64).expand(*shape, spec.features).clone()
        self.b = torch.zeros(shape, dtype=torch.float64)
        self.rows = torch.arange(spec.replicas)
        self.count = torch.zeros(spec.replicas, dtype=torch.float64)

    def _mean(self, context: Any) -> Any:
        theta = torch.linalg.solve(self.a, self.b.unsqueeze(-1)).squeeze(-1)
        return (theta * context.double().unsqueeze(1)).sum(2)

    def distribution(self, context: Any, available: Any = None) -> Any:
        mean = self._mean(context)
        allowed = torch.ones_like(mean) if available is None else available.double()
        best = (mean + 9.0 * (1.0 - allowed)).argmin(1)
        p = 0.1 * allowed / allowed.sum(1, keepdim=True)
        p[self.rows, best] += 0.9
        return p

    def update(self, context: Any, action: Any, loss: Any) -> None:
        x = context.double()
        self.a[self.rows, action] += x.unsqueeze(2) * x.unsqueeze(1)
        self.b[self.rows, action] += x * loss.double().unsqueeze(1)
        self.count += loss.double()
        action.fill_(0)  # a copy of the runner's

    def gauges(self) -> Any:
        return {"parameter_distance": self.count}


class ArrayRidge(Ridge):
    """The same over arrays."""

    uses_autograd = False
    uses_numpy = True

    def reset(self, spec: Spec) -> None:
        shape = spec.replicas, spec.arms, spec.features
        self.a = np.broadcast_to(np.eye(spec.features), (*shape, spec.features)).copy()  # type: ignore[assignment]
        self.b = np.zeros(shape)  # type: ignore[assignment]
        self.rows = np.arange(spec.replicas)  # type: ignore[assignment]
        self.count = np.zeros(spec.replicas)  # type: ignore[assignment]
        self.prediction: Any = None

    def distribution(self, context: Any, available: Any = None) -> Any:
        assert isinstance(context, np.ndarray)
        theta = np.linalg.solve(self.a, self.b[..., None])[..., 0]
        mean = (theta * context.astype(np.float64)[:, None]).sum(2)
        allowed = np.ones_like(mean) if available is None else available.astype(np.float64)
        best = (mean + 9.0 * (1.0 - allowed)).argmin(1)
        p = 0.1 * allowed / allowed.sum(1, keepdims=True)
        p[self.rows, best] += 0.9
        return p

    def update(self, context: Any, action: Any, loss: Any) -> None:
        assert all(isinstance(value, np.ndarray) for value in (context, action, loss))
        x = context.astype(np.float64)
        self.a[self.rows, action] += x[:, :, None] * x[:, None]
        self.b[self.rows, action] += x * loss.astype(np.float64)[:, None]
        self.count += loss
        action[:] = 0


OPTIONS: list[dict[str, Any]] = [
    {},
    {"delay": 3},
    {"feedback_batch": 4},
    {"order": "weakest-class"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_arrays_and_tensors_play_the_same(options: dict[str, Any]) -> None:
    tensors, arrays = (neucb.run(agent(), toy(400), 300, 3, **options) for agent in (Ridge, ArrayRidge))
    names = [name for name in tensors if name != "agent"]
    pd.testing.assert_frame_equal(arrays[names], tensors[names])
    assert arrays["parameter_distance"].notna().all()


def test_arms_that_are_not_available() -> None:
    spec = Spec((0, 1), 3, 2, 10)
    tensors, arrays = Ridge(), over_tensors(ArrayRidge())
    context, available = torch.tensor([[1.0, 0.5], [0.0, 2.0]]), torch.tensor([[True, False, True]] * 2)
    for agent in (tensors, arrays):
        agent.reset(spec)
        agent.update(context, torch.tensor([0, 2]), torch.tensor([1.0, 0.5]))
    p = ask(arrays, context, available)
    np.testing.assert_array_equal(p, ask(tensors, context, available))
    assert (np.asarray(p)[:, 1] == 0.0).all()


class WithoutMask(ArrayRidge):
    def distribution(self, context: Any) -> Any:  # type: ignore[override]
        return super().distribution(context)


def test_an_agent_without_masks_is_named() -> None:
    agent = over_tensors(WithoutMask())
    agent.reset(Spec((0,), 3, 2, 10))
    with pytest.raises(InputError, match=r"WithoutMask\.distribution must take them"):
        ask(agent, torch.zeros(1, 2), torch.ones(1, 3, dtype=torch.bool))


def test_it_passes_the_checks_of_agents() -> None:
    check_agent(Ridge)
    check_agent(ArrayRidge)


class Wrong(ArrayRidge):
    def distribution(self, context: Any, available: Any = None) -> Any:
        return super().distribution(context)[:, :-1]


def test_checks_name_its_faults() -> None:
    with pytest.raises(InputError, match="distribution has shape"):
        check_agent(Wrong)


class Predicting(ArrayRidge):
    def distribution(self, context: Any, available: Any = None) -> Any:
        mean = np.full((len(context), 3), 0.25)
        self.prediction = Prediction(mean)  # type: ignore[arg-type]
        return super().distribution(context)


def test_predictions_are_logged() -> None:
    frame = neucb.run(Predicting(), toy(100), 50, 2)
    last = frame.groupby("seed").tail(1)
    loss = last["loss"].to_numpy()
    expected = loss * 0.75**2 + (50 - loss) * 0.25**2  # losses are 0 or 1
    np.testing.assert_allclose(last["regression_loss"], expected)


def test_a_trained_one_is_saved_and_goes_on(tmp_path: Path) -> None:
    run = prepare(ArrayRidge(), toy(400), 100, 2, keep_agent=True)
    run.play()
    assert not isinstance(run.agent.agent, OverArrays)
    run.agent.save(tmp_path / "agent.safetensors")
    once, again = (neucb.run(run.agent, toy(400), 50) for _ in range(2))
    pd.testing.assert_frame_equal(once, again)
    whole = neucb.run(ArrayRidge(), toy(400), 50, 2)
    assert once["loss"].iloc[-1] < whole["loss"].iloc[-1]  # it had learnt


def test_it_computes_on_the_cpu() -> None:
    with pytest.raises(InputError, match="ArrayRidge uses NumPy, which computes on the cpu"):
        over_tensors(ArrayRidge()).reset(Spec((0,), 3, 2, 10, device="cuda"))


def test_wrapping_twice_is_wrapping_once() -> None:
    agent = over_tensors(ArrayRidge())
    assert over_tensors(agent) is agent
    plain = Ridge()
    assert over_tensors(plain) is plain


def test_example_of_the_readme_passes_the_checks() -> None:
    """It takes no `available`, like most agents of one's own."""
    scope: dict[str, Any] = {"__name__": "example"}
    exec(agent_block(), scope)
    check_agent(scope["FollowTheLeader"], learns=False)
    with pytest.raises(AssertionError, match="on linearly separable data the loss is"):
        check_agent(scope["FollowTheLeader"])
