"""Ambiguous tables: real-valued targets, almost numeric or date columns, broken indices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neucb.core.errors import DataError
from neucb.environments.ranking import read_ranking
from neucb.environments.table import Table
from neucb.environments.tables.table_file import Reading, from_frame, read_file

N = 200


def table(folder: Path, text: str, reading: Reading | None = None) -> Table:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, reading)


def labelled(labels: list[str]) -> str:
    return "a,y\n" + "".join(f"{i % 11},{label}\n" for i, label in enumerate(labels))


@pytest.mark.parametrize("form", ["{}", "${}", "{} kg", '"{}"'])
@pytest.mark.parametrize("mark", ["NA", "?", "n/a"])
def test_real_numbers_with_a_missing_mark_are_rejected_as_labels(
    tmp_path: Path, form: str, mark: str
) -> None:
    labels = [form.format(i % 90 / 10) for i in range(N)]
    labels[7] = mark
    with pytest.raises(DataError, match="holds real numbers"):
        table(tmp_path, labelled(labels))
    named = table(tmp_path, labelled(labels), Reading(columns={"y": "category"}))
    assert named.arms == 91
    assert "'y' is a word with 91 values in 200 rows" in named.notes[0]


def test_real_numbers_with_decimal_commas_are_rejected_as_labels(tmp_path: Path) -> None:
    text = "a;y\n" + "".join(f"{i % 11};{i % 9},{i % 10}\n" for i in range(N))
    for decimal in (None, ","):
        with pytest.raises(DataError, match="holds real numbers"):
            table(tmp_path, text, Reading(separator=";", decimal=decimal))


def test_a_missing_mark_among_whole_number_labels_is_noted(tmp_path: Path) -> None:
    labels = [str(i % 3) for i in range(N)]
    labels[7] = "NA"
    read = table(tmp_path, labelled(labels))
    assert read.classes == ("0", "1", "2", "NA")
    assert "'NA' in column 'y' is played as a class" in read.notes[0]
    labels = [str(i % 60) for i in range(N)]
    labels[7] = "NA"
    read = table(tmp_path, labelled(labels))
    assert read.classes[:12] == tuple(map(str, range(12)))  # sorted by value
    assert "whole number with 61 values" in read.notes[0]


def test_equal_numbers_are_one_class_in_any_notation(tmp_path: Path) -> None:
    read = table(tmp_path, labelled([("1", "1.0", "+1", "other")[i % 4] for i in range(N)]))
    assert read.classes == ("1", "other")


@pytest.mark.parametrize(
    "pair", [("a b", "a\u00a0b"), ("cat", "cat\u200b"), ("é", "e\u0301"), ("Yes", "yes")]
)
def test_classes_that_look_alike_are_noted(tmp_path: Path, pair: tuple[str, str]) -> None:
    (note,) = table(tmp_path, labelled([pair[i % 2] for i in range(N)])).notes
    assert "are two classes, as they are written" in note


def test_a_number_of_a_million_digits_is_text(tmp_path: Path) -> None:
    read = table(
        tmp_path, labelled([("1", "1e9999999")[i % 2] for i in range(N)]), Reading(columns={"y": "category"})
    )
    assert read.arms == 2
    with pytest.raises(DataError, match="holds real numbers"):
        table(tmp_path, labelled([("1", "1e9999999")[i % 2] for i in range(N)]))


def test_float_labels_need_the_type_category() -> None:
    frame = pd.DataFrame({"a": np.arange(N) % 7, "y": np.arange(N) % 3 / 2})
    with pytest.raises(DataError, match=r"columns=\{'y': 'category'\}"):
        from_frame(frame)
    assert from_frame(frame, reading=Reading(columns={"y": "category"})).classes == ("0.0", "0.5", "1.0")


def test_a_single_class_is_rejected_with_column_and_missing_rows(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"only one class occurs \('hm'\) in column 'y'; 199 of 200 rows have no label"
    ):
        table(tmp_path, labelled(["hm", *[""] * (N - 1)]))


def indexed(name: str, change: dict[int, str], tail: str = "") -> str:
    rows = [f"{change.get(i, str(i))},{i * 7 % 13},{'pq'[i % 2]}\n" for i in range(60)]
    return f"{name},a,y\n" + "".join(rows) + tail


@pytest.mark.parametrize(
    ("change", "tail"),
    [({}, ",,\n"), ({5: "nan"}, ""), ({5: ""}, ""), ({59: "58"}, ""), ({}, "Total,,\n"), ({}, ",99,\n")],
)
@pytest.mark.parametrize("name", ["id", ""])
def test_an_imperfect_running_index_is_left_out(
    tmp_path: Path, name: str, change: dict[int, str], tail: str
) -> None:
    read = table(tmp_path, indexed(name, change, tail))
    assert [column.name for column in read.columns] == ["a"]
    assert "is left out" in read.notes[-1]
    assert read.columns[0].levels is None


def test_row_numbers_in_notes_are_those_of_the_file(tmp_path: Path) -> None:
    labels = ["" if i < 5 else "pq"[i % 2] for i in range(N)]
    text = "a,y\n" + "".join(f"{'x' if i == 9 else i / 7},{label}\n" for i, label in enumerate(labels))
    with pytest.raises(DataError, match="no feature columns"):
        table(tmp_path, text)
    read = table(tmp_path, text, Reading(columns={"a": "number"}))
    assert "row 10 holds 'x'" in read.notes[-1]


@pytest.mark.parametrize(
    ("cells", "bad"),
    [
        ([f"{i},{i % 10}" for i in range(N)], "tbd"),
        ([f"{i / 7:.2f}%" for i in range(N)], "14"),
        ([f"{i / 7:.2f} kg" for i in range(N)], "500 g"),
        ([f"${i / 7:.2f}" for i in range(N)], "many"),
        ([f"2020-{i % 12 + 1:02}-{i % 28 + 1:02}" for i in range(N)], "unknown"),
        ([f"2020-{i % 12 + 1:02}-{i % 28 + 1:02}" for i in range(N)], "2020-02-31"),
    ],
)
def test_the_cell_that_prevents_a_numeric_column_is_noted(tmp_path: Path, cells: list[str], bad: str) -> None:
    cells[33] = bad
    text = "a,b,y\n" + "".join(f'"{cell}",{i % 5},{"pq"[i % 2]}\n' for i, cell in enumerate(cells))
    read = table(tmp_path, text)
    assert any(f"row 34 holds '{bad}'" in note for note in read.notes)
    kind = "date" if "-" in cells[0] else "number"
    forced = table(tmp_path, text, Reading(columns={"a": kind}))
    assert np.flatnonzero(np.isnan(forced.columns[0].values)).tolist() == [33]
    assert f"1 cell that is no {kind}, read as missing (row 34" in forced.notes[0]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["5 km", "6 km", "7 mi", "8 km"], [5, 6, np.nan, 8]),
        (["$5", "$6", "\u20ac5", "$7"], [5, 6, np.nan, 7]),
        (["12%", "13%", "14", "15%"], [12, 13, np.nan, 15]),
    ],
)
def test_a_column_declared_numeric_has_one_unit(
    tmp_path: Path, cells: list[str], expected: list[float]
) -> None:
    text = "a,y\n" + "".join(f"{cells[i % 4]},{'pq'[i % 2]}\n" for i in range(40))
    read = table(tmp_path, text, Reading(columns={"a": "number"}))
    np.testing.assert_array_equal(read.columns[0].values[:4], expected)


def test_a_leading_zero_marks_a_decimal_sign(tmp_path: Path) -> None:
    text = "a;y\n" + "".join(f"0,{100 + i};{'pq'[i % 2]}\n" for i in range(40))
    read = table(tmp_path, text, Reading(separator=";"))
    assert read.notes == ()
    np.testing.assert_allclose(read.columns[0].values, [(100 + i) / 1000 for i in range(40)])


@pytest.mark.parametrize(
    ("form", "first"),
    [
        ("%d.%m.%y", "20.12.99"),
        ("%d-%b-%y", "20-Dec-99"),
        ("%d%b%Y:%H:%M:%S", "20Dec1999:00:00:00"),
        ("%d/%b/%Y:%H:%M:%S +0000", "20/Dec/1999:00:00:00 +0000"),
        ("%a %b %d %H:%M:%S %Y", "Mon Dec 20 00:00:00 1999"),
    ],
)
def test_dates_of_databases_and_logs_are_read(tmp_path: Path, form: str, first: str) -> None:
    days = [pd.Timestamp("1999-12-20") + pd.Timedelta(days=i % 50) for i in range(N)]
    cells = [day.strftime(form) for day in days]
    assert cells[0] == first
    cells[4] = "0000-00-00"
    read = table(tmp_path, "a,y\n" + "".join(f"{cell},{'pq'[i % 2]}\n" for i, cell in enumerate(cells)))
    expected = [day.timestamp() for day in days]
    expected[4] = np.nan
    np.testing.assert_array_equal(read.columns[0].values, expected)
    assert read.notes == ()


def test_a_sparse_text_column_is_left_out(tmp_path: Path) -> None:
    remarks = [f"remark {i}" if i % 2 == 0 else "" for i in range(N)]
    text = "a,note,y\n" + "".join(f"{i % 5},{remarks[i]},{'pq'[i % 3 > 0]}\n" for i in range(N))
    read = table(tmp_path, text)
    assert [column.name for column in read.columns] == ["a"]
    assert "column 'note' is text" in read.notes[0].replace("an identifier", "text")


def test_ranking_targets_are_parsed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x;r\n" + "".join(f"{i % 7},5;{('999', '1.234')[i % 2]}\n" for i in range(40)))
    ranking = read_ranking(path, Reading(separator=";"))
    np.testing.assert_allclose(ranking.losses[:2], [1, 0])  # 1.234 means 1,234
    path.write_text("x,clicked\n" + "".join(f"{i % 7},{i % 2 == 0}\n" for i in range(40)))
    np.testing.assert_array_equal(read_ranking(path).losses[:2], [0, 1])
    frame = pd.DataFrame(
        {"x": [1.0, 2.0, 5.0], "r": pd.Categorical(["\u22121", "0", "1"], ["\u22121", "0", "1"])}
    )
    np.testing.assert_array_equal(read_ranking(frame).losses, [1, 0.5, 0])


def test_a_ranking_target_with_other_decimal_sign_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,r\n" + "".join(f"{i % 7},0.{i + 1}\n" for i in range(40)))
    with pytest.raises(DataError, match=r"holds '0\.1' \(row 1\), no number whose decimal sign is ','"):
        read_ranking(path, Reading(decimal=","))
    path.write_text("x,r\n" + "".join(f"{i % 7},?\n" for i in range(40)))
    with pytest.raises(DataError, match="missing or infinite values"):
        read_ranking(path)


def test_two_large_numbers_are_not_an_index() -> None:
    frame = pd.DataFrame({"id": [2**53 + 2 * (i % 2) for i in range(40)], "y": ["p", "q"] * 20})
    assert [column.name for column in from_frame(frame).columns] == ["id"]
