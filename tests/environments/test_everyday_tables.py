"""Tables as written by spreadsheets, R and pandas are read correctly or rejected in one line."""

from __future__ import annotations

import datetime
import decimal
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from sklearn.datasets import load_iris

import neucb
from neucb.core.errors import DataError, InputError
from neucb.environments.preprocessing import encode
from neucb.environments.ranking import read_ranking
from neucb.environments.table import Table
from neucb.environments.tables.table_file import Reading, from_frame, read_file

N = 120
RNG = np.random.default_rng(0)
A, B = np.round(RNG.normal(size=(2, N)), 3)
WORD = np.where(A > 0, "yes", "no")
Y = (A > 0).astype(int)


def write(path: Path, first: list[str], label: list[str] | None = None, head: str = "a,b,y") -> Path:
    labels = list(WORD) if label is None else label
    lines = [head, *(f"{first[i]},{B[i]},{labels[i]}" for i in range(N))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def table_of(path: Path, **options: Any) -> Table:
    return read_file(path, Reading(**options))


def assert_right(table: Table, a: Any = A, notes: int = 0) -> None:
    """Assert that a and b are numeric columns and y a label that depends on a."""
    assert table.classes == ("no", "yes")
    np.testing.assert_array_equal(table.labels, Y)
    assert [column.name for column in table.columns] == ["a", "b"]
    np.testing.assert_allclose(table.columns[0].values, a)
    np.testing.assert_array_equal(table.columns[1].values, B)
    assert len(table.notes) == notes, table.notes
    assert encode(table).contexts.shape == (N, 2)


def plain(values: Any = A) -> list[str]:
    return [str(value) for value in values]


@pytest.mark.parametrize(
    "mark", ["?", "-", "", "n.a.", "NA", "NaN", "null", "None", "#N/A", "\u2014", ".", "\\N"]
)
def test_missing_marks_in_a_numeric_column_are_read(tmp_path: Path, mark: str) -> None:
    cells = [mark if i in (5, 77) else str(A[i]) for i in range(N)]
    expected = [np.nan if i in (5, 77) else A[i] for i in range(N)]
    assert_right(table_of(write(tmp_path / "t.csv", cells)), expected)


@pytest.mark.parametrize(
    ("form", "scale"),
    [
        ("{:+}", 1),
        (" {} ", 1),
        ("{}%", 1),
        ("{} %", 1),
        ("${}", 1),
        ("{} \u20ac", 1),
        ("{}kg", 1),
        ("{} km/h", 1),
        ("{:e}", 1),
    ],
)
def test_numbers_with_signs_and_units_are_read(tmp_path: Path, form: str, scale: float) -> None:
    assert_right(table_of(write(tmp_path / "t.csv", [form.format(a) for a in A])), A * scale)


@pytest.mark.parametrize("minus", ["\u2212", "\u2013", "\uff0d"])
def test_typographic_minus_signs_are_read(tmp_path: Path, minus: str) -> None:
    assert_right(table_of(write(tmp_path / "t.csv", [str(a).replace("-", minus) for a in A])))


def quoted(cells: list[str]) -> list[str]:
    return [f'"{cell}"' for cell in cells]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        ([str(a).replace(".", ",") for a in A * 100], A * 100),  # 17,64 has no third digit
        ([f"{a * 1e6:,.2f}" for a in A], np.round(A * 1e6, 2)),
        ([f"{a * 1e6:,.2f}".translate(str.maketrans(",.", ".,")) for a in A], np.round(A * 1e6, 2)),
        ([f"{a * 1e6:,.0f}" for a in A * 1000], np.round(A * 1e9)),
        ([f"{a * 1e6:,.2f}".replace(",", " ") for a in A], np.round(A * 1e6, 2)),
        ([f"{a * 1e6:,.2f}".replace(",", "'") for a in A], np.round(A * 1e6, 2)),
    ],
)
def test_decimal_commas_and_thousands_separators_are_read(
    tmp_path: Path, cells: list[str], values: Any
) -> None:
    values = np.round(values, 6)
    table = table_of(write(tmp_path / "t.csv", quoted(cells)))
    np.testing.assert_allclose(table.columns[0].values, values, rtol=1e-6)
    assert table.notes == ()


