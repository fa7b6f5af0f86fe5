"""Perturbation and gradient norms of torch modules: comparison with recipes, autograd, Monte Carlo."""

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
        if self.looping and x.sum() == 1e9:  # control flow that vmap does not support
            return x
        x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
        hidden = torch.einsum("bd,kmd->bkm", x, self.first).relu()
        for layer in self.head[:-M].view(-1, M, M):
            fixed = layer.detach()
            hidden = (hidden @ (fixed + 0.25 * (layer - fixed))).relu()  # quarters the gradient
        f: Tensor = hidden @ self.head[-M:]
        return f


class Descent(torch.optim.Optimizer):
    """Steps of the recipes: lr / t^power in round t, for parameters [R, ...]."""

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


def rates_for_depth(depth: int) -> tuple[float, ...]:
    """Return the step sizes for which a recipe's network of a depth makes steps of LR."""
    return tuple(rate / step_share(M, "he", depth) for rate in LR)


def start_as(module: Module, neural: Neural) -> None:
    """Copy the weights of the recipes' network to a module."""
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
def test_a_perturbed_module_equals_the_recipes_network(loss: Loss, count: float, depth: int) -> None:
    small = tuple(value / 10 for value in C_P)
    c_p = C_P if math.isinf(count) else small
    weights: Weights = ExpectedPerturbation(c_p) if math.isinf(count) else SignPerturbation(small, int(count))
    neural = Neural(loss, weights, width=M, depth=depth, lr=rates_for_depth(depth), lr_power=POWER)
    part = ModulePerturbation(c_p, count, width=M)
    module = Module(lambda spec: Disjoint(spec, depth), loss, descent, perturbation=part)
    for oracle in (neural, module):
        oracle.reset(SPEC)
    start_as(module, neural)
    for context, action, y in rounds(30):
        expected = neural.predict(context).mean
        torch.testing.assert_close(module.predict(context).mean, expected)
        for oracle in (neural, module):
            oracle.update(context, action, y)
    gauges = module.gauges()
    torch.testing.assert_close(gauges["parameter_distance"], neural.weights.distance())
    torch.testing.assert_close(gauges["perturbation_rms"], neural.gauges()["perturbation_rms"])
    assert module.gauges()["perturbation_rms"].min() > 1e-3


def test_replayed_single_steps_equal_the_recipes() -> None:
    """Three steps per round, with step sizes that fall from round to round."""
    neural = Neural(
        KL(), PlainWeights(), width=M, depth=2, lr=rates_for_depth(2), lr_power=POWER, updates_per_round=3
    )
    module = Module(
        lambda spec: Disjoint(spec, 2),
        KL(),
        lambda parameters: Descent(parameters, 3),
        updates_per_round=3,
        together=False,
    )
    for oracle in (neural, module):
        oracle.reset(SPEC)
    start_as(module, neural)
    for context, action, y in rounds(30):
        torch.testing.assert_close(module.predict(context).mean, neural.predict(context).mean)
        for oracle in (neural, module):
            oracle.update(context, action, y)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
@pytest.mark.parametrize("gradient_scaling", ["none", "sqrt_width"])
@pytest.mark.parametrize("looping", [False, True])
def test_the_gradient_norm_of_a_module_equals_the_recipes(
    covariance: Any, gradient_scaling: Any, looping: bool
) -> None:
    neural = Neural(Squared(), PlainWeights(), width=M, lr=LR, lr_power=POWER)
    module = Module(lambda spec: Disjoint(spec, looping=looping), Squared(), descent)
    recipe_norm = GradientNorm(
        neural, regularization=(0.5, 2.0), gradient_scaling=gradient_scaling, covariance=covariance
    )
    divisor = M if gradient_scaling == "sqrt_width" else 1.0
    module_norm = ModuleNorm(module, regularization=(0.5, 2.0), divisor=divisor, covariance=covariance)
    recipe_norm.reset(SPEC)
    module_norm.reset(SPEC)
    start_as(module, neural)
    for context, action, y in rounds(12):
        predictions = recipe_norm.predict(context), module_norm.predict(context)
        torch.testing.assert_close(predictions[1].mean, predictions[0].mean)
        assert predictions[0].std is not None
        assert predictions[1].std is not None
        torch.testing.assert_close(predictions[1].std, predictions[0].std)
        recipe_norm.update(context, action, y)
        module_norm.update(context, action, y)
    assert module._stacked is not looping


