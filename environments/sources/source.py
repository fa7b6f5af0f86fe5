"""Base class of data sources."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from gymnasium.vector import VectorEnv

from neucb.environments.table import Table
from neucb.environments.tables.table_file import Reading

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """A named data set of the catalogue.

    Attributes:
        name: for `--dataset`.
        summary: one line.
        origin: where the rows come from, for listings.
        openml: its number on OpenML, if it has one.
        alias: its name on OpenML where that is another, understood too.
        suites: the suites it belongs to: "cc18" (OpenML-CC18, Bischl et al., 2021) and "bakeoff".
    """

    name: str
    summary: str
    origin: str
    openml: int | None = None
    alias: str = ""
    suites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loading:
    """Options of loading a table, see `neucb.environments.sources.catalogue.load_table`."""

    source: str = "auto"
    openml_cache: Path | None = None
    reading: Reading | None = None
    notify: Notify = warnings.warn


class DataSource(ABC):
    """A source of data sets: which names it knows, and the table or environment of each.

    Attributes:
        patterns: spellings of names besides those of `sets`, for listings.
        options: options of a data set in a sweep's spec.
        reads: whether tables are read by a `Reading`; others have a target and types of their own.
        chooses: whether `Loading.source` makes a difference.
        has_tables: whether its data sets are tables; otherwise `make` gives their environments.
    """

    patterns: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[str, ...]] = ("cost",)
    reads: ClassVar[bool] = False
    chooses: ClassVar[bool] = False
    has_tables: ClassVar[bool] = True

    def sets(self) -> Sequence[Entry]:
        """Return the data sets that are listed by name."""
        return ()

    def knows(self, name: str) -> bool:
        """Return whether a name is one of this source; by default those of `sets` are."""
        return any(name == entry.name for entry in self.sets())

    def resolve(self, name: str, folder: Path) -> str:
        """Return the name, in the spec of a sweep in `folder`, that `load` takes.

        Raises:
            InputError: no such data set, as far as that is known without reading it.
        """
        return name

    @abstractmethod
    def load(self, name: str, loading: Loading) -> Table:
        """Return the table of a name that this source knows.

        Raises:
            InputError: no such data set, or options that do not go with it.
            DataError: the data are damaged or cannot be had.
        """

    @abstractmethod
    def fingerprint(self, name: str, loading: Loading) -> dict[str, Any]:
        """Return the identity of the rows that `load` returns, ready for JSON; errors as for `load`."""

    def make(
        self, name: str, replicas: int, rounds: int, options: Mapping[str, Any]
    ) -> VectorEnv[Any, Any, Any]:
        """Return the environment of a data set without a table.

        Raises:
            InputError: no such data set, or options that it does not have.
        """
        raise NotImplementedError
