"""Read OpenML's Parquet and ARFF files into columns of numbers and codes, without pandas.

Names come without percent-encoding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Raw:
    """A column of the file: numbers (levels None), or codes into levels, -1 for missing."""

    name: str
    values: NDArray[Any]
    levels: tuple[str, ...] | None


@dataclass(frozen=True)
class Content:
    """What a data file holds: its columns, and the names of those that are text or dates."""

    columns: list[Raw]
    text: list[str]


def read_parquet(path: Path, nominal: Collection[str] = ()) -> Content:
    """Return the content of a Parquet file; columns named in `nominal` are so however they are stored."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    content = Content([], [])
    with pq.ParquetFile(path) as file:  # read_table would import pyarrow's data sets too
        table = file.read(use_threads=False)
    for encoded, chunks in zip(table.column_names, table.columns, strict=True):
        name, chunk = unquote(encoded), chunks.combine_chunks()
        if name in nominal and not (pa.types.is_dictionary(chunk.type) or pa.types.is_boolean(chunk.type)):
            values = pc.unique(chunk).drop_null().sort()
            chunk = pa.DictionaryArray.from_arrays(pc.index_in(chunk, values), values)
        if pa.types.is_boolean(chunk.type):
            codes = chunk.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
            content.columns.append(Raw(name, codes, ("False", "True")))
        elif pa.types.is_dictionary(chunk.type):
            codes = pc.fill_null(chunk.indices.cast(pa.int32()), -1).to_numpy()
            levels = tuple(str(level) for level in chunk.dictionary.to_pylist())
            content.columns.append(Raw(name, codes, levels))
        elif pa.types.is_integer(chunk.type) or pa.types.is_floating(chunk.type):
            dtype = pa.float32() if chunk.type.bit_width <= 16 else pa.float64()
            numbers = chunk.cast(dtype, safe=False).to_numpy(zero_copy_only=False)  # null: NaN
            content.columns.append(Raw(name, numbers, None))
        else:
            content.text.append(name)
    return content


def read_arff(path: Path) -> Content:
    """Return the content of an ARFF file."""
    import arff

    with path.open(encoding="utf-8") as handle:
        loaded = arff.load(handle)
    content = Content([], [])
    for position, (encoded, kind) in enumerate(loaded["attributes"]):
        name = unquote(encoded)
        cells = [row[position] for row in loaded["data"]]
        if isinstance(kind, list):
            # 0 is what a sparse row leaves out: the first category
            code = {0: 0} | {level: number for number, level in enumerate(kind)}
            codes = np.array([-1 if cell is None else code[cell] for cell in cells], dtype=np.int32)
            content.columns.append(Raw(name, codes, tuple(kind)))
        elif kind.upper() in ("REAL", "NUMERIC", "INTEGER"):
            numbers = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
            content.columns.append(Raw(name, numbers, None))
        else:
            content.text.append(name)
    return content


def sha256(path: Path) -> str:
    """Return the checksum of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
