"""Descent: the steps of the neural recipes as an optimiser, for `Module` oracles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch

from neucb.agents.per_replica import Number, per_replica

if TYPE_CHECKING:
    from torch import Tensor


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
