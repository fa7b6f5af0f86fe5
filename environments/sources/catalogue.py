"""Catalogue: resolution of data set names to their tables."""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Collection, Iterable
from os.path import isfile
from pathlib import Path
from typing import Any, Literal, get_args

from neucb.core.errors import InputError, unknown_name
from neucb.environments.sources.openml import OpenML
from neucb.environments.sources.registry import SOURCES, find_source
from neucb.environments.sources.source import DataSource, Entry, Loading, Notify
from neucb.environments.table import Table
from neucb.environments.tables.table_file import SUFFIXES, Reading

Source = Literal["auto", "openml", "bundled"]


def catalogue() -> list[Entry]:
    """Return the named data sets of all sources."""
    return [entry for source in SOURCES.values() for entry in source.sets()]


def patterns() -> list[str]:
    """Return the spellings of further names, such as openml:<id>."""
    return [pattern for source in SOURCES.values() for pattern in source.patterns]


def expand(patterns: Iterable[str], suite: str | None = None, others: Collection[str] = ()) -> list[str]:
    """Expand names: lists ("iris,wine"), globs ("mfeat-*") and a suite; return each name once.

    Args:
        patterns: names, comma-separated lists of names, globs over the catalogue.
        suite: suite whose sets come first, "cc18" or "bakeoff".
        others: further known names.

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
                _, pattern = _find(pattern)
            names.append(pattern)
            continue
        found = fnmatch.filter([entry.name for entry in catalogue()], pattern)
        if not found:
            raise InputError(f"no data set of the catalogue matches '{pattern}'; see `neucb datasets`")
        names += found
    return list(dict.fromkeys(names))


def _parts(text: str) -> list[str]:
    """Split a list of names; file names may hold commas."""
    return [text] if isfile(text) else [part for part in text.split(",") if part]


def load_table(
    name: str,
    *,
    source: str = "auto",
    openml_cache: Path | None = None,
    reading: Reading | None = None,
    notify: Notify = warnings.warn,
) -> Table:
    """Return the table of a name.

    auto: the OpenML cache, then the server, then the bundled sample if any (not in place of a damaged
    set in the cache, which is an error); openml: the cache, then the server; bundled: the bundled
    sample and scikit-learn only. Without a network the call returns in about a second.

    Args:
        name: name in the catalogue; "openml:<id>", "openml:<name>" or "openml:<name>@<version>"; or the
            path of a file, see `read_file`.
        source: "auto", "openml" or "bundled".
        openml_cache: root folder of the OpenML cache; the client's own by default.
        reading: options of reading a file, see `Reading`.
        notify: called with one line when other data than those requested are used, or data are downloaded.

    Raises:
        InputError: an unknown name or source, or a `reading` for another source than a file.
        DataError: the set is damaged, or neither in the cache nor on the server.
    """
    if source not in get_args(Source):
        raise unknown_name("source", source, get_args(Source))
    origin = find_source(name)
    if reading not in (None, Reading()) and not (origin is not None and origin.reads):
        raise InputError(
            f"{name} has a target and types of its own; target, columns, header, decimal and separator "
            "are for files"
        )
    origin, name = _find(name)
    return origin.load(name, Loading(source, openml_cache, reading, notify))


def fingerprint(
    name: str, *, source: str = "auto", openml_cache: Path | None = None, notify: Notify = warnings.warn
) -> dict[str, Any]:
    """Return the identity of the rows that `load_table` would return, ready for JSON.

    The identity is the checksums of the files, or the version of scikit-learn for its tables. A set
    that is not in the OpenML cache is downloaded. Arguments and errors as for `load_table`.
    """
    origin, name = _find(name)
    return origin.fingerprint(name, Loading(source, openml_cache, None, notify))


def number_of(name: str, openml_cache: Path | None = None, notify: Notify = warnings.warn) -> int | None:
    """Return the OpenML number of a data set, None for a set of the catalogue without one.

    Raises:
        InputError: an unknown name, or one outside the catalogue and OpenML.
        DataError: an OpenML name without a set.
    """
    origin, name = _find(name)
    if isinstance(origin, OpenML):
        return origin.number(name, Loading(openml_cache=openml_cache, notify=notify))
    if not origin.sets():
        raise InputError(f"{name} is no set of OpenML's")
    return None


def _find(name: str) -> tuple[DataSource, str]:
    """Return the source of a name, and its canonical name; case is ignored and aliases are resolved.

    Raises:
        InputError: an unknown name.
    """
    for known in (name, *(e.name for e in catalogue() if name and name.lower() in (e.name, e.alias.lower()))):
        source = find_source(known)
        if source is not None:
            return source, known
    if isfile(name):
        raise InputError(
            f"{name} is a file, but its name does not say of what kind: call it .csv or .tsv if it is "
            f"delimited text; files must end in {', '.join(SUFFIXES)}"
        )
    names = [entry.name for entry in catalogue()] + [pattern for pattern in patterns() if "<" in pattern]
    raise unknown_name("data set", name, names, listing="neucb datasets")
