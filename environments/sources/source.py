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
    """Named data set of the catalogue.

    Attributes:
        name: name for `--dataset`.
        summary: description in one line.
        origin: origin of the rows, for listings.
        openml: number on OpenML, if any.
        alias: name on OpenML where it differs; accepted in place of `name`.
        suites: suites with this set: "cc18" (OpenML-CC18, Bischl et al., 2021) and "bakeoff".
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
    """Source of data sets: its names, and the table or environment of each.

    Attributes:
        patterns: spellings of names not in `sets`, for listings.
        options: options of a data set in a sweep's spec.
        reads: whether tables are read by a `Reading`; other sources declare target and types.
        chooses: whether `Loading.source` has an effect.
        has_tables: whether the data sets are tables; otherwise `make` returns their environments.
    """

    patterns: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[str, ...]] = ("cost",)
    reads: ClassVar[bool] = False
    chooses: ClassVar[bool] = False
    has_tables: ClassVar[bool] = True

    def sets(self) -> Sequence[Entry]:
        """Return the named data sets."""
        return ()

    def matches(self, name: str) -> bool:
        """Return whether this source provides a name; by default it provides those of `sets`."""
        return any(name == entry.name for entry in self.sets())

    def resolve(self, name: str, folder: Path) -> str:
        """Resolve a name in the spec of a sweep in `folder` to the name that `load` takes.

        Raises:
            InputError: no such data set, as far as that is known without reading it.
        """
        return name

    @abstractmethod
    def load(self, name: str, loading: Loading) -> Table:
        """Return the table of a name that this source provides.

        Raises:
            InputError: no such data set, or options that it does not have.
            DataError: the data are damaged or unavailable.
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
