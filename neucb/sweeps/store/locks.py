"""Claims: locks on batches, for several sweeps that share a folder.

A claim is a lock on a file. The system releases it when its process ends, normally or not, so that other
sweeps can claim the batches of a killed one. A claim only saves work: on file systems without locks, such as
some network folders, batches are played twice and give the same files.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

FOLDER = "_claims"


class Claims:
    """The claims of one sweep on batches of a folder; a context manager that releases them all.

    Args:
        folder: folder of the results.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._me = f"sweep-{uuid.uuid4().hex}"
        self._held: dict[str, FileLock] = {}

    def __enter__(self) -> Self:
        while not self.take(self._me):  # another sweep ends and removes the folder
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._held):
            self.release(name)
        for path in self._folder.glob("*.lock"):
            self._clear(path)
        with contextlib.suppress(OSError):  # other sweeps are running
            self._folder.rmdir()

    def take(self, name: str) -> bool:
        """Claim a batch; return whether the claim succeeded."""
        if name not in self._held:
            lock = self._lock(name)
            if lock is None:
                return False
            self._held[name] = lock
        return True

    def release(self, name: str) -> None:
        """Release a claim."""
        lock = self._held.pop(name)
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()

    def alone(self) -> bool:
        """Return whether no other sweep uses the folder."""
        others = [path for path in self._folder.glob("sweep-*.lock") if path.stem != self._me]
        return all(self._clear(path) for path in others)

    def _clear(self, path: Path) -> bool:
        """Remove a claim whose process has ended; return whether it has ended."""
        lock = self._lock(path.stem)
        if lock is None or not lock.is_locked:
            return False
        path.unlink(missing_ok=True)
        lock.release()
        return True

    def _lock(self, name: str) -> FileLock | None:
        """Return the lock of a name, None where another process holds it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # Acquired in the thread that dispatches work, released in the thread that stores results.
        lock = FileLock(self._folder / f"{name}.lock", blocking=False, thread_local=False)
        try:
            lock.acquire()
        except (Timeout, FileNotFoundError):  # or the folder has just been removed
            return None
        except (OSError, NotImplementedError):
            pass  # no locks here
        return lock