THOUSANDS = [f"{i % 7 + 1},{100 + i}" for i in range(N)]  # 1,100: one thousand one hundred, or 1.1


def test_an_ambiguous_comma_needs_the_option_decimal(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "".join(f'"{THOUSANDS[i]}",{i % 5},{WORD[i]}\n' for i in range(N)))
    table = table_of(path)
    assert [column.name for column in table.columns] == ["b"]
    (note,) = table.notes
    assert "column 'a'" in note
    assert "row 1 holds '1,100'" in note
    assert "decimal=" in note
    read = table_of(path, decimal=".").columns[0].values
    np.testing.assert_array_equal(read, [int(cell.replace(",", "")) for cell in THOUSANDS])
    read = table_of(path, decimal=",").columns[0].values
    np.testing.assert_allclose(read, [float(cell.replace(",", ".")) for cell in THOUSANDS])
    with pytest.raises(DataError, match="could have a decimal or a thousands separator"):
        table_of(path, columns={"a": "number"})
    # 0.126 in another column decides, and is not a number under decimal commas
    path = write(tmp_path / "t.csv", quoted(THOUSANDS))
    assert table_of(path).notes == ()
    read = table_of(path).columns[0].values
    np.testing.assert_array_equal(read, [int(cell.replace(",", "")) for cell in THOUSANDS])
    assert [column.name for column in table_of(path, decimal=",").columns] == ["a"]


def test_another_column_decides_what_a_comma_means(tmp_path: Path) -> None:
    rows = [f"{THOUSANDS[i]};{str(B[i]).replace('.', ',')};{WORD[i]}" for i in range(N)]
    path = tmp_path / "t.csv"
    path.write_text("a;b;y\n" + "\n".join(rows))
    table = table_of(path, separator=";")
    assert table.notes == ()
    np.testing.assert_allclose(table.columns[0].values, [float(cell.replace(",", ".")) for cell in THOUSANDS])
    np.testing.assert_allclose(table.columns[1].values, B)
    dotted = tmp_path / "dotted.csv"  # 1.100 under decimal commas
    dotted.write_text(
        "a;b;y\n"
        + "\n".join(f"{THOUSANDS[i].replace(',', '.')};{rows[i].split(';', 1)[1]}" for i in range(N))
    )
    assert "'a' is left out: row 1 holds '1.100'" in table_of(dotted, separator=";").notes[0]


@pytest.mark.parametrize("cell", ["4o", "<5", "about 3", "12%"])
def test_a_non_numeric_cell_is_noted(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path / "t.csv", [cell if i == 6 else str(A[i]) for i in range(N)])
    table = table_of(path)
    assert [column.name for column in table.columns] == ["b"]
    (note,) = table.notes
    assert f"column 'a' is left out: most of its values are numbers, but row 7 holds '{cell}'" in note
    assert table.summaries[0].offending == f"row 7 holds '{cell}'"
    forced = table_of(path, columns={"a": "number"})
    expected = [np.nan if i == 6 else A[i] for i in range(N)]
    np.testing.assert_array_equal(forced.columns[0].values, expected)
    assert forced.notes == (f"column 'a': 1 cell that is no number, read as missing (row 7 holds '{cell}')",)


def test_few_numbers_and_text_are_a_category_with_a_note(tmp_path: Path) -> None:
    rooms = ["3+" if i % 4 == 3 else str(i % 4) for i in range(N)]
    table = table_of(write(tmp_path / "t.csv", rooms))
    assert table.columns[0].levels == ("0", "1", "2", "3+")
    assert encode(table).contexts.shape == (N, 5)
    (note,) = table.notes
    assert (
        "column 'a' is read as a category of 4 values: most of them are numbers, but row 4 holds '3+'" in note
    )


