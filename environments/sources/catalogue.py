"""The catalogue: from a data set's name to its table.

The named sets are the rows of data/catalogue.csv; a new one is added there. Besides them any set of
OpenML has a name: openml:24, openml:mushroom, openml:mushroom@1.
"""

from __future__ import annotations

import csv
import fnmatch
import warnings
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache as remember
from os.path import isfile
from pathlib import Path
from typing import Literal, get_args

from neucb.core.errors import DataError, InputError, unknown_name
from neucb.environments.openml.cache import data_file, read_set
from neucb.environments.openml.config import OpenMLConfig, openml_config
from neucb.environments.sources.bundled import SCIKIT_LEARN, covertype_sample, scikit_learn_table
from neucb.environments.table import Table
from neucb.environments.tables.table_file import SUFFIXES, Reading, is_file_name, read_file

Source = Literal["auto", "openml", "bundled"]
Notify = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Attributes:
        name: for `--dataset`.
        summary: one line.
        openml: its number on OpenML, None for scikit-learn's tables.
        alias: its name on OpenML where that is another, understood too.
        suites: the suites it belongs to: "cc18" (OpenML-CC18, Bischl et al., 2021) and "bakeoff".
    """

    name: str
    summary: str
    openml: int | None = None
    alias: str = ""
    suites: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where the rows come from, for listings."""
        if self.openml is None:
            return "scikit-learn"
        return f"openml:{self.openml}" + (", sample bundled" if self.name == "covertype" else "")


@remember
def _entries() -> dict[str, Entry]:
    path = Path(__file__).parent.parent / "data" / "catalogue.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return {
            row["name"]: Entry(
                row["name"],
                row["summary"],
                int(row["openml"]) if row["openml"] else None,
                row["alias"],
                tuple(row["suites"].split()),
            )
            for row in csv.DictReader(handle)
        }


def catalogue() -> list[Entry]:
    """Return the named data sets; besides them, `openml:<id>` names any set of OpenML."""
    return list(_entries().values())


def expand(patterns: Iterable[str], suite: str | None = None, others: Collection[str] = ()) -> list[str]:
    """Return the names meant by lists ("iris,wine"), globs ("mfeat-*") and a suite, each once.

    Args:
        patterns: names, comma-separated lists of names, globs over the catalogue.
        suite: "cc18" or "bakeoff", whose sets come first.
        others: further names that are known.

    Raises:
        InputError: an unknown name or suite, or a glob that matches nothing.
    """
    names: list[str] = []
    if suite is not None:
        suites = {one for entry in catalogue() for one in entry.suites}
        if suite not in suites:
            raise unknown_name("suite", suite, suites)
        names += [entry.name for entry in catalogue() if suite in entry.suites]
    for pattern in (part for text in patterns for part in _parts(text)):
        if isfile(pattern) or not any(sign in pattern for sign in "*?["):
            known = pattern in others or ":" in pattern or pattern.lower().endswith((*SUFFIXES, ".py"))
            if not known:
                pattern = _find(pattern, None, warnings.warn).name
            names.append(pattern)
            continue
        found = fnmatch.filter(_entries(), pattern)
        if not found:
            raise InputError(f"no data set of the catalogue matches '{pattern}'; see `neucb datasets`")
        names += found
    return list(dict.fromkeys(names))


def _parts(text: str) -> list[str]:
    """Return the names of a list; the name of a file may hold commas."""
    return [text] if isfile(text) else [part for part in text.split(",") if part]


def load_table(
    name: str,
    *,
    source: str = "auto",
    cache: Path | None = None,
    reading: Reading | None = None,
    notify: Notify = warnings.warn,
) -> Table:
    """Return the table of a name.

    auto: the OpenML cache, then the server, then the bundled sample where there is one (not in place
    of a damaged set in the cache, which is an error); openml: the cache, then the server; bundled:
    only what comes with neucb and scikit-learn. Without a network the answer comes in about a second.

    Args:
        name: of the catalogue; "openml:<id>", "openml:<name>" or "openml:<name>@<version>"; or the
            path of a file, see `read_file`.
        source: "auto", "openml" or "bundled".
        cache: root folder of the OpenML cache; the client's own by default.
        reading: of a file, see `Reading`.
        notify: gets one line when something else is played than was asked for, or is downloaded.

    Raises:
        InputError: an unknown name or source, or a `reading` for another source than a file.
        DataError: the set is damaged, or neither in the cache nor to be had from the server.
    """
    if source not in get_args(Source):
        raise unknown_name("source", source, get_args(Source))
    if name not in _entries() and is_file_name(name):
        return read_file(Path(name), reading)
    if reading not in (None, Reading()):
        raise InputError(
            f"{name} has a target and types of its own; target, columns, header, decimal and separator "
            "are for files"
        )
    entry = _find(name, cache, notify)
    if entry.openml is None:
        if source == "openml":
            raise InputError(f"{entry.name} is scikit-learn's table, not OpenML's; leave --source out")
        return scikit_learn_table(entry.name)
    if source == "bundled":
        if entry.name != "covertype":
            raise DataError(f"{name} is not bundled; bundled are: covertype, {', '.join(SCIKIT_LEARN)}")
        return covertype_sample()
    return _from_openml(entry, entry.openml, source, openml_config(cache), notify)


def _from_openml(entry: Entry, number: int, source: str, config: OpenMLConfig, notify: Notify) -> Table:
    from neucb.environments.openml.server import download, reachable

    folder = config.folder(number)
    if data_file(folder, number) is not None:
        return read_set(folder, number, entry.name)
    sample = source == "auto" and entry.name == "covertype"
    if reachable(config):
        notify(f"{entry.name}: downloading OpenML set {number} into {config.root}")
        try:
            download(config, number, entry.name)
        except DataError as error:
            if not sample:
                raise
            reason = str(error)
        else:
            return read_set(folder, number, entry.name)
    elif sample:
        reason = "covertype is not in the OpenML cache and the server does not answer"
    else:
        raise DataError(
            f"{entry.name}: OpenML set {number} is not in the cache {config.root} and the server does not "
            "answer; connect to the network, or name a filled cache with --openml-cache"
        )
    table = covertype_sample()
    notify(f"{reason}: playing the bundled sample of {table.rows:,} rows")
    return table


def _find(name: str, cache: Path | None, notify: Notify) -> Entry:
    kind, colon, rest = name.partition(":")
    if colon and kind == "synthetic":
        raise InputError(f"{name} is a world without a table; `neucb run` plays it")
    if colon and kind == "openml" and rest:
        if rest.isdecimal():
            return Entry(name, f"OpenML set {rest}", int(rest))
        from neucb.environments.openml.names import find_number

        return Entry(name, f"OpenML set {rest}", find_number(openml_config(cache), rest, notify))
    if name in _entries():
        return _entries()[name]
    for entry in catalogue():
        if name and name.lower() in (entry.name, entry.alias.lower()):
            return entry
    if isfile(name):
        raise InputError(
            f"{name} is a file, but its name does not say of what kind: call it .csv or .tsv if it is "
            f"delimited text; files must end in {', '.join(SUFFIXES)}"
        )
    raise unknown_name("data set", name, [*_entries(), "openml:<id>"], listing="neucb datasets")


def number_of(name: str, cache: Path | None = None, notify: Notify = warnings.warn) -> int | None:
    """Return the OpenML number of a name, None for scikit-learn's tables.

    Raises:
        InputError: an unknown name; DataError: an OpenML name that nobody knows.
    """
    return _find(name, cache, notify).openml
