"""DataFrames and Arrow tables with all kinds of dtypes, names, indices and sizes."""

from __future__ import annotations

import datetime
import os
import re
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

import neucb
from neucb.core.errors import DataError, InputError
from neucb.environments import preprocessing
from neucb.environments.preprocessing import encode
from neucb.environments.ranking import read_ranking
from neucb.environments.table import Table
from neucb.environments.tables.table_file import Reading, from_frame, read_file

N = 12
X = [0.5, 2.0, -1.0] * 4
Y = ["no", "yes"] * 6
LAST = datetime.date(9999, 12, 31)
SECONDS = 253402214400.0  # seconds from 1970 to 9999-12-31, 2,932,896 days


def values(table: Table, name: str) -> Any:
    (column,) = (column for column in table.columns if column.name == name)
    return column.values


def all_readings(folder: Path, table: pa.Table) -> list[Table]:
    """Return the table read from memory, Parquet and Feather."""
    pq.write_table(table, folder / "t.parquet")
    feather.write_feather(table, folder / "t.feather")
    return [from_frame(table), read_file(folder / "t.parquet"), read_file(folder / "t.feather")]


@pytest.mark.parametrize(
    "kind", [pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("us", "Asia/Tokyo")]
)
def test_distant_dates_are_read_from_arrow(tmp_path: Path, kind: pa.DataType) -> None:
    days = pa.array([LAST, None, datetime.date(1, 1, 1), datetime.date(1970, 1, 2)] * 3, pa.date32())
    column = days.cast(pa.timestamp("s")).cast(kind)
    table = pa.table({"day": column, "y": Y})
    for read in all_readings(tmp_path, table):
        np.testing.assert_array_equal(values(read, "day"), [SECONDS, np.nan, -62135596800.0, 86400.0] * 3)
        assert read.summaries[0].kind == "date"


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_distant_dates_are_read_from_pandas(unit: str) -> None:
    far = np.array(["9999-12-31", "NaT", "1970-01-01"] * 4, dtype=f"datetime64[{unit}]")
    expected = [SECONDS, np.nan, 0.0] * 4
    np.testing.assert_array_equal(values(from_frame(pd.DataFrame({"day": far, "y": Y})), "day"), expected)
    zoned = pd.Series(far).dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    np.testing.assert_array_equal(values(from_frame(pd.DataFrame({"day": zoned, "y": Y})), "day"), expected)
    periods = pd.Series(pd.PeriodIndex(["9999-12-31", None, "1970-01-01"] * 4, freq="D"))
    np.testing.assert_array_equal(values(from_frame(pd.DataFrame({"day": periods, "y": Y})), "day"), expected)


def test_fractions_of_seconds_and_time_zones_are_read() -> None:
    local = np.array(["1970-01-01T01:00:00.25", "NaT"] * 6, "datetime64[ms]")
    moments = pd.Series(local).dt.tz_localize("Europe/Berlin")
    spans = pd.Series(np.array([1500, -250] * 6, "timedelta64[ms]"))
    table = from_frame(pd.DataFrame({"at": moments, "span": spans, "y": Y}))
    np.testing.assert_array_equal(values(table, "at"), [0.25, np.nan] * 6)
    np.testing.assert_array_equal(values(table, "span"), [1.5, -0.25] * 6)


NUMERIC = [
    (pa.date32(), [LAST, None], [SECONDS, np.nan]),
    (pa.time32("s"), [datetime.time(1), None], [3600.0, np.nan]),
    (pa.time64("us"), [datetime.time(0, 0, 1, 500000), None], [1.5, np.nan]),
    (pa.duration("ms"), [datetime.timedelta(seconds=2), None], [2.0, np.nan]),
    (pa.timestamp("us", "UTC"), [datetime.datetime(1970, 1, 2), None], [86400.0, np.nan]),
    (pa.decimal128(6, 2), [1, 2], [1.0, 2.0]),
    (pa.int64(), [2**40, None], [2.0**40, np.nan]),
    (pa.float32(), [0.5, None], [0.5, np.nan]),
]
TEXT_TYPES = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.binary(),
]


@pytest.mark.parametrize(("kind", "cells", "expected"), NUMERIC)
def test_arrow_numbers_and_dates_in_pandas_are_read(
    kind: pa.DataType, cells: list[Any], expected: list[float]
) -> None:
    column = pd.Series(pd.arrays.ArrowExtensionArray(pa.array(cells * 6, kind)))
    assert isinstance(column.dtype, pd.ArrowDtype)
    table = from_frame(pd.DataFrame({"a": column, "y": Y}))
    np.testing.assert_array_equal(values(table, "a"), expected * 6)


