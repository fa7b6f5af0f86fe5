"""Fingerprint of a table in memory."""

from __future__ import annotations

import hashlib
from typing import Any

from neucb.environments.table import Table


def of_table(table: Table) -> dict[str, Any]:
    """Return the fingerprint of a table in memory: a checksum of all its values and names."""
    digest = hashlib.sha256(table.labels.tobytes())
    digest.update("\0".join(table.classes).encode())
    for column in table.columns:
        digest.update("\0".join((column.name, column.values.dtype.str, *(column.levels or ()))).encode())
        digest.update(column.values.tobytes())
    return {"source": table.source, "sha256": digest.hexdigest()}
