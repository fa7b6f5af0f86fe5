"""BatchStore: the store of a sweep, which several sweeps may share and resume.

A file is named by the configuration of its content, so that all writers of a file write the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neucb.core.errors import InputError
from neucb.core.files import TEMPORARY
from neucb.runs.formats import LOG, read_log
from neucb.runs.log_table import WORDS, schema
from neucb.runs.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

PLAN = "_plan.json"
SELECTION = "_selection.json"
ASIDE = "_aside"
COLUMNS = LOG | dict.fromkeys(WORDS, "text") | {"label_noise": "numbers"}


def holds_runs(folder: Path) -> bool:
    """Return whether a folder holds logs of single runs, by the names of their manifests."""
    return any(log.with_suffix(".json").exists() for log in folder.glob("[!._]*.parquet"))


class BatchStore(Store):
    """The folder of one experiment.

    Args:
        folder: folder of the files, created by the first write.
        columns: function that returns the columns of every file.
    """

    prefix = "_"  # readers of Parquet folders pass over names that begin with an underscore

    def __init__(self, folder: Path, columns: Callable[[], pa.Schema] = schema) -> None:
        super().__init__(folder)
        self.columns = columns

    def restore(self, name: str) -> None:
        """Restore a batch that was set aside because an earlier spec did not contain it."""
        away = BatchStore(self.folder / ASIDE)
        if away.find(name) is None:
            return
        with contextlib.suppress(FileNotFoundError):  # another sweep has restored it
            away.log(name).replace(self.log(name))
            away.manifest(name).replace(self.manifest(name))

    def damaged(self, name: str) -> bool:
        """Return whether a batch has files that are damaged or incomplete."""
        return self.find(name) is None and self.manifest(name).exists()

    def set_aside(self, names: Iterable[str]) -> None:
        """Move the files of batches to a folder that readers skip; delete nothing."""
        aside = self.folder / ASIDE
        for name in names:
            for path in (self.log(name), self.manifest(name)):
                if path.exists():
                    aside.mkdir(exist_ok=True)
                    path.replace(aside / path.name)

    def clear(self) -> None:
        """Remove partial files of killed processes; only while no other process writes here."""
        for path in self.folder.glob(f"{TEMPORARY}*"):
            path.unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the names of all batches with a file here."""
        logs = {path.stem for path in self.folder.glob("[!._]*.parquet")}
        others = {PLAN, SELECTION}
        manifests = {path.stem[1:] for path in self.folder.glob("_*.json") if path.name not in others}
        return sorted(logs | manifests)

    def table(self, names: Sequence[str]) -> pa.Table:
        """Return the rows of stored batches, one after the other.

        Raises:
            InputError: a file was not written by `write`.
        """
        import pyarrow as pa

        wanted = self.columns()
        needed = {name: kind for name, kind in COLUMNS.items() if name in wanted.names}
        tables = [read_log(self.log(name), needed, ()) for name in names]
        try:
            return pa.concat_tables([wanted.empty_table(), *tables], promote_options="permissive")
        except pa.ArrowException as error:
            raise InputError(f"{self.folder}: its logs do not fit together: {error}") from None
