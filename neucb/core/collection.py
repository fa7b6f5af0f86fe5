"""Suspension of cyclic garbage collection while a command imports libraries and prepares a run.

The collector visits all objects of the imported libraries again and again, none of which is garbage.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suspended() -> Iterator[None]:
    """Suspend garbage collection."""
    with _set_to(on=False):
        yield


@contextmanager
def resumed() -> Iterator[None]:
    """Resume garbage collection within `suspended`, for code that runs long."""
    with _set_to(on=True):
        yield


def leave_out() -> None:
    """Exclude all current objects from collection, so that the interpreter ends without visiting them."""
    gc.freeze()


@contextmanager
def _set_to(*, on: bool) -> Iterator[None]:
    before = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        yield
    finally:
        (gc.enable if before else gc.disable)()