@pytest.mark.parametrize("per_arm", [False, True])
def test_gradients_of_a_deep_network_equal_autograd(per_arm: bool) -> None:
    spec = Spec((5, 9), K, D, 40, dtype="float64", per_arm=per_arm)
    module = Module(perceptron(depth=3, width=5), KL(), descent)
    module.reset(spec)
    context = torch.randn(2, *((K,) if per_arm else ()), D, dtype=torch.float64)
    gradients = module.gradients(context)
    assert gradients.shape == (2, K, module.parameters)
    for r in range(2):
        for a in range(K):
            output = module.outputs(context)[r, a]
            exact = torch.autograd.grad(output, [*module._parameters.values()])
            torch.testing.assert_close(gradients[r, a], torch.cat([part[r].flatten() for part in exact]))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("count", [3, math.inf])
def test_a_perturbed_step_descends_the_mean_loss(loss: Loss, count: float) -> None:
    """Compare a step on three samples of a deep network with autograd; Gaussian mean by quadrature."""
    part = ModulePerturbation(C_P, count, width=5)
    module = Module(perceptron(depth=2, width=5), loss, descent, updates_per_round=3, perturbation=part)
    module.reset(SPEC)
    for context, action, y in rounds(3):
        module.update(context, action, y)
    samples = [
        (x, a, y, w) for (x, a, y), w in zip(rounds(3), torch.tensor([[1.0, 2], [0, 1], [3, 1]]), strict=True)
    ]
    leaves = [*module._parameters.values()]
    before = [leaf.detach().clone() for leaf in leaves]

    nodes, masses = np.polynomial.hermite_e.hermegauss(60)
    masses = masses / masses.sum()
    u = torch.cat([leaf.flatten(1) for leaf in leaves], 1) - part._start
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
            losses = nn.functional.binary_cross_entropy_with_logits(moved, target, reduction="none")
        else:
            losses = (moved - target).square() / 2
        total = total + (w * (losses * share).sum(1)).sum() / len(samples)
    exact = torch.autograd.grad(total, leaves)

    steps = module._steps.param_groups[0]
    rate = steps["rate"] / (steps["made"] + 1) ** steps["power"]
    module._step(samples)
    for leaf, old, gradient in zip(leaves, before, exact, strict=True):
        step = rate.view(-1, *(1 for _ in leaf.shape[1:]))
        torch.testing.assert_close(leaf.detach() - old, -step * gradient, rtol=1e-4, atol=1e-7)


def test_many_signs_approximate_the_closed_form() -> None:
    """At a theta away from theta_0, 4,000 signs, within four standard errors."""
    many = ModulePerturbation((0.05, 0.3), 4000, width=5)
    closed = ModulePerturbation((0.05, 0.3), math.inf, width=5)
    module = Module(perceptron(depth=2, width=12), KL(), descent, perturbation=closed)
    module.reset(SPEC)
    many.reset(SPEC, module._parameters, module.loss)
    with torch.no_grad():
        for value in module._parameters.values():
            value += 0.5 * torch.randn(
                value.shape, dtype=value.dtype, generator=torch.Generator().manual_seed(2)
            )
    output = torch.tensor([[-2.0, 0.3, 1.5], [0.0, -1.0, 3.0]], dtype=torch.float64)
    error = (KL().link(output.unsqueeze(2) + many._offsets().unsqueeze(1))).std(2) / 4000**0.5
    difference = (many.predict(output) - closed.predict(output)).abs()
    assert (difference < 4 * error).all()
    assert ((closed.predict(output) - KL().link(output)).abs() > 4 * error).any()  # the offset matters


def test_invalid_modules_are_rejected() -> None:
    norm = ModuleNorm(Module(Disjoint, KL(), descent, perturbation=ModulePerturbation(0.1, 3, width=M)))
    with pytest.raises(InputError, match="networks without a perturbation"):
        norm.reset(SPEC)
    for part, message in (
        (ModulePerturbation(0.1, 0, width=M), "at least 1"),
        (ModulePerturbation(-1, 3, width=M), "c_p"),
    ):
        with pytest.raises(InputError, match=message):
            Module(Disjoint, KL(), descent, perturbation=part).reset(SPEC)
