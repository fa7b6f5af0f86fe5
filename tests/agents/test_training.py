"""Replay in batches and published training schedules: comparison with plain torch and single steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import neucb
from neucb.agents.initialisation import step_share
from neucb.agents.losses import KL, Squared
from neucb.agents.network.expected_perturbation import ExpectedPerturbation
from neucb.agents.network.oracle import Neural
from neucb.agents.network.training import batch_gradient, is_due, make_batch
from neucb.agents.network.weights import PlainWeights
from neucb.agents.recipes.oracles import NEURAL as NETWORK
from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import InputError
from neucb.core.random import stream
from neucb.core.spec import Spec
from neucb.runs.api import prepare
from tests.support.tables import toy

K, D, M = 3, 4, 6
SPEC = Spec((5, 9), K, D, 40, dtype="float64")
LOSSES = [Squared(), KL()]


def samples(rounds: int, per_arm: bool = False) -> list[tuple[Tensor, Tensor, Tensor]]:
    rng = np.random.default_rng(0)
    shape = (2, K, D) if per_arm else (2, D)
    drawn = [(rng.standard_normal(shape), rng.integers(0, K, 2), rng.random(2)) for _ in range(rounds)]
    return [(torch.tensor(x), torch.tensor(arm), torch.tensor(y)) for x, arm, y in drawn]


def above(hidden: Tensor, head: Tensor) -> Tensor:
    """Return outputs [n] for first hidden layers [n, m]."""
    for layer in head[:-M].view(-1, M, M):
        hidden = (hidden @ layer).relu()
    f: Tensor = hidden @ head[-M:]
    return f


class Plain:
    """One replica of the network by autograd: W1 [K, d + 1, m], further layers, plain gradient descent."""

    def __init__(self, neural: Neural, r: int, loss: Squared | KL) -> None:
        weights: Any = neural.weights
        self.loss = loss
        self.first = weights._first.view(2, -1, D + 1, M)[r].clone().requires_grad_()
        self.head = weights._head[r].clone().requires_grad_()

    def outputs(self, x: Tensor, arm: Tensor) -> Tensor:
        x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
        block = arm if len(self.first) > 1 else torch.zeros_like(arm)
        hidden = torch.einsum("nd,ndm->nm", x, self.first[block]).relu()
        return above(hidden, self.head)

    def descend(self, x: Tensor, arm: Tensor, target: Tensor, rate: float) -> Tensor:
        f = self.outputs(x, arm)
        if isinstance(self.loss, Squared):
            value = 0.5 * (f - target).square().mean()
        else:
            value = torch.nn.functional.binary_cross_entropy_with_logits(f, target)
        on_first, on_head = torch.autograd.grad(value, (self.first, self.head))
        with torch.no_grad():
            self.first -= rate * on_first
            on_head[:-M] *= 0.25
            self.head -= rate * on_head
        return self.loss.link(f.detach())

    def assert_equals(self, neural: Neural, r: int) -> None:
        weights: Any = neural.weights
        torch.testing.assert_close(weights._first.view(2, -1, D + 1, M)[r], self.first.detach())
        torch.testing.assert_close(weights._head[r], self.head.detach())


def network(loss: Squared | KL, spec: Spec = SPEC, **options: Any) -> Neural:
    oracle = Neural(loss, PlainWeights(), width=M, lr=[0.1, 0.3], lr_power=0.2, **options)
    oracle.reset(spec)
    return oracle


def stacked(past: list[tuple[Tensor, Tensor, Tensor]], r: int) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.stack([x[r] if x.dim() == 2 else x[r, arm[r]] for x, arm, _ in past])
    return x, torch.stack([arm[r] for _, arm, _ in past]), torch.stack([y[r] for *_, y in past])


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("per_arm", "depth"), [(False, 1), (True, 1), (False, 2)])
def test_neural_ts_training_is_100_full_batch_steps_per_round(
    loss: Squared | KL, per_arm: bool, depth: int
) -> None:
    spec = Spec((5, 9), K, D, 40, dtype="float64", per_arm=per_arm)
    oracle = network(loss, spec, training="neural-ts", depth=depth)
    plain = [Plain(oracle, r, loss) for r in range(2)]
    past: list[tuple[Tensor, Tensor, Tensor]] = []
    for t, sample in enumerate(samples(6, per_arm), start=1):
        past.append(sample)
        oracle.predict(sample[0])
        oracle.update(*sample)
        for r, replica in enumerate(plain):
            for _ in range(100):
                replica.descend(*stacked(past, r), step_share(M, "he", depth) * (0.1, 0.3)[r] / t**0.2)
            replica.assert_equals(oracle, r)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_neural_ucb_training_is_up_to_1000_single_steps(loss: Squared | KL) -> None:
    """Passes in random order until the error is small; the second replica has contradictory samples."""
    oracle = network(loss, training="neural-ucb")
    plain = [Plain(oracle, r, loss) for r in range(2)]
    past: list[tuple[Tensor, Tensor, Tensor]] = []
    stops = []
    for t, (x, arm, y) in enumerate(samples(4), start=1):
        target = torch.tensor([0.2, float(y[1])], dtype=torch.float64)
        if t == 2:
            x = past[0][0]
            target[1] = 1.0 - past[0][2][1]  # the same context with another loss: no network fits both
            arm = past[0][1]
        past.append((x, arm, target))
        oracle.update(x, arm, target)
        for r, replica in enumerate(plain):
            xs, arms, targets = stacked(past, r)
            steps = passes = 0
            error = 1.0
            while error > 1e-3 and steps < 1000:
                order = stream(SPEC.seeds[r], "replay", t, passes).permutation(t)
                squares = 0.0
                for i in order:
                    if steps == 1000:
                        break
                    yhat = replica.descend(xs[[i]], arms[[i]], targets[[i]], (0.1, 0.3)[r] / t**0.2)
                    squares += float((yhat - targets[i]).square())
                    steps += 1
                error = squares / t
                passes += 1
            stops.append(steps)
            replica.assert_equals(oracle, r)
    assert min(stops) < 1000 == max(stops)


def test_neural_ucb_trains_every_100th_round_after_2000() -> None:
    due = [t for t in range(1, 2402) if is_due("neural-ucb", t)]
    assert due == [*range(1, 2001), 2100, 2200, 2300, 2400]
    assert all(is_due(schedule, 2101) for schedule in ("online", "neural-ts"))


@pytest.mark.parametrize("loss", LOSSES)
def test_replayed_batches_equal_plain_torch(loss: Squared | KL) -> None:
    """One step on the newest sample, two on means over 4 past samples."""
    oracle = network(loss, updates_per_round=3, batch_size=4)
    plain = [Plain(oracle, r, loss) for r in range(2)]
    draws = [stream(seed, "replay").random((256, 8)) for seed in SPEC.seeds]
    past: list[tuple[Tensor, Tensor, Tensor]] = []
    for t, sample in enumerate(samples(20), start=1):
        past.append(sample)
        oracle.update(*sample)
        for r, replica in enumerate(plain):
            rate = (0.1, 0.3)[r] / t**0.2
            replica.descend(*stacked(past[-1:], r), rate)
            chosen = [past[int(u * t)] for u in draws[r][t - 1]]
            for k in (0, 4):
                replica.descend(*stacked(chosen[k : k + 4], r), rate)
            replica.assert_equals(oracle, r)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("c_p", [0.0, 3.0])
@pytest.mark.parametrize(("input_scaling", "depth"), [(0.0, 1), (0.5, 1), (0.5, 3)])
def test_a_step_on_a_batch_is_the_mean_of_steps_on_its_samples(
    loss: Squared | KL, c_p: float, input_scaling: float, depth: int
) -> None:
    """Theta moves by the mean of the moves for single samples, with and without perturbation."""

    def make() -> tuple[Neural, Any]:
        part = ExpectedPerturbation(c_p)
        oracle = Neural(loss, part, width=M, depth=depth, lr=0.1, input_scaling=input_scaling)
        oracle.reset(SPEC)
        for sample in samples(10):
            oracle.update(*sample)
        return oracle, oracle.weights

    def theta(weights: Any) -> tuple[Tensor, Tensor]:
        scale = weights._scale
        first = weights._first.view(2, K, D + 1, M) * scale.view(2, 1, 1, 1)
        return first, weights._head * scale.view(2, 1)

    rate = torch.tensor([0.1, 0.2], dtype=torch.float64)
    moves, chosen = [], samples(5)
    for x, action, y in chosen:
        oracle, weights = make()
        before = theta(weights)
        forward = oracle.forward(x)
        weights.step(forward, action, y, rate)
        moves.append([now - was for now, was in zip(theta(weights), before, strict=True)])
    oracle, weights = make()
    before, scaling = theta(weights), oracle.forward(chosen[0][0]).inputs.scale
    batches = [stacked(chosen, r) for r in range(2)]
    for r, (x, action, y) in enumerate(batches):
        x = torch.cat([x, torch.ones(5, 1, dtype=x.dtype)], 1)
        scale = None if scaling is None else scaling[r]
        weights.descend(r, make_batch(x, action, y, torch.ones(5, dtype=x.dtype), scale), rate[r])
    for i, (now, was) in enumerate(zip(theta(weights), before, strict=True)):
        mean = torch.stack([move[i] for move in moves]).mean(0)
        if not (input_scaling and i == 0):  # step sizes on W1 differ between contexts
            torch.testing.assert_close(now - was, mean)
    exact = (theta(weights)[0].view(2, -1).square().sum(1) + theta(weights)[1].square().sum(1)).sqrt()
    torch.testing.assert_close(weights.distance(), exact)


@pytest.mark.parametrize(("scaled", "depth"), [(False, 1), (True, 1), (True, 3)])
def test_a_batch_gradient_grouped_by_arm_equals_autograd(scaled: bool, depth: int) -> None:
    """Arms of 4, 0 and 7 samples in mixed order, with weights and an output factor, against autograd."""
    rng = np.random.default_rng(3)
    shapes = ((11, D), (3, D, M), (depth - 1) * M**2 + M)
    x, first, head = (torch.tensor(rng.standard_normal(shape)) for shape in shapes)
    arm = torch.tensor([2, 0, 2, 2, 0, 0, 2, 2, 2, 0, 2])
    target, weight = torch.tensor(rng.random(11)), torch.tensor(rng.integers(0, 3, 11)).double()
    scale = torch.tensor(rng.random(D)) if scaled else None
    leaves = [first.requires_grad_(), head.requires_grad_()]
    f = 0.7 * above(torch.einsum("nd,ndm->nm", x, first[arm]).relu(), head)
    exact_first, exact_head = torch.autograd.grad((weight * 0.5 * (f - target).square()).mean(), leaves)
    exact_head[:-M] *= 0.25
    if scale is not None:
        exact_first = exact_first * scale.unsqueeze(1)

    batch = make_batch(x, arm, target, weight, scale)
    by_arm, on_head = batch_gradient(
        batch, first.detach(), head.detach(), 0.7, lambda output: output - batch.target
    )
    assert [block for block, _ in by_arm] == [0, 2]
    for block, gradient in by_arm:
        torch.testing.assert_close(gradient, exact_first[block])
    torch.testing.assert_close(on_head, exact_head)


NEURAL = [name for name, recipe in RECIPES.items() if recipe.oracle == NETWORK]


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURAL)
def test_every_neural_recipe_supports_all_training_schedules(name: str) -> None:
    """Different training gives different predictions; both published schedules play."""
    settings: list[dict[str, Any]] = [
        {"updates_per_round": 1},
        {"updates_per_round": 3},
        {"updates_per_round": 3, "batch_size": 4},
        {"training": "neural-ts"},
        {"training": "neural-ucb"},
    ]
    losses = []
    for choice in settings:
        small = {"width": 8, "lr": 0.1, "input_scaling": 0.0}
        run = prepare(name, toy(), 5, 2, settings={**small, **choice}, engine="torch")
        run.play()
        losses.append(float(run.log.sums["regression_loss"].sum()))
    assert len(set(losses)) == len(settings)


def test_batches_with_sign_vectors_are_rejected() -> None:
    settings = {"perturbations": 3, "batch_size": 2, "updates_per_round": 2}
    with pytest.raises(InputError, match="without sign vectors"):
        neucb.run("kl-perturbed", toy(), 10, 1, settings=settings)
    with pytest.raises(InputError, match="it trains online"):
        prepare("neural-ucb", toy(), 10, 1, settings={"training": "neural-ucb"}, engine="compiled")
    assert prepare("neural-ts", toy(), 10, 1, settings={"training": "neural-ts"}).engine == "torch"