@pytest.mark.parametrize("kind", TEXT_TYPES)
def test_arrow_text_in_pandas_is_read(kind: pa.DataType) -> None:
    def column(cells: list[Any]) -> pd.Series[Any]:
        if kind == pa.binary():
            cells = [None if cell is None else cell.encode() for cell in cells]
        return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(cells, kind)))

    table = from_frame(pd.DataFrame({"a": column(["blue", "größe", None] * 4), "x": X, "y": column(Y)}))
    assert table.columns[0].levels == ("blue", "größe")
    np.testing.assert_array_equal(table.columns[0].values, [0, 1, -1] * 4)
    assert table.classes == ("no", "yes")


def test_an_empty_arrow_column_is_left_out() -> None:
    empty = pd.Series(pd.arrays.ArrowExtensionArray(pa.nulls(N)))
    table = from_frame(pd.DataFrame({"a": empty, "x": X, "y": Y}))
    assert [column.name for column in table.columns] == ["x"]
    assert table.notes == ("column 'a' is empty and is left out",)


def test_a_csv_file_read_by_arrow_equals_our_reader(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": X, "day": ["2020-01-02"] * 6 + ["2020-01-03"] * 6, "word": Y, "y": Y})
    frame.to_csv(tmp_path / "t.csv", index=False)
    own = read_file(tmp_path / "t.csv")
    arrow = from_frame(pd.read_csv(tmp_path / "t.csv", dtype_backend="pyarrow"))
    assert arrow.classes == own.classes
    np.testing.assert_array_equal(encode(arrow).contexts, encode(own).contexts)


def test_column_names_may_have_any_type() -> None:
    frame = pd.DataFrame({0: X, 1: X[::-1], 2: Y})
    table = from_frame(frame, reading=Reading(2, columns={0: "skip"}))  # type: ignore[arg-type, dict-item]
    assert [column.name for column in table.columns] == ["1"]
    assert table.provenance["target"] == "2"
    assert table.provenance["columns"] == {"0": "skip"}
    options: dict[str, Any] = {"target": 2, "columns": {0: "skip"}}
    played = neucb.run("uniform", frame, rounds=5, seeds=1, **options)
    assert played.attrs["provenance"]["target"] == "2"
    frame.columns = pd.MultiIndex.from_tuples([("a", "b"), ("a", "c"), ("t", "y")])
    assert from_frame(frame, ("t", "y")).provenance["target"] == "('t', 'y')"  # type: ignore[arg-type]
    rated = pd.DataFrame({0: [1, 1, 2, 2], 1: [0.5, 1.0, 2.0, 3.0], 2: [0.0, 1.0, 0.0, 1.0]})
    ranking = read_ranking(rated, Reading(2), 0)  # type: ignore[arg-type]
    assert [list(rows) for rows in ranking.queries or ()] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": ["y"]}, "not by a list"),
        ({"columns": ["a"]}, r"columns must map names to types, as \{'a': 'skip'\}, not \['a'\]"),
        ({"columns": "a=skip"}, "columns must map"),
        ({"columns": {"a": "skip", " a": "number"}}, "two types to one name"),
        ({"columns": {"a": 3}}, "unknown type of a column '3'"),
        ({"header": "no"}, "header must be True or False, not 'no'"),
        ({"header": 0}, "header must be True or False, not 0"),
    ],
)
def test_arguments_of_a_wrong_type_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        neucb.run("uniform", pd.DataFrame({"a": X, "y": Y}), rounds=5, seeds=1, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", [pd.Series(X), pa.chunked_array([X])])
def test_a_single_column_is_rejected(column: Any) -> None:
    with pytest.raises(InputError, match="is one column; give a DataFrame") as caught:
        neucb.run("uniform", column, rounds=5, seeds=1)
    assert type(column).__name__ in str(caught.value)
    with pytest.raises(InputError, match="is one column"):
        read_ranking(column)


def test_levels_with_equal_text_are_one_category() -> None:
    mixed = pd.Categorical([1, "1", 2, None] * 3, categories=[2, 1, "1"])
    table = from_frame(pd.DataFrame({"a": mixed, "y": pd.Categorical([1, "1", 2] * 4)}))
    assert table.columns[0].levels == ("2", "1")
    np.testing.assert_array_equal(table.columns[0].values, [1, 1, 0, -1] * 3)
    assert table.classes == ("1", "2")
    np.testing.assert_array_equal(table.labels, [0, 0, 1] * 4)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_arrow_dictionaries_with_nulls_repeats_and_chunks_are_read(kind: pa.DataType) -> None:
    first = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["b", None, "a"], kind))
    second = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["c", "a", "c", None], kind))
    table = from_frame(pa.table({"a": pa.chunked_array([first, second, first]), "y": Y}))
    assert table.columns[0].levels == ("b", "a", "c")
    part = [0, -1, 1, -1]
    np.testing.assert_array_equal(table.columns[0].values, [*part, 2, 1, 2, -1, *part])
    numbers = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0] * 3), pa.array([7, None, 9]))
    np.testing.assert_array_equal(
        values(from_frame(pa.table({"a": numbers, "y": Y})), "a"), [7, np.nan, 9, 7] * 3
    )


