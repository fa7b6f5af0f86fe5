"""Table files: a table in any format has the same columns and labels; invalid files are rejected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import dump_svmlight_file

from neucb.core.errors import DataError, InputError
from neucb.environments.openml.data_file import read_arff
from neucb.environments.sources.catalogue import load_table
from neucb.environments.tables.table_file import Reading, from_frame, read_file

FRAME = pd.DataFrame(
    {
        "size": [1.5, 2.5, None, 4.0],
        "colour": ["red", None, "blue", "red"],
        "new": [True, False, True, True],
        "label": ["yes", "no", "yes", "no"],
    }
)


def write(path: Path) -> None:
    if path.suffix in (".csv", ".tsv"):
        FRAME.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".parquet":
        FRAME.to_parquet(path)
    elif path.suffix == ".feather":
        FRAME.to_feather(path)
    else:
        path.write_text(
            "@RELATION t\n@ATTRIBUTE size NUMERIC\n@ATTRIBUTE colour {blue,red}\n"
            "@ATTRIBUTE new {False,True}\n@ATTRIBUTE label {no,yes}\n@DATA\n"
            "1.5,red,True,yes\n2.5,?,False,no\n?,blue,True,yes\n4.0,red,True,no\n"
        )


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "feather", "arff"])
def test_every_format_gives_the_same_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    write(path)
    table = load_table(str(path))
    size, colour, new = table.columns
    np.testing.assert_array_equal(size.values, [1.5, 2.5, np.nan, 4.0])
    assert colour.levels == ("blue", "red")
    np.testing.assert_array_equal(colour.values, [1, -1, 0, 1])
    assert new.levels == ("False", "True")
    np.testing.assert_array_equal(new.values, [1, 0, 1, 1])
    assert table.classes == ("no", "yes")
    np.testing.assert_array_equal(table.labels, [1, 0, 1, 0])
    assert (table.name, table.source) == ("t", "file")
    other = load_table(str(path), reading=Reading("colour"))
    assert other.classes == ("blue", "red")
    assert other.rows == 3
    assert other.provenance["unlabelled_rows_left_out"] == 1
    assert (table.provenance["target"], other.provenance["target"]) == ("label", "colour")


def test_an_arff_file_may_end_with_strings(tmp_path: Path) -> None:
    path = tmp_path / "t.arff"
    path.write_text(
        "@RELATION t\n@ATTRIBUTE empty NUMERIC\n@ATTRIBUTE size NUMERIC\n@ATTRIBUTE label STRING\n@DATA\n"
        "?,1,yes\n?,2,no\n?,?,?\n"
    )
    table = load_table(str(path))
    assert table.classes == ("no", "yes")
    np.testing.assert_array_equal(table.labels, [1, 0])
    np.testing.assert_array_equal(table.columns[1].values, [1.0, 2.0])
    assert [column.missing for column in table.columns] == [2, 0]


SPARSE = (
    "@RELATION t\n@ATTRIBUTE size NUMERIC\n@ATTRIBUTE colour {red,blue}\n@ATTRIBUTE 0 {0,1}\n"
    "@ATTRIBUTE label {no,yes}\n@DATA\n{0 1.5, 3 yes}\n{1 blue, 2 ?}\n{2 1, 3 yes}\n{}\n"
)


def test_sparse_arff_fills_in_zeros_and_first_categories(tmp_path: Path) -> None:
    path = tmp_path / "t.arff"
    path.write_text(SPARSE)
    table = load_table(str(path))
    cells = [list(column.values) for column in table.columns]
    assert cells == [[1.5, 0, 0, 0], [0, 1, 0, 0], [0, -1, 1, 0]]
    assert list(table.labels) == [1, 0, 1, 0]
    raw = read_arff(path).columns  # reader of OpenML's files
    assert [list(column.values) for column in raw] == [*cells, [1, 0, 1, 0]]


def test_npz_and_svmlight_files_are_read(tmp_path: Path) -> None:
    X, y = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]), np.array([5, 7, 5])
    np.savez(tmp_path / "t.npz", X=X, y=y)
    dump_svmlight_file(X, y, str(tmp_path / "t.svmlight"), zero_based=False)
    for name in ("t.npz", "t.svmlight"):
        table = load_table(str(tmp_path / name))
        np.testing.assert_array_equal(np.stack([column.values for column in table.columns], 1), X)
        assert table.classes == ("5", "7")
        np.testing.assert_array_equal(table.labels, [0, 1, 0])


def test_a_pickle_in_an_npz_is_rejected(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.array([[object()]]), y=np.array([0]))
    with pytest.raises(DataError, match="cannot be read"):
        load_table(str(tmp_path / "t.npz"))


def test_an_invalid_npz_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "t.npz").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"is no \.npz"):
        load_table(str(tmp_path / "t.npz"))


def test_dates_become_numbers_and_categories_keep_their_order() -> None:
    frame = pd.DataFrame(
        {
            "age": pd.to_timedelta([1, 2, None], "h"),
            "day": pd.to_datetime(["1970-01-02", "", "1970-01-01"]),
            "grade": pd.Categorical(["low", "high", "low"], ["low", "mid", "high"]),
            "y": [1, 0, 1],
        }
    )
    age, day, grade = from_frame(frame).columns
    np.testing.assert_array_equal(age.values, [3600.0, 7200.0, np.nan])
    np.testing.assert_array_equal(day.values, [86400.0, np.nan, 0.0])
    assert grade.levels == ("low", "mid", "high")
    np.testing.assert_array_equal(grade.values, [0, 2, 0])


def test_text_and_identifiers_are_left_out() -> None:
    rows = 40
    frame = pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(rows)],
            "colour": ["red", "blue"] * (rows // 2),
            "code": pd.Categorical([f"c{i}" for i in range(rows)]),
            "y": [0, 1] * (rows // 2),
        }
    )
    table = from_frame(frame)
    assert [column.name for column in table.columns] == ["colour", "code"]  # declared categories are kept
    assert table.provenance["columns_left_out"] == ["id"]


@pytest.mark.parametrize(
    ("values", "target", "message"),
    [
        ([[1], [2], [3]], "y", "neither numbers nor words"),
        ([1j, 2j, 3j], "y", "complex"),
        ([0.0, np.inf, 0.0], "x", "real numbers"),
        ([1e300, 2e300, 1e300], "x", "real numbers"),
    ],
)
def test_unusable_columns_are_rejected(values: list[object], target: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_frame(pd.DataFrame({"x": values, "y": ["a", "b", "a"]}), target)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file"),
        ("", "is empty"),
        ("a,b\n1,2\n", "only one class"),
        ("a\n1\n2\n", "is read as one column"),
        ("a,b\n1,0.5\n2,0.7\n", "real numbers"),
        ("a,b\n1,\n2,\n", "no row has a label"),
        ("a,a\n1,p\n2,q\n", "two columns are called 'a'"),
        ("a,y\n" + "".join(f"1,c{i}\n" for i in range(40)), "no class label"),
    ],
)
def test_invalid_files_are_rejected(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        load_table(str(path))
    assert "\n" not in str(caught.value)


def test_a_folder_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv is a folder"):
        load_table(str(tmp_path / "folder.csv"))


def test_an_unknown_target_is_rejected(tmp_path: Path) -> None:
    write(tmp_path / "t.csv")
    with pytest.raises(InputError, match="did you mean 'colour'"):
        load_table(str(tmp_path / "t.csv"), reading=Reading("color"))


def test_empty_columns_of_a_libsvm_file_are_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "wide.libsvm"
    path.write_text("0 3:1 1360000:2\n1 5:0.5\n0 3:2 5:1\n1 9:1\n")
    table = read_file(path)
    cells = {column.name: column.values.tolist() for column in table.columns}
    assert cells == {
        "x2": [1.0, 0.0, 2.0, 0.0],
        "x4": [0.0, 0.5, 1.0, 0.0],
        "x8": [0.0, 0.0, 0.0, 1.0],
        "x1359999": [2.0, 0.0, 0.0, 0.0],
    }
