"""Ambiguous delimited text is read correctly with a note, or rejected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neucb.core.errors import DataError, InputError
from neucb.environments.sources.catalogue import load_table
from neucb.environments.tables.delimited import read_delimited, table_name
from neucb.environments.tables.raw_table import TextColumn
from neucb.environments.tables.table_file import Reading, read_file

ROWS = range(30)


def write(folder: Path, *lines: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def columns(path: Path, separator: str | None = None, header: bool | None = None) -> dict[str, list[str]]:
    """Return the cells of the columns."""
    raw = read_delimited(path, separator=separator, header=header)
    cells = {}
    for column in raw.columns:
        assert isinstance(column, TextColumn)
        cells[column.name] = column.cells.to_pylist()
    return cells


def notes(path: Path) -> list[str]:
    return read_delimited(path).notes


def numbers(rows: range = ROWS) -> list[str]:
    return [f"{0.1 * i + 0.05:.2f},{'pq'[i % 2]}" for i in rows]


# the separator


def test_decimal_commas_do_not_hide_semicolons(tmp_path: Path) -> None:
    path = write(tmp_path, "Länge, m;Breite, m;y", *(f"{i % 7},1;2,{i % 3};{'pq'[i % 2]}" for i in ROWS))
    table = read_file(path)
    assert table.classes == ("p", "q")
    assert [column.name for column in table.columns] == ["Länge, m", "Breite, m"]
    np.testing.assert_allclose(table.columns[0].values, [i % 7 + 0.1 for i in ROWS])
    assert "';'" in table.notes[0]


def test_decimal_commas_without_a_header_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, *(f"{i % 7},5;1,{i % 3};{'pq'[i % 2]}" for i in ROWS))
    table = read_file(path, Reading(header=False))
    assert table.classes == ("p", "q")
    np.testing.assert_allclose(table.columns[0].values, [i % 7 + 0.5 for i in ROWS])


def test_commas_in_text_do_not_hide_semicolons(tmp_path: Path) -> None:
    path = write(tmp_path, "a;t,u;y", *(f"{i % 7};x, y{i % 3};{'pq'[i % 2]}" for i in ROWS))
    cells = columns(path)
    assert list(cells) == ["a", "t,u", "y"]
    assert cells["t,u"][:2] == ["x, y0", "x, y1"]


def test_two_equally_good_separators_are_rejected(tmp_path: Path) -> None:
    path = write(tmp_path, *(f"{i % 7},a;b,{'pq'[i % 2]}" for i in ROWS))
    with pytest.raises(DataError, match=r"separated by ',' or ';'.*separator="):
        read_delimited(path, header=False)
    assert list(columns(path, ",", header=False).values())[1] == ["a;b"] * 30
    assert len(columns(path, ";", header=False)) == 2


@pytest.mark.parametrize("every", [1, 2, 7])
def test_semicolons_in_text_do_not_hide_commas(tmp_path: Path, every: int) -> None:
    path = write(
        tmp_path, "a,t,y", *(f"{i % 7},{'u;v' if i % every == 0 else 'u'},{'pq'[i % 2]}" for i in ROWS)
    )
    assert list(columns(path)) == ["a", "t", "y"]
    assert notes(path) == []


def test_semicolons_in_quoted_cells_do_not_hide_commas(tmp_path: Path) -> None:
    path = write(tmp_path, '"a;b","t","y"', *(f'"{i % 7};1","u","{"pq"[i % 2]}"' for i in ROWS))
    assert columns(path)["a;b"][:2] == ["0;1", "1;1"]
    assert notes(path) == []


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_wide_file_with_another_separator_is_read(tmp_path: Path, separator: str) -> None:
    names = separator.join(f"name{j}" for j in range(3000))
    path = write(tmp_path, names, *(separator.join(["0.25"] * 3000) for _ in range(220)))
    cells = columns(path)
    assert len(cells) == 3000
    assert cells["name2999"] == ["0.25"] * 220


def test_a_footer_does_not_hide_the_separator(tmp_path: Path) -> None:
    path = write(tmp_path, "a;b;y", *(f"{i},5;{i % 3};{'pq'[i % 2]}" for i in ROWS), "Quelle: Amt")
    with pytest.raises(DataError, match=r"line 32 has 1 field, most lines have 3"):
        read_delimited(path)


@pytest.mark.parametrize("title", [["Bericht 2020"], ["Bericht", "Amt"]])
def test_a_title_does_not_hide_the_separator(tmp_path: Path, title: list[str]) -> None:
    path = write(tmp_path, *title, "a;b;y", *(f"{i},5;{i % 3};{'pq'[i % 2]}" for i in ROWS))
    with pytest.raises(DataError, match=r"(the first line|line 2) has 1 field,.*3"):
        read_delimited(path)


def test_a_separator_line_counts_as_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "sep=;", "a;b;y", "1;2;p", "1;2;q;3", "1;2;p")
    with pytest.raises(DataError, match=r"line 4 has 4 fields"):
        read_delimited(path)


def test_a_single_column_is_rejected_with_its_first_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a:b:y", *(f"{i}:{i % 3}:{'pq'[i % 2]}" for i in ROWS))
    with pytest.raises(DataError, match=r"one column.*'a:b:y'.*separator="):
        read_delimited(path)
    assert list(columns(path, ":")) == ["a", "b", "y"]


def test_consecutive_blanks_are_one_separator(tmp_path: Path) -> None:
    path = write(tmp_path, "a b y", "1 2 p", "3  4 q", '  5 6   "r  s" ', "", "7 8 t  ")
    assert columns(path, " ") == {
        "a": ["1", "3", "5", "7"],
        "b": ["2", "4", "6", "8"],
        "y": ["p", "q", "r  s", "t"],
    }


def test_a_long_row_between_blanks_is_rejected_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a b y", "1 2 p", "3  4 5 q", "6 7 p")
    with pytest.raises(DataError, match=r"line 3 has 4 fields"):
        read_delimited(path, separator=" ")


# row names


@pytest.mark.parametrize(("form", "step"), [("0.{:02}", 1), ("{}", 3), ("{} kg", 1)])
def test_a_header_with_a_missing_name_is_rejected(tmp_path: Path, form: str, step: int) -> None:
    path = write(tmp_path, "a,y", *(f"{form.format(step * i)},{i % 3},{'pq'[i % 2]}" for i in ROWS))
    with pytest.raises(DataError, match=r"first line has 2 fields, line 2 has 3"):
        read_delimited(path)


@pytest.mark.parametrize("form", ["{}", "car {}", "2020-01-{:02}"])
@pytest.mark.parametrize("rows", [6, 30])
def test_row_names_are_noted(tmp_path: Path, form: str, rows: int) -> None:
    path = write(tmp_path, "a,y", *(f"{form.format(i + 1)},{i % 3},{'pq'[i % 2]}" for i in range(rows)))
    table = read_file(path)
    assert len([note for note in table.notes if "'Unnamed: 0'" in note]) == 1
    assert "a" in [column.name for column in table.columns]


# the header


def test_a_row_of_units_is_rejected(tmp_path: Path) -> None:
    rows = [f"{i * 7 % 11},{i % 3},{'pq'[i % 2]}" for i in ROWS]
    for units in ("km/h,kg,class", "km/h,,", "[1],kg,-"):
        path = write(tmp_path, "speed,load,y", units, *rows)
        with pytest.raises(DataError, match="line 2 looks like a second header"):
            read_delimited(path)
        assert columns(path, header=True)["speed"][0] == units.split(",")[0]
    path = write(tmp_path, "speed,load,y", "oops,3,p", *rows)  # a single wrong cell
    assert len(columns(path)["load"]) == 31


def test_a_first_row_of_categories_is_not_a_second_header(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,y", *(f"{'uvw'[i % 3]},{'st'[i % 2]},{'pq'[i % 2]}" for i in ROWS))
    assert len(columns(path)["a"]) == 30


def test_a_repeated_header_is_rejected(tmp_path: Path) -> None:
    rows = [f"{i * 7 % 11},{i % 3},{'pq'[i % 2]}" for i in ROWS]
    path = write(tmp_path, "a,b,y", *rows, "a, b ,y", *rows)
    for header in (None, True):
        with pytest.raises(DataError, match="line 32 repeats the first line"):
            read_delimited(path, header=header)
    text_rows = [f"{'uv'[i % 2]},{'st'[i % 3 % 2]},{'pq'[i % 2]}" for i in ROWS]
    with pytest.raises(DataError, match="line 32 repeats the first line"):
        read_delimited(write(tmp_path, "a,b,y", *text_rows, "a,b,y"))
    path = write(tmp_path, "0,1,2", *(f"{i % 2},{i % 3},{i % 4}" for i in ROWS))  # 0, 1, 2 is also a row
    assert len(columns(path, header=True)["0"]) == 30


def test_a_first_line_with_equal_values_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path, *(f"5,0,{i % 3},0,{i % 2}" for i in ROWS))
    with pytest.raises(DataError, match=r"looks like data.*header=False"):
        read_delimited(path)
    assert len(columns(path, header=False)) == 5
    with pytest.raises(DataError, match="two columns are called '0'"):
        read_delimited(path, header=True)
    path = write(tmp_path, "a,a,y", *(f"1.5,{i % 3},{'pq'[i % 2]}" for i in ROWS))
    with pytest.raises(DataError, match="two columns are called 'a'"):
        read_delimited(path)


@pytest.mark.parametrize(
    "form", ["2020-01-{:02}", "{}%", "{} kg", "{}.01.2020", "\u20ac{}.50", "0,{}", "12:{:02}"]
)
def test_a_first_line_with_dates_or_units_is_rejected(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, *(f"{form.format(i + 1)};{'rs'[i % 2]};{'pq'[i % 2]}" for i in range(28)))
    with pytest.raises(DataError, match="looks like data"):
        read_delimited(path, separator=";")
    assert len(columns(path, ";", header=False)["column 1"]) == 28


@pytest.mark.parametrize("head", ["25%,50%,y", "2020-01,2020-02,y", "5 m,10 m,y", "12:00,13:00,y"])
def test_dates_or_quantities_above_numbers_are_names(tmp_path: Path, head: str) -> None:
    path = write(tmp_path, head, *(f"{i * 7 % 11}.5,{i % 3},{'pq'[i % 2]}" for i in ROWS))
    assert list(columns(path)) == head.split(",")


@pytest.mark.parametrize("head", ["a,b,y,,", "a,b,y", "a,b,y,"])
def test_empty_trailing_columns_are_dropped(tmp_path: Path, head: str) -> None:
    path = write(tmp_path, head, *(f"{i * 7 % 11},{i % 3},{'pq'[i % 2]},," for i in ROWS))
    assert list(columns(path)) == ["a", "b", "y"]
    assert notes(path) == []
    path = write(tmp_path, *(f"{i * 7 % 11},{i % 3},{'pq'[i % 2]},," for i in ROWS))
    assert list(columns(path, header=False)) == ["column 1", "column 2", "column 3"]


def test_a_named_empty_column_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "a,y,b,", *(f"{i * 7 % 11},{'pq'[i % 2]},," for i in ROWS))
    assert list(columns(path)) == ["a", "y", "b"]


# quotation marks


@pytest.mark.parametrize("cell", [r'"he said \"hi\" 0"', '"he said "hi" 0"', '"5" x 3"', '""hi"" x'])
def test_undoubled_quotation_marks_are_rejected(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path, "a,t,y", *(f"{i % 7},{cell if i == 4 else 'u'},{'pq'[i % 2]}" for i in ROWS))
    with pytest.raises(DataError, match=r"begins at line 6.*twice"):
        read_delimited(path)


def test_doubled_quotation_marks_and_backslashes_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a,t,y", *(f'{i % 7},"a ""b"" \\{i % 2}",{"pq"[i % 2]}' for i in ROWS))
    assert columns(path)["t"][:2] == ['a "b" \\0', 'a "b" \\1']


def test_escaped_quotation_marks_in_the_header_are_rejected(tmp_path: Path) -> None:
    path = write(tmp_path, r'"a \"x\" 1","y"', *numbers())
    with pytest.raises(DataError, match="begins at line 1"):
        read_delimited(path)
    assert list(columns(write(tmp_path, '"a ""x"" 1","y"', *numbers()))) == ['a "x" 1', "y"]


# names


def test_table_names_keep_dots() -> None:
    names = ["a.train.csv", "a.test.csv.gz", "a.b.tsv", "a.v2.arff", "a.CSV.GZ"]
    assert [table_name(Path(name)) for name in names] == ["a.train", "a.test", "a.b", "a.v2", "a"]


def test_an_unknown_suffix_is_rejected_with_the_cure(tmp_path: Path) -> None:
    path = write(tmp_path, "a,y", *numbers(), name="iris.data")
    with pytest.raises(InputError, match=r"iris\.data is a file.*\.csv or \.tsv"):
        load_table(str(path))
