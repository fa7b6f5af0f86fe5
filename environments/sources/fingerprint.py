"""Fingerprint: what identifies the rows of a data set, without reading them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from neucb.core.files import sha256
from neucb.environments.openml.cache import data_file
from neucb.environments.openml.config import openml_config
from neucb.environments.sources.bundled import SAMPLE
from neucb.environments.sources.catalogue import load_table, number_of
from neucb.environments.table import Table
from neucb.environments.tables.table_file import is_file_name

METADATA = ("description.xml", "features.xml")  # they say which columns count and which is the target


def fingerprint(
    name: str,
    *,
    source: str = "auto",
    cache: Path | None = None,
    notify: Callable[[str], None] = warnings.warn,
) -> dict[str, Any]:
    """Return what tells the rows that `load_table` would give apart from others, ready for JSON.

    The checksums of the files they are read from, the version of scikit-learn for its tables. A set
    that is not in the OpenML cache is downloaded. Arguments and errors as for `load_table`.
    """
    if is_file_name(name) and Path(name).is_file():
        return {"source": "file", "sha256": sha256(Path(name))}
    number = number_of(name, cache, notify)
    if number is None:
        return {"source": "scikit-learn", "version": version("scikit-learn")}
    folder = openml_config(cache).folder(number)
    if source == "bundled" or data_file(folder, number) is None:
        table = load_table(name, source=source, cache=cache, notify=notify)
        if table.source == "bundled":
            return {"source": "bundled", "sha256": sha256(SAMPLE)}
    path = data_file(folder, number)
    assert path is not None
    files = (path, *(folder / one for one in METADATA))
    return {
        "source": "openml",
        "openml_id": number,
        "sha256": {one.name: sha256(one) for one in files if one.is_file()},
    }


def of_table(table: Table) -> dict[str, Any]:
    """Return the fingerprint of a table in memory: a checksum of all its values and names."""
    digest = hashlib.sha256(table.labels.tobytes())
    digest.update("\0".join(table.classes).encode())
    for column in table.columns:
        digest.update("\0".join((column.name, column.values.dtype.str, *(column.levels or ()))).encode())
        digest.update(column.values.tobytes())
    return {"source": table.source, "sha256": digest.hexdigest()}
