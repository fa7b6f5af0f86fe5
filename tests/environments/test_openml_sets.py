"""Data sets of a real OpenML cache have their known sizes.

Needs NEUCB_TEST_OPENML_CACHE=<root of an OpenML cache> with the sets of data/openml_sets.csv, of which
mnist_784 and isolet are partial (the last 10,000 and the first 1,560 rows).
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import neucb
from neucb.environments.openml.config import openml_config
from neucb.environments.sources.catalogue import catalogue, load_table
from tests.support.openml_cache import tree
from tests.support.paths import DATA

if "NEUCB_TEST_OPENML_CACHE" not in os.environ:
    pytest.skip("NEUCB_TEST_OPENML_CACHE names no OpenML cache", allow_module_level=True)

CACHE = Path(os.environ["NEUCB_TEST_OPENML_CACHE"])
with (DATA / "openml_sets.csv").open(encoding="utf-8") as handle:
    SETS = list(csv.DictReader(handle))


@pytest.mark.parametrize("known", SETS, ids=[known["name"] for known in SETS])
def test_a_data_set_has_its_known_sizes(known: dict[str, str]) -> None:
    number = int(known["number"])
    folder = openml_config(CACHE).folder(number)
    before = tree(folder)
    table = load_table(f"openml:{number}", openml_cache=CACHE, source="openml")
    assert tree(folder) == before
    nominal = sum(column.levels is not None for column in table.columns)
    assert table.provenance["openml_name"] == known["name"]
    assert table.provenance["openml_version"] == known["version"]
    assert table.provenance["unlabelled_rows_left_out"] == 0
    assert table.notes == ()
    assert table.rows == int(known["rows"])
    assert (len(table.columns) - nominal, nominal) == (int(known["numeric"]), int(known["nominal"]))
    assert table.arms == int(known["classes"])
    assert sum(column.missing for column in table.columns) == int(known["missing"])
    counts = np.bincount(table.labels)
    qualities = {
        quality[0].text: float(quality[1].text or "nan")
        for quality in ElementTree.parse(folder / "qualities.xml").getroot()
    }
    assert counts.max() == qualities["MajorityClassSize"]
    assert counts.min() == qualities["MinorityClassSize"]


def test_identifiers_are_not_features() -> None:
    for name, identifier in (("magic", "ID"), ("zoo", "animal")):
        assert identifier not in [column.name for column in load_table(name, openml_cache=CACHE).columns]


def test_all_bakeoff_sets_are_tested() -> None:
    bakeoff = {entry.openml for entry in catalogue() if "bakeoff" in entry.suites}
    assert bakeoff == {int(known["number"]) for known in SETS}


MEASURE = """
import sys, time
from pathlib import Path
from neucb.environments.sources.catalogue import load_table
from neucb.environments.preprocessing import encode

started = time.process_time()  # CPU time, independent of other load
table = load_table("covertype", openml_cache=Path(sys.argv[1]))
print(time.process_time() - started)
encode(table)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1e6)
"""


def test_covertype_loads_in_two_seconds_and_one_gigabyte() -> None:
    command = [sys.executable, "-c", MEASURE, str(CACHE)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    seconds, gigabytes = map(float, runs[-1].split())  # the first run may have a cold cache
    assert seconds < 2.0
    assert gigabytes < 1.0


@pytest.mark.parametrize(("name", "most"), [("covertype", 3900), ("mushroom", 60)])
def test_the_default_agent_learns(name: str, most: float) -> None:
    """All rows of the data set, not the bundled sample; seeds 0 to 4."""
    frame = neucb.run("kl-perturbed", name, seeds=5, source="openml", openml_cache=CACHE)
    assert frame.groupby("seed").tail(1)["regret"].mean() < most