def test_a_query_column_of_lists_is_rejected() -> None:
    frame = pd.DataFrame({"q": [[1], [1], [2], [2]], "x": X[:4], "y": [0.0, 1.0, 0.0, 1.0]})
    with pytest.raises(DataError, match="group 'q' holds neither numbers nor words"):
        read_ranking(frame, "y", "q")


@pytest.mark.parametrize("preprocessing", ["standard", "zscore", "centered", "paper"])
def test_declared_columns_without_values_are_kept_and_noted(preprocessing: str) -> None:
    frame = pd.DataFrame(
        {
            "f": np.full(N, np.nan),
            "i": pd.array([None] * N, "Int64"),
            "t": pd.Series([None] * N, dtype="datetime64[ns]"),
            "c": pd.Categorical([None] * N, ["u", "v"]),
            "b": pd.array([None] * N, "boolean"),
            "x": X,
            "y": Y,
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = from_frame(frame)
        width = encode(table, preprocessing).contexts.shape[1]
    assert width == (6 if preprocessing == "paper" else 1)
    assert table.notes == tuple(f"column '{name}' holds no value" for name in "fitcb")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match="no row has a label in column 'f'"):
            from_frame(frame, "f")


def test_a_stored_index_is_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": X, "y": Y}, index=pd.Index([3.5, 1.5] * 6, name="dose"))
    frame.to_parquet(tmp_path / "t.parquet")
    for table in (
        read_file(tmp_path / "t.parquet"),
        read_file(tmp_path / "t.parquet", Reading("y")),
        from_frame(pa.Table.from_pandas(frame)),
    ):
        assert [column.name for column in table.columns] == ["dose", "x"]
        np.testing.assert_array_equal(values(table, "dose"), [3.5, 1.5] * 6)
        assert table.classes == ("no", "yes")
        assert table.notes == ()
    frame.index = pd.Index(np.arange(N)[::-1])  # a numbering of the rows without a name
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_file(tmp_path / "t.parquet")
    assert [column.name for column in table.columns] == ["x"]
    assert len(table.notes) == 1
    assert "column 'Unnamed: 0' numbers the rows, each differently and is left out" in table.notes[0]
    assert table.classes == ("no", "yes")


@pytest.mark.slow
def test_an_arrow_table_of_many_columns_is_read_fast(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(20_000, N))
    table = pa.table([*map(pa.array, numbers), pa.array(Y)], [*map(str, range(20_000)), "y"])
    pq.write_table(table, tmp_path / "t.parquet")
    start = time.perf_counter()
    read = read_file(tmp_path / "t.parquet")
    assert time.perf_counter() - start < 60.0  # 174 s if every column copied the table
    np.testing.assert_array_equal(np.stack([column.values for column in read.columns]), numbers)


def test_binary_text_is_read(tmp_path: Path) -> None:
    levels = [level.encode() for level in ["größe", "b"] * 6]
    for kind in (pa.binary(), pa.large_binary()):
        table = pa.table({"a": pa.array(levels, kind), "x": X, "y": pa.array([y.encode() for y in Y], kind)})
        for read in all_readings(tmp_path, table):
            assert read.columns[0].levels == ("b", "größe")
            assert read.classes == ("no", "yes")
    objects = from_frame(pd.DataFrame({"a": levels, "x": X, "y": [y.encode() for y in Y]}))
    assert (objects.columns[0].levels, objects.classes) == (("b", "größe"), ("no", "yes"))
    damaged = [b"\xff\xfe", b"b"] * 6
    for frame in (pa.table({"a": damaged, "x": X, "y": Y}), pd.DataFrame({"a": damaged, "x": X, "y": Y})):
        with pytest.raises(
            DataError, match=r"column 'a' holds values .* neither numbers nor words.*columns=\{'a': 'skip'\}"
        ):
            from_frame(frame)
        assert len(from_frame(frame, reading=Reading(columns={"a": "skip"})).columns) == 1


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "double[pyarrow]"])
def test_infinite_numbers_are_rejected_with_their_row(dtype: Any) -> None:
    numbers = pd.Series([0.5, 1.0, -np.inf, np.inf] * 3).astype(dtype)
    frame = pd.DataFrame({"a": numbers, "x": X, "y": Y})
    message = re.escape(
        "column 'a' holds an infinite number (row 3: -inf); clean the table, or skip the column"
    )
    with pytest.raises(DataError, match=message):
        from_frame(frame)
    assert len(from_frame(frame, reading=Reading(columns={"a": "skip"})).columns) == 1


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", "int64[pyarrow]"])
def test_whole_numbers_rounded_by_floats_are_noted(dtype: Any) -> None:
    frame = pd.DataFrame({"a": pd.Series([2**53, 2**53 + 1] * 6).astype(dtype), "x": X, "y": Y})
    (note,) = from_frame(frame).notes
    assert "column 'a' holds whole numbers beyond 2^53" in note
    assert from_frame(frame.assign(a=[2**53, 5] * 6)).notes == ()


