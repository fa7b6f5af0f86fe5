"""Read a set from the OpenML client's cache, directly: no client, no pickle, nothing written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from neucb.environments.table import Column, Table, labelled
from neucb.errors import DataError

NAMESPACE = "{http://openml.org/openml}"


@dataclass(frozen=True)
class Description:
    """What description.xml and features.xml say of a set.

    Attributes:
        number, name, version, licence: as OpenML has them.
        target: the column to predict, as the data file spells it.
        left_out: row identifiers and ignored columns.
    """

    number: int
    name: str
    version: str
    licence: str
    target: str
    left_out: frozenset[str]


def data_file(folder: Path, number: int) -> Path | None:
    """Return the file with the rows of a cached set, or None where it is not in the cache."""
    for name in (f"dataset_{number}.pq", "dataset.pq", "dataset.arff"):
        if (folder / name).is_file() and (folder / "description.xml").is_file():
            return folder / name
    return None


def read_set(folder: Path, number: int, name: str) -> Table:
    """Return the table of a set in the cache.

    Rows without a label are left out, and counted in `provenance`. Text columns are too: there is
    no category to learn from.

    Args:
        folder: the set's folder in the cache.
        number: its OpenML number.
        name: the name that the table will have.

    Raises:
        DataError: the set is not in the cache, is damaged, or is no classification set.
    """
    path = data_file(folder, number)
    if path is None:
        raise DataError(f"{name}: OpenML set {number} is not in the cache")
    try:
        description = _describe(folder)
        columns = read_parquet(path) if path.suffix == ".pq" else read_arff(path)
    except DataError:
        raise
    except Exception as error:  # the readers raise whatever a damaged file makes them stumble over
        raise DataError(
            f"{name}: the cached OpenML set {number} is damaged ({path.name}: {_one_line(error)}); "
            f"delete the folder {folder} and load it again"
        ) from error
    return _table(columns, description, path, name)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def _describe(folder: Path) -> Description:
    root = ElementTree.parse(folder / "description.xml").getroot()

    def texts(tag: str) -> list[str]:
        found = [element.text for element in root.iter(f"{NAMESPACE}{tag}") if element.text]
        return [part.strip() for text in found for part in text.split(",") if part.strip()]

    targets = texts("default_target_attribute")
    left_out = set(texts("row_id_attribute")) | set(texts("ignore_attribute"))
    features = folder / "features.xml"
    if features.is_file():
        for feature in ElementTree.parse(features).getroot().iter(f"{NAMESPACE}feature"):
            flags = {child.tag.removeprefix(NAMESPACE): (child.text or "").strip() for child in feature}
            if "true" in (flags.get("is_row_identifier"), flags.get("is_ignore")):
                left_out.add(flags["name"])
    number = int(texts("id")[0])
    if len(targets) != 1:
        raise DataError(f"OpenML set {number} has no single target column; it is no classification set")
    first = {tag: (texts(tag) or ["unknown"])[0] for tag in ("name", "version", "licence")}
    return Description(number, **first, target=targets[0], left_out=frozenset(left_out))


@dataclass(frozen=True)
class Raw:
    """A column of the file: numbers (levels None), or codes into levels, -1 for missing."""

    name: str
    values: NDArray[Any]
    levels: tuple[str, ...] | None


def read_parquet(path: Path) -> list[Raw]:
    """Return the columns of a Parquet file, text columns left out."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    raw = []
    table = pq.read_table(path, use_threads=False)
    for name in table.column_names:
        chunk = table[name].combine_chunks()
        if pa.types.is_boolean(chunk.type):
            codes = chunk.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
            raw.append(Raw(name, codes, ("False", "True")))
        elif pa.types.is_dictionary(chunk.type):
            codes = pc.fill_null(chunk.indices.cast(pa.int32()), -1).to_numpy()
            raw.append(Raw(name, codes, tuple(str(level) for level in chunk.dictionary.to_pylist())))
        elif pa.types.is_integer(chunk.type) or pa.types.is_floating(chunk.type):
            dtype = pa.float32() if chunk.type.bit_width <= 16 else pa.float64()
            numbers = chunk.cast(dtype, safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
            raw.append(Raw(name, numbers, None))
    return raw


def read_arff(path: Path) -> list[Raw]:
    """Return the columns of an ARFF file, text columns left out."""
    import arff

    with path.open(encoding="utf-8") as handle:
        content = arff.load(handle)
    raw = []
    for position, (name, kind) in enumerate(content["attributes"]):
        cells = [row[position] for row in content["data"]]
        if isinstance(kind, list):
            code = {level: number for number, level in enumerate(kind)}
            codes = np.array([-1 if cell is None else code[cell] for cell in cells], dtype=np.int32)
            raw.append(Raw(name, codes, tuple(kind)))
        elif kind.upper() in ("REAL", "NUMERIC", "INTEGER"):
            numbers = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
            raw.append(Raw(name, numbers, None))
    return raw


def _table(raw: Sequence[Raw], description: Description, path: Path, name: str) -> Table:
    targets = [column for column in raw if column.name == description.target]
    if not targets:
        raise DataError(f"{name}: the data have no usable column '{description.target}', their target")
    target = targets[0]
    if target.levels is None:
        raise DataError(f"{name}: the target '{target.name}' is a number; this is no classification set")
    known = target.values >= 0
    keep: Any = slice(None) if known.all() else known
    if not known.any():
        raise DataError(f"{name}: no row has a label")
    labels, classes = labelled(target.values[keep], target.levels)
    columns = tuple(
        Column(unquote(column.name), column.values[keep], column.levels)
        for column in raw
        if column is not target and column.name not in description.left_out
    )
    provenance = {
        "openml_id": description.number,
        "openml_name": description.name,
        "openml_version": description.version,
        "licence": description.licence,
        "unlabelled_rows_left_out": int((~known).sum()),
        "sha256": sha256(path),
    }
    return Table(name, columns, labels, classes, "openml", provenance)


def sha256(path: Path) -> str:
    """Return the checksum of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
