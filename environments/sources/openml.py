"""OpenML as a data source: the sets of data/catalogue.csv, and others as openml:24 or openml:mushroom@1.

To add a named set, write one line in data/catalogue.csv.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache as remember
from pathlib import Path
from typing import Any

from neucb.core.errors import DataError
from neucb.core.files import sha256
from neucb.environments.openml.cache import data_file, read_set
from neucb.environments.openml.config import openml_config
from neucb.environments.sources.bundled import SAMPLE, covertype_sample
from neucb.environments.sources.scikit_learn import SUMMARIES
from neucb.environments.sources.source import DataSource, Entry, Loading
from neucb.environments.table import Table

PREFIX = "openml:"
METADATA = ("description.xml", "features.xml")  # of which columns are used, and the target


@remember
def named_sets() -> dict[str, Entry]:
    """Return the named sets of OpenML."""
    path = Path(__file__).parent.parent / "data" / "catalogue.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["name"]: _entry(row) for row in csv.DictReader(handle)}


def _entry(row: dict[str, str]) -> Entry:
    sample = ", sample bundled" if row["name"] == "covertype" else ""
    origin, suites = f"{PREFIX}{row['openml']}{sample}", tuple(row["suites"].split())
    return Entry(row["name"], row["summary"], origin, int(row["openml"]), row["alias"], suites)


class OpenML(DataSource):
    """Source of OpenML sets: the client's cache, then the server, then, for covertype, the bundled sample."""

    patterns = (f"{PREFIX}<id>", f"{PREFIX}<name>", f"{PREFIX}<name>@<version>")
    chooses = True

    def sets(self) -> Sequence[Entry]:
        """Return the named data sets."""
        return list(named_sets().values())

    def matches(self, name: str) -> bool:
        """Return whether a name has the prefix "openml:" or is in data/catalogue.csv."""
        return name in named_sets() or (name.startswith(PREFIX) and name != PREFIX)

    def number(self, name: str, loading: Loading) -> int:
        """Return the number of a set.

        Raises:
            InputError: a version that is no number.
            DataError: a name without a set.
        """
        entry, rest = named_sets().get(name), name.removeprefix(PREFIX)
        if entry is not None and entry.openml is not None:
            return entry.openml
        if rest.isdecimal():
            return int(rest)
        from neucb.environments.openml.names import find_number

        return find_number(openml_config(loading.openml_cache), rest, loading.notify)

    def load(self, name: str, loading: Loading) -> Table:
        """Return the table of a set, see `neucb.environments.sources.catalogue.load_table`."""
        if loading.source == "bundled" and name == "covertype":
            return covertype_sample()
        number = self.number(name, loading)
        if loading.source == "bundled":
            raise DataError(f"{name} is not bundled; bundled are: covertype, {', '.join(SUMMARIES)}")
        from neucb.environments.openml.download import download, reachable

        config = openml_config(loading.openml_cache)
        folder = config.folder(number)
        if data_file(folder, number) is not None:
            return read_set(folder, number, name)
        sample = loading.source == "auto" and name == "covertype"
        if reachable(config):
            loading.notify(f"{name}: downloading OpenML set {number} into {config.root}")
            try:
                download(config, number, name)
            except DataError as error:
                if not sample:
                    raise
                reason = str(error)
            else:
                return read_set(folder, number, name)
        elif sample:
            reason = "covertype is not in the OpenML cache and the server does not answer"
        else:
            raise DataError(
                f"{name}: OpenML set {number} is not in the cache {config.root} and the server does not "
                "answer; connect to the network, or name a filled cache with openml_cache=..."
            )
        table = covertype_sample()
        loading.notify(f"{reason}: playing the bundled sample of {table.rows:,} rows")
        return table

    def fingerprint(self, name: str, loading: Loading) -> dict[str, Any]:
        """Return the checksums of the files in the cache, downloading a missing set."""
        number = self.number(name, loading)
        folder = openml_config(loading.openml_cache).folder(number)
        if loading.source == "bundled" or data_file(folder, number) is None:
            table = self.load(name, loading)
            if table.source == "bundled":
                return {"source": "bundled", "sha256": sha256(SAMPLE)}
        path = data_file(folder, number)
        assert path is not None
        files = (path, *(folder / file for file in METADATA))
        checksums = {file.name: sha256(file) for file in files if file.is_file()}
        return {"source": "openml", "openml_id": number, "sha256": checksums}
