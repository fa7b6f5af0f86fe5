"""Folder of the tables that the processes of a sweep share; folders of killed sweeps are removed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "neucb-tables-"
OWNER = ".owner.lock"


@contextlib.contextmanager
def shared_folder() -> Iterator[Path]:
    """Make a temporary folder for the context; remove those of processes that have ended."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_if_dead(left)
    with contextlib.ExitStack() as stack:
        folder = _make(stack)
        while folder is None:
            folder = _make(stack)
        yield folder


def _make(stack: contextlib.ExitStack) -> Path | None:
    """Return a folder locked by this process; None where another sweep removed it before the lock."""
    made = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    folder = Path(stack.enter_context(made))
    try:
        stack.enter_context(FileLock(folder / OWNER))
    except OSError:
        if folder.exists():
            raise
    return folder if (folder / OWNER).is_file() else None


def _remove_if_dead(folder: Path) -> None:
    """Remove a folder whose owner's lock is free: the system frees it when the owner ends."""
    with contextlib.suppress(OSError, NotImplementedError, Timeout):
        if (folder / OWNER).is_file():
            with FileLock(folder / OWNER, blocking=False):
                shutil.rmtree(folder, ignore_errors=True)
