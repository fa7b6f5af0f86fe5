"""Kernel cache: numba's cache on disk, made to know all sources, and to fail without harm."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from numba.core import config
from numba.core.caching import FunctionCache

from neucb.core.files import sha256

ANOTHER = "name another folder with the environment variable NUMBA_CACHE_DIR"


class KernelCache(FunctionCache):
    """The cache of one kernel.

    By itself numba renews it when the kernel's own file has changed only, and a disk that is full or
    cannot be read ends the run whose kernel was compiled.

    Args:
        function: the kernel.
        digest: of all sources that it is compiled from.
    """

    def __init__(self, function: Callable[..., Any], digest: str) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._digest = digest

    def _index_key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        key = super()._index_key(signature, codegen)  # type: ignore[no-untyped-call]
        return (*key, self._digest, *(sha256(path) for path in sorted(set(_source_files(signature)))))

    def load_overload(self, *arguments: Any) -> Any:
        """Return a kernel from disk; None where there is none, or a damaged one, which is forgotten."""
        try:
            return super().load_overload(*arguments)  # type: ignore[no-untyped-call]
        except Exception:  # unpickling damaged bytes raises anything
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, *arguments: Any) -> None:
        """Write a compiled kernel to disk; a failure costs the next run its compilation, this one nothing."""
        try:
            super().save_overload(*arguments)  # type: ignore[no-untyped-call]
        except OSError as error:
            _warn_once(
                f"cannot write compiled kernels to {self.cache_path}: {error.strerror or error}; "
                f"they are compiled again in the next run; free space there, or {ANOTHER}"
            )


def _source_files(types: Iterable[Any]) -> Iterator[Path]:
    """Yield the files of the named tuple classes in a signature: kernels compile methods of some of them."""
    for kind in types:
        named = getattr(kind, "instance_class", None)
        file = getattr(sys.modules.get(getattr(named, "__module__", "")), "__file__", None)
        yield from () if file is None else (Path(file),)
        yield from _source_files(getattr(kind, "types", ()))


@cache
def _warn_once(text: str) -> None:
    """Warn of what befalls every kernel alike."""
    warnings.warn(text, stacklevel=3)


def make_cache(function: Callable[..., Any], digest: str) -> KernelCache | None:
    """Return the cache of a kernel; None where no folder at all can be written to.

    Where numba finds none, beside the package or in the user's cache folder, this process and those that
    it starts use a temporary one.

    Warns:
        UserWarning: a temporary folder is used, or none.
    """
    package = Path(function.__code__.co_filename).parent
    homeless = not os.path.isabs(os.path.expanduser("~"))  # numba would make a folder "~" where it is
    if homeless and not getattr(config, "CACHE_DIR", "") and not os.access(package, os.W_OK):
        _use_temporary_folder(package)
    for _ in range(2):
        try:
            return KernelCache(function, digest)
        except RuntimeError:  # numba: no locator available
            _use_temporary_folder(package)
    return None


@cache
def _use_temporary_folder(package: Path) -> None:
    """Let numba keep what it compiles in a temporary folder, and say so."""
    places = f"{package} and the user's cache folder cannot be written to; {ANOTHER}"
    try:
        folder = str(_private_folder())
    except OSError:
        warnings.warn(f"compiled kernels are not kept, every run compiles them: {places}", stacklevel=2)
        return
    warnings.warn(f"compiled kernels are kept in {folder}: {places}", stacklevel=2)
    vars(config)["CACHE_DIR"] = os.environ["NUMBA_CACHE_DIR"] = folder


def _private_folder() -> Path:
    """Return a temporary folder that nobody else can write to, the same in the next run where that is safe.

    What numba reads from it is code.

    Raises:
        OSError: there is none.
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
