"""Registry of data sources: to add one, write its class in a module of its own and one row here.

A name belongs to the first source that provides it. Names that no source provides belong to user code
("file.py:name", installed plugins), see `neucb.runs.plugins`.
"""

from __future__ import annotations

from neucb.environments.sources.files import Files
from neucb.environments.sources.openml import OpenML
from neucb.environments.sources.scikit_learn import ScikitLearn
from neucb.environments.sources.source import DataSource
from neucb.environments.sources.synthetic import Synthetic

SOURCES: dict[str, DataSource] = {
    "file": Files(),
    "openml": OpenML(),
    "scikit-learn": ScikitLearn(),
    "synthetic": Synthetic(),
}


def find_source(name: str) -> DataSource | None:
    """Return the source of a data set's name, None for a name that no source provides."""
    return next((source for source in SOURCES.values() if source.matches(name)), None)


def has_table(name: str) -> bool:
    """Return whether a data set is a table; for a name that no source provides, see the code."""
    source = find_source(name)
    return source is None or source.has_tables