def test_column_names_are_stripped() -> None:
    frame = pd.DataFrame([[0.5, 2.5, "no"], [1.0, 7.5, "yes"]], columns=[" a\t", None, " y "])
    table = from_frame(frame, "y")
    assert [column.name for column in table.columns] == ["a", "Unnamed: 1"]
    assert from_frame(frame, " y ").provenance["target"] == "y"
    with pytest.raises(DataError, match="two columns have the same name, 'a'"):
        from_frame(pd.DataFrame([[1, 2, "no"], [3, 4, "yes"]], columns=["a", "a ", "y"]))
    arrow = pa.table([X, X[::-1], Y], [" a", "b ", " y "])
    assert [column.name for column in from_frame(arrow, "y").columns] == ["a", "b"]


def test_contexts_larger_than_memory_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"x": X, "user": pd.Categorical(range(N)), "b": Y, "y": Y})
    table = from_frame(frame)
    size = 4 * N * (1 + N + 1)
    monkeypatch.setattr(preprocessing, "_memory", lambda: size)
    assert encode(table).contexts.shape == (N, N + 2)
    monkeypatch.setattr(preprocessing, "_memory", lambda: size - 1)
    message = r"12 rows and 14 columns take .* GB.* category 'user' takes 12 .*"
    message += r"columns=\{'user': 'skip'\} leaves it out"
    with pytest.raises(DataError, match=message) as caught:
        encode(table)
    assert "\n" not in str(caught.value)
    assert encode(from_frame(frame, reading=Reading(columns={"user": "skip"}))).contexts.shape == (N, 2)
    monkeypatch.setattr(preprocessing, "_memory", lambda: 0)
    with pytest.raises(DataError, match="take fewer rows or columns"):
        encode(from_frame(frame[["x", "b", "y"]]))


def test_a_failed_allocation_is_a_one_line_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise MemoryError("Unable to allocate")

    table = from_frame(pd.DataFrame({"x": X, "y": Y}))
    monkeypatch.setattr(np, "empty", refuse)
    with pytest.raises(DataError, match="more than there is memory"):
        encode(table)


def test_the_size_of_memory_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"SC_PHYS_PAGES": 3, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", lambda name: values[name])
    assert preprocessing._memory() == 12_288
    values["SC_PHYS_PAGES"] = -1  # unknown
    assert preprocessing._memory() == 8 * 10**9


def test_arrays_and_unsupported_arrow_types_are_rejected() -> None:
    with pytest.raises(DataError, match="the ndarray cannot be read"):
        from_frame(np.zeros((3, 2)))
    union = pa.UnionArray.from_sparse(pa.array([0] * N, pa.int8()), [pa.array(X), pa.array(Y)])
    with pytest.raises(DataError, match=r"the Table cannot be read: .*union"):
        from_frame(pa.table({"a": union, "y": Y}))


def test_the_row_of_an_infinite_number_counts_all_rows() -> None:
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, np.inf], "y": [None, "p", "q", "p"]}, index=[7, 7, 8, 9])
    with pytest.raises(DataError, match=r"infinite number \(row 4: inf\)"):
        from_frame(frame)
