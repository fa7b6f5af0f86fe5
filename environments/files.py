"""Tables on disk and in memory: .csv .tsv .arff .parquet .feather .libsvm .svmlight .npz, DataFrames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from neucb.environments.arff import read_arff_frame
from neucb.environments.readers import sha256
from neucb.environments.table import Column, Table, labelled
from neucb.errors import DataError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".arff", ".parquet", ".feather", ".libsvm", ".svmlight", ".npz")


def read_file(path: Path, target: str | None = None) -> Table:
    """Return the table of a file, by its suffix.

    Columns of numbers stay numbers; words, true/false and categories become nominal; words of which
    hardly any occurs twice are text, left out and named in `provenance`. A .npz holds arrays `X`
    [N, d] and `y` [N]; .libsvm and .svmlight name their target themselves.

    Args:
        path: of the file.
        target: the column to predict, the last one by default.

    Raises:
        InputError: no column has the target's name.
        DataError: the file is missing, damaged, or holds no classification table.
    """
    frame = read_frame(path)
    return from_frame(frame, target, name=path.stem, source="file", provenance={"sha256": sha256(path)})


def read_frame(path: Path, query: str | None = None) -> pd.DataFrame:
    """Return the content of a file, its columns as they are.

    Args:
        path: of the file.
        query: name of the column that takes the query numbers (qid) of a .libsvm or .svmlight file.

    Raises:
        DataError: the file is missing or damaged, or of a kind that we do not read.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: a file must end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise DataError(f"{path} is a folder, not a file" if path.is_dir() else f"there is no file {path}")
    try:
        return _read(path, query)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    except Exception as error:  # the readers raise whatever a damaged file makes them stumble over
        text = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as {path.suffix[1:]}: {text[:160]}") from error


def _read(path: Path, query: str | None) -> pd.DataFrame:
    import pandas as pd

    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _read_text(path, "\t" if suffix == ".tsv" else ",")
    if suffix == ".parquet":
        return pd.read_parquet(path)
    if suffix == ".feather":
        return pd.read_feather(path)
    if suffix == ".arff":
        return read_arff_frame(path)
    if suffix == ".npz":
        if not is_zipfile(path):
            raise DataError(f"{path} is no .npz file")
        with np.load(path, allow_pickle=False) as arrays:
            if not {"X", "y"} <= set(arrays):
                raise DataError(f"{path} must hold the arrays X [N, d] and y [N]")
            return _from_arrays(arrays["X"], arrays["y"])
    from sklearn.datasets import load_svmlight_file

    try:
        X, y, numbers = load_svmlight_file(str(path), query_id=True)
    except ValueError as error:
        raise DataError(
            f"{path}: lines must be like '1 3:0.5 7:2', label and index:value pairs ({error})"
        ) from None
    frame = _from_arrays(X.toarray(), y)
    if query is not None and len(numbers):
        frame.insert(0, query, numbers)
    return frame


def _read_text(path: Path, separator: str) -> pd.DataFrame:
    import pandas as pd

    head = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str).iloc[0].dropna()
    twice = head[head.duplicated()]
    if len(twice):  # pandas would rename the second
        raise DataError(
            f"{path}: two columns are called '{twice.iloc[0]}'; the first line must name the columns"
        )
    return pd.read_csv(path, sep=separator)


def _from_arrays(X: NDArray[Any], y: NDArray[Any]) -> pd.DataFrame:
    import pandas as pd

    if X.ndim != 2 or y.shape != (len(X),):
        raise DataError(f"X must be [N, d] and y [N], not {X.shape} and {y.shape}")
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    return frame.assign(label=y)


