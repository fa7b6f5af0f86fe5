"""Perturbation and gradient norms of any torch network: against the recipes, autograd, Monte Carlo."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neucb.agents.initialisation import step_share
from neucb.agents.losses import KL, Loss, Squared
from neucb.agents.module.expected_perturbation import ModulePerturbation
from neucb.agents.module.gradient_norm import ModuleNorm
from neucb.agents.module.oracle import Module, perceptron
from neucb.agents.network.expected_perturbation import ExpectedPerturbation
from neucb.agents.network.gradient_norm import GradientNorm
from neucb.agents.network.oracle import Neural
from neucb.agents.network.sign_perturbation import SignPerturbation
from neucb.agents.network.weights import PlainWeights, Weights
from neucb.agents.per_replica import per_replica
from neucb.core.errors import InputError
from neucb.core.spec import Spec

K, D, M = 3, 4, 6
SPEC = Spec((5, 9), K, D, 40, dtype="float64")
LR, POWER, C_P = (0.1, 0.3), (0.2, 0.4), (0.5, 1.5)
LOSSES = [Squared(), KL()]


class Disjoint(nn.Module):
    """The recipes' network as a module: a block [m, d + 1] of the first layer per arm, the others shared."""

    def __init__(self, spec: Spec, depth: int = 1, looping: bool = False) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.empty(spec.arms, M, spec.features + 1))
        self.head = nn.Parameter(torch.empty((depth - 1) * M**2 + M))
        self.looping = looping

    def forward(self, x: Tensor) -> Tensor:
        if self.looping and x.sum() == 1e9:  # what vmap cannot do
            return x
        x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
        hidden = torch.einsum("bd,kmd->bkm", x, self.first).relu()
        for layer in self.head[:-M].view(-1, M, M):
            fixed = layer.detach()
            hidden = (hidden @ (fixed + 0.25 * (layer - fixed))).relu()  # a quarter of its gradient
        f: Tensor = hidden @ self.head[-M:]
        return f


