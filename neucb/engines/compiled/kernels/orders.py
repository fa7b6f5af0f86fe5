"""Adaptive row orders in the kernels: compiled methods of a `CompiledOrder`'s state."""

from __future__ import annotations

from typing import Any

from numba.extending import overload

from neucb.kernels.jit import INLINED, exact
from neucb.kernels.types import AdaptiveOrder, RoundData

OPTIONS: Any = INLINED  # a literal type for numba


def next_row(state: Any, t: int) -> int:
    """Call `state.row(t)`; numba has no methods of named tuples."""
    return int(state.row(t))


def observe(state: Any, label: int, loss: float) -> None:
    """Call `state.observe(label, loss)`."""
    state.observe(label, loss)


@overload(next_row, jit_options=OPTIONS, strict=False)
def _next_row(state: Any, t: Any) -> Any:
    return state.instance_class.row


@overload(observe, jit_options=OPTIONS, strict=False)
def _observe(state: Any, label: Any, loss: Any) -> Any:
    return state.instance_class.observe


@exact
def show(adaptive: AdaptiveOrder | None, world: RoundData, t: int) -> None:
    """Set the row and labels of round t, in an adaptive order."""
    if adaptive is None:
        return
    row = next_row(adaptive.state, t)
    label = adaptive.relabel[adaptive.part[t], adaptive.labels[row]]
    world.rows[t] = row
    world.label[t] = label
    world.seen[t] = (label + adaptive.shift[t]) % len(world.cost)


@exact
def note(adaptive: AdaptiveOrder | None, world: RoundData, t: int, arm: int) -> None:
    """Pass the class of the table, before drift, and the expected loss of round t to the order."""
    if adaptive is None:
        return
    observe(adaptive.state, adaptive.labels[world.rows[t]], world.expected[world.label[t], arm])
