"""Wide sparse files in LIBSVM form, as text has it: synthetic words of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Entries = list[tuple[NDArray[np.int64], NDArray[np.float64]]]  # columns and values of each row


def write_libsvm(path: Path, labels: NDArray[np.int64], entries: Entries) -> None:
    """Write labels [N] and the entries of N rows."""
    with path.open("w", encoding="ascii") as file:
        for label, (columns, values) in zip(labels.tolist(), entries, strict=True):
            pairs = (f"{j}:{v:.6g}" for j, v in zip(columns.tolist(), values.tolist(), strict=True))
            file.write(f"{label} {' '.join(pairs)}\n")


def words(path: Path, seed: int, rows: int = 5_000) -> None:
    """Write rows of 20 classes and 50,000 words: 6 words of the class's 500, and 20 of all."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 20, rows)
    entries = []
    for label in labels.tolist():
        own = rng.choice(500, 6, replace=False) + 500 * label
        columns, counts = np.unique(np.concatenate([own, rng.integers(0, 50_000, 20)]), return_counts=True)
        entries.append((columns, counts.astype(np.float64)))
    write_libsvm(path, labels, entries)


def numbers(path: Path, seed: int) -> None:
    """Write 500 rows of two alternating classes, with 90 of 1,360,000 columns each: nothing can be learnt."""
    rng = np.random.default_rng(seed)
    labels = np.arange(500) % 2
    columns = [np.unique(rng.integers(1, 1_360_000, 90)) for _ in labels]
    write_libsvm(path, labels, [(one, np.ones(len(one))) for one in columns])


def topics(path: Path, seed: int, rows: int = 11_314) -> None:
    """Write documents of 20 topics: 40 to 200 of 100,000 words by Zipf's law, a third in the topic's order.

    As many as the training part of 20 newsgroups.
    """
    rng = np.random.default_rng(seed)
    vocabulary = 100_000
    chance = 1.0 / np.arange(1, vocabulary + 1)
    total = np.cumsum(chance) / chance.sum()
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(vocabulary), (20, 1)), axis=1)
    labels = rng.integers(0, 20, rows)
    entries = []
    for label in labels.tolist():
        ranks = np.minimum(np.searchsorted(total, rng.random(rng.integers(40, 201))), vocabulary - 1)
        of_topic = rng.random(len(ranks)) < 1 / 3
        drawn = np.where(of_topic, orders[label][ranks], ranks)
        columns, counts = np.unique(drawn, return_counts=True)
        entries.append((columns, counts.astype(np.float64)))
    write_libsvm(path, labels, entries)


FILES = {"words": words, "numbers": numbers, "topics": topics}
