"""Files that appear whole or not at all, and failures to write in one line."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from neucb.core.errors import InputError, NeucbError

TEMPORARY = ".neucb-"  # how the names of files begin that are not whole yet
LONGEST = 190  # bytes; names may have 255, and a digest, the rounds and a suffix follow


def check_text(name: str, kind: str) -> None:
    """Make sure that a name can be written into results, which are text in UTF-8.

    Args:
        name: of a file or folder, as the system gave it.
        kind: the noun of the message.

    Raises:
        InputError: it cannot.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{kind} {name!a} is no text in UTF-8; rename the file or folder") from None


def check_writable(folder: Path, option: str = "--out") -> None:
    """Make sure, before anything is played, that results can be written to `folder`.

    Args:
        folder: made if need be.
        option: of the command line, that names it.

    Raises:
        NeucbError: they cannot.
    """
    check_text(str(folder), "the folder")
    with explained(folder, option):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=TEMPORARY):
            pass


def check_file(path: Path, option: str) -> None:
    """Make sure, before anything is played or read, that a file can be written or replaced.

    Raises:
        NeucbError: it cannot.
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
    """Return the readable part of a file's name, cut to what file systems have room for."""
    return name.encode()[:LONGEST].decode(errors="ignore")


def atomic_write(path: Path, writer: Callable[[Path], object]) -> None:
    """Let `writer` fill a temporary file beside `path`, sync and rename it: never a half file.

    Raises:
        OSError: the folder cannot be written to, or the disk is full; `path` is as it was before.
    """
    # Some writers go by the suffix; but DuckDB reads hidden files too, and may meet no half one.
    suffix = ".part" if path.suffix == ".parquet" else path.suffix
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY, suffix=suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        writer(temporary)
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def explained(folder: Path, option: str = "--out") -> Iterator[None]:
    """Turn an `OSError` into one line that says what to do.

    Args:
        folder: what cannot be written to, unless the error names a place that is not part of it.
        option: of the command line, that names another place.

    Raises:
        NeucbError: in the place of the `OSError`.
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
    """Return the checksum of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
