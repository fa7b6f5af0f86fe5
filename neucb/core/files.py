"""Atomic file writes, checks of output paths, and write errors in one line."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from neucb.core.errors import InputError, NeucbError

TEMPORARY = ".neucb-"  # prefix of the names of temporary files
LONGEST = 190  # bytes of a name's readable part; the limit is 255 with digest, rounds and suffix


def check_text(name: str, kind: str) -> None:
    """Check that a name can be encoded in UTF-8, the encoding of all results.

    Args:
        name: name of a file or folder, as the operating system returns it.
        kind: noun of the message, for example "the folder".

    Raises:
        InputError: the name cannot be encoded.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{kind} {name!a} is no text in UTF-8; rename the file or folder") from None


def check_writable(folder: Path, option: str = "out=...") -> None:
    """Check before a run that results can be written to `folder`.

    Args:
        folder: output folder, created if missing.
        option: argument that names the folder.

    Raises:
        NeucbError: the folder cannot be created or written to.
    """
    check_text(str(folder), "the folder")
    with explained(folder, option):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=TEMPORARY):
            pass


def check_file(path: Path, option: str) -> None:
    """Check before a run or a read that a file can be written or replaced.

    Raises:
        NeucbError: the file cannot be written, or is a folder.
    """
    check_writable(path.parent, option)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise NeucbError(f"cannot write {path}: {error.strerror}; name another file with {option}") from error
    if is_folder:
        raise NeucbError(f"cannot write {path}: it is a folder; name a file with {option}")


def shortened(name: str) -> str:
    """Return a file name truncated to `LONGEST` bytes."""
    return name.encode()[:LONGEST].decode(errors="ignore")


def atomic_write(path: Path, writer: Callable[[Path], object]) -> None:
    """Write a file atomically: `writer` fills a temporary file, which is synced and renamed to `path`.

    Raises:
        OSError: the folder cannot be written to, or the disk is full; `path` is unchanged.
    """
    # Writers choose the format by the suffix; a partial .parquet would be read by DuckDB's globs.
    suffix = ".part" if path.suffix == ".parquet" else path.suffix
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY, suffix=suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        writer(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def explained(folder: Path, option: str = "out=...") -> Iterator[None]:
    """Convert an `OSError` into a `NeucbError` of one line with a cure.

    Args:
        folder: output folder of the message, unless the error names a path outside it.
        option: argument that names the folder.

    Raises:
        NeucbError: replaces the `OSError`.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        other = None if error.filename is None else Path(os.fsdecode(error.filename)).absolute()
        here = folder.absolute()
        if other is not None and not other.is_relative_to(here) and not here.is_relative_to(other):
            raise NeucbError(f"cannot read or write {other}: {reason}") from error
        raise NeucbError(
            f"cannot write results to {folder}: {reason}; name another folder with {option}"
        ) from error


def sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
