"""The catalogue: from a data set's name to its table. A new data set is added here, in one place."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from neucb.environments.bundled import SCIKIT_LEARN, covertype_sample, scikit_learn_table
from neucb.environments.openml_cache import data_file, read_set
from neucb.environments.openml_config import openml_config
from neucb.environments.table import Table
from neucb.errors import DataError, InputError, unknown_name

Source = Literal["auto", "openml", "bundled"]
Notify = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Attributes:
        name: for `--dataset`.
        summary: one line.
        openml: its number on OpenML, None for scikit-learn's tables.
    """

    name: str
    summary: str
    openml: int | None = None

    @property
    def origin(self) -> str:
        """Where the rows come from, for listings."""
        if self.openml is None:
            return "scikit-learn"
        return f"openml:{self.openml}" + (", sample bundled" if self.name == "covertype" else "")


CATALOGUE = {
    entry.name: entry
    for entry in (
        Entry("covertype", "forest cover types, 7 classes; a sample of 20,000 rows is bundled", 1596),
        Entry("adult", "census income, 2 classes", 1590),
        Entry("fashion-mnist", "images of clothes, 28 x 28, 10 classes", 40996),
        Entry("isolet", "spoken letters, 26 classes", 300),
        Entry("letter", "printed letters, 26 classes", 6),
        Entry("magic", "MAGIC gamma telescope, 2 classes", 1120),
        Entry("mnist_784", "handwritten digits, 28 x 28, 10 classes", 554),
        Entry("mushroom", "edible or poisonous, 22 nominal columns, 2 classes", 24),
        Entry("plants-margin", "one hundred plants, leaf margins, 100 classes", 1491),
        Entry("plants-shape", "one hundred plants, leaf shapes, 100 classes", 1492),
        Entry("plants-texture", "one hundred plants, leaf textures, 100 classes", 1493),
        Entry("shuttle", "space shuttle radiators, 7 classes", 40685),
        Entry("digits", "handwritten digits, 8 x 8, 1,797 rows, 10 classes; always there"),
        Entry("wine", "chemistry of wines, 178 rows, 3 classes; always there"),
        Entry("breast_cancer", "Wisconsin diagnostic, 569 rows, 2 classes; always there"),
        Entry("iris", "iris flowers, 150 rows, 3 classes; always there"),
    )
}


def catalogue() -> list[Entry]:
    """Return the named data sets; besides them, `openml:<id>` names any set of OpenML."""
    return list(CATALOGUE.values())


def load_table(
    name: str,
    *,
    source: str = "auto",
    cache: Path | None = None,
    notify: Notify = warnings.warn,
) -> Table:
    """Return the table of a name.

    auto: the OpenML cache, then the server, then the bundled sample where there is one; openml: the
    cache, then the server; bundled: only what comes with neucb and scikit-learn. Without a network
    the answer comes in about a second.

    Args:
        name: of the catalogue, or "openml:<id>".
        source: "auto", "openml" or "bundled".
        cache: root folder of the OpenML cache; the client's own by default.
        notify: gets one line when the bundled sample stands in for the full set.

    Raises:
        InputError: an unknown name or source.
        DataError: the set is damaged, or neither in the cache nor to be had from the server.
    """
    if source not in get_args(Source):
        raise unknown_name("source", source, get_args(Source))
    entry = _find(name)
    if entry.openml is None:
        if source == "openml":
            raise InputError(f"{name} is scikit-learn's table, not OpenML's; leave --source out")
        return scikit_learn_table(name)
    if source == "bundled":
        if name != "covertype":
            raise DataError(f"{name} is not bundled; bundled are: covertype, {', '.join(SCIKIT_LEARN)}")
        return covertype_sample()
    return _from_openml(entry, entry.openml, source, cache, notify)


def _from_openml(entry: Entry, number: int, source: str, cache: Path | None, notify: Notify) -> Table:
    from neucb.environments.openml_server import download, reachable

    config = openml_config(cache)
    folder = config.folder(number)
    if data_file(folder, number) is None:
        if reachable(config):
            notify(f"{entry.name}: downloading OpenML set {number} into {config.root}")
            download(config, number, entry.name)
        elif source == "auto" and entry.name == "covertype":
            table = covertype_sample()
            notify(
                f"covertype is not in the OpenML cache and the server does not answer: playing the bundled "
                f"sample of {table.rows:,} rows"
            )
            return table
        else:
            raise DataError(
                f"{entry.name}: OpenML set {number} is not in the cache {config.root} and the server does "
                "not answer; connect to the network, or name a filled cache with --openml-cache"
            )
    return read_set(folder, number, entry.name)


def _find(name: str) -> Entry:
    kind, colon, number = name.partition(":")
    if colon and kind == "openml":
        if not number.isdecimal():
            raise InputError(f"'{name}' names no OpenML set: write openml: and its number, as in openml:24")
        return Entry(name, f"OpenML set {number}", int(number))
    if name not in CATALOGUE:
        raise unknown_name("data set", name, [*CATALOGUE, "openml:<id>"])
    return CATALOGUE[name]
