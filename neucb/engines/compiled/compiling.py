"""Compiling: what is said of it, since it takes a while and happens once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from numba.core import event

SAY_AFTER = 1.0  # seconds of compiling


@contextmanager
def announced() -> Iterator[None]:
    """Say so where kernels are compiled, on standard error; not where they come from numba's cache."""
    listener = _Compiling()
    try:
        with event.install_listener("numba:compile", listener):
            yield
    finally:
        listener.done()


class _Compiling(event.Listener):
    """Says when numba compiles, which takes a while and happens once, and how long it took."""

    def __init__(self) -> None:
        self._said = threading.Event()
        self._timer: threading.Timer | None = None
        self._started = 0.0

    def on_start(self, event: object) -> None:
        """Announce the first compilation, unless it is short."""
        if self._timer is None:
            self._started = time.perf_counter()
            self._timer = threading.Timer(SAY_AFTER, self._say)
            self._timer.daemon = True
            self._timer.start()

    def on_end(self, event: object) -> None:
        """Compilations are nested; `done` is told of the last one's end."""

    def _say(self) -> None:
        self._said.set()
        print("neucb: compiling this agent's kernel, once; later runs load it", file=sys.stderr)

    def done(self) -> None:
        """Say how long it took."""
        if self._timer is not None:
            self._timer.cancel()
        if self._said.is_set():
            print(f"neucb: compiled in {time.perf_counter() - self._started:.0f} s", file=sys.stderr)