class Descent(torch.optim.Optimizer):
    """The steps of the recipes: lr / t^power in round t, each parameter leading with R."""

    def __init__(self, parameters: Any, steps: int = 1) -> None:
        rates = {"rate": per_replica(LR, 2), "power": per_replica(POWER, 2)}
        super().__init__(parameters, {**rates, "steps": steps, "made": 0})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]  # no closure
        for group in self.param_groups:
            rate = group["rate"] / (group["made"] // group["steps"] + 1) ** group["power"]
            group["made"] += 1
            for parameter in group["params"]:
                parameter -= rate.view(-1, *(1 for _ in parameter.shape[1:])) * parameter.grad


def descent(parameters: Any) -> Descent:
    return Descent(parameters)


def as_in_deep(depth: int) -> tuple[float, ...]:
    """Return the step sizes with which a recipe's network of some depth makes steps of LR."""
    return tuple(one / step_share(M, "he", depth) for one in LR)


def start_as(module: Module, neural: Neural) -> None:
    """Give a module's networks the weights of the recipes' network."""
    first = neural.weights._initial.first.view(2, K, D + 1, M)  # type: ignore[attr-defined]
    with torch.no_grad():
        module._parameters["first"].copy_(first.transpose(2, 3))
        module._parameters["head"].copy_(neural.weights._initial.head)  # type: ignore[attr-defined]
    if module.perturbation is not None:
        module.perturbation.reset(SPEC, module._parameters, module.loss)


def rounds(count: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    rng = np.random.default_rng(1)
    return [
        (
            torch.tensor(rng.standard_normal((2, D))),
            torch.tensor(rng.integers(0, K, 2)),
            torch.tensor(rng.random(2)),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("count", [4, math.inf])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_perturbed_module_is_the_recipes_network(loss: Loss, count: float, depth: int) -> None:
    small = tuple(one / 10 for one in C_P)
    c_p = C_P if math.isinf(count) else small
    weights: Weights = ExpectedPerturbation(c_p) if math.isinf(count) else SignPerturbation(small, int(count))
    neural = Neural(loss, weights, width=M, depth=depth, lr=as_in_deep(depth), lr_power=POWER)
    part = ModulePerturbation(c_p, count, width=M)
    module = Module(lambda spec: Disjoint(spec, depth), loss, descent, perturbation=part)
    for one in (neural, module):
        one.reset(SPEC)
    start_as(module, neural)
    for context, action, y in rounds(30):
        expected = neural.predict(context).mean
        torch.testing.assert_close(module.predict(context).mean, expected)
        for one in (neural, module):
            one.update(context, action, y)
    gauges = module.gauges()
    torch.testing.assert_close(gauges["parameter_distance"], neural.weights.distance())
    torch.testing.assert_close(gauges["perturbation_rms"], neural.gauges()["perturbation_rms"])
    assert module.gauges()["perturbation_rms"].min() > 1e-3


def test_steps_one_by_one_on_replayed_samples_are_the_recipes() -> None:
    """Three steps a round, with step sizes that fall from round to round."""
    neural = Neural(
        KL(), PlainWeights(), width=M, depth=2, lr=as_in_deep(2), lr_power=POWER, updates_per_round=3
    )
    module = Module(
        lambda spec: Disjoint(spec, 2), KL(), lambda own: Descent(own, 3), updates_per_round=3, together=False
    )
    for one in (neural, module):
        one.reset(SPEC)
    start_as(module, neural)
    for context, action, y in rounds(30):
        torch.testing.assert_close(module.predict(context).mean, neural.predict(context).mean)
        for one in (neural, module):
            one.update(context, action, y)


@pytest.mark.parametrize("matrix", ["diagonal", "full"])
@pytest.mark.parametrize("gradient", ["none", "sqrt_width"])
@pytest.mark.parametrize("looping", [False, True])
def test_the_norm_of_a_module_is_the_recipes(matrix: Any, gradient: Any, looping: bool) -> None:
    neural = Neural(Squared(), PlainWeights(), width=M, lr=LR, lr_power=POWER)
    module = Module(lambda spec: Disjoint(spec, looping=looping), Squared(), descent)
    old = GradientNorm(neural, regularization=(0.5, 2.0), gradient_scaling=gradient, covariance=matrix)
    divisor = M if gradient == "sqrt_width" else 1.0
    new = ModuleNorm(module, regularization=(0.5, 2.0), divisor=divisor, covariance=matrix)
    old.reset(SPEC)
    new.reset(SPEC)
    start_as(module, neural)
    for context, action, y in rounds(12):
        before = old.predict(context), new.predict(context)
        torch.testing.assert_close(before[1].mean, before[0].mean)
        assert before[0].std is not None
        assert before[1].std is not None
        torch.testing.assert_close(before[1].std, before[0].std)
        old.update(context, action, y)
        new.update(context, action, y)
    assert module._stacked is not looping


@pytest.mark.parametrize("per_arm", [False, True])
def test_gradients_of_a_deep_network_are_autograd_s(per_arm: bool) -> None:
    spec = Spec((5, 9), K, D, 40, dtype="float64", per_arm=per_arm)
    module = Module(perceptron(depth=3, width=5), KL(), descent)
    module.reset(spec)
    context = torch.randn(2, *((K,) if per_arm else ()), D, dtype=torch.float64)
    found = module.gradients(context)
    assert found.shape == (2, K, module.parameters)
    for r in range(2):
        for a in range(K):
            output = module.outputs(context)[r, a]
            exact = torch.autograd.grad(output, [*module._parameters.values()])
            torch.testing.assert_close(found[r, a], torch.cat([one[r].flatten() for one in exact]))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("count", [3, math.inf])
def test_a_perturbed_step_descends_the_mean_loss(loss: Loss, count: float) -> None:
    """On three samples of a deep network, against autograd; the Gaussian mean by quadrature."""
    part = ModulePerturbation(C_P, count, width=5)
    module = Module(perceptron(depth=2, width=5), loss, descent, updates_per_round=3, perturbation=part)
    module.reset(SPEC)
    for context, action, y in rounds(3):
        module.update(context, action, y)
    samples = [
        (x, a, y, w) for (x, a, y), w in zip(rounds(3), torch.tensor([[1.0, 2], [0, 1], [3, 1]]), strict=True)
    ]
    leaves = [*module._parameters.values()]
    was = [one.detach().clone() for one in leaves]

    nodes, masses = np.polynomial.hermite_e.hermegauss(60)
    masses = masses / masses.sum()
    u = torch.cat([one.flatten(1) for one in leaves], 1) - part._start
    if math.isinf(count):
        offsets = part._c.unsqueeze(1) * u.norm(dim=1, keepdim=True) * torch.tensor(nodes)
        share = torch.tensor(masses)
    else:
        assert part._signs is not None
        offsets = part._c.unsqueeze(1) * torch.einsum("rp,rsp->rs", u, part._signs)
        share = torch.full((int(count),), 1.0 / count, dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for x, a, y, w in samples:
        moved = module.outputs(x)[torch.arange(2), a].unsqueeze(1) + offsets  # [R, S]
        target = y.unsqueeze(1).expand_as(moved)
        if loss.name == "kl":
            own = nn.functional.binary_cross_entropy_with_logits(moved, target, reduction="none")
        else:
            own = (moved - target).square() / 2
        total = total + (w * (own * share).sum(1)).sum() / len(samples)
    exact = torch.autograd.grad(total, leaves)

    steps = module._steps.param_groups[0]
    rate = steps["rate"] / (steps["made"] + 1) ** steps["power"]
    module._step(samples)
    for now, before, gradient in zip(leaves, was, exact, strict=True):
        each = rate.view(-1, *(1 for _ in now.shape[1:]))
        torch.testing.assert_close(now.detach() - before, -each * gradient, rtol=1e-4, atol=1e-7)


def test_many_signs_come_near_the_closed_form() -> None:
    """At a theta away from theta_0, 4,000 signs, within four standard errors."""
    many = ModulePerturbation((0.05, 0.3), 4000, width=5)
    closed = ModulePerturbation((0.05, 0.3), math.inf, width=5)
    module = Module(perceptron(depth=2, width=12), KL(), descent, perturbation=closed)
    module.reset(SPEC)
    many.reset(SPEC, module._parameters, module.loss)
    with torch.no_grad():
        for one in module._parameters.values():
            one += 0.5 * torch.randn(one.shape, dtype=one.dtype, generator=torch.Generator().manual_seed(2))
    output = torch.tensor([[-2.0, 0.3, 1.5], [0.0, -1.0, 3.0]], dtype=torch.float64)
    error = (KL().link(output.unsqueeze(2) + many._offsets().unsqueeze(1))).std(2) / 4000**0.5
    difference = (many.predict(output) - closed.predict(output)).abs()
    assert (difference < 4 * error).all()
    assert ((closed.predict(output) - KL().link(output)).abs() > 4 * error).any()  # the offset is seen


def test_what_cannot_be_is_refused() -> None:
    both = ModuleNorm(Module(Disjoint, KL(), descent, perturbation=ModulePerturbation(0.1, 3, width=M)))
    with pytest.raises(InputError, match="networks without a perturbation"):
        both.reset(SPEC)
    for part, words in (
        (ModulePerturbation(0.1, 0, width=M), "at least 1"),
        (ModulePerturbation(-1, 3, width=M), "c_p"),
    ):
        with pytest.raises(InputError, match=words):
            Module(Disjoint, KL(), descent, perturbation=part).reset(SPEC)
