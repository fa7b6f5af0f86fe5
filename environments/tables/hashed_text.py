"""Text columns as features: counts of words and of pairs of adjacent words, hashed to sparse columns."""

from __future__ import annotations

import numpy as np

from neucb.environments.table import SparseColumns, sparse_columns
from neucb.environments.tables.raw_table import TextColumn

TEXT_BITS = 18  # words and pairs share 2^18 columns, as in Vowpal Wabbit by default


def hash_text(column: TextColumn) -> SparseColumns:
    """Return the counts of words and pairs of a column, the columns that occur; empty cells have none.

    scikit-learn's `HashingVectorizer` splits, lowers and hashes the words.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        n_features=2**TEXT_BITS, ngram_range=(1, 2), alternate_sign=False, norm=None, dtype=np.float32
    )
    counts = vectorizer.transform(column.cells.to_pylist()).tocsr()
    occurring = np.unique(counts.indices)
    return sparse_columns(counts[:, occurring], [f"{column.name}#{j}" for j in occurring.tolist()])