@pytest.mark.parametrize("cell", ["", "NA", "?"])
def test_a_column_without_values_is_left_out(tmp_path: Path, cell: str) -> None:
    table = table_of(write(tmp_path / "t.csv", [cell] * N))
    assert table.notes == ("column 'a' is empty and is left out",)
    assert table.summaries[0].kind == "empty"


def test_different_missing_marks_are_categories(tmp_path: Path) -> None:
    table = table_of(write(tmp_path / "t.csv", [("NA", "None")[i % 2] for i in range(N)]))
    assert table.columns[0].levels == ("NA", "None")


def test_types_depend_on_the_whole_column(tmp_path: Path) -> None:
    """Text in the last row of a large file makes the whole column text, the label too."""
    rows, width = 1200, 784
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 5, (rows, width))
    labels = [*map(str, rng.integers(0, 3, rows - 1)), "other"]
    pixels_text = pixels.astype(str)
    pixels_text[-1, 3] = "x"
    lines = [",".join(f"p{j}" for j in range(width)) + ",y"]
    lines += [",".join(pixels_text[i]) + f",{labels[i]}" for i in range(rows)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    table = table_of(path)
    assert table.classes == ("0", "1", "2", "other")
    assert [table.classes[code] for code in table.labels] == labels
    assert table.columns[3].levels == ("0", "1", "2", "3", "4", "x")
    assert all(column.levels is None for j, column in enumerate(table.columns) if j != 3)


def test_object_columns_are_read_like_text() -> None:
    frame = pd.DataFrame(
        {
            "float": pd.Series([0.5, 1.5, None, 2.5] * 10, dtype=object),
            "mixed": pd.Series([1, "1", 2.0, "2"] * 10, dtype=object),
            "decimal": pd.Series([decimal.Decimal("1.50"), decimal.Decimal("-2")] * 20, dtype=object),
            "day": pd.Series([datetime.date(1970, 1, 2), datetime.date(1970, 1, 3)] * 20, dtype=object),
            "truth": pd.Series([True, None, False, True] * 10, dtype=object),
            "y": pd.Series([1, "1", 2, "2"] * 10, dtype=object),
        }
    )
    table = from_frame(frame)
    assert table.classes == ("1", "2")
    np.testing.assert_array_equal(table.labels, [0, 0, 1, 1] * 10)
    values = [column.values[:4].tolist() for column in table.columns]
    assert values[1:] == [[1, 1, 2, 2], [1.5, -2, 1.5, -2], [86400, 172800] * 2, [1, -1, 0, 1]]
    np.testing.assert_array_equal(values[0], [0.5, 1.5, np.nan, 2.5])
    assert table.columns[4].levels == ("False", "True")
    assert table.notes == ()


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "n/a", "NULL", "N/A"])
def test_a_class_may_be_named_like_a_missing_mark(tmp_path: Path, word: str) -> None:
    region = ["EU", word, "AP"]
    labels = [region[i % 3] for i in range(N)]
    for table in (
        table_of(write(tmp_path / "t.csv", plain(), labels)),
        from_frame(pd.DataFrame({"a": A, "y": pd.Series(labels, dtype=object)})),
    ):
        assert sorted(table.classes) == sorted(region)
        assert [table.classes[code] for code in table.labels] == labels
        assert table.notes == ()


def test_empty_labels_are_counted_and_left_out(tmp_path: Path) -> None:
    labels = ["" if i in (3, 50, 51) else WORD[i] for i in range(N)]
    table = table_of(write(tmp_path / "t.csv", plain(), labels))
    assert table.notes == ("3 rows have no label in column 'y' and are left out",)
    labelled = np.array([i not in (3, 50, 51) for i in range(N)])
    np.testing.assert_array_equal(table.columns[0].values, A[labelled])
    np.testing.assert_array_equal(table.labels, Y[labelled])


