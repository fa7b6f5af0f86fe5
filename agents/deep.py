"""Deep networks of the neural recipes: `Module` oracles of `depth` hidden layers, with the recipes' steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from neucb.agents.hyper import Number, each, per_replica
from neucb.agents.initial import check_expected, check_signs, offset_scale
from neucb.agents.module import Module, perceptron
from neucb.agents.module_perturbation import ModulePerturbation

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss


class Descent(torch.optim.Optimizer):
    """theta <- theta - eta_t grad, eta_t = lr / t^lr_power, t the round, of R networks held as one.

    Args:
        parameters: each leads with R.
        lr: step size; one number or one per replica.
        lr_power: of the step schedule; one number or one per replica.
        steps: in a round.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: Number, lr_power: Number, steps: int) -> None:
        parameters = list(parameters)
        R, device = len(parameters[0]), str(parameters[0].device)
        own = {"rate": per_replica(lr, R, device=device), "power": per_replica(lr_power, R, device=device)}
        super().__init__(parameters, {**own, "steps": steps, "made": 0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # no closure
        """Make one step."""
        for group in self.param_groups:
            rate = group["rate"] / (group["made"] // group["steps"] + 1) ** group["power"]  # [R]
            group["made"] += 1
            for one in group["params"]:
                one -= rate.to(one.dtype).view(-1, *(1 for _ in one.shape[1:])) * one.grad


def make_deep(loss: Loss, settings: Mapping[str, Any], *, perturbed: bool) -> Module:
    """Return the oracle of a neural recipe whose `depth` is above 1."""
    width = settings["width"]
    perturbation = None
    if perturbed:
        perturbation = ModulePerturbation(settings["c_p"], settings["perturbations"], width=width)

    def descent(parameters: Iterable[Tensor]) -> Descent:
        parameters = list(parameters)
        if perturbation is not None:
            _check_step(perturbation, settings["lr"], parameters, loss)
        return Descent(parameters, settings["lr"], settings["lr_power"], settings["replay"])

    network = perceptron(depth=settings["depth"], width=width)
    return Module(
        network, loss, descent, replay=settings["replay"], together=False, perturbation=perturbation
    )


def _check_step(perturbation: ModulePerturbation, lr: Number, parameters: list[Tensor], loss: Loss) -> None:
    """Check the largest steps of a run, as the two-layer networks do.

    Raises:
        InputError: c_p so large that training diverges.
    """
    R, width = len(parameters[0]), perturbation.width
    rate, scale = each(lr, R), offset_scale(each(perturbation.c_p, R), width)
    if math.isinf(perturbation.count):
        check_expected(rate, scale)
    else:
        size = sum(one[0].numel() for one in parameters)
        check_signs(rate, scale, count=int(perturbation.count), parameters=size, width=width, loss=loss.name)
