"""Threads: how many cores there are for them; torch computes with one, wherever its sums decide a number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def cores() -> int:
    """Return the number of cores that this process may use: by its affinity and its container's CPU quota."""
    from joblib import cpu_count

    count: int = cpu_count()
    return count


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