def test_a_missing_mark_among_labels_is_a_class_with_a_note(tmp_path: Path) -> None:
    labels = ["?" if i == 3 else WORD[i] for i in range(N)]
    table = table_of(write(tmp_path / "t.csv", plain(), labels))
    assert table.classes == ("?", "no", "yes")
    assert "'?' in column 'y' is played as a class" in table.notes[0]


def test_trailing_separators_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for head in ("y,a,b", "y,a,b,"):
        path.write_text(head + "\n" + "".join(f"{WORD[i]},{A[i]},{B[i]},\n" for i in range(N)))
        assert_right(table_of(path, target="y"))
    path.write_text("y,a,b,\n" + "".join(f"{WORD[i]},{A[i]},{B[i]}\n" for i in range(N)))
    assert_right(table_of(path, target="y"))


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("row", [0, 60, 119])
@pytest.mark.parametrize("change", ["more", "fewer"])
def test_a_row_of_another_length_is_rejected_with_its_line(
    tmp_path: Path, suffix: str, position: int, row: int, change: str
) -> None:
    rows = [[str(A[i]), str(B[i]), WORD[i]] for i in range(N)]
    rows[row][position : position + (change == "fewer")] = ["7"] if change == "more" else []
    path = tmp_path / f"t.{suffix}"
    path.write_text(
        "\n".join(("\t" if suffix == "tsv" else ",").join(cells) for cells in [["a", "b", "y"], *rows])
    )
    with pytest.raises(DataError, match=rf"line {row + 2} has {4 if change == 'more' else 2} fields"):
        table_of(path)


def test_rows_longer_than_the_header_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "".join(f"1,{A[i]},{B[i]},{WORD[i]}\n" for i in range(N)))
    with pytest.raises(DataError, match="the first line has 3 fields, line 2 has 4"):
        table_of(path)


@pytest.mark.parametrize("names", [[str(i) for i in range(1, N + 1)], [f"car {i}" for i in range(N)]])
def test_row_names_without_a_header_are_read(tmp_path: Path, names: list[str]) -> None:
    """R's write.table gives row names no header."""
    path = tmp_path / "t.csv"
    path.write_text('"a","b","y"\n' + "".join(f'"{names[i]}",{A[i]},{B[i]},"{WORD[i]}"\n' for i in range(N)))
    table = table_of(path)
    assert_right(table, notes=1)
    assert "'Unnamed: 0'" in table.notes[0]


def test_a_first_line_of_data_is_rejected(tmp_path: Path) -> None:
    iris = load_iris()
    path = tmp_path / "t.csv"
    names = ["Iris-setosa", "Iris-versicolor", "Iris-virginica"]
    lines = [",".join([*map(str, x), names[y]]) for x, y in zip(iris.data, iris.target, strict=True)]
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="looks like data") as caught:
        table_of(path)
    assert "header=False" in str(caught.value)
    table = table_of(path, header=False)
    assert (table.rows, table.classes) == (150, tuple(names))
    np.testing.assert_array_equal(table.columns[2].values, iris.data[:, 2])


@pytest.mark.parametrize(
    ("head", "accepted"),
    [
        ("0,1,2", True),  # written by pandas
        ("2019,2020,y", True),
        ("a,7,y", True),
        ("5.1,3.5,y", False),
        ("1,2,yes", True),  # 1, 2 is a sequence, though yes is a value too
        ("7,a,no", True),
        ("3,9,y", False),
    ],
)
def test_numeric_headers_are_accepted_or_rejected(tmp_path: Path, head: str, accepted: bool) -> None:
    path = write(tmp_path / "t.csv", plain(), head=head)
    if head == "1,2,yes":  # no text is above numbers, and yes is a class
        accepted = False
    if accepted:
        assert table_of(path).rows == N
    else:
        with pytest.raises(DataError, match="looks like data"):
            table_of(path)
        assert table_of(path, header=True).rows == N
        assert table_of(path, header=False).rows == N + 1


