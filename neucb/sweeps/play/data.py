"""Data of a sweep: the fingerprint and table of each data set, read once, when a batch needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neucb.environments.contexts import size
from neucb.environments.feedback import cost_order
from neucb.environments.preprocessing import Encoded, encode
from neucb.environments.ranking import read_ranking
from neucb.environments.sources.catalogue import fingerprint, load_table
from neucb.environments.sources.fingerprint import of_table
from neucb.environments.sources.registry import find_source, has_table
from neucb.environments.table import Column, Table, announce
from neucb.environments.tables.table_file import Reading, from_frame, is_frame
from neucb.runs.plugins import Plugin, find_dataset

if TYPE_CHECKING:
    import pandas as pd

    from neucb.sweeps.plan import World
    from neucb.sweeps.spec.sweep_spec import Dataset


MAPPED = 1_000_000  # least size in bytes of contexts of which workers share one copy


@dataclass
class Data:
    """The data sets of one sweep.

    Attributes:
        source, openml_cache: see `neucb.run`.
        tables: name of a data set -> DataFrame in memory.
        notify: callback with a line for every deviation from the spec, such as left-out rows.
        shared: folder of encoded tables that all processes map into memory instead of copying them;
            None for a single process.
        strict: whether left-out rows or columns are an error instead of a line.
    """

    source: str = "auto"
    openml_cache: Path | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notify: Callable[[str], None] = print
    shared: Path | None = None
    strict: bool = False
    _encoded: dict[tuple[str, str], Encoded] = field(default_factory=dict)
    _announced: set[str] = field(default_factory=set)

    def fingerprint(self, dataset: Dataset) -> dict[str, Any]:
        """Return the fingerprint of a data set's rows, see `neucb.environments.sources.fingerprint`.

        Raises:
            InputError, DataError: the data set is not available.
        """
        own = self._own(dataset)
        if isinstance(own, Plugin):
            return {"source": "code", "code": own.origin}
        if own is not None:
            return of_table(own)
        return fingerprint(
            dataset.name, source=self._source(dataset), openml_cache=self.openml_cache, notify=self.notify
        )

    def load(self, world: World) -> Encoded | str:
        """Return the encoded table of a world, or the name of a data set without a table.

        Raises:
            InputError, DataError: the data set is not available.
        """
        name, options = world.dataset.name, world.dataset.options
        if not has_table(name):
            return name
        if {"group", "arms"} & set(options):
            if name not in self._announced:
                ranking = read_ranking(name, Reading.of(options), options.get("group"), world.preprocessing)
                self._announce(name, ranking.notes)
            return name
        key = (name, world.preprocessing)
        if key not in self._encoded:
            table = self._table(world.dataset)
            if table is None:
                return name
            if name not in self._announced and "cost" in options:
                announce(name, cost_order(options["cost"], table.classes), self.notify)
            self._announce(name, table.notes)
            encoded = encode(table, world.preprocessing)
            announce(name, encoded.notes, self.notify)
            encoded = _slim(encoded)
            dense = isinstance(encoded.contexts, np.ndarray)
            if self.shared is not None and dense and size(encoded.contexts) >= MAPPED:
                encoded = _mapped(encoded, self.shared / f"{len(self._encoded)}.npy")
            self._encoded[key] = encoded
        return self._encoded[key]

    def _announce(self, name: str, notes: Sequence[str]) -> None:
        """Report the notes of a data set, once."""
        if name not in self._announced:
            announce(name, notes, self.notify, strict=self.strict)
            self._announced.add(name)

    def _own(self, dataset: Dataset) -> Table | Plugin | None:
        """Return the table of a DataFrame in memory or of the user's code, else the code itself."""
        name, reading = dataset.name, Reading.of(dataset.options)
        if name in self.tables:
            return from_frame(self.tables[name], reading=reading, name=name)
        plugin = find_dataset(name)
        if plugin is None:
            return None
        made = plugin.call(num_envs=1)
        if is_frame(made):
            return from_frame(made, reading=reading, name=name)
        return made if isinstance(made, Table) else plugin

    def _table(self, dataset: Dataset) -> Table | None:
        """Return a data set's table, None for user's code that returns an environment."""
        own = self._own(dataset)
        if own is not None:
            return own if isinstance(own, Table) else None
        return load_table(
            dataset.name,
            source=self._source(dataset),
            openml_cache=self.openml_cache,
            reading=Reading.of(dataset.options),
            notify=self.notify,
        )

    def _source(self, dataset: Dataset) -> str:
        """Return the source option of a data set; "auto" where the option has no effect."""
        source = find_source(dataset.name)
        return self.source if source is None or source.chooses else "auto"


def _slim(encoded: Encoded) -> Encoded:
    """Return an encoded table without its source columns: workers need only contexts."""
    table = encoded.table
    slim = replace(table, columns=(Column("encoded", table.labels),), sparse=None)
    return replace(encoded, table=replace(slim, notes=(*table.notes, *encoded.notes)))


def _mapped(encoded: Encoded, path: Path) -> Encoded:
    """Return an encoded table whose contexts are memory-mapped; joblib passes the file, not a copy.

    Mapped copy-on-write, because the kernels are compiled for writable arrays.
    """
    np.save(path, encoded.contexts, allow_pickle=False)
    contexts = np.load(path, mmap_mode="c", allow_pickle=False)
    return replace(encoded, contexts=np.asarray(contexts))
