"""Tables on disk and in memory: files by their suffix, DataFrames, Arrow tables.

Text is typed by the rules of `column_types`; types that a format declares are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import DataError, InputError, unknown_name
from neucb.core.files import sha256
from neucb.environments.arff.reader import read_arff_frame
from neucb.environments.contexts import pays
from neucb.environments.table import Column, Table, joined, sparse_columns
from neucb.environments.tables.column_types import KINDS, Decided, decide
from neucb.environments.tables.delimited import read_delimited, table_name
from neucb.environments.tables.frames import arrow_frame, raw_frame
from neucb.environments.tables.labels import read_labels
from neucb.environments.tables.raw_table import RawTable, TextColumn, column_name

if TYPE_CHECKING:
    import pandas as pd

DELIMITED = (".csv", ".tsv")
QUERY = "qid"  # name of the query numbers of .libsvm and .svmlight files
SUFFIXES = (
    *(kind + packed for kind in (*DELIMITED, ".arff") for packed in ("", ".gz")),
    ".parquet",
    ".feather",
    ".libsvm",
    ".svmlight",
    ".npz",
)


@dataclass(frozen=True)
class Reading:
    """Options of reading a file or DataFrame.

    Attributes:
        target: column to predict; by default the last one, or the one of type "label". Names are text;
            pandas labels of other types, numbers and tuples, are converted.
        columns: name -> type of `KINDS`, in place of the inferred one.
        header: whether the first line of delimited text names the columns; None for yes, where a first line
            that looks like data is refused.
        decimal: decimal sign of all numbers in text, "." or ","; None to infer it.
        separator: separator of delimited text, one character; None to infer it.

    Raises:
        InputError: an unknown type, two labels, another decimal sign, or a value of a wrong type.
    """

    target: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    header: bool | None = None
    decimal: str | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.columns, Mapping):
            raise InputError(f"columns must map names to types, as {{'a': 'skip'}}, not {self.columns!r}")
        if not isinstance(self.header, bool | None):
            raise InputError(f"header must be True or False, not {self.header!r}")
        kinds = {named(name): kind for name, kind in self.columns.items()}
        if len(kinds) < len(self.columns):
            raise InputError(f"columns gives two types to one name: {dict(self.columns)}")
        object.__setattr__(self, "columns", kinds)
        if self.target is not None:
            object.__setattr__(self, "target", named(self.target))
        for kind in self.columns.values():
            if kind not in KINDS:
                raise unknown_name("type of a column", str(kind), KINDS)
        labels = {name for name, kind in self.columns.items() if kind == "label"}
        labels |= set() if self.target is None else {self.target}
        if len(labels) > 1:
            raise InputError(f"a table has one label; given are {', '.join(sorted(labels))}")
        if self.decimal not in (None, ".", ","):
            raise InputError(f"the decimal sign must be '.' or ',', not '{self.decimal}'")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Reading:
        """Return the reading that some options ask for; others are passed over."""
        names = [one.name for one in fields(cls)]
        return cls(**{name: options[name] for name in names if options.get(name) is not None})

    @property
    def label(self) -> str | None:
        """Name of the target, None for the last column."""
        return next((name for name, kind in self.columns.items() if kind == "label"), self.target)

    @property
    def features(self) -> dict[str, str]:
        """Types of `columns` other than "label"."""
        return {name: kind for name, kind in self.columns.items() if kind != "label"}


def named(label: Hashable) -> str:
    """Return the name of a column that the user gives.

    Raises:
        InputError: a list, array or the like.
    """
    if not isinstance(label, Hashable):
        raise InputError(f"a column is named by one text or number, not by a {type(label).__name__}")
    return column_name(label)


class ArrowStream(Protocol):
    """Frame of any library that exports its columns by Arrow's PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a capsule with an Arrow stream."""


def is_file_name(name: str) -> bool:
    """Return whether a data set's name is that of a file that `read_file` reads."""
    return name.lower().endswith(SUFFIXES)


def is_frame(value: object) -> TypeGuard[pd.DataFrame | ArrowStream]:
    """Return whether an object is a DataFrame: of pandas, or with Arrow's PyCapsule interface."""
    return hasattr(value, "iloc") or hasattr(value, "__arrow_c_stream__")


