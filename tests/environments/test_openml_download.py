"""Downloads through the real OpenML client are complete, or fail with one line and without remains."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from neucb.core.errors import DataError
from neucb.environments.openml import download as openml_download
from neucb.environments.openml.config import OpenMLConfig, openml_config
from neucb.environments.openml.download import download, reachable
from neucb.environments.sources import fetch as fetching
from neucb.environments.sources.catalogue import load_table
from tests.support.openml_cache import LABEL, fill, load, tree
from tests.support.openml_server import NUMBERS, FakeOpenML, parquet

NOWHERE = "http://127.0.0.1:9/api/v1/xml"  # refuses connections


def quiet(line: str) -> None:
    """Ignore a note."""


@pytest.mark.parametrize("number", [7, 8])
def test_a_download_is_cached(server: FakeOpenML, cache: Path, number: int) -> None:
    lines: list[str] = []
    first = load(cache, number, notify=lines.append)
    assert len(lines) == 1
    assert "downloading" in lines[0]
    requests = len(server.requests)
    second = load(cache, number, notify=lines.append)
    assert len(server.requests) == requests
    for loaded in (first, second):
        assert [column.name for column in loaded.columns] == ["x y"]
        np.testing.assert_array_equal(loaded.columns[0].values, NUMBERS)
        np.testing.assert_array_equal(loaded.labels, [0, 1, 0, 1, 0, 1])
        assert loaded.classes == ("yes", "no")
        assert loaded.provenance["openml_version"] == "2"
    data = f"dataset_{number}.pq" if number == 7 else "dataset.arff"
    files = {"description.xml", "features.xml", "qualities.xml", data}
    folder = openml_config(cache).folder(number)
    assert {path.name for path in folder.iterdir()} == files
    assert {path.name for path in folder.parent.iterdir()} == {str(number)}  # no temporary folder remains


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "number", "message"),
    [
        ("", 99, "Unknown dataset"),
        ("500", 7, "could not be downloaded"),
        ("maintenance", 7, "cannot be understood"),
        ("features", 7, "cannot be understood"),
        ("missing", 8, "Status code: 404"),
        ("truncated", 8, "could not be downloaded"),
        ("truncated", 7, "could not be downloaded"),
        ("checksum", 8, "hecksum"),
        (
            "fewer rows",
            7,
            r"is damaged \(dataset_7.pq: 4 rows, .* states 6\); try again later",
        ),
        ("fewer rows", 8, "hecksum"),
        ("no checksum", 8, r"is damaged \(dataset.arff: 4 rows, .* states 6\); try again later"),
        ("html", 7, "is damaged.*; try again later"),
        ("html", 8, "hecksum"),
        ("slow", 7, "timed out"),
        ("slow", 8, "timed out"),
        ("silent", 7, "timed out"),
    ],
)
def test_a_failed_download_leaves_no_remains(
    server: FakeOpenML, cache: Path, monkeypatch: pytest.MonkeyPatch, broken: str, number: int, message: str
) -> None:
    """Also with the cache folder in the environment, which has priority in the client."""
    monkeypatch.setenv("OPENML_CACHE_DIR", str(cache))
    folder = openml_config().folder(7).parent
    folder.mkdir(parents=True)
    fill(cache, 5, pa.table({"x": [1.0, 2.0, 3.0, 4.0], "class": LABEL})).rename(folder / "5")
    (folder / str(number)).mkdir()
    (folder / str(number) / "description.xml").write_text("left over")
    before = tree(cache)
    server.broken = broken
    if broken in ("slow", "silent"):
        monkeypatch.setattr(openml_download, "SILENCE_SECONDS", 0.3)
    with pytest.raises(DataError, match=message) as caught:
        load_table(f"openml:{number}", notify=quiet)
    assert "\n" not in str(caught.value)
    assert f"openml:{number}" in str(caught.value)
    after = tree(cache)
    name = str(folder.relative_to(cache))  # a temporary folder changes its modification time
    assert {k: v for k, v in after.items() if k != name} == {k: v for k, v in before.items() if k != name}
    assert load_table("openml:5", notify=quiet).rows == 4


def test_an_arff_file_that_the_client_cannot_parse_is_read(server: FakeOpenML, cache: Path) -> None:
    """A legal ARFF file that the client itself could not parse."""
    server.arff = (
        "% made by hand\n@RELATION t\n@attribute\tid numeric % a key\n@attribute 'x%20y' date dd.MM.yyyy\n"
        "@attribute class {yes, no, never} % the label\n@data\n"
        + "".join(f"{i},0{i + 1}.01.1970,{'no' if i % 2 else 'yes'} % row {i}\n" for i in range(6))
    ).encode()
    for _ in range(2):
        loaded = load(cache, 8, notify=quiet)
        np.testing.assert_array_equal(loaded.columns[0].values, [86400 * i for i in range(6)])
        np.testing.assert_array_equal(loaded.labels, [0, 1, 0, 1, 0, 1])
        assert loaded.notes == ()


def test_an_unsupported_arff_file_is_rejected(server: FakeOpenML, cache: Path) -> None:
    """The file is complete: the error does not advise another download."""
    server.arff = b"@relation t\n@attribute id numeric\n@attribute bag relational\n@data\n"
    with pytest.raises(DataError, match=r"cannot be read \(dataset.arff, line 3: .* is relational") as caught:
        load(cache, 8, notify=quiet)
    assert "damaged" not in str(caught.value)


def test_a_data_set_without_qualities_is_read(server: FakeOpenML, cache: Path) -> None:
    server.broken = "no qualities"
    assert load(cache, 7, notify=quiet).rows == 6
    assert not (openml_config(cache).folder(7) / "qualities.xml").exists()


def test_an_unwritable_cache_is_a_one_line_error(server: FakeOpenML, tmp_path: Path) -> None:
    """As for a read-only cache, but also for the superuser."""
    folder = openml_config(tmp_path).folder(7).parent
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot write to the OpenML cache .*exists"):
        load(tmp_path, 7, notify=quiet)
    assert server.requests == []


def test_an_endless_download_is_aborted(
    server: FakeOpenML, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openml_download, "DOWNLOAD_SECONDS", 0.2)
    with pytest.raises(DataError, match="in time"):
        load(cache, 7, notify=quiet)


def test_an_incomplete_folder_in_the_cache_is_replaced(server: FakeOpenML, cache: Path) -> None:
    folder = openml_config(cache).folder(7)
    folder.mkdir(parents=True)
    (folder / "description.xml").write_text("left over")
    assert load(cache, 7, notify=quiet).rows == 6
    assert (folder / "dataset_7.pq").read_bytes() == parquet()


def test_simultaneous_downloads_are_safe(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(4)

    def arrive(config: OpenMLConfig, root: Path, *_: str) -> None:
        fill(root, 7, pa.table({"x": [1.0, 2.0, 3.0, 4.0], "class": LABEL}))
        together.wait(10)

    monkeypatch.setattr(openml_download, "_ask_client", arrive)
    config = OpenMLConfig(cache, "https://www.openml.org/api/v1/xml")
    for _ in range(20):
        folder = config.folder(7)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "description.xml").write_text("left over")
        (folder / "dataset_7.pq").unlink(missing_ok=True)
        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(download, config, 7, "toy") for _ in range(4)]:
                future.result()
        assert load_table("openml:7", openml_cache=cache).rows == 4
        assert [path.name for path in folder.parent.iterdir()] == ["7"]


def test_fetch_downloads_three_at_once_and_resumes(
    server: FakeOpenML, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[int] = []
    counts: list[int] = []

    def slow(config: OpenMLConfig, number: int, name: str) -> None:
        running.append(number)
        counts.append(len(running))
        time.sleep(0.05)
        running.remove(number)
        if number == 3:
            raise DataError("no such set")
        folder = config.folder(number)
        folder.mkdir(parents=True)
        for file in ("description.xml", f"dataset_{number}.pq"):
            (folder / file).touch()

    monkeypatch.setattr(fetching, "download", slow)
    names = [f"openml:{number}" for number in range(1, 8)]
    fetched: list[str] = []
    assert fetching.fetch(names, cache, notify=quiet, progress=fetched.append) == {"openml:3": "no such set"}
    assert sorted(fetched) == names
    assert max(counts) == 3
    counts.clear()
    assert fetching.fetch([*names, "iris"], cache, notify=quiet) == {"openml:3": "no such set"}
    assert len(counts) == 1


def blocked(*_: object, **__: object) -> Any:
    time.sleep(30)
    raise TimeoutError


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["refused", "blocked"])
def test_without_a_network_loading_fails_fast(
    cache: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    """Refused connections, and a blocking name lookup."""
    monkeypatch.setenv("NEUCB_OPENML_SERVER", NOWHERE)
    if failure == "blocked":
        monkeypatch.setattr(socket, "create_connection", blocked)
    lines: list[str] = []
    started = time.monotonic()
    table = load_table("covertype", openml_cache=cache, notify=lines.append)
    assert time.monotonic() - started < 3
    with pytest.raises(DataError, match="connect to the network") as caught:
        load_table("mushroom", openml_cache=cache, notify=lines.append)
    assert time.monotonic() - started < 6
    assert "\n" not in str(caught.value)
    assert (table.source, table.rows) == ("bundled", 20_000)
    assert len(lines) == 1
    assert "20,000 rows" in lines[0]


@pytest.mark.slow
def test_a_server_error_falls_back_to_the_bundled_sample(server: FakeOpenML, cache: Path) -> None:
    lines: list[str] = []
    assert load_table("covertype", openml_cache=cache, notify=lines.append).source == "bundled"
    assert "Unknown dataset: playing the bundled sample of 20,000 rows" in lines[-1]
    with pytest.raises(DataError, match="Unknown dataset"):
        load_table("covertype", source="openml", openml_cache=cache, notify=quiet)


def test_a_proxy_is_used(server: FakeOpenML, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    config = OpenMLConfig(cache, NOWHERE)
    assert reachable(config)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert not reachable(config)
