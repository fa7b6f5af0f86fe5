"""Store: a folder with a Parquet file and a JSON manifest per batch, each whole or not there.

A batch is there when its manifest is and the checksum in it is that of the Parquet file. Files are
named by their content's configuration, so that whoever writes one writes the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError
from neucb.core.files import TEMPORARY, atomic_write, explained, sha256
from neucb.core.provenance import provenance
from neucb.runs.formats import LOG, read_json, read_log
from neucb.runs.summary import plain
from neucb.sweeps.play.batch import WORDS, Failure, Outcome, schema

if TYPE_CHECKING:
    import pyarrow as pa

    from neucb.sweeps.plan import Batch

# Readers of Parquet folders pass over names that begin with an underscore.
PLAN = "_plan.json"
SELECTION = "_selection.json"
ASIDE = "_aside"
COLUMNS = LOG | dict.fromkeys(WORDS, "text") | {"label_noise": "numbers"}


@dataclass(frozen=True)
class Record:
    """What is known of a stored batch.

    Attributes:
        name: of its files.
        rows: in the Parquet file.
        failures: its runs without rows.
        passing: whether they may not fail again, so that the batch should be played again.
    """

    name: str
    rows: int
    failures: tuple[Failure, ...]
    passing: bool


class Store:
    """The folder of one experiment.

    Args:
        folder: it need not exist before something is written.
        columns: gives those of every file.
    """

    def __init__(self, folder: Path, columns: Callable[[], pa.Schema] = schema) -> None:
        self.folder = folder
        self.columns = columns

    def log(self, name: str) -> Path:
        """Return the path of a batch's Parquet file."""
        return self.folder / f"{name}.parquet"

    def manifest(self, name: str) -> Path:
        """Return the path of a batch's manifest."""
        return self.folder / f"_{name}.json"

    def find(self, name: str) -> Record | None:
        """Return the record of a batch, None where it is not there or not whole."""
        try:
            content = read_json(self.manifest(name))
            if sha256(self.log(name)) != content["sha256"]:
                return None
            failures = tuple(Failure(**one) for one in content["failures"])
            return Record(name, int(content["rows"]), failures, bool(content.get("passing")))
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def restore(self, name: str) -> None:
        """Bring back a batch that was set aside when a former spec did not want it."""
        away = Store(self.folder / ASIDE)
        if away.find(name) is None:
            return
        with contextlib.suppress(FileNotFoundError):  # another sweep has brought it back
            away.log(name).replace(self.log(name))
            away.manifest(name).replace(self.manifest(name))

    def damaged(self, name: str) -> bool:
        """Return whether files of a batch are there that are not whole."""
        return self.find(name) is None and self.manifest(name).exists()

    def set_aside(self, names: Iterable[str]) -> None:
        """Move the files of batches where no reader takes them for results; delete nothing."""
        aside = self.folder / ASIDE
        for name in names:
            for path in (self.log(name), self.manifest(name)):
                if path.exists():
                    aside.mkdir(exist_ok=True)
                    path.replace(aside / path.name)

    def clear(self) -> None:
        """Remove the half files of processes that were killed; for when no other process writes here."""
        for path in self.folder.glob(f"{TEMPORARY}*"):
            path.unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the names of all batches that have a file here."""
        logs = {path.stem for path in self.folder.glob("[!._]*.parquet")}
        others = {PLAN, SELECTION}
        manifests = {path.stem[1:] for path in self.folder.glob("_*.json") if path.name not in others}
        return sorted(logs | manifests)

    def write(self, name: str, batch: Batch, data: Mapping[str, Any], outcome: Outcome) -> None:
        """Store a played batch.

        Raises:
            NeucbError: the folder cannot be written to, or the disk is full.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.concat_tables([self.columns().empty_table(), *outcome.tables])
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic_write(self.log(name), lambda path: pq.write_table(table, path))
            content = {
                "configuration": batch.configuration(data),
                "rows": table.num_rows,
                "sha256": sha256(self.log(name)),
                "failures": [asdict(one) for one in outcome.failures],
                "passing": outcome.passing,
                **outcome.about,
                "rounds_played": outcome.played,
                "seconds": outcome.seconds,
                "playing": asdict(outcome.playing),
                **provenance(),
            }
            self.write_json(self.manifest(name), content)

    def write_json(self, path: Path, content: Any) -> None:
        """Write a JSON file of this folder.

        Raises:
            NeucbError: the folder cannot be written to, or the disk is full.
        """
        text = json.dumps(plain(content), indent=1, default=str) + "\n"
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic_write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return a JSON file of this folder, None where there is none or it is damaged."""
        try:
            content = read_json(self.folder / name)
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def table(self, names: Sequence[str]) -> pa.Table:
        """Return the rows of batches that are there, one after the other.

        Raises:
            InputError: a file is none that `write` has written.
        """
        import pyarrow as pa

        wanted = self.columns()
        needed = {name: kind for name, kind in COLUMNS.items() if name in wanted.names}
        tables = [read_log(self.log(name), needed, ()) for name in names]
        try:
            return pa.concat_tables([wanted.empty_table(), *tables], promote_options="permissive")
        except pa.ArrowException as error:
            raise InputError(f"{self.folder}: its logs do not fit together: {error}") from None
