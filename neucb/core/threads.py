"""Threads and processes: how many, and where they look for modules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def cores() -> int:
    """Return the number of cores that this process may use: by its affinity and its container's CPU quota."""
    from joblib import cpu_count

    count: int = cpu_count()
    return count


SAFE = "PYTHONSAFEPATH"  # of Python: do not look for modules first in the folder that a process starts in
OURS = "neucb"


@contextmanager
def safe_path() -> Iterator[None]:
    """Keep the modules of the current folder from taking the place of Python's own in processes begun here.

    Such a process begins as `python -m`, so that a file copy.py of the user's would end it. It looks for
    modules where this process does, once it has begun.
    """
    if SAFE in os.environ:
        yield
        return
    os.environ[SAFE] = OURS
    try:
        yield
    finally:
        os.environ.pop(SAFE, None)


def leave_safe_path() -> None:
    """Undo `safe_path` in a process that has begun, for those that it begins itself."""
    if os.environ.get(SAFE) == OURS:
        del os.environ[SAFE]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, and give back as many as there were.

    The sums of several depend on their number and on the number of replicas; on these sizes they are
    slower, too.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
