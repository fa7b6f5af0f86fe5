"""Trace of the compiled engine: all arms of the latest rounds, and propensities computed from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.propensity import Kinds, estimated_chances, kind_of, least_chances
from neucb.core.random import stream
from neucb.kernels import types

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe
    from neucb.engines.compiled.inputs import Settings
    from neucb.engines.compiled.replica import Replica
    from neucb.engines.trace import Trace

Floats = NDArray[np.float64]


class Tracer:
    """Writer of replicas' rounds into a trace.

    Args:
        trace: trace of the run.
        recipe: recipe of the agent.
        settings: all its hyper-parameters; a tuple has one number per replica.
    """

    def __init__(self, trace: Trace, recipe: Recipe, settings: Settings) -> None:
        from neucb.agents.recipes.build import make_agent

        self.trace = trace
        self._kind = kind_of(make_agent(recipe, settings))

    def write(
        self,
        replicas: Sequence[Replica],
        over: Callable[..., Iterable[Any]],
        start: int,
        stop: int,
        **figures: NDArray[Any],
    ) -> None:
        """Write rounds start..stop-1.

        Args:
            replicas: replicas that have played these rounds, at most `KEPT` of them.
            over: function that maps a function over replicas.
            start: first round, from 0.
            stop: round after the last.
            figures: further columns [R, n] each, see `Trace.write`.
        """
        first = replicas[0]
        if len(first.inputs.record.kept) == 0:
            propensity = np.stack([one.inputs.record.propensity[start:stop] for one in replicas])
            self.trace.write(start, self._kind, propensity=propensity, **figures)
            return
        parts = list(over(lambda replica: _propensities(replica, start, stop), replicas))
        p, means = (np.stack([part[i] for part in parts]) for i in range(2))
        kind = parts[0][2] or self._kind
        self.trace.write(start, kind, p, means if first.predicts else None, **figures)


def _propensities(one: Replica, start: int, stop: int) -> tuple[Floats, Floats, Kinds | None]:
    """Return propensities and predicted losses [n, K], and the kind of propensity of rules that draw."""
    record, nu = one.inputs.record, abs(one.rule.scale)
    places = np.arange(start, stop) % len(record.kept)
    kept = np.moveaxis(record.kept[places], 1, 0)  # [4, n, K]
    means = kept[types.MEAN]
    if one.rule.kind == types.THOMPSON:
        return least_chances(kept[types.OUTPUT], nu * kept[types.STD]), means, "exact"
    if one.rule.kind == types.JOINT:
        rngs = (stream(one.inputs.seed, "propensity", t + 1) for t in range(start, stop))
        p = estimated_chances(kept[types.OUTPUT], nu * record.factor[places], rngs)
        return p, means, "estimated"
    return kept[types.P], means, None
