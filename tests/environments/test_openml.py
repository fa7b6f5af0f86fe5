"""The OpenML cache is read without the client, and never changed by a failure."""

from __future__ import annotations

import hashlib
import os
import pickle
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from neucb.core.errors import DataError
from neucb.environments.openml import cache as openml_cache
from neucb.environments.openml import data_file as readers
from neucb.environments.openml.config import openml_config
from neucb.environments.sources.catalogue import load_table
from tests.support.openml_cache import LABEL, NS, fill, load, nominal, tree


class Trap:
    """Pickle that creates a folder when loaded."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("pickle-was-loaded",)


def test_a_data_set_in_the_cache_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table(
        {
            "id": [1, 2, 3, 4],
            "odd%20name": pa.array([200, 250, None, 0], pa.uint8()),
            "flag": pa.array([True, False, None, True]),
            "boolish": nominal([0, 1, 1, None], ["true", "false"]),
            "ignored": [1.0, 2.0, 3.0, 4.0],
            "flagged": [1.0, 2.0, 3.0, 4.0],
            "empty": pa.array([None] * 4, pa.float64()),
            "text": ["w", "x", "y", "z"],
            "word": ["u", None, "t", "u"],
            "class:": LABEL,
        }
    )
    extra = (
        "<oml:row_id_attribute>id</oml:row_id_attribute><oml:ignore_attribute>ignored</oml:ignore_attribute>"
    )
    folder = fill(tmp_path, 7, table, "class:", extra)
    (folder / "features.xml").write_text(
        f"<oml:data_features {NS}><oml:feature><oml:name>word</oml:name>"
        "<oml:data_type>nominal</oml:data_type></oml:feature><oml:feature><oml:name>flagged</oml:name><oml:data_type>numeric</oml:data_type>"
        "<oml:is_ignore>true</oml:is_ignore></oml:feature></oml:data_features>"
    )
    (folder / "dataset_7.pkl.py3").write_bytes(pickle.dumps(Trap()))
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    loaded = load(tmp_path, 7)
    assert tree(tmp_path) == before
    columns = {column.name: column for column in loaded.columns}
    assert set(columns) == {"odd name", "flag", "boolish", "empty", "word"}
    np.testing.assert_array_equal(columns["odd name"].values, [200, 250, np.nan, 0])
    assert np.nanmax(columns["odd name"].values * 2) == 500  # wider than the file's uint8
    assert columns["flag"].levels == ("False", "True")
    np.testing.assert_array_equal(columns["flag"].values, [1, 0, -1, 1])
    assert columns["boolish"].levels == ("true", "false")
    assert [column.missing for column in columns.values()] == [1, 1, 1, 4, 1]
    assert columns["word"].levels == ("t", "u")  # declared nominal, stored as text
    np.testing.assert_array_equal(columns["word"].values, [1, -1, 0, 1])
    assert loaded.provenance["columns_left_out"] == ["text"]
    assert loaded.classes == ("a", "b")
    np.testing.assert_array_equal(loaded.labels, [0, 1, 0, 1])
    assert loaded.provenance["openml_id"] == 7
    assert loaded.source == "openml"


def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    table = pa.table({"x": [1.0, 2.0, 3.0], "class": nominal([0, None, 1], ["a", "b"])})
    fill(tmp_path, 7, table)
    loaded = load(tmp_path, 7)
    np.testing.assert_array_equal(loaded.columns[0].values, [1.0, 3.0])
    assert loaded.provenance["unlabelled_rows_left_out"] == 1


@pytest.mark.parametrize(
    "damage", ["data", "half", "description", "features", "target", "number", "one class"]
)
def test_a_damaged_data_set_is_a_one_line_error_and_unchanged(tmp_path: Path, damage: str) -> None:
    label: Any = [1.0, 2.0, 3.0, 4.0] if damage == "number" else LABEL
    if damage == "one class":
        label = nominal([0] * 4, ["a", "b"])
    table = pa.table({"x": [1.0, 2.0, 3.0, 4.0], "class": label})
    folder = fill(tmp_path, 7, table, "klass" if damage == "target" else "class")
    data = folder / "dataset_7.pq"
    if damage == "data":
        data.write_bytes(b"nonsense")
    if damage == "half":
        data.write_bytes(data.read_bytes()[:-200])
    if damage in ("description", "features"):
        (folder / f"{damage}.xml").write_text("<oml:half")
    before = tree(tmp_path)
    with pytest.raises(DataError) as caught:
        load(tmp_path, 7)
    assert "\n" not in str(caught.value)
    assert "openml:7" in str(caught.value)
    assert tree(tmp_path) == before


ARFF = (
    "@relation r\n@attribute a numeric\n@attribute name string\n@attribute note string\n"
    "@attribute class {x,y}\n@data\n" + "".join(f"{i},n{i},w,{'xy'[i % 2]}\n" for i in range(120))
)


def fill_arff(cache: Path, text: str | bytes, extra: str = "", rows: str = "") -> Path:
    """Write a data set with an ARFF file into a cache; return its folder."""
    folder = fill(cache, 7, pa.table({"x": [1.0]}), extra=extra)
    (folder / "dataset_7.pq").unlink()
    (folder / "dataset.arff").write_bytes(text if isinstance(text, bytes) else text.encode())
    if rows:
        state_rows(folder, rows)
    return folder


def state_rows(folder: Path, rows: str) -> None:
    """Write a number of rows to the qualities of a data set."""
    (folder / "qualities.xml").write_text(
        f"<oml:data_qualities {NS}><oml:quality><oml:name>NumberOfClasses</oml:name>"
        "<oml:value>9.0</oml:value></oml:quality><oml:quality><oml:name>NumberOfInstances</oml:name>"
        f"<oml:value>{rows}</oml:value></oml:quality></oml:data_qualities>"
    )


def md5(text: str) -> str:
    """Return the checksum element of a description."""
    return f"<oml:md5_checksum>{hashlib.md5(text.encode()).hexdigest()}</oml:md5_checksum>"


CUT = "".join(ARFF.splitlines(keepends=True)[: 6 + 76])  # at a line break


@pytest.mark.parametrize(
    ("extra", "rows", "reason"),
    [
        (md5(ARFF), "", "its MD5 checksum is not the one in description.xml"),
        (md5(ARFF), "120.0", "its MD5 checksum is not the one in description.xml"),
        ("", "120.0", "76 rows, where qualities.xml states 120"),
        ("", "120", "76 rows, where qualities.xml states 120"),
        (md5(CUT), "1.2E2", "76 rows, where qualities.xml states 120"),
    ],
)
def test_a_truncated_arff_file_is_rejected(tmp_path: Path, extra: str, rows: str, reason: str) -> None:
    folder = fill_arff(tmp_path, CUT, extra, rows)
    with pytest.raises(DataError) as caught:
        load(tmp_path, 7)
    advice = f"delete the folder {folder} and load it again"
    assert str(caught.value) == f"openml:7: OpenML set 7 is damaged (dataset.arff: {reason}); {advice}"
    (folder / "dataset.arff").write_text(ARFF)
    if extra != md5(CUT):
        assert load(tmp_path, 7).rows == 120


@pytest.mark.parametrize("rows", ["", "120.0", "?", "NaN", "inf", "119.5", " 120 "])
def test_missing_checksum_and_size_are_not_compared(tmp_path: Path, rows: str) -> None:
    fill_arff(tmp_path, ARFF, "<oml:md5_checksum></oml:md5_checksum>", rows)
    assert load(tmp_path, 7).rows == 120


def test_a_checksum_in_capitals_is_accepted(tmp_path: Path) -> None:
    checksum = hashlib.md5(ARFF.encode()).hexdigest().upper()
    fill_arff(tmp_path, ARFF, f"<oml:md5_checksum> {checksum}\n</oml:md5_checksum>")
    assert load(tmp_path, 7).rows == 120


def test_windows_line_ends_match_the_checksum(tmp_path: Path) -> None:
    """The client writes downloads in text mode."""
    for number, text in enumerate((ARFF, ARFF.replace("\n", "\r\n"))):
        cache = tmp_path / str(number)
        fill_arff(cache, text.replace("\n", "\r\n"), md5(text), "120.0")
        assert load(cache, 7).rows == 120


def test_rows_of_a_parquet_file_are_counted_before_any_is_left_out(tmp_path: Path) -> None:
    """The checksum in the description is that of the ARFF file, not of the Parquet file."""
    table = pa.table({"x": [1.0, 2.0, 3.0], "class": nominal([0, None, 1], ["a", "b"])})
    folder = fill(tmp_path, 7, table, extra=md5("the ARFF file"))
    state_rows(folder, "3.0")
    assert load(tmp_path, 7).rows == 2
    pq.write_table(table.slice(0, 2), folder / "dataset_7.pq")
    with pytest.raises(DataError, match=r"damaged \(dataset_7.pq: 2 rows, where qualities.xml states 3\)"):
        load(tmp_path, 7)


def test_a_missing_column_is_rejected(tmp_path: Path) -> None:
    folder = fill(tmp_path, 7, pa.table({"x": [1.0] * 4, "class": LABEL}))
    for listed in (2, 3):
        entries = "".join(f"<oml:feature><oml:name>c{i}</oml:name></oml:feature>" for i in range(listed))
        (folder / "features.xml").write_text(f"<oml:data_features {NS}>{entries}</oml:data_features>")
        if listed == 2:
            assert load(tmp_path, 7).rows == 4
    with pytest.raises(DataError, match=r"\(dataset_7.pq: 2 columns, where features.xml lists 3\)"):
        load(tmp_path, 7)


@pytest.mark.parametrize("file", ["description", "features", "qualities"])
def test_the_error_names_the_damaged_file(tmp_path: Path, file: str) -> None:
    folder = fill(tmp_path, 7, pa.table({"x": [1.0] * 4, "class": LABEL}))
    (folder / f"{file}.xml").write_text("<oml:half")
    with pytest.raises(DataError, match=rf"is damaged \({file}.xml: .*\); delete the folder"):
        load(tmp_path, 7)


def test_a_legal_arff_file_is_read_and_its_text_left_out_with_a_note(tmp_path: Path) -> None:
    text = (
        "\ufeff% header\r\n@Relation 'r'\r\n@attribute\tday\tdate yyyy-MM-dd % day\r\n"
        "@attribute name STRING\r\n@attribute key string\r\n"
        "@attribute 'big%20one' integer\r\n@attribute class {'a b', c} % label\r\n"
        "@data\r\n1970-01-02,'x, y',k1,9007199254740993,'a b'\r\n1970-01-01,z,k2,1,c\r\n"
        "?,z,?,2,?\r\n?,z,?,2,?"
    )
    extra = md5(text) + "<oml:ignore_attribute>key</oml:ignore_attribute>"
    fill_arff(tmp_path, text, extra, "4.0")
    loaded = load(tmp_path, 7)
    day, big = loaded.columns
    assert (day.name, big.name) == ("day", "big one")
    np.testing.assert_array_equal(day.values, [86400, 0])
    assert loaded.classes == ("a b", "c")
    assert loaded.provenance["columns_left_out"] == ["name"]
    assert loaded.provenance["unlabelled_rows_left_out"] == 2
    assert loaded.notes == (
        "2 rows have no label in column 'class' and are left out",
        "column 'name' is text (2 different values) and is left out",
        "column 'big one' holds numbers beyond 2^53, which are rounded to 53 bits",
    )


@pytest.mark.parametrize("stated", [False, True])
@pytest.mark.parametrize(
    ("line", "reason", "damaged"),
    [
        ("@attribute b relational", "line 3: attribute 'b' is relational", False),
        ("@attribute b date kk", "line 3: the date pattern kk has the letter k", False),
        ("@attribute b", "line 3: attribute 'b' has the unknown type ''", True),
    ],
)
def test_an_unreadable_arff_file_is_rejected(
    tmp_path: Path, stated: bool, line: str, reason: str, damaged: bool
) -> None:
    """Reloading is advised only for invalid ARFF without a matching checksum."""
    text = f"@relation r\n@attribute a numeric\n{line}\n@attribute class {{x,y}}\n@data\n"
    folder = fill_arff(tmp_path, text, md5(text) if stated else "")
    with pytest.raises(DataError) as caught:
        load(tmp_path, 7)
    message = str(caught.value)
    assert f"(dataset.arff, {reason}" in message
    assert (f"delete the folder {folder}" in message) == (damaged and not stated)
    assert ("is damaged" in message) == (damaged and not stated)


DAY = 86400
TYPES: dict[str, tuple[Any, list[float | None]]] = {
    "decimal128": (pa.array([Decimal("1.25"), None, Decimal("-3")], pa.decimal128(9, 3)), [1.25, None, -3]),
    "decimal256": (pa.array([Decimal("1.25"), None, Decimal("-3")], pa.decimal256(50, 3)), [1.25, None, -3]),
    "float16": (pa.array(np.array([1.5, np.nan, -2], np.float16)), [1.5, None, -2]),
    "uint64": (pa.array([2**63, None, 0], pa.uint64()), [2.0**63, None, 0]),
    "int64": (pa.array([-(2**60), None, 2**53], pa.int64()), [-(2.0**60), None, 2.0**53]),
    "date32": (pa.array([date(1970, 1, 2), None, date(1969, 12, 31)], pa.date32()), [DAY, None, -DAY]),
    "date64": (pa.array([date(1970, 1, 2), None, date(1969, 12, 31)], pa.date64()), [DAY, None, -DAY]),
    "seconds": (pa.array([DAY, None, -1], pa.timestamp("s")), [DAY, None, -1]),
    "milliseconds": (pa.array([250, None, -1], pa.timestamp("ms", "Europe/Paris")), [0.25, None, -0.001]),
    "microseconds": (pa.array([250, None, -1], pa.timestamp("us")), [0.00025, None, -0.000001]),
    "nanoseconds": (pa.array([10**18, None, 1], pa.timestamp("ns")), [1e9, None, 1e-9]),
    "time32": (pa.array([time(0, 1), None, time(1)], pa.time32("s")), [60, None, 3600]),
    "time64": (pa.array([time(0, 1), None, time(1)], pa.time64("ns")), [60, None, 3600]),
    "duration": (pa.array([1500, None, 0], pa.duration("ms")), [1.5, None, 0]),
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_numbers_dates_and_times_of_parquet_are_read(tmp_path: Path, kind: str) -> None:
    stored, expected = TYPES[kind]
    fill(tmp_path, 7, pa.table({"x": stored, "class": nominal([0, 1, 0], ["a", "b"])}))
    loaded = load(tmp_path, 7)
    (column,) = loaded.columns
    assert column.levels is None
    np.testing.assert_array_equal(column.values, np.array(expected, dtype=np.float64))
    assert loaded.notes == ()
    assert "columns_left_out" not in loaded.provenance


def test_whole_numbers_that_float64_rounds_are_noted(tmp_path: Path) -> None:
    table = pa.table(
        {
            "signed": pa.array([2**53 + 1, None, 0], pa.int64()),
            "unsigned": pa.array([2**64 - 1, 1, 0], pa.uint64()),
            "least": pa.array([-(2**63), 1, 0], pa.int64()),  # a power of two
            "decimal": pa.array([Decimal(10**20 + 1), None, Decimal(0)], pa.decimal128(30, 0)),
            "ignored": pa.array([2**53 + 1, 1, 0], pa.int64()),
            "class": nominal([0, 1, 0], ["a", "b"]),
        }
    )
    fill(tmp_path, 7, table, extra="<oml:ignore_attribute>ignored</oml:ignore_attribute>")
    rounded = "holds numbers beyond 2^53, which are rounded to 53 bits"
    notes = tuple(f"column '{name}' {rounded}" for name in ("signed", "unsigned", "decimal"))
    assert load(tmp_path, 7).notes == notes


def test_categories_of_parquet_are_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "numbers": pa.DictionaryArray.from_arrays(pa.array([1, None, 0], pa.int8()), pa.array([10, 2])),
            "flag": pa.array([True, None, False]),
            "stored as numbers": pa.array([3, None, 1], pa.int64()),
            "stored with holes": pa.array([3.5, float("nan"), 1.5]),
            "class": nominal([0, 1, 0], ["a", "b"]),
        }
    )
    folder = fill(tmp_path, 7, table)
    (folder / "features.xml").write_text(
        f"<oml:data_features {NS}>"
        + "".join(
            f"<oml:feature><oml:name>{name}</oml:name><oml:data_type>nominal</oml:data_type></oml:feature>"
            for name in table.column_names
        )
        + "</oml:data_features>"
    )
    columns = load(tmp_path, 7).columns
    cells = [
        [None if code < 0 else (column.levels or ())[code] for code in column.values] for column in columns
    ]
    assert cells == [["2", None, "10"], ["True", None, "False"], ["3", None, "1"], ["3.5", None, "1.5"]]


def test_a_null_category_is_missing() -> None:
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["a", None, "b"]))
    raw = readers._codes("x", dictionary, False)
    assert raw is not None
    assert raw.levels == ("a", "b")
    np.testing.assert_array_equal(raw.values, [0, -1, 1, -1])


def test_other_columns_of_parquet_are_left_out_with_a_note(tmp_path: Path) -> None:
    table = pa.table(
        {
            "x": [1.0, 2.0, 3.0],
            "short": ["u", "v", "u"],
            "large": pa.array(["u", None, "u"], pa.large_string()),
            "list": [[1], [2], []],
            "bytes": [b"u", b"v", b"w"],
            "null": pa.nulls(3),
            "no words": pa.array([None] * 3, pa.string()),
            "key": ["u", "v", "w"],
            "class": nominal([0, 1, None], ["a", "b"]),
        }
    )
    fill(tmp_path, 7, table, extra="<oml:row_id_attribute>key</oml:row_id_attribute>")
    loaded = load(tmp_path, 7)
    assert [column.name for column in loaded.columns] == ["x"]
    assert loaded.notes == (
        "1 row has no label in column 'class' and is left out",
        "column 'short' is text (2 different values) and is left out",
        "column 'large' is text (1 different value) and is left out",
        "column 'list' holds values of the type list and is left out",
        "column 'bytes' holds values of the type binary and is left out",
        "column 'null' holds no values and is left out",
        "column 'no words' holds no values and is left out",
    )


def test_a_text_target_is_rejected(tmp_path: Path) -> None:
    fill(tmp_path, 7, pa.table({"x": [1.0] * 3, "class": ["a", "b", "a"]}))
    with pytest.raises(DataError, match=r"the target 'class' is text \(2 different values\); this is no"):
        load(tmp_path, 7)


def test_names_match_with_or_without_percent_encoding(tmp_path: Path) -> None:
    columns = {"a b": [1.0] * 4, "c%20d": [1.0] * 4, "e%20f": [1.0] * 4, "the%3Aclass": LABEL}
    extra = "<oml:ignore_attribute>a%20b, c d</oml:ignore_attribute>"
    fill(tmp_path, 7, pa.table(columns), "the:class", extra)
    assert [column.name for column in load(tmp_path, 7).columns] == ["e f"]


def test_an_unreadable_file_is_a_one_line_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    fill(tmp_path, 7, pa.table({"x": [1.0] * 4, "class": LABEL}))
    monkeypatch.setattr(openml_cache, "read_parquet", forbidden)
    with pytest.raises(DataError, match=r"dataset_7\.pq cannot be read: permission denied"):
        load(tmp_path, 7)


def test_source_openml_does_not_fall_back(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUCB_OPENML_SERVER", "http://127.0.0.1:9/api/v1/xml")
    with pytest.raises(DataError, match="connect to the network"):
        load_table("covertype", source="openml", openml_cache=cache)


def test_a_damaged_covertype_is_not_replaced_by_the_sample(tmp_path: Path) -> None:
    folder = fill(tmp_path, 1596, pa.table({"x": [1.0], "class": nominal([0], ["1"])}))
    (folder / "dataset_1596.pq").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="damaged"):
        load_table("covertype", openml_cache=tmp_path)


def test_the_cache_folder_equals_that_of_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our cache folder equals the client's for every way to configure it."""
    from openml import config as client

    monkeypatch.delenv("OPENML_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert openml_config().root == client._resolve_default_cache_dir()
    (tmp_path / "config" / "openml").mkdir(parents=True)
    (tmp_path / "config" / "openml" / "config").write_text(
        f"cachedir={tmp_path}/named\nserver=https://t.example/api\n"
    )
    parsed = client._parse_config(client.determine_config_file_path())
    assert openml_config().root == Path(parsed["cachedir"])
    assert openml_config().server == parsed["server"]
    assert openml_config().folder(5) == tmp_path / "named" / "example" / "t" / "datasets" / "5"
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path / "environment"))
    assert openml_config().root == client._resolve_default_cache_dir() == tmp_path / "environment"
