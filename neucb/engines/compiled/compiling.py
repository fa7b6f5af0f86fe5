"""Notices and errors of kernel compilation, which takes seconds and happens once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba import float64, int64, njit, typeof
from numba.core import event
from numba.core.errors import NumbaError

from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import InputError
from neucb.engines.compiled.kernels.rules import exponential

SAY_AFTER = 1.0  # seconds of compiling


def bad_weight() -> InputError | None:
    """Return the error of the first rule whose weight cannot be compiled; None where all can.

    The kernels hold the weights of all recipes.
    """
    exponential_type: Any = typeof(exponential)  # type: ignore[no-untyped-call]
    for rule in dict.fromkeys(one.rule for one in RECIPES.values() if one.rule and one.rule.weight):
        try:
            dispatcher: Any = njit(rule.weight)
            dispatcher.compile((float64, float64, float64, int64, exponential_type))
        except NumbaError as error:
            lines = [line.strip() for line in str(error).splitlines()]
            cause = next((line for line in lines if line and not line.startswith("Failed in")), "")
            return InputError(
                f"the weight of the rule '{rule.name}' cannot be compiled ({cause}); write it with operators "
                "and its argument exp, see neucb.agents.rules.formulas"
            )
    return None


@contextmanager
def announced() -> Iterator[None]:
    """Print a notice on standard error while kernels are compiled, none for kernels in the cache."""
    listener = _Compiling()
    try:
        with event.install_listener("numba:compile", listener):
            yield
    finally:
        listener.done()


class _Compiling(event.Listener):
    """Listener of numba's compiler that prints start and duration of a compilation."""

    def __init__(self) -> None:
        self._said = threading.Event()
        self._timer: threading.Timer | None = None
        self._started = 0.0

    def on_start(self, event: object) -> None:
        """Announce the first compilation, unless it is short."""
        if self._timer is None:
            self._started = time.perf_counter()
            self._timer = threading.Timer(SAY_AFTER, self._announce)
            self._timer.daemon = True
            self._timer.start()

    def on_end(self, event: object) -> None:
        """Record the end of a compilation; they are nested, and `done` uses the last one's."""

    def _announce(self) -> None:
        self._said.set()
        print("neucb: compiling this agent's kernel, once; later runs load it", file=sys.stderr)

    def done(self) -> None:
        """Print the duration of the compilation."""
        if self._timer is not None:
            self._timer.cancel()
        if self._said.is_set():
            print(f"neucb: compiled in {time.perf_counter() - self._started:.0f} s", file=sys.stderr)
