"""Store: a folder with a Parquet log and a JSON manifest per batch of runs, written atomically.

A batch is stored if its manifest exists and the checksum in it is that of the log. A run is a batch of one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.files import atomic_write, explained, sha256
from neucb.core.json_values import plain
from neucb.core.provenance import provenance
from neucb.runs.formats import read_json

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Failure:
    """A run that failed.

    Attributes:
        agent, dataset, seed, settings: identity of the run.
        reason: error message in one line.
    """

    agent: str
    dataset: str
    seed: int
    settings: Mapping[str, Any]
    reason: str


@dataclass
class Playing:
    """Time of play, loading and compiling excluded.

    Attributes:
        seconds: wall-clock time.
        cpu_seconds: processor time.
        threads: number of threads during play.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    threads: int = 1


@dataclass(frozen=True)
class Record:
    """A stored batch.

    Attributes:
        name: stem of its files.
        rows: number of rows in the log.
        failures: runs without rows.
        passing: whether the failures may be transient, so that the batch should be played again.
        manifest: content of the manifest.
    """

    name: str
    rows: int
    failures: tuple[Failure, ...]
    passing: bool
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


class Store:
    """A folder of logs and manifests.

    Args:
        folder: folder of the files, created by the first write.
    """

    prefix = ""  # prefix of the names of manifests

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def log(self, name: str) -> Path:
        """Return the path of a batch's Parquet file."""
        return self.folder / f"{name}.parquet"

    def manifest(self, name: str) -> Path:
        """Return the path of a batch's manifest."""
        return self.folder / f"{self.prefix}{name}.json"

    def find(self, name: str) -> Record | None:
        """Return the record of a batch, None where its files are missing or damaged."""
        try:
            content = read_json(self.manifest(name))
            if sha256(self.log(name)) != content["sha256"]:
                return None
            failures = tuple(Failure(**failure) for failure in content["failures"])
            return Record(name, int(content["rows"]), failures, bool(content.get("passing")), content)
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def write(
        self,
        name: str,
        table: pa.Table,
        content: Mapping[str, Any],
        playing: Playing,
        failures: tuple[Failure, ...] = (),
    ) -> None:
        """Write log and manifest of a batch.

        Args:
            name: stem of its files.
            table: rows of the log.
            content: content of the manifest, except rows, checksum, failures, times and versions.
            playing: time of play.
            failures: runs without rows.

        Raises:
            NeucbError: the folder cannot be written to, or the disk is full.
        """
        import pyarrow.parquet as pq

        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic_write(self.log(name), lambda path: pq.write_table(table, path))
            stored = {
                **content,
                "rows": table.num_rows,
                "sha256": sha256(self.log(name)),
                "failures": [asdict(failure) for failure in failures],
                "playing": asdict(playing),
                **provenance(),
            }
        self.write_json(self.manifest(name), stored)

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
        """Return the content of a JSON file of this folder, None where it is missing or damaged."""
        try:
            content = read_json(self.folder / name)
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None
