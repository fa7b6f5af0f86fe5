"""Data sets in an OpenML cache, as its client writes them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from neucb.environments.sources.catalogue import load_table
from neucb.environments.table import Table

NS = 'xmlns:oml="http://openml.org/openml"'


def tree(folder: Path) -> dict[str, tuple[str, int]]:
    """Return path -> (checksum, modification time) of all files and folders below."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        entries[str(path.relative_to(folder))] = (content, path.stat().st_mtime_ns)
    return entries


def fill(cache: Path, number: int, table: pa.Table, target: str = "class", extra: str = "") -> Path:
    """Write a data set into a cache, as the client does; return its folder."""
    folder = cache / "org" / "openml" / "www" / "datasets" / str(number)
    folder.mkdir(parents=True)
    (folder / "description.xml").write_text(
        f"<oml:data_set_description {NS}><oml:id>{number}</oml:id><oml:name>toy</oml:name>"
        f"<oml:version>1</oml:version><oml:licence>Public</oml:licence>{extra}"
        f"<oml:default_target_attribute>{target}</oml:default_target_attribute></oml:data_set_description>"
    )
    pq.write_table(table, folder / f"dataset_{number}.pq")
    return folder


def nominal(codes: list[int | None], levels: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(levels))


LABEL = nominal([0, 2, 0, 2], ["a", "unused", "b"])


def load(cache: Path, number: int, **options: Any) -> Table:
    return load_table(f"openml:{number}", openml_cache=cache, source="openml", **options)