def read_file(path: Path, reading: Reading | None = None) -> Table:
    """Return the table of a file, by its suffix.

    A .npz holds arrays `X` [N, d] and `y` [N]. A .libsvm or .svmlight file names its target itself, and its
    columns are those that occur in it: x0 is number 1, or 0 where the file counts from 0.

    Args:
        path: of the file.
        reading: see `Reading`.

    Raises:
        InputError: no column has a name that `reading` gives.
        DataError: the file is missing, damaged, or holds no classification table.
    """
    reading = reading or Reading()
    return classification_table(read_raw(path, reading), reading, "file", {"sha256": sha256(path)})


def read_raw(path: Path, reading: Reading, query: str | None = None) -> RawTable:
    """Return the columns of a file, as text or as the format declares them.

    Args:
        path: of the file.
        reading: see `Reading`.
        query: name of the column that takes the query numbers (qid) of a .libsvm or .svmlight file.

    Raises:
        DataError: the file is missing or damaged, or of a kind that is not read.
    """
    if not is_file_name(str(path)):
        raise DataError(f"{path}: a file must end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise DataError(f"{path} is a folder, not a file" if path.is_dir() else f"there is no file {path}")
    for name in ("header", "separator"):
        if getattr(reading, name) is not None and not path.name.lower().removesuffix(".gz").endswith(
            DELIMITED
        ):
            raise InputError(f"{path.name}: {name} is for .csv and .tsv files")
    try:
        return _read(path, reading, query)
    except DataError:
        raise
    except Exception as error:  # the readers raise whatever a damaged file makes them stumble over
        text = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as {path.suffix[1:]}: {text[:160]}") from error


def _read(path: Path, reading: Reading, query: str | None) -> RawTable:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-2] if suffixes[-1] == ".gz" else suffixes[-1]
    if suffix in DELIMITED:
        return read_delimited(path, separator=reading.separator, header=reading.header)
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            return raw_frame(path.stem, arrow_frame(file.read()))
    if suffix == ".feather":
        from pyarrow import feather

        return raw_frame(path.stem, arrow_frame(feather.read_table(path)))
    if suffix == ".arff":
        frame, notes, sparse = read_arff_frame(path)
        raw = raw_frame(table_name(path), frame)
        return replace(raw, notes=[*notes, *raw.notes], sparse=sparse)
    if suffix == ".npz":
        if not is_zipfile(path):
            raise DataError(f"{path} is no .npz file")
        with np.load(path, allow_pickle=False) as arrays:
            if not {"X", "y"} <= set(arrays):
                raise DataError(f"{path} must hold the arrays X [N, d] and y [N]")
            return raw_frame(path.stem, _from_arrays(arrays["X"], arrays["y"]))
    return _read_svmlight(path, query)


def _read_svmlight(path: Path, query: str | None) -> RawTable:
    from sklearn.datasets import load_svmlight_file

    try:
        X, y, numbers = load_svmlight_file(str(path), query_id=True)
    except ValueError as error:
        raise DataError(
            f"{path}: lines must be like '1 3:0.5 7:2', label and index:value pairs ({error})"
        ) from None
    occurring = np.unique(X.indices)
    values = X[:, occurring]
    sparse = None
    if pays(len(y), len(occurring), values.nnz):
        sparse = sparse_columns(values, [f"x{j}" for j in occurring.tolist()])
        values, occurring = np.zeros((len(y), 0)), occurring[:0]
    frame = _from_arrays(values if sparse else values.toarray(), y, occurring)
    if query == QUERY and len(numbers):
        frame.insert(0, query, numbers)
    return replace(raw_frame(path.stem, frame), sparse=sparse)


def _from_arrays(X: NDArray[Any], y: NDArray[Any], numbers: NDArray[Any] | None = None) -> pd.DataFrame:
    """Return the columns of X [N, d], named by their numbers (0 to d-1 by default), and the label."""
    import pandas as pd

    if X.ndim != 2 or y.shape != (len(X),):
        raise DataError(f"X must be [N, d] and y [N], not {X.shape} and {y.shape}")
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in (range(X.shape[1]) if numbers is None else numbers)])
    return frame.assign(label=y)


