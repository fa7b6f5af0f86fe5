"""Frames: the columns of pandas DataFrames, Arrow tables, and frames that export Arrow's PyCapsule interface.

Column types that a frame declares are kept; text is left to the rules of `column_types`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neucb.core.errors import DataError, InputError
from neucb.environments.tables.raw_table import RawTable, TextColumn, column_name, text_column, text_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

NAMELESS_INDEX = re.compile(r"__index_level_(\d+)__")  # pandas' name for a stored index without one


def raw_frame(name: str, frame: Any) -> RawTable:
    """Return the columns of a pandas DataFrame, an Arrow table, or a frame with Arrow's PyCapsule interface.

    Args:
        name: of the table.
        frame: of pandas, with its index left out; or of Arrow, with an index that pandas stored as columns.

    Raises:
        InputError: a single column, such as a pandas Series.
        DataError: two columns of one name, no frame, or a column of an Arrow type without a pandas one.
    """
    frame = _table(frame)
    names = [column_name(label, j) for j, label in enumerate(frame.columns)]
    twice = [one for one, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{name}: two columns have the same name, '{twice[0]}'")
    notes = []
    index = [str(level) for level in frame.index.names if level is not None]
    if index:
        notes.append(
            f"the index '{', '.join(index)}' is no column and is left out; reset_index() makes it one"
        )
    return RawTable(name, [raw_series(one, frame.iloc[:, j]) for j, one in enumerate(names)], notes)


def _table(frame: Any) -> pd.DataFrame:
    """Return a frame of any library as one of pandas."""
    import pyarrow as pa

    single = InputError(
        f"a {type(frame).__name__} is one column; give a DataFrame that holds the features and the target"
    )
    if getattr(frame, "ndim", 2) != 2:
        raise single
    if hasattr(frame, "iloc"):
        table: pd.DataFrame = frame
        return table
    try:
        return arrow_frame(pa.table(frame))
    except (pa.ArrowException, TypeError) as error:  # TypeError: no frame at all
        if "non-struct type" in str(error):
            raise single from None
        raise DataError(f"the {type(frame).__name__} cannot be read: {error}") from error


def raw_series(name: str, series: pd.Series[Any]) -> TextColumn | pd.Series[Any]:
    """Return a column of a DataFrame: text where its dtype is object or string.

    A column of objects that are no scalars, such as lists, stays as it is.
    """
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, pd.ArrowDtype):
        series = arrow_frame(pa.table([pa.array(series.array)], [name])).iloc[:, 0]
    named = series.rename(name).reset_index(drop=True)  # whose index is the number of the row from now on
    if pd.api.types.is_object_dtype(series.dtype):
        cells = [text_of(value) for value in series]
        return named if None in cells else text_column(name, pa.array(cells, pa.string()))
    if isinstance(series.dtype, pd.StringDtype):
        return text_column(name, pa.array(series, pa.string(), from_pandas=True))
    return named


def arrow_frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a DataFrame: decimals as floats, times of day as durations, integers exact.

    The columns in which pandas stored an index come first, so that none of them is taken for the target;
    those without a name are called as in pandas' CSV files.
    """
    import pandas as pd
    import pyarrow as pa

    stored = (table.schema.pandas_metadata or {}).get("index_columns", [])
    index = {name for name in stored if isinstance(name, str)}
    order = sorted(range(table.num_columns), key=lambda j: table.field(j).name not in index)
    names = [NAMELESS_INDEX.sub(r"Unnamed: \1", table.field(j).name) for j in order]
    plain = pa.table([_plain(table.column(j)) for j in order], names)  # without pandas' metadata
    whole = [getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)]
    nullable = {
        kind: pd.api.types.pandas_dtype(str(kind).replace("int", "Int").replace("uI", "UI")) for kind in whole
    }
    frame: pd.DataFrame = plain.to_pandas(types_mapper=nullable.get)
    return frame


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as a type that pandas reads exactly."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        if _is_text(kind.value_type):
            return _categories(column)
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms"))
    if pa.types.is_time(kind):
        counts = column.cast(pa.int32()) if kind.bit_width == 32 else column
        return counts.cast(pa.int64()).cast(pa.duration(kind.unit))
    if _is_text(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if _is_binary(kind):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:  # no UTF-8: bytes, which are refused unless the column is skipped
            return column.cast(pa.large_binary())
    return column


def _categories(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a dictionary column with one dictionary for all chunks, free of nulls and repeated values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    dictionaries = [chunk.dictionary.cast(pa.string()) for chunk in column.chunks]
    levels = pc.unique(pa.chunked_array(dictionaries, pa.string())).drop_null()
    chunks = [
        pa.DictionaryArray.from_arrays(
            pc.index_in(dictionary, value_set=levels).take(chunk.indices), levels, ordered=column.type.ordered
        )
        for chunk, dictionary in zip(column.chunks, dictionaries, strict=True)
    ]
    return pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string(), column.type.ordered))


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types: Sequence[Any] = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_fixed_size_binary,
        pa.types.is_binary_view,
    )
    return any(one(kind) for one in types)
