"""Reader of the OpenML client's cache, without the client: no pickle is loaded, nothing is written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from neucb.core.errors import DataError
from neucb.core.files import sha256
from neucb.environments.openml.data_file import read_arff, read_parquet
from neucb.environments.openml.description import DamagedFileError, Description, describe
from neucb.environments.raw_columns import Content
from neucb.environments.table import Column, Table, labelled, unlabelled


def data_file(folder: Path, number: int) -> Path | None:
    """Return the data file of a cached set, or None where it is not in the cache."""
    for name in (f"dataset_{number}.pq", "dataset.pq", "dataset.arff"):
        if (folder / name).is_file() and (folder / "description.xml").is_file():
            return folder / name
    return None


def read_set(folder: Path, number: int, name: str, damaged: str = "") -> Table:
    """Return the table of a set in the cache.

    The checksum, the number of rows and the number of columns are compared with the stated ones, if any.
    Rows without a label are left out, and so are columns of text, which are neither numbers nor
    categories; `notes` and `provenance` list them.

    Args:
        folder: folder of the set in the cache.
        number: OpenML number of the set.
        name: name of the table.
        damaged: advice on a damaged set; by default to delete it and load it again.

    Raises:
        DataError: the set is not in the cache, is damaged, or is no classification set.
    """
    path = data_file(folder, number)
    if path is None:
        raise DataError(f"{name}: OpenML set {number} is not in the cache")
    try:
        description = describe(folder)
        content = _content(path, description, name)
        _compare(content, description, path)
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(f"{name}: {error.filename or path} cannot be read: permission denied") from error
    except Exception as error:  # the readers raise any error on a damaged file
        advice = damaged or f"delete the folder {folder} and load it again"
        place = "" if isinstance(error, DamagedFileError) else f"{path.name}: "
        raise DataError(
            f"{name}: OpenML set {number} is damaged ({place}{_one_line(error)}); {advice}"
        ) from error
    return _table(content, description, path, name)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


def _content(path: Path, description: Description, name: str) -> Content:
    """Return the content of the data file; a file with the stated checksum is not reported as damaged."""
    from neucb.environments.arff.values import ArffSyntaxError

    if path.suffix == ".pq":
        return read_parquet(path, description.nominal)
    if description.md5 and not _has_md5(path, description.md5):
        raise DamagedFileError(f"{path.name}: its MD5 checksum is not the one in description.xml")
    try:
        return read_arff(path)
    except DataError as error:
        if isinstance(error, ArffSyntaxError) and not description.md5:
            raise DamagedFileError(f"{path.name}, {error}") from error
        raise DataError(
            f"{name}: OpenML set {description.number} cannot be read ({path.name}, {error})"
        ) from error


def _has_md5(path: Path, md5: str) -> bool:
    """Return whether a file has this checksum, as it is or with line feeds for Windows line ends."""
    content = path.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() == md5:
        return True
    before = content.replace(b"\r\n", b"\n")
    return hashlib.md5(before, usedforsecurity=False).hexdigest() == md5


def _compare(content: Content, description: Description, path: Path) -> None:
    """Compare the content with the stated checksum and counts.

    Fewer columns than are listed are lost columns; more are not a contradiction, since a Parquet file
    may have an index that OpenML does not count.
    """
    if description.rows is not None and content.rows != description.rows:
        raise DamagedFileError(
            f"{path.name}: {content.rows:,} rows, where qualities.xml states {description.rows:,}"
        )
    columns = len(content.columns) + len(content.left_out)
    columns += 0 if content.sparse is None else len(content.sparse.names)
    if columns < description.columns:
        raise DamagedFileError(
            f"{path.name}: {columns:,} columns, where features.xml lists {description.columns:,}"
        )


def _numeric_target(name: str, target: str) -> DataError:
    return DataError(f"{name}: the target '{target}' is a number; this is no classification set")


def _table(content: Content, description: Description, path: Path, name: str) -> Table:
    targets = [column for column in content.columns if column.name == description.target]
    if description.target in content.left_out:
        reason = content.left_out[description.target]
        raise DataError(f"{name}: the target '{description.target}' {reason}; this is no classification set")
    if content.sparse is not None and description.target in content.sparse.names:
        raise DataError(
            f"{name}: the target '{description.target}' is a number; this is no classification set"
        )
    if not targets:
        raise DataError(f"{name}: the data have no column '{description.target}', their target")
    target = targets[0]
    if target.levels is None:
        raise _numeric_target(name, target.name)
    known = target.values >= 0
    keep: Any = slice(None) if known.all() else known
    if not known.any():
        raise DataError(f"{name}: no row has a label")
    labels, classes = labelled(target.values[keep], target.levels)
    features = [
        column
        for column in content.columns
        if column is not target and column.name not in description.left_out
    ]
    left_out = {key: why for key, why in content.left_out.items() if key not in description.left_out}
    missing = int((~known).sum())
    notes = list(content.notes)
    if missing:
        notes.append(unlabelled(missing, target.name))
    notes += [f"column '{key}' {why} and is left out" for key, why in left_out.items()]
    notes += [f"column '{column.name}' {column.note}" for column in features if column.note]
    provenance = {
        "openml_id": description.number,
        "openml_name": description.name,
        "openml_version": description.version,
        "licence": description.licence,
        "target": description.target,
        "unlabelled_rows_left_out": missing,
        "sha256": sha256(path),
    }
    if left_out:
        provenance["columns_left_out"] = list(left_out)
    columns = tuple(Column(one.name, one.values[keep], one.levels) for one in features)
    positions = np.flatnonzero(known) if missing else None
    sparse = None
    if content.sparse is not None:
        sparse = content.sparse.without(description.left_out).of_rows(known)
    return Table(
        name, columns, labels, classes, "openml", provenance, tuple(notes), positions=positions, sparse=sparse
    )
