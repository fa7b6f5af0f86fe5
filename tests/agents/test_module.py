"""Module oracle: comparison with plain torch, stacked and sequential networks, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import neucb
from neucb.agents.ensembles.bootstrap import Ensemble
from neucb.agents.losses import KL, Squared
from neucb.agents.module.oracle import Module, perceptron
from neucb.agents.rules.inverse_gap import InverseGap
from neucb.agents.rules.schedules import Power
from neucb.core.errors import InputError
from neucb.core.random import stream
from neucb.core.spec import Spec
from tests.support.networks import adam, network
from tests.support.tables import cyclic as toy

SPEC = Spec((3, 8), 3, 4, 50, dtype="float64")


class Branching(nn.Module):
    """Data-dependent control flow, which vmap does not support."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if x.sum() > -1e9 else x


@pytest.mark.parametrize("loss", [Squared(), KL()])
@pytest.mark.parametrize("updates", [1, 4])
def test_predictions_equal_those_of_plain_torch(loss: Squared | KL, updates: int) -> None:
    """A single replica trained by autograd and Adam has the same predictions."""
    oracle = Module(network, loss, adam, updates_per_round=updates)
    oracle.reset(SPEC)
    rng = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(8, "init").integers(2**63)))
        alone = network(SPEC).double()
    steps, past = adam(alone.parameters()), []
    draws = stream(8, "replay").random((256, max(updates - 1, 1)))
    for t in range(50):
        x, y = torch.tensor(rng.standard_normal((2, 4))), torch.tensor(rng.random(2))
        action = torch.tensor(rng.integers(0, 3, 2))
        torch.testing.assert_close(oracle.predict(x).mean[1], loss.link(alone(x[1:])[0]))
        oracle.update(x, action, y)
        past.append((x[1], int(action[1]), y[1]))
        chosen = [past[-1], *(past[int(u * (t + 1))] for u in draws[t][: updates - 1])]
        steps.zero_grad()
        f = torch.stack([alone(context)[arm] for context, arm, _ in chosen])
        targets = torch.stack([target for _, _, target in chosen])
        if isinstance(loss, Squared):
            (0.5 * (f - targets).square()).mean().backward()  # type: ignore[no-untyped-call]
        else:
            nn.functional.binary_cross_entropy_with_logits(f, targets).backward()  # type: ignore[no-untyped-call]
        steps.step()


def test_sequential_networks_equal_stacked_ones() -> None:
    stacked = Module(network, KL(), adam)
    looped = Module(lambda spec: Branching(network(spec)), KL(), adam)
    x, y = torch.ones(2, 4, dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
    for oracle in (stacked, looped):
        oracle.reset(SPEC)
        for t in range(5):
            oracle.update(x * t, torch.tensor([0, 2]), y)
    torch.testing.assert_close(looped.predict(x).mean, stacked.predict(x).mean)


@pytest.mark.parametrize(("depth", "bias"), [(1, True), (3, False)])
def test_perceptrons_have_the_requested_layers(depth: int, bias: bool) -> None:
    network = perceptron(depth=depth, width=7, bias=bias)(SPEC)
    shapes = [tuple(parameter.shape) for parameter in network.parameters() if parameter.dim() == 2]
    assert shapes == [(7, 4), *[(7, 7)] * (depth - 1), (3, 7)]
    assert len(list(network.parameters())) == (2 if bias else 1) * (depth + 1)
    with pytest.raises(InputError, match="depth and width"):
        perceptron(depth=0)


def test_counts_multiply_the_gradient_of_a_sample() -> None:
    """Gradient descent: count 3 moves three times as far, count 0 not at all; an ensemble learns."""

    def descent(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=0.1)

    x, arm = torch.ones(2, 4, dtype=torch.float64), torch.tensor([0, 2])
    y = torch.tensor([0.0, 1.0], dtype=torch.float64)
    moves = []
    for count in ([1.0, 1.0], [3.0, 0.0]):
        oracle = Module(network, KL(), descent)
        oracle.reset(SPEC)
        before = {name: value.detach().clone() for name, value in oracle._parameters.items()}
        oracle.update(x, arm, y, torch.tensor(count))
        moves.append({name: value.detach() - before[name] for name, value in oracle._parameters.items()})
    for name, once in moves[0].items():
        torch.testing.assert_close(moves[1][name][0], 3 * once[0])
        assert not moves[1][name][1].any()
    voters = Ensemble(Module(perceptron(width=16), KL(), adam, updates_per_round=4), members=5)
    last = neucb.run(voters, toy(300), 300, 2).groupby("seed").tail(1)
    assert last["regret"].mean() < 0.5 * 300 * 2 / 3


@pytest.mark.gpu
def test_gpu_and_cpu_play_alike() -> None:
    frames = []
    for device in ("cpu", "cuda"):
        agent = neucb.Reduction(
            Module(perceptron(width=16), KL(), adam, updates_per_round=4), InverseGap(Power(30.0))
        )
        frames.append(neucb.run(agent, toy(300), 300, 3, device=device, dtype="float64"))
    torch.testing.assert_close(*(torch.tensor(frame["loss"].to_numpy()) for frame in frames))


@pytest.mark.parametrize("dataset", [toy(600), "synthetic:logistic"])
def test_the_module_oracle_learns(dataset: object) -> None:
    agent = neucb.Reduction(Module(network, KL(), adam, updates_per_round=8), InverseGap(Power(30.0)))
    last = neucb.run(agent, dataset, 600, 3).groupby("seed").tail(1)  # type: ignore[arg-type]
    uniform = neucb.run("uniform", dataset, 600, 3).groupby("seed").tail(1)  # type: ignore[arg-type]
    assert last["regret"].mean() < 0.7 * uniform["regret"].mean()


def test_errors_name_the_fault() -> None:
    wide = Module(lambda spec: nn.Linear(spec.features, 7), KL(), adam)
    wide.reset(SPEC)
    with pytest.raises(InputError, match=r"must give \[B, 3\] outputs for B contexts, not \(1, 7\)"):
        wide.predict(torch.zeros(2, 4))
    with pytest.raises(InputError, match="replay"):
        Module(network, KL(), adam, updates_per_round=0).reset(SPEC)
