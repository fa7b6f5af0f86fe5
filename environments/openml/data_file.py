"""Reader of OpenML's Parquet and ARFF files into columns of numbers and codes, without pandas.

Percent-encoding of names is decoded.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from neucb.environments.arff.reader import parse_arff
from neucb.environments.raw_columns import ROUNDED, WHOLE, Content, Raw
from neucb.environments.table import SparseColumns


def read_parquet(path: Path, nominal: Collection[str] = ()) -> Content:
    """Return the content of a Parquet file; columns in `nominal` are nominal whatever their stored type.

    Dates and moments are seconds since 1970 (UTC), times of day seconds since midnight.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:  # read_table would import pyarrow's data sets too
        table = file.read(use_threads=False)
    content = Content([], {}, table.num_rows)
    for encoded, chunks in zip(table.column_names, table.columns, strict=True):
        name, chunk = unquote(encoded), chunks.combine_chunks()
        column = _codes(name, chunk, name in nominal) or _numbers(name, chunk)
        if column is None:
            content.left_out[name] = _kind(chunk)
        else:
            content.columns.append(column)
    return content


def _codes(name: str, chunk: Any, nominal: bool) -> Raw | None:
    """Return a column of categories or booleans, None for any other type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if nominal and not (pa.types.is_dictionary(chunk.type) or pa.types.is_boolean(chunk.type)):
        if pa.types.is_floating(chunk.type):
            chunk = pc.if_else(pc.is_nan(chunk), None, chunk)
        values = pc.unique(chunk).drop_null().sort()
        chunk = pa.DictionaryArray.from_arrays(pc.index_in(chunk, values), values)
    if pa.types.is_boolean(chunk.type):
        codes = chunk.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
        return Raw(name, codes, ("False", "True"))
    if not pa.types.is_dictionary(chunk.type):
        return None
    codes = pc.fill_null(chunk.indices.cast(pa.int32()), -1).to_numpy()
    levels = chunk.dictionary.to_pylist()
    if None in levels:  # a category that means missing
        kept = np.array([level is not None for level in levels])
        codes = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1).astype(np.int32)[codes]
    return Raw(name, codes, tuple(str(level) for level in levels if level is not None))


def _numbers(name: str, chunk: Any) -> Raw | None:
    """Return a column of numbers, dates or times, None for any other type."""
    import pyarrow as pa

    kind = chunk.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        dtype = pa.float32() if kind.bit_width <= 16 else pa.float64()
        numbers = chunk.cast(dtype, safe=False).to_numpy(zero_copy_only=False)  # null: NaN
    elif pa.types.is_decimal(kind):
        numbers = chunk.cast(pa.float64()).to_numpy(zero_copy_only=False)
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return Raw(name, _seconds(chunk), None)
    else:
        return None
    rounded = False
    if kind.bit_width > 32 and not pa.types.is_floating(kind):
        large = pa.array(np.abs(numbers) >= WHOLE)
        rounded = any(value != float(value) for value in chunk.filter(large).to_pylist())
    return Raw(name, numbers, None, ROUNDED if rounded else "")


def _seconds(chunk: Any) -> NDArray[np.float64]:
    """Return dates, moments, times of day and durations in seconds, NaN for null."""
    import pyarrow as pa

    kind = chunk.type
    whole = pa.int32() if kind.bit_width == 32 else pa.int64()
    counts = chunk.cast(whole).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if pa.types.is_date(kind):
        unit = 86_400.0 if pa.types.is_date32(kind) else 1e-3
    else:
        unit = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
    return np.asarray(counts * unit if unit >= 1 else counts / round(1 / unit), dtype=np.float64)


def _kind(chunk: Any) -> str:
    """Return why a column is left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if chunk.null_count == len(chunk):
        return "holds no values"
    if pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type):
        return text(pc.count_distinct(chunk).as_py())
    return f"holds values of the type {str(chunk.type).partition('<')[0]}"


def text(values: int) -> str:
    """Return why a column of text with so many different values is left out."""
    return f"is text ({values:,} different value{'s' * (values != 1)})"


def read_arff(path: Path) -> Content:
    """Return the content of an ARFF file.

    Raises:
        DataError: see `parse_arff`.
    """
    relation = parse_arff(path.read_bytes())
    sparse = relation.sparse
    if sparse is not None:
        sparse = SparseColumns([unquote(name) for name in sparse.names], sparse.values)
    content = Content([], {}, relation.rows, relation.notes, sparse)
    for attribute in relation.attributes:
        name = unquote(attribute.name)
        if attribute.kind == "string":
            content.left_out[name] = text(len(set(attribute.values) - {None}))
        else:
            content.columns.append(Raw(name, attribute.values, attribute.levels, attribute.note))
    return content