def from_frame(
    frame: Any, target: str | None = None, *, reading: Reading | None = None, name: str = "table"
) -> Table:
    """Return the table of a DataFrame.

    Args:
        frame: pandas, Arrow, or any frame with the PyCapsule interface; one row per example.
        target: the column to predict, the last one by default.
        reading: in the place of `target`, see `Reading`.
        name: of the table.

    Raises:
        InputError: no column has such a name, or header and separator for a frame, which has none.
        DataError: no rows or columns, a single class, or a target of real numbers.
    """
    reading = reading or Reading(target)
    if reading.header is not None or reading.separator is not None:
        raise InputError("header and separator are for .csv and .tsv files")
    return classification_table(raw_frame(name, frame), reading, "memory", {})


def classification_table(
    raw: RawTable, reading: Reading, source: str, provenance: Mapping[str, Any]
) -> Table:
    """Return the table of columns, one of which is the target.

    Rows without a label and columns that the rules leave out are in the table's notes.

    Raises:
        InputError: no column has a name that `reading` gives; DataError: see `read_labels` and `decide`.
    """
    raw = with_dense_columns(raw, {reading.label, *reading.columns})
    name, names = raw.name, raw.names
    if len(names) < 2 and raw.sparse is None:
        raise DataError(f"{name}: a table needs a target and at least one feature")
    for one in (reading.label, *reading.columns):
        if one is not None and one not in names:
            raise unknown_name(f"column of {name}", one, names)
    if len(raw.columns[0]) == 0:
        raise DataError(f"{name}: the table has no rows")
    position = len(names) - 1 if reading.label is None else names.index(reading.label)
    kinds = reading.features
    kind = kinds.pop(names[position], "label")
    if kind not in ("label", "category"):
        raise InputError(
            f"the target '{names[position]}' can be a label or category, no {kind}; name another target"
        )
    labels = read_labels(raw.columns[position], name, reading.decimal, as_written=kind == "category")
    others = [*raw.columns[:position], *raw.columns[position + 1 :]]
    if not labels.known.all():  # a row without a label may be a footer, which decides no type
        known = labels.known
        others = [one.of_rows(known) if isinstance(one, TextColumn) else one[known] for one in others]
    decided = decide(others, kinds, reading.decimal)
    given = None if raw.sparse is None else raw.sparse.of_rows(labels.known)
    sparse = joined([given, *(one.sparse for one in decided)])
    columns = features(decided, name) if sparse is None else feature_columns(decided)
    summaries = [one.summary for one in decided]
    facts = {
        "target": names[position],
        "unlabelled_rows_left_out": int((~labels.known).sum()),
        **provenance,
        **columns_left_out(decided),
    }
    if reading.columns:
        facts["columns"] = dict(reading.columns)
    notes = (*raw.notes, *labels.notes, *(note for one in decided for note in one.notes))
    summaries.insert(position, labels.summary)
    positions = None if labels.known.all() else np.flatnonzero(labels.known)
    return Table(
        name,
        tuple(columns),
        labels.labels,
        labels.classes,
        source,
        facts,
        notes,
        tuple(summaries),
        positions,
        sparse,
    )


def with_dense_columns(raw: RawTable, names: Collection[str | None]) -> RawTable:
    """Return a table whose sparse columns of these names are among its columns."""
    if raw.sparse is None or not (found := [name for name in raw.sparse.names if name in names]):
        return raw
    import pandas as pd

    kept = raw.sparse.without(found)
    given = [pd.Series(one.values, name=one.name, dtype=float) for one in raw.sparse.only(found).dense()]
    # In front, since the last column is the label by default.
    return replace(raw, columns=[*given, *raw.columns], sparse=kept if kept.names else None)


def feature_columns(decided: list[Decided]) -> list[Column]:
    """Return the feature columns, hashed ones aside."""
    return [one.column for one in decided if one.column is not None]


def features(decided: list[Decided], name: str) -> list[Column]:
    """Return the feature columns.

    Raises:
        DataError: there is none.
    """
    columns = feature_columns(decided)
    if not columns:
        raise DataError(f"{name}: the table has no feature columns")
    return columns


def columns_left_out(decided: list[Decided]) -> dict[str, list[str]]:
    """Return the names of the columns that are no features, for provenance; {} for none."""
    names = [one.summary.name for one in decided if one.is_left_out]
    return {"columns_left_out": names} if names else {}