def test_a_header_that_looks_like_values_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("p,x,s\n" + "e,x,s\np,b,y\n" * 20)
    with pytest.raises(DataError, match="looks like data"):
        table_of(path)
    assert table_of(path, header=False).rows == 41
    path.write_text("a,y\n" + "".join(f"{i * 0.5},{'yn'[i % 2]}\n" for i in range(20)))
    assert table_of(path).rows == 20  # y is a value of y, but a is above numbers


def test_blanks_around_cells_are_stripped(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f'{A[i]} , "{B[i]}", {WORD[i]}' + " " * (i % 4 == 0) for i in range(N)]
    path.write_text('a, b , "y"\n' + "\n".join(rows))
    assert_right(table_of(path, target="y"))
    rows = [f'{i % 5}, "one, ""{i % 2}"" two",{WORD[i]}' for i in range(N)]
    path.write_text("a, b, y\n" + "\n".join(rows))
    assert table_of(path).columns[1].levels == ('one, "0" two', 'one, "1" two')


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "id", "ID", "Index"])
@pytest.mark.parametrize("start", [0, 1, 1000])
def test_a_running_index_is_left_out(tmp_path: Path, name: str, start: int) -> None:
    frame = pd.DataFrame({name: range(start, start + N), "a": A, "b": B, "y": WORD})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    for table in (table_of(tmp_path / "t.csv"), table_of(tmp_path / "t.parquet"), from_frame(frame)):
        assert_right(table, notes=1)
        assert "just counts the rows and is left out" in table.notes[0]
    kept = table_of(tmp_path / "t.parquet", columns={name: "number"})
    assert len(kept.columns) == 3
    assert kept.notes == ()


def test_an_index_of_shuffled_rows_is_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": A, "b": B, "y": WORD}).sample(frac=0.5, random_state=0)
    frame.to_csv(tmp_path / "t.csv")
    table = table_of(tmp_path / "t.csv")
    assert [column.name for column in table.columns] == ["a", "b"]
    assert "numbers the rows, each differently, and is left out" in table.notes[0].replace(
        "differently and", "differently, and"
    )


def test_other_counting_columns_are_kept_with_a_note(tmp_path: Path) -> None:
    pd.DataFrame({"year": range(1900, 1900 + N), "b": B, "y": WORD}).to_csv(tmp_path / "t.csv", index=False)
    table = table_of(tmp_path / "t.csv")
    assert [column.name for column in table.columns] == ["year", "b"]
    assert "column 'year' just counts the rows and is kept" in table.notes[0]


