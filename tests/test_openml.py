"""OpenML's cache, read directly; failures leave it as it was."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from neucb.environments import openml_cache
from neucb.environments.catalogue import load_table
from neucb.environments.openml_config import openml_config
from neucb.environments.table import Table
from neucb.errors import DataError

NS = 'xmlns:oml="http://openml.org/openml"'


def tree(folder: Path) -> dict[str, tuple[str, int]]:
    """Return path -> (checksum, time of change) of every file and folder below."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        found[str(path.relative_to(folder))] = (content, path.stat().st_mtime_ns)
    return found


def fill(cache: Path, number: int, table: pa.Table, target: str = "class", extra: str = "") -> Path:
    """Write a set into a cache as the client does; return its folder."""
    folder = cache / "org" / "openml" / "www" / "datasets" / str(number)
    folder.mkdir(parents=True)
    (folder / "description.xml").write_text(
        f"<oml:data_set_description {NS}><oml:id>{number}</oml:id><oml:name>toy</oml:name>"
        f"<oml:version>1</oml:version><oml:licence>Public</oml:licence>{extra}"
        f"<oml:default_target_attribute>{target}</oml:default_target_attribute></oml:data_set_description>"
    )
    pq.write_table(table, folder / f"dataset_{number}.pq")
    return folder


def nominal(codes: list[int | None], levels: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(levels))


LABEL = nominal([0, 2, 0, 2], ["a", "unused", "b"])


class Trap:
    """A pickle that would tell on whoever loads it."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("pickle-was-loaded",)


def load(cache: Path, number: int, **options: Any) -> Table:
    return load_table(f"openml:{number}", cache=cache, source="openml", **options)


def test_a_set_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert loaded.provenance["text_columns_left_out"] == ["text"]
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
def test_a_damaged_set_is_one_line_and_stays_as_it_was(tmp_path: Path, damage: str) -> None:
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


def test_names_agree_with_or_without_percent_encoding(tmp_path: Path) -> None:
    columns = {"a b": [1.0] * 4, "c%20d": [1.0] * 4, "e%20f": [1.0] * 4, "the%3Aclass": LABEL}
    extra = "<oml:ignore_attribute>a%20b, c d</oml:ignore_attribute>"
    fill(tmp_path, 7, pa.table(columns), "the:class", extra)
    assert [column.name for column in load(tmp_path, 7).columns] == ["e f"]


def test_a_set_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    fill(tmp_path, 7, pa.table({"x": [1.0] * 4, "class": LABEL}))
    monkeypatch.setattr(openml_cache, "read_parquet", forbidden)
    with pytest.raises(DataError, match=r"dataset_7\.pq cannot be read: permission denied"):
        load(tmp_path, 7)


def test_openml_only_does_not_fall_back(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUCB_OPENML_SERVER", "http://127.0.0.1:9/api/v1/xml")
    with pytest.raises(DataError, match="connect to the network"):
        load_table("covertype", source="openml", cache=cache)


def test_a_damaged_covertype_is_not_replaced_by_the_sample(tmp_path: Path) -> None:
    folder = fill(tmp_path, 1596, pa.table({"x": [1.0], "class": nominal([0], ["1"])}))
    (folder / "dataset_1596.pq").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="damaged"):
        load_table("covertype", cache=tmp_path)


def test_the_cache_is_found_where_the_client_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own code and ours agree under every way to configure it."""
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
