"""Thread and core counts, and the module search path of child processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def cores() -> int:
    """Return the number of cores available to this process, by CPU affinity and container quota."""
    from joblib import cpu_count

    count: int = cpu_count()
    return count


SAFE = "PYTHONSAFEPATH"  # Python's variable that keeps the start folder off sys.path
OURS = "neucb"


@contextmanager
def safe_path() -> Iterator[None]:
    """Start child processes without the current folder on `sys.path`.

    A child starts as `python -m`, where a user's file copy.py would shadow the standard library. Once
    started, it takes over the `sys.path` of this process.
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
    """Undo `safe_path` in a started child process, for its own children."""
    if os.environ.get(SAFE) == OURS:
        del os.environ[SAFE]


@contextmanager
def one_thread() -> Iterator[None]:
    """Set torch to one thread, and restore the thread count on exit.

    Sums over several threads depend on the number of threads and replicas, and are slower for matrices
    of this size.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
