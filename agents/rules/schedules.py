"""Schedules of a rule's exploration strength: gamma, where larger is greedier, or epsilon."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from neucb.agents.parameter import Parameter
from neucb.agents.per_replica import Number, each, per_replica
from neucb.agents.rules import formulas
from neucb.core.constants import DELTA
from neucb.core.errors import InputError, unknown_name
from neucb.kernels import types

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.prediction import Round


# A schedule in the form of the kernels: its code, scale and exponent.
Kernel = tuple[int, float, float]


class Schedule:
    """A frozen function from a round to gamma or epsilon.

    Attributes:
        code: code of the formula in kernels, see `neucb.kernels.types`; None without a compiled form.
        scale, exponent: arguments of that formula; one number or one per replica.
    """

    code: ClassVar[int | None] = None
    scale: Number
    exponent: Number = 0.0

    def __init_subclass__(cls) -> None:
        """Remove the base's compiled form from a subclass with another formula."""
        if "__call__" in vars(cls) and not {"code", "kernel"} & vars(cls).keys():
            cls.code, cls.kernel = None, Schedule.kernel  # type: ignore[method-assign]

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R], float64, > 0 or 0 for uniform play."""
        raise NotImplementedError

    def kernel(self, arms: int, horizon: int) -> Kernel:
        """Return the schedule of one replica, K arms and T rounds in the form of the kernels.

        Raises:
            InputError: the schedule has no compiled form; only the torch engine plays it.
        """
        if self.code is None:
            raise InputError(f"the schedule {type(self).__name__} has no compiled form; use the torch engine")
        return self.code, float(self.scale), float(self.exponent)  # type: ignore[arg-type]


def _numbers(value: Number, now: Round) -> Tensor:
    loss = now.observed_loss
    return per_replica(value, loss.shape[0], device=str(loss.device))


@dataclass(frozen=True)
class Power(Schedule):
    """gamma_t = scale * t^exponent; exponent 0 is a constant gamma."""

    code = types.TIME
    scale: Number = 10.0
    exponent: Number = 0.5

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R], by the same arithmetic as the compiled engine."""
        if not isinstance(self.exponent, Sequence):
            return formulas.growing(now.number, _numbers(self.scale, now), self.exponent)  # type: ignore[no-any-return]
        import torch

        scale, exponent = (each(one, len(now.observed_loss)).tolist() for one in (self.scale, self.exponent))
        gamma = [formulas.growing(now.number, *pair) for pair in zip(scale, exponent, strict=True)]
        return torch.tensor(gamma, dtype=torch.float64).to(now.observed_loss.device)


@dataclass(frozen=True)
class Decay(Schedule):
    """epsilon_t = min(1, scale / t^exponent); exponent 0 is a constant epsilon."""

    code = types.DECAY
    scale: Number
    exponent: Number = 0.0

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return epsilon [R]."""
        epsilon = formulas.decaying(now.number, _numbers(self.scale, now), _numbers(self.exponent, now))
        return epsilon.clamp_max(1.0)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ObservedLoss(Schedule):
    """gamma_t = scale * (1 + observed cumulative loss)^exponent, from the learner's own losses.

    The data-driven form of the theory's gamma ~ sqrt(K L*): the learner's own loss stands in for L*.
    """

    code = types.LOSS
    scale: Number = 10.0
    exponent: Number = 0.5

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R]."""
        scale, exponent = _numbers(self.scale, now), _numbers(self.exponent, now)
        return formulas.growing_with_loss(now.observed_loss, scale, exponent, operator.pow)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class SquareTheory(Schedule):
    """gamma = sqrt(K T / (Reg + log(2 / delta))), constant over the run.

    Foster and Rakhlin, ICML 2020, Theorem 1. Reg is the oracle's regression regret over T rounds.
    """

    regression_regret: Number
    delta: float = DELTA

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R]."""
        regret, confidence = _numbers(self.regression_regret, now), math.log(2.0 / self.delta)
        root = type(regret).sqrt
        return formulas.square_theory(arms, now.horizon, regret, confidence, root)  # type: ignore[no-any-return]

    def kernel(self, arms: int, horizon: int) -> Kernel:
        """Return the schedule in the form of the kernels: a constant."""
        confidence = math.log(2.0 / self.delta)
        gamma = formulas.square_theory(arms, horizon, self.regression_regret, confidence, math.sqrt)
        return types.TIME, gamma, 0.0


@dataclass(frozen=True)
class FastTheory(Schedule):
    """gamma = max(sqrt(K L* / (3 Reg)), 10 K), constant over the run.

    Foster and Krishnamurthy, "Efficient First-Order Contextual Bandits", NeurIPS 2021
    (arXiv 2107.02237), in our reading. L* is the best policy's loss over T rounds.
    """

    best_loss: Number
    regression_regret: Number

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R]."""
        best, regret = _numbers(self.best_loss, now), _numbers(self.regression_regret, now)
        gamma: Tensor = formulas.fast_theory(arms, best, regret, type(best).sqrt)
        return gamma.clamp_min(10.0 * arms)

    def kernel(self, arms: int, horizon: int) -> Kernel:
        """Return the schedule in the form of the kernels: a constant."""
        gamma = formulas.fast_theory(arms, self.best_loss, self.regression_regret, math.sqrt)
        return types.TIME, max(gamma, 10.0 * arms), 0.0


@dataclass(frozen=True)
class Doubling(Schedule):
    """FALCON's gamma_m = scale * sqrt(K tau_{m-1}) within epoch m, tau_m = 2^m, and gamma_1 = 1.

    Simchi-Levi and Xu (arXiv 2003.12699), Algorithm 1, has scale = (1/30) / sqrt(log(|F| tau / delta))
    for a finite class F of regressors; here the logarithm is left to the scale.
    """

    code = types.DOUBLING
    scale: Number = 1.0

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R]."""
        start = formulas.epoch_start(now.number)
        return formulas.growing_by_epochs(start, arms, _numbers(self.scale, now), math.sqrt)  # type: ignore[no-any-return]


GAMMA = (
    Parameter("gamma", 10.0, "scale gamma_0 of the exploration parameter gamma_t; larger is greedier"),
    Parameter("gamma_power", 0.5, "exponent rho of gamma_schedule; 0 for a constant gamma", high=2.0),
)
SCHEDULE = Parameter(
    "gamma_schedule",
    "time",
    "schedule of gamma_t, with rho = gamma_power: gamma t^rho (time), or gamma (1 + own loss)^rho (loss)",
    choices=("time", "loss"),
)


def gamma_of(settings: Mapping[str, Any], theory: Schedule | None = None) -> Schedule:
    """Return the schedule of the hyper-parameters gamma, gamma_power and gamma_schedule.

    Args:
        settings: all hyper-parameters of the rule.
        theory: schedule from the rule's regret theorem, None where there is no such theorem.

    Raises:
        InputError: the name of the schedule is unknown for the rule.
    """
    scale, exponent, name = settings["gamma"], settings["gamma_power"], settings["gamma_schedule"]
    known: dict[str, Schedule] = {"time": Power(scale, exponent), "loss": ObservedLoss(scale, exponent)}
    if theory is not None:
        known |= {"epochs": Doubling(scale), "theory": theory}
    if name not in known:
        raise unknown_name("gamma_schedule", name, known)
    return known[name]
