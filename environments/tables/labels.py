"""Labels: the target column as classes, in the order of the arms."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import DataError
from neucb.environments.table import ColumnSummary, labelled, unlabelled
from neucb.environments.tables.cells import DASHES, is_missing, is_number, readings
from neucb.environments.tables.column_types import declared_column, is_text, override
from neucb.environments.tables.raw_table import TextColumn, text_column

if TYPE_CHECKING:
    import pandas as pd

MANY = 30  # values of a target; more of them look like a regression
FEW = 20  # rows of a word, if there are many words
DIGITS = 30  # of a class that is a number


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


def read_labels(
    column: TextColumn | pd.Series[Any], table: str, decimal: str | None = None, *, as_written: bool = False
) -> Labels:
    """Return the labels of a target column; only empty cells are missing labels.

    Args:
        column: text, or of a declared type.
        table: its name, for messages.
        decimal: decimal sign, see `Reading`.
        as_written: take numbers as names, "1.5" and "01" too.

    Raises:
        DataError: no label, real numbers, or so many different values that they are no classes.
    """
    name = str(column.name)
    numeric, written = False, True
    if isinstance(column, TextColumn):
        codes, levels, numeric = _classes(column, decimal, as_written=as_written)
    else:
        import pandas as pd

        kind = column.dtype
        if isinstance(kind, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(kind):
            declared = declared_column(name, column)
            codes, levels, written = declared.values, declared.levels or (), False
        elif pd.api.types.is_object_dtype(kind) or pd.api.types.is_complex_dtype(kind):
            raise DataError(f"column '{name}' holds neither numbers nor words and is no class label")
        else:
            texts = _written(name, column, as_written=as_written)
            codes, levels, numeric = _classes(texts, decimal, as_written=as_written)
    known = codes >= 0
    if not known.any():
        raise DataError(f"{table}: no row has a label in column '{name}'")
    labels, classes = labelled(codes[known], levels)
    if is_text(len(classes), len(labels)):
        raise DataError(
            f"{table}: column '{name}' has {len(classes)} values in {len(labels)} rows and is no "
            "class label; name the target with target=..., or play a regression with arms=..."
        )
    missing = int((~known).sum())
    if len(classes) == 1:
        lack = f"; {missing:,} of {len(known):,} rows have no label" if missing else ""
        raise DataError(
            f"{table}: only one class occurs ('{classes[0]}') in column '{name}'{lack}; a bandit needs at "
            "least two arms, name another target with target=..."
        )
    summary = ColumnSummary(name, "label", missing, len(classes))
    notes = _notes(name, classes, len(labels), missing, numeric=numeric, written=written)
    return Labels(known, labels, classes, summary, tuple(notes))


def _written(name: str, series: pd.Series[Any], *, as_written: bool) -> TextColumn:
    """Return numbers or dates of a declared type as text, whole floats without a point."""
    import pandas as pd
    import pyarrow as pa

    if pd.api.types.is_float_dtype(series.dtype) and not as_written:
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        finite = values[~np.isnan(values)]
        if not (np.abs(finite) < 2**53).all() or (finite != np.round(finite)).any():
            raise _real(name)
        series = series.astype("Float64").astype("Int64")
    texts = series.astype("string")
    return text_column(name, pa.array(texts, pa.string(), from_pandas=True))


def _classes(
    column: TextColumn, decimal: str | None, *, as_written: bool
) -> tuple[NDArray[np.int64], tuple[str, ...], bool]:
    """Return codes [N], -1 for empty cells, the sorted class names, and whether these are numbers.

    Marks for missing values are set aside in deciding whether they are, though they are classes.
    """
    codes, cells = column.encoded
    filled = [cell for cell in cells if cell]
    values = [cell for cell in filled if not is_missing(cell)]
    found = {} if as_written else readings(values, decimal)
    if not all(
        (one.values == np.round(one.values)).all() and np.isfinite(one.values).all() for one in found.values()
    ):
        raise _real(column.name)
    numeric = "point" in found and found["point"].reading == "point"
    keys: dict[str, Any] = {cell: cell for cell in filled}
    if not as_written:
        keys |= {cell: int(Decimal(cell.translate(DASHES))) for cell in values if _is_whole(cell)}
    order = sorted(set(keys.values()), key=_by_value)
    number = {key: code for code, key in enumerate(order)}
    table = np.array([number[keys[cell]] if cell else -1 for cell in cells], dtype=np.int64)
    return table[codes], tuple(map(str, order)), numeric


def _is_whole(cell: str) -> bool:
    """Return whether a cell is a whole number of not too many digits."""
    if not is_number(cell):
        return False
    value = Decimal(cell.translate(DASHES))
    return value.is_finite() and abs(value.adjusted()) < DIGITS and value == value.to_integral_value()


def _by_value(key: int | str) -> tuple[bool, int, str]:
    """Return the order of classes: whole numbers by value, then words by letters."""
    return (True, 0, key) if isinstance(key, str) else (False, key, "")


def _real(name: str) -> DataError:
    return DataError(
        f"column '{name}' holds real numbers and is no class label; name the target with target=..., play a "
        f"regression with arms=..., or take the numbers for names with {override(name, 'category')}"
    )


def _notes(
    name: str, classes: tuple[str, ...], rows: int, missing: int, *, numeric: bool, written: bool
) -> list[str]:
    """Return the notes on a target.

    Args:
        name: of the column.
        classes: its K classes.
        rows: that have a label.
        missing: rows that have none.
        numeric: whether the classes are numbers, marks for missing values set aside.
        written: whether the classes are the table's words, and not categories that it declares.
    """
    notes = [unlabelled(missing, name)] if missing else []
    if written and len(classes) > MANY and (numeric or rows < FEW * len(classes)):
        kind = "a whole number" if numeric else "a word"
        notes.append(
            f"the target '{name}' is {kind} with {len(classes):,} values in {rows:,} rows, each played as an "
            "arm; if that is not meant, play a regression with arms=..., or name another one with "
            "target=..."
        )
    for mark in classes:
        if not is_missing(mark) or (any(map(str.isalpha, mark)) and not numeric):
            continue
        notes.append(
            f"'{mark}' in column '{name}' is played as a class; empty the cell where the label is missing"
        )
    alike: dict[str, str] = {}
    for one in classes:
        other = alike.setdefault(_looks(one), one)
        if other != one:
            notes.append(f"{other!a} and {one!a} in column '{name}' are two classes, as they are written")
    return notes


def _looks(word: str) -> str:
    """Return a word without case, width of blanks and composition of letters, which a reader hardly sees."""
    shown = "".join(
        sign for sign in unicodedata.normalize("NFKC", word) if unicodedata.category(sign) != "Cf"
    )
    return " ".join(shown.split()).casefold()
