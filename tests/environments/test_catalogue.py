"""Names of data sets: the catalogue, lists, globs, suites, OpenML's names."""

from __future__ import annotations

from pathlib import Path

import pytest

from neucb.core.errors import DataError, InputError
from neucb.environments.sources.catalogue import catalogue, expand, load_table, number_of
from neucb.environments.tables.table_file import Reading
from tests.support.openml_cache import LABEL, fill
from tests.support.openml_server import FakeOpenML


def test_names_and_numbers_in_the_catalogue_are_unique() -> None:
    entries = catalogue()
    assert len({entry.name for entry in entries}) == len(entries)
    numbers = [entry.openml for entry in entries if entry.openml is not None]
    assert len(set(numbers)) == len(numbers)
    assert sum("cc18" in entry.suites for entry in entries) == 72
    assert sum("bakeoff" in entry.suites for entry in entries) == 42
    paper = {"covertype": 1596, "fashion-mnist": 40996, "magic": 1120, "mushroom": 24, "adult": 1590}
    others = {"shuttle": 40685, "plants-margin": 1491, "letter": 6, "mnist_784": 554, "isolet": 300}
    for name, number in (paper | others).items():
        assert number_of(name) == number


def test_openml_names_are_aliases() -> None:
    assert number_of("MagicTelescope") == 1120
    assert number_of("Fashion-MNIST") == 40996
    assert expand(["one-hundred-plants-margin,magic,MAGIC"]) == ["plants-margin", "magic"]
    names = [name for entry in catalogue() for name in {entry.name, entry.alias.lower()} if name]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["", "zzzzzz", "table.pkl", "openml:"])
def test_an_unknown_name_is_one_short_line(name: str) -> None:
    with pytest.raises(InputError, match="unknown data set") as caught:
        load_table(name)
    assert len(str(caught.value)) < 100


def test_lists_globs_and_suites_are_expanded() -> None:
    assert expand(["iris,wine", "iris"]) == ["iris", "wine"]
    assert expand(["plants-*"]) == ["plants-margin", "plants-shape", "plants-texture"]
    assert expand(["openml:24", "x.csv"]) == ["openml:24", "x.csv"]
    suite = expand(["iris"], "bakeoff")
    assert len(suite) == 43
    assert suite[-1] == "iris"
    with pytest.raises(InputError, match="no data set of the catalogue matches"):
        expand(["nothing-*"])
    with pytest.raises(InputError, match="did you mean 'cc18'"):
        expand([], "cc81")


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
def test_scikit_learn_tables_are_loaded(name: str) -> None:
    table = load_table(name)
    assert table.source == "scikit-learn"
    assert load_table(name.upper()).name == name
    assert (table.rows, table.arms) == {
        "iris": (150, 3),
        "wine": (178, 3),
        "breast_cancer": (569, 2),
        "digits": (1797, 10),
    }[name]


def test_a_target_of_a_named_data_set_is_rejected() -> None:
    with pytest.raises(InputError, match="target, columns, header, decimal and separator are for files"):
        load_table("iris", reading=Reading("x"))


@pytest.mark.slow
def test_openml_names_are_resolved_by_the_server(server: FakeOpenML, cache: Path) -> None:
    """The fake server lists versions 2 and 3 of toy as numbers 7 and 8."""
    assert (
        load_table("openml:toy@3", openml_cache=cache, notify=lambda line: None).provenance["openml_id"] == 8
    )
    assert load_table("openml:toy", openml_cache=cache, notify=lambda line: None).provenance["openml_id"] == 7
    with pytest.raises(DataError, match="no active set"):
        load_table("openml:nothing", openml_cache=cache, notify=lambda line: None)
    with pytest.raises(DataError, match="no active set"):
        load_table("openml:toy@9", openml_cache=cache, notify=lambda line: None)
    with pytest.raises(InputError, match="behind the @"):
        load_table("openml:toy@x", openml_cache=cache)


def test_openml_names_are_resolved_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUCB_OPENML_SERVER", "http://127.0.0.1:9/api/v1/xml")
    import pyarrow as pa

    folder = fill(tmp_path, 7, pa.table({"x": [1.0, 2.0, 3.0, 4.0], "class": LABEL}))
    folder_of_server = tmp_path.joinpath("1:9", "0", "0", "127", "datasets")
    folder_of_server.mkdir(parents=True)
    folder.rename(folder_of_server / "7")
    lines: list[str] = []
    assert load_table("openml:toy", openml_cache=tmp_path, notify=lines.append).rows == 4
    assert "version 1 from the cache" in lines[0]
    assert load_table("openml:toy@1", openml_cache=tmp_path, notify=lines.append).rows == 4
    with pytest.raises(DataError, match="by its number"):
        load_table("openml:toy@2", openml_cache=tmp_path)


def test_file_names_may_have_commas_and_brackets(tmp_path: Path) -> None:
    path = tmp_path / "a,b[1].csv"
    path.write_text("x,y\n1,2\n")
    assert expand([str(path), "iris"]) == [str(path), "iris"]
    everything = ",".join(entry.name for entry in catalogue())  # longer than a file name may be
    assert len(expand([everything])) == len(catalogue())


def test_a_synthetic_world_is_not_a_table() -> None:
    with pytest.raises(InputError, match="`neucb run` plays it"):
        load_table("synthetic:cosine")
