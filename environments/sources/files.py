"""User files as a data source: the name is the path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neucb.core.errors import InputError
from neucb.core.files import sha256
from neucb.environments.sources.source import DataSource, Loading
from neucb.environments.table import Table
from neucb.environments.tables.table_file import is_file_name, read_file


class Files(DataSource):
    """Source of the tables in files, by their suffix, see `read_file`."""

    patterns = ("a file",)
    options = ("target", "columns", "header", "decimal", "separator", "cost", "group", "arms")
    reads = True

    def matches(self, name: str) -> bool:
        """Return whether the suffix is one of `SUFFIXES`."""
        return is_file_name(name)

    def resolve(self, name: str, folder: Path) -> str:
        """Return the path from the folder of the spec; raise an InputError for a missing file."""
        file = folder / name
        if not file.is_file():
            raise InputError(f"there is no file {file}")
        return str(file)

    def load(self, name: str, loading: Loading) -> Table:
        """Return the table of a file."""
        return read_file(Path(name), loading.reading)

    def fingerprint(self, name: str, loading: Loading) -> dict[str, Any]:
        """Return the checksum of a file."""
        return {"source": "file", "sha256": sha256(Path(self.resolve(name, Path())))}