def from_frame(
    frame: pd.DataFrame,
    target: str | None = None,
    *,
    name: str = "table",
    source: str = "memory",
    provenance: dict[str, Any] | None = None,
) -> Table:
    """Return the table of a pandas DataFrame.

    Rows without a label are left out and counted in `provenance`; dates and durations become numbers
    (seconds); see `read_file` for text.

    Args:
        frame: one row per example.
        target: the column to predict, the last one by default.
        name: of the table.
        source: see `Table`.
        provenance: see `Table`.

    Raises:
        InputError: no column has the target's name.
        DataError: no rows or columns, a single class, or a target of real numbers.
    """
    names = [str(column) for column in frame.columns]
    if len(set(names)) < len(names):
        raise DataError(f"{name}: two columns have the same name")
    if len(names) < 2:
        raise DataError(f"{name}: a table needs a target and at least one feature")
    if target is not None and target not in names:
        raise unknown_name(f"column of {name}", target, names)
    position = len(names) - 1 if target is None else names.index(target)
    label = _column(names[position], frame.iloc[:, position], nominal=True)
    known = label.values >= 0
    if not known.any():
        raise DataError(f"{name}: no row has a label in column '{label.name}'")
    assert label.levels is not None
    labels, classes = labelled(label.values[known], label.levels)
    if _is_text(len(classes), len(labels)):
        raise DataError(
            f"{name}: column '{label.name}' has {len(classes)} values in {len(labels)} rows and is no "
            "class label; name the target with --target"
        )
    features, text = feature_columns(frame.drop(columns=frame.columns[position]))
    columns = [Column(one.name, one.values[known], one.levels) for one in features]
    facts = {
        "target": label.name,
        "unlabelled_rows_left_out": int((~known).sum()),
        **(provenance or {}),
    }
    if text:
        facts["text_columns_left_out"] = text
    return Table(name, tuple(columns), labels, classes, source, facts)


def feature_columns(frame: pd.DataFrame) -> tuple[list[Column], list[str]]:
    """Return the columns of a DataFrame as features, and the names of those left out as text.

    Raises:
        DataError: a column that holds neither numbers nor words.
    """
    columns, text = [], []
    for j, name in enumerate(frame.columns):
        column = _column(str(name), frame.iloc[:, j])
        words = column.levels is not None and frame.dtypes.iloc[j] != "category"
        if words and _is_text(len(column.levels or ()), len(frame)):
            text.append(column.name)
        else:
            columns.append(column)
    return columns, text


def _is_text(values: int, rows: int) -> bool:
    """Return whether so many different values in so many rows are no categories."""
    return rows > 20 and values > rows // 2


def _column(name: str, series: pd.Series[Any], *, nominal: bool = False) -> Column:
    """Return a column of numbers, or of codes into the sorted levels (categories keep their order)."""
    import pandas as pd

    kind = series.dtype
    if isinstance(kind, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy().astype(np.int64)
        return Column(name, codes, tuple(str(level) for level in series.cat.categories))
    if not nominal and pd.api.types.is_datetime64_any_dtype(kind):
        series = series - pd.Timestamp(0, tz=getattr(kind, "tz", None))
        kind = series.dtype
    if not nominal and pd.api.types.is_timedelta64_dtype(kind):
        series = series.dt.total_seconds()
        kind = series.dtype
    if pd.api.types.is_complex_dtype(kind):
        raise DataError(f"column '{name}' holds complex numbers; take it out of the table")
    if not nominal and pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
        return Column(name, series.to_numpy(dtype=np.float64, na_value=np.nan))
    if nominal and pd.api.types.is_float_dtype(kind):
        values = series.dropna().to_numpy(dtype=np.float64)
        if not (np.abs(values) < 2**53).all() or (values != np.round(values)).any():
            raise DataError(
                f"column '{name}' holds real numbers and is no class label; name the target with --target"
            )
        series = series.astype("Int64")
    try:
        codes, levels = pd.factorize(series, sort=True)
    except TypeError:  # lists, dictionaries
        raise DataError(
            f"column '{name}' holds neither numbers nor words; take it out of the table"
        ) from None
    return Column(name, np.asarray(codes, dtype=np.int64), tuple(str(level) for level in levels))
