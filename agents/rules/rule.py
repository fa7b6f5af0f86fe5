"""Base of the exploration rules that recipes name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from neucb.kernels import types

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.parameter import Parameter
    from neucb.agents.prediction import Prediction, Round
    from neucb.agents.rules.formulas import Weight
    from neucb.agents.rules.schedules import Schedule


class Rule:
    """A frozen value that turns predictions into a policy, see `neucb.agents.base.ExplorationRule`.

    Attributes:
        name: identifier in messages.
        parameters: hyper-parameters, for `--set`.
        formula: policy in one line.
        needs_std: whether the rule needs the oracle's standard deviations.
        kernel_kind: code of the rule's kind in kernels, see `neucb.kernels.types`; None where only the torch
            engine plays the rule.
        weight: function of the weight of an arm, see `neucb.agents.rules.formulas`; for the kind BY_GAP.
        floor: lower bound to which predicted losses are clipped; for the kind BY_GAP.
        proportional: whether probabilities are proportional to the weights; for the kind BY_GAP.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    formula: ClassVar[str]
    needs_std: ClassVar[bool] = False
    kernel_kind: ClassVar[int | None] = None
    weight: ClassVar[Weight | None] = None
    floor: ClassVar[float] = float("-inf")
    proportional: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Remove the base's compiled form from a subclass with another policy."""
        if "__call__" in vars(cls) and "kernel_kind" not in vars(cls):
            cls.kernel_kind = None

    @classmethod
    def missing(cls) -> list[str]:
        """Return the members that the class still lacks."""
        found = [name for name in ("name", "formula") if not hasattr(cls, name)]
        if cls.kernel_kind == types.BY_GAP and cls.weight is None:
            found.append("weight")
        if cls.kernel_kind is not None and cls.schedule is Rule.schedule:
            found.append("schedule")
        return found + (["__call__"] if cls.__call__ is Rule.__call__ else [])

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule of these hyper-parameters; further ones are ignored."""
        return cls(**{one.name: settings[one.name] for one in cls.parameters})

    @property
    def schedule(self) -> Schedule:
        """Schedule of the rule's strength: gamma, epsilon or nu."""
        raise NotImplementedError

    def __call__(self, prediction: Prediction, now: Round) -> Tensor:
        """Return probabilities [R, K], float64."""
        raise NotImplementedError
