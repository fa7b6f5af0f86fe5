"""Data of the benchmark: real rows where available, synthetic stand-ins of the same shape otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neucb.core.errors import unknown_name
from neucb.environments.openml.cache import data_file
from neucb.environments.openml.config import openml_config
from neucb.environments.preprocessing import Encoded, encode
from neucb.environments.sources.catalogue import load_table, number_of
from neucb.environments.table import Column, Table, labelled

ROWS = 10_000  # maximum rows
TEACHER = 32  # hidden units of the teacher network of stand-ins


@dataclass(frozen=True)
class DataShape:
    """Size of an encoded data set.

    Attributes:
        name: name of the shape.
        dataset: name of the data set in the catalogue, or "".
        features, arms: d and K.
        active: number of nonzero entries of a row.
    """

    name: str
    dataset: str
    features: int
    arms: int
    active: int


SHAPES = {
    shape.name: shape
    for shape in (
        DataShape("covertype", "covertype", 54, 7, 12),
        DataShape("mushroom", "mushroom", 111, 2, 19),
        DataShape("magic", "magic", 10, 2, 10),
        DataShape("letter", "letter", 16, 26, 16),
        DataShape("plants", "plants-shape", 64, 100, 64),
        DataShape("fashion", "fashion-mnist", 784, 10, 784),
    )
}


def find_shapes(names: str) -> list[DataShape]:
    """Return the shapes of "covertype,magic", or of "all".

    Raises:
        InputError: an unknown name.
    """
    chosen = list(SHAPES) if names == "all" else [name for name in names.split(",") if name]
    for name in chosen:
        if name not in SHAPES:
            raise unknown_name("shape", name, SHAPES)
    return [SHAPES[name] for name in chosen]


def rows_of(shape: DataShape, openml_cache: Path | None = None) -> Encoded:
    """Return up to 10,000 rows: real ones from the package or the OpenML cache, or a stand-in."""
    if shape.name == "covertype":
        return _first(encode(load_table("covertype", source="bundled")))
    number = number_of(shape.dataset) if shape.dataset else None
    if number is not None and data_file(openml_config(openml_cache).folder(number), number) is not None:
        return _first(encode(load_table(shape.dataset, source="openml", openml_cache=openml_cache)))
    return stand_in(shape)


def _first(encoded: Encoded) -> Encoded:
    """Return a random sample of 10,000 rows: the first rows of a sorted set would lack classes."""
    table = encoded.table
    if table.rows <= ROWS:
        return encoded
    keep = np.random.default_rng(0).permutation(table.rows)[:ROWS]
    labels, names = labelled(table.labels[keep], table.classes)
    columns = tuple(Column(column.name, column.values[keep], column.levels) for column in table.columns)
    sample = Table(table.name, columns, labels, names, table.source, table.provenance)
    return Encoded(np.ascontiguousarray(encoded.contexts[keep]), labels, sample, encoded.preprocessing)


def stand_in(shape: DataShape, seed: int = 0) -> Encoded:
    """Return rows of norm 1 with `active` nonzero entries, labelled by a random network."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ROWS, shape.features))
    if shape.active < shape.features:
        rank = rng.random(x.shape).argsort(1).argsort(1)
        x = (rank < shape.active).astype(float)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    hidden = np.maximum(x @ rng.standard_normal((shape.features, TEACHER)), 0.0)
    scores = hidden @ rng.standard_normal((TEACHER, shape.arms))
    labels = (scores - scores.mean(0)).argmax(1).astype(np.int64)
    labels[: shape.arms] = np.arange(shape.arms)  # every class occurs
    names = tuple(f"class {a}" for a in range(shape.arms))
    columns = tuple(Column(f"x{j}", x[:, j]) for j in range(shape.features))
    table = Table(shape.name, columns, labels, names, "stand-in")
    return Encoded(x.astype(np.float32), labels, table, "standard")