def test_identifiers_and_text_are_left_out_with_notes(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "user": [f"u{i:03}" for i in range(N)],
            "body": [f"some words {i}" for i in range(N)],
            "b": B,
            "y": WORD,
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    table = table_of(tmp_path / "t.csv")
    assert [column.name for column in table.columns] == ["b"]
    assert [column.kind for column in table.summaries] == ["id", "text", "number", "label"]
    assert (
        "column 'user' is an identifier (120 different values in 120 rows; row 1 holds 'u000')"
        in table.notes[0]
    )
    assert "column 'body' is text" in table.notes[1]
    assert table.provenance["columns_left_out"] == ["user", "body"]


ARROW = pa.table(
    {
        "decimal": pa.array([decimal.Decimal(str(a)) for a in A], pa.decimal128(9, 3)),
        "day": pa.array([datetime.date(1970, 1, 1 + i % 3) for i in range(N)], pa.date32()),
        "time": pa.array([datetime.time(1, i % 60) for i in range(N)], pa.time64("us")),
        "short": pa.array([datetime.time(2, 0, i % 60) for i in range(N)], pa.time32("s")),
        "when": pa.array(
            [datetime.datetime(1970, 1, 2, i % 24) for i in range(N)], pa.timestamp("ms", "UTC")
        ),
        "count": pa.array([None if i == 2 else i % 5 for i in range(N)], pa.uint8()),
        "word": pa.array(["a" if i % 2 else None for i in range(N)], pa.large_string()),
        "kind": pa.array([f"k{i % 3}" for i in range(N)]).dictionary_encode(),
        "truth": pa.array([None if i == 1 else i % 2 == 0 for i in range(N)]),
        "y": pa.array(WORD),
    }
)


class Frame:
    """Frame of another library, with only Arrow's PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return ARROW.__arrow_c_stream__(requested_schema)


def arrow_tables(folder: Path) -> dict[str, Table]:
    pq.write_table(ARROW, folder / "t.parquet")
    feather.write_feather(ARROW, str(folder / "t.feather"))
    return {
        "parquet": table_of(folder / "t.parquet"),
        "feather": table_of(folder / "t.feather"),
        "arrow": from_frame(ARROW),
        "capsule": from_frame(Frame()),
    }


def test_declared_arrow_types_are_read(tmp_path: Path) -> None:
    for table in arrow_tables(tmp_path).values():
        assert table.notes == ()
        assert table.classes == ("no", "yes")
        value = {column.name: column.values for column in table.columns}
        np.testing.assert_allclose(value["decimal"], A)
        np.testing.assert_array_equal(value["day"][:3], [0, 86400, 172800])
        np.testing.assert_array_equal(value["time"][:2], [3600, 3660])
        np.testing.assert_array_equal(value["short"][:2], [7200, 7201])
        np.testing.assert_array_equal(value["when"][:2], [86400, 90000])
        np.testing.assert_array_equal(value["count"][:4], [0, 1, np.nan, 3])
        np.testing.assert_array_equal(value["word"][:2], [-1, 0])
        np.testing.assert_array_equal(value["truth"][:3], [1, -1, 1])
        assert [column.kind for column in table.summaries][:5] == ["number", "date", "date", "date", "date"]


def test_arrow_tables_are_played() -> None:
    frames = [
        neucb.run("squarecb", table, rounds=100, seeds=2) for table in (ARROW, Frame(), ARROW.to_pandas())
    ]
    assert frames[0]["regret"].equals(frames[1]["regret"])
    assert frames[0]["regret"].iloc[-1] == pytest.approx(frames[2]["regret"].iloc[-1], abs=15)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_are_read(tmp_path: Path, encoding: str, compressed: bool, end: str) -> None:
    text = end.join(["größe,b,y", *(f"{A[i]},{B[i]},{'ja' if Y[i] else 'nö'}" for i in range(N))]) + end
    raw = text.encode(encoding)
    path = tmp_path / ("t.csv.gz" if compressed else "t.csv")
    path.write_bytes(gzip.compress(raw) if compressed else raw)
    table = table_of(path)
    assert table.classes == ("ja", "nö")
    assert [column.name for column in table.columns] == ["größe", "b"]
    np.testing.assert_array_equal(table.columns[0].values, A)
    assert table.name == "t"
    guessed = encoding in ("utf-16-le", "utf-16-be", "cp1252")
    assert len(table.notes) == guessed
    assert all("the encoding is taken to be" in note for note in table.notes)


def test_binary_data_and_damaged_gzip_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(DataError, match="is not text"):
        table_of(path)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,y\n1,2\n" * 100)[:-20])
    with pytest.raises(DataError, match=r"damaged gzip"):
        table_of(tmp_path / "t.csv.gz")


@pytest.mark.parametrize("separator", [";", "|", "\t"])
def test_another_separator_is_found_with_a_note(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "\n".join(
            separator.join(row) for row in zip(["a", *plain()], ["b", *plain(B)], ["y", *WORD], strict=True)
        )
    )
    table = table_of(path)
    assert_right(table, notes=1)
    assert "separated by" in table.notes[0]
    assert_right(table_of(path, separator=separator))


def test_unclosed_quotation_marks_are_rejected(tmp_path: Path) -> None:
    cells = [f'"{i}' if i in (5, 40) else str(i) for i in range(N)]  # two marks that enclose the rows between
    with pytest.raises(DataError, match=r"quotation mark is not closed in the record that begins at line 7"):
        table_of(write(tmp_path / "t.csv", cells))
    cells = [f'"{i}' if i == 5 else str(i) for i in range(N)]
    with pytest.raises(DataError, match="quotation mark"):
        table_of(write(tmp_path / "t.csv", cells))
    cells = [f'{i % 3} " wide' for i in range(N)]  # inches
    assert table_of(write(tmp_path / "t.csv", cells)).columns[0].levels == (
        '0 " wide',
        '1 " wide',
        '2 " wide',
    )


def test_cells_may_hold_lines_and_separators(tmp_path: Path) -> None:
    cells = [f'"first\nsecond, {i % 2}"' for i in range(N)]
    table = table_of(write(tmp_path / "t.csv", cells))
    assert table.columns[0].levels == ("first\nsecond, 0", "first\nsecond, 1")
    assert table.rows == N


@pytest.mark.parametrize(
    ("form", "seconds"),
    [
        ("%Y-%m-%d", 1),
        ("%Y/%m/%d", 1),
        ("%d.%m.%Y", 1),
        ("%d %B %Y", 1),
        ("%b %d, %Y", 1),
        ("%Y-%m-%dT%H:%M:%SZ", 1),
        ("%Y-%m-%d %H:%M", 1),
        ("%m/%d/%Y", 1),
    ],
)
def test_dates_are_read_as_seconds(tmp_path: Path, form: str, seconds: int) -> None:
    days = [datetime.datetime(1999, 12, 20) + datetime.timedelta(days=i % 50) for i in range(N)]
    cells = quoted([day.strftime(form) for day in days])
    cells[3] = ""
    table = table_of(write(tmp_path / "t.csv", cells))
    expected = [(day - datetime.datetime(1970, 1, 1)).total_seconds() for day in days]
    expected[3] = np.nan
    np.testing.assert_array_equal(table.columns[0].values, expected)
    assert table.summaries[0].kind == "date"
    assert table.notes == ()


def test_an_ambiguous_date_column_is_left_out(tmp_path: Path) -> None:
    table = table_of(write(tmp_path / "t.csv", [f"{i % 12 + 1}/{i % 11 + 1}/2020" for i in range(N)]))
    assert [column.name for column in table.columns] == ["b"]
    assert "row 1 holds '1/1/2020', which could have the day or the month first" in table.notes[0]


@pytest.mark.parametrize("pair", ["True False", "TRUE FALSE", "yes no", "Y N", "t f", "1 0"])
def test_booleans_are_read(tmp_path: Path, pair: str) -> None:
    yes, no = pair.split()
    table = table_of(write(tmp_path / "t.csv", [yes if i % 3 else no for i in range(N)]))
    assert encode(table).contexts.shape == (N, 2)
    np.testing.assert_array_equal(table.columns[0].values, [int(i % 3 > 0) for i in range(N)])
    assert table.notes == ()


def test_spellings_of_booleans_are_merged(tmp_path: Path) -> None:
    table = table_of(write(tmp_path / "t.csv", [("True", "TRUE", "false", "?")[i % 4] for i in range(N)]))
    assert table.columns[0].levels == ("False", "True")
    np.testing.assert_array_equal(table.columns[0].values[:4], [1, 1, 0, -1])


@pytest.mark.parametrize("infinite", ["inf", "-Infinity", "1e999"])
def test_an_infinite_number_is_rejected_with_its_row(tmp_path: Path, infinite: str) -> None:
    path = write(tmp_path / "t.csv", [infinite if i == 9 else str(A[i]) for i in range(N)])
    with pytest.raises(DataError, match=rf"column 'a' holds an infinite number \(row 10: '{infinite}'\)"):
        table_of(path)


def test_whole_numbers_beyond_2_53_are_handled(tmp_path: Path) -> None:
    """Labels are distinguished exactly; rounded features are noted; identifiers are left out."""
    base = 2**53
    labels = [str(base + i % 3) for i in range(N)]
    table = table_of(write(tmp_path / "t.csv", plain(), labels))
    assert table.classes == tuple(str(base + k) for k in range(3))
    np.testing.assert_array_equal(table.labels, np.arange(N) % 3)
    frame = pd.DataFrame({"a": A, "y": pd.array([base + i % 3 for i in range(N)], dtype="UInt64")})
    assert from_frame(frame).classes == table.classes
    table = table_of(write(tmp_path / "t.csv", [str(base + 1 + (i * 7) % 50) for i in range(N)]))
    assert table.notes == ("column 'a' holds whole numbers beyond 2^53, which are rounded to 53 bits",)
    ids = [str(base * 100 + (i * 7) % N) for i in range(N)]
    table = table_of(write(tmp_path / "t.csv", ids, head="id,b,y"))
    assert [column.name for column in table.columns] == ["b"]


def test_a_target_of_many_whole_numbers_is_noted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=5000), "price": rng.integers(0, 800, 5000)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    table = table_of(tmp_path / "t.csv")
    (note,) = table.notes
    assert f"'price' is a whole number with {table.arms} values in 5,000 rows" in note
    assert "arms=" in note
    assert "target=" in note


def test_ranking_files_are_read_by_the_same_rules(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=600).round(3)
    frame = pd.DataFrame(
        {
            "query": np.repeat(np.arange(150), 4),
            "score": score.astype(object),
            "relevance": (score > 0.6).astype(int),
        }
    )
    frame.loc[5, "score"] = "?"
    frame.to_csv(tmp_path / "t.csv", index=False)
    ranking = read_ranking(tmp_path / "t.csv", group="query")
    assert ranking.contexts.shape == (600, 1)
    assert ranking.notes == ()
    assert ranking.queries is not None
    assert len(ranking.queries) == 150
    np.testing.assert_array_equal(ranking.losses, score <= 0.6)
    frame.loc[7, "score"] = "many"
    with pytest.raises(DataError, match="no feature columns"):
        read_ranking(frame, group="query")
    frame["other"] = rng.normal(size=600)
    partial = read_ranking(frame[["query", "score", "other", "relevance"]], group="query")
    assert "row 8 holds 'many'" in partial.notes[0]
    assert partial.provenance["columns_left_out"] == ["score"]


def test_columns_can_be_given_their_types(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [str(i % 4) for i in range(N)])
    table = table_of(path, columns={"a": "category", "b": "skip"})
    assert [(column.name, column.levels) for column in table.columns] == [("a", ("0", "1", "2", "3"))]
    assert table.notes == ()
    assert table.provenance["columns"] == {"a": "category", "b": "skip"}
    assert table_of(path, columns={"a": "label"}).classes == ("0", "1", "2", "3")
    with pytest.raises(InputError, match="did you mean 'number'"):
        table_of(path, columns={"a": "numbr"})
    with pytest.raises(InputError, match="did you mean"):
        table_of(path, columns={"aa": "number"})
    with pytest.raises(InputError, match="one label"):
        table_of(path, columns={"a": "label"}, target="y")


def test_notes_are_warnings_attributes_and_strict_errors(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", plain(), head="id,b,y")
    counting = pd.DataFrame({"index": range(N), "a": A, "y": WORD})
    with pytest.warns(UserWarning, match="just counts the rows and is left out") as caught:
        frame = neucb.run("uniform", counting, rounds=5, seeds=2)
    assert len(caught) == 1
    assert len(frame.attrs["notes"]) == 1
    with pytest.raises(DataError, match="an error since strict=True"):
        neucb.run("uniform", counting, rounds=5, strict=True)
    assert path.is_file()
