"""Kernel cache: numba's disk cache with all source files in its key and without fatal disk errors."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import stat
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from numba.core import config
from numba.core.caching import FunctionCache

from neucb.kernels.sources import digest

ANOTHER = "name another folder with the environment variable NUMBA_CACHE_DIR"


class NotCachedError(Exception):
    """A kernel that would have to be compiled, see `from_cache_only`.

    Attributes:
        kernel: name of the kernel and types of its arguments.
    """

    def __init__(self, kernel: str) -> None:
        super().__init__(f"not compiled yet: {kernel[:80]}")
        self.kernel = kernel


@contextlib.contextmanager
def from_cache_only() -> Iterator[None]:
    """Raise a `NotCachedError` in place of compiling a kernel, in this thread."""
    _state.cache_only = True
    try:
        yield
    finally:
        _state.cache_only = False


_state = threading.local()


class KernelCache(FunctionCache):
    """Disk cache of one kernel.

    Numba's own cache checks the kernel's own file only, and a full or unreadable disk ends the run whose
    kernel was compiled.

    Args:
        function: the kernel.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._function = function

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), digest(self._function, sig))  # type: ignore[no-untyped-call]

    def load_overload(self, *arguments: Any) -> Any:
        """Return a kernel from disk; None without a file. A damaged file is deleted, and None returned.

        Raises:
            NotCachedError: there is no file, within `from_cache_only`.
        """
        found = None
        try:
            found = super().load_overload(*arguments)  # type: ignore[no-untyped-call]
        except Exception:  # unpickling damaged bytes raises anything
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
        if found is None and getattr(_state, "cache_only", False):
            raise NotCachedError(f"{self._function.__name__}{arguments[0]}")
        return found

    def save_overload(self, *arguments: Any) -> None:
        """Write a compiled kernel to disk; after a failure the next run compiles it again."""
        try:
            super().save_overload(*arguments)  # type: ignore[no-untyped-call]
        except OSError as error:
            _warn_once(
                f"cannot write compiled kernels to {self.cache_path}: {error.strerror or error}; "
                f"they are compiled again in the next run; free space there, or {ANOTHER}"
            )


@cache
def _warn_once(text: str) -> None:
    """Warn once of a problem common to all kernels."""
    warnings.warn(text, stacklevel=3)


def make_cache(function: Callable[..., Any]) -> KernelCache | None:
    """Return the cache of a kernel; None without any writable folder.

    Without a writable folder beside the package and in the user's cache folder, this process and its child
    processes use a temporary one.

    Warns:
        UserWarning: a temporary folder is used, or no folder is writable.
    """
    package = Path(function.__code__.co_filename).parent
    homeless = not os.path.isabs(os.path.expanduser("~"))  # numba would create a folder named "~"
    if homeless and not getattr(config, "CACHE_DIR", "") and not os.access(package, os.W_OK):
        _use_temporary_folder(package)
    for _ in range(2):
        try:
            return KernelCache(function)
        except RuntimeError:  # numba: no locator available
            _use_temporary_folder(package)
    return None


@cache
def _use_temporary_folder(package: Path) -> None:
    """Set numba's cache folder to a temporary one, with a warning."""
    places = f"{package} and the user's cache folder cannot be written to; {ANOTHER}"
    try:
        folder = str(_private_folder())
    except OSError:
        warnings.warn(f"compiled kernels are not kept, every run compiles them: {places}", stacklevel=2)
        return
    warnings.warn(f"compiled kernels are kept in {folder}: {places}", stacklevel=2)
    vars(config)["CACHE_DIR"] = os.environ["NUMBA_CACHE_DIR"] = folder


def _private_folder() -> Path:
    """Return a temporary folder writable by this user only; the next run finds it again where that is safe.

    Numba executes the files it reads from there.

    Raises:
        OSError: no such folder can be made.
    """
    if hasattr(os, "getuid"):
        folder = Path(tempfile.gettempdir()) / f"neucb-kernels-{os.getuid()}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if mine and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return folder
    made = Path(tempfile.mkdtemp(prefix="neucb-kernels-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
