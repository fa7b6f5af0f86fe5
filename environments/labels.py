"""Labels: the target column as classes, in the order of the arms."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.environments.cells import DASHES, is_number
from neucb.environments.column_types import declared_column, is_text, marks, override
from neucb.environments.raw_table import TextColumn, text_column
from neucb.environments.table import ColumnSummary, labelled, unlabelled
from neucb.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

REGRESSION = "play a regression with --arms, or name another target with --target, if this is none"
MANY = 30  # whole numbers as labels; more of them look like a regression target


@dataclass(frozen=True)
class Labels:
    """The classes of a target column.

    Attributes:
        known: [N] whether a row has a label.
        labels: [n] of the rows that have one, in 0..K-1.
        classes: names, in the order of the arms: by value where all are numbers, in declared order of a
            categorical dtype, else by letters.
        summary: of the column.
        notes: see `Table.notes`.
    """

    known: NDArray[np.bool_]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    summary: ColumnSummary
    notes: tuple[str, ...]


def read_labels(column: TextColumn | pd.Series[Any], table: str, *, as_written: bool = False) -> Labels:
    """Return the labels of a target column; only empty cells are missing labels.

    Args:
        column: text, or of a declared type.
        table: its name, for messages.
        as_written: take numbers as names, "1.5" and "01" too.

    Raises:
        DataError: no label, real numbers, or so many different values that they are no classes.
    """
    name = str(column.name)
    numeric = False
    if isinstance(column, TextColumn):
        codes, levels, numeric = _classes(column, as_written=as_written)
    else:
        import pandas as pd

        kind = column.dtype
        if isinstance(kind, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(kind):
            declared = declared_column(name, column)
            codes, levels = declared.values, declared.levels or ()
        elif pd.api.types.is_object_dtype(kind) or pd.api.types.is_complex_dtype(kind):
            raise DataError(f"column '{name}' holds neither numbers nor words and is no class label")
        else:
            codes, levels, numeric = _classes(_written(name, column), as_written=as_written)
    known = codes >= 0
    if not known.any():
        raise DataError(f"{table}: no row has a label in column '{name}'")
    labels, classes = labelled(codes[known], levels)
    if is_text(len(classes), len(labels)):
        raise DataError(
            f"{table}: column '{name}' has {len(classes)} values in {len(labels)} rows and is no "
            "class label; name the target with --target, or play a regression with --arms"
        )
    missing = int((~known).sum())
    summary = ColumnSummary(name, "label", missing, len(classes))
    return Labels(
        known, labels, classes, summary, tuple(_notes(name, classes, len(labels), missing, numeric=numeric))
    )


def _written(name: str, series: pd.Series[Any]) -> TextColumn:
    """Return numbers or dates of a declared type as text, whole floats without a point."""
    import pandas as pd
    import pyarrow as pa

    if pd.api.types.is_float_dtype(series.dtype):
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        finite = values[~np.isnan(values)]
        if not (np.abs(finite) < 2**53).all() or (finite != np.round(finite)).any():
            raise _real(name)
        series = series.astype("Float64").astype("Int64")
    texts = series.astype("string")
    return text_column(name, pa.array(texts, pa.string(), from_pandas=True))


def _classes(column: TextColumn, *, as_written: bool) -> tuple[NDArray[np.int64], tuple[str, ...], bool]:
    """Return codes [N], -1 for empty cells, the sorted class names, and whether these are numbers."""
    codes, cells = column.encoded
    filled = [cell for cell in cells if cell]
    numeric = not as_written and bool(filled) and all(map(is_number, filled))
    if numeric:
        keys: dict[str, Any] = {cell: Decimal(cell.translate(DASHES)) for cell in filled}
        if not all(key.is_finite() and key == key.to_integral_value() for key in keys.values()):
            raise _real(column.name)
        order = sorted(set(keys.values()))
        names = tuple(str(int(key)) for key in order)
    else:
        keys = {cell: cell for cell in filled}
        order = sorted(filled)
        names = tuple(order)
    number = {key: code for code, key in enumerate(order)}
    table = np.array([number[keys[cell]] if cell else -1 for cell in cells], dtype=np.int64)
    return table[codes], names, numeric


def _real(name: str) -> DataError:
    return DataError(
        f"column '{name}' holds real numbers and is no class label; name the target with --target, play a "
        f"regression with --arms, or take the numbers for names with {override(name, 'category')}"
    )


def _notes(name: str, classes: tuple[str, ...], rows: int, missing: int, *, numeric: bool) -> list[str]:
    notes = []
    if missing:
        notes.append(unlabelled(missing, name))
    if numeric and len(classes) > MANY:
        notes.append(
            f"the target '{name}' is a whole number with {len(classes):,} values in {rows:,} rows, each "
            f"played as an arm; {REGRESSION}"
        )
    for mark in marks(classes):
        notes.append(
            f"'{mark}' in column '{name}' is played as a class; empty the cell where the label is missing"
        )
    folded: dict[str, str] = {}
    for one in classes:
        other = folded.setdefault(one.casefold(), one)
        if other != one:
            notes.append(f"'{other}' and '{one}' in column '{name}' are two classes, as they are written")
    return notes
