"""The bundled sample of covertype."""

from __future__ import annotations

from pathlib import Path

from neucb.core.errors import DataError
from neucb.core.files import sha256
from neucb.environments.openml.data_file import read_parquet
from neucb.environments.table import Column, Table, labelled

SAMPLE = Path(__file__).parent.parent / "data" / "covertype_sample.parquet"


def covertype_sample() -> Table:
    """Return 20,000 rows of covertype, drawn uniformly without replacement; see data/ATTRIBUTION.md.

    Raises:
        DataError: the installation is incomplete.
    """
    if not SAMPLE.is_file():
        raise DataError("the bundled sample of covertype is missing; install neucb again")
    *features, target = read_parquet(SAMPLE).columns
    assert target.levels is not None
    labels, classes = labelled(target.values, target.levels)
    columns = tuple(Column(raw.name, raw.values, raw.levels) for raw in features)
    provenance = {
        "openml_id": 1596,
        "openml_name": "covertype",
        "openml_version": "3",
        "licence": "CC BY 4.0",
        "sample": f"{len(labels)} of 581012 rows, uniform, without replacement",
        "sha256": sha256(SAMPLE),
    }
    return Table("covertype", columns, labels, classes, "bundled", provenance)
