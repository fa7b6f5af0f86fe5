"""scikit-learn's small tables as a data source, which needs no download."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from neucb.core.errors import InputError
from neucb.environments.sources.source import DataSource, Entry, Loading
from neucb.environments.table import Column, Table, labelled

SUMMARIES = {
    "digits": "handwritten digits, 8 x 8, 1,797 rows, 10 classes; scikit-learn's, always there",
    "wine": "chemistry of wines, 178 rows, 3 classes; scikit-learn's, always there",
    "breast_cancer": "Wisconsin diagnostic, 569 rows, 2 classes; scikit-learn's, always there",
    "iris": "iris flowers, 150 rows, 3 classes; scikit-learn's, always there",
}


class ScikitLearn(DataSource):
    """Source of the tables of `sklearn.datasets.load_*` with a label."""

    def sets(self) -> Sequence[Entry]:
        """Return the named data sets."""
        return [Entry(name, summary, "scikit-learn") for name, summary in SUMMARIES.items()]

    def load(self, name: str, loading: Loading) -> Table:
        """Return one of the tables."""
        if loading.source == "openml":
            raise InputError(f"{name} is scikit-learn's table, not OpenML's; leave source=... out")
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")()
        names = [str(feature) for feature in bunch.feature_names]
        data = np.asarray(bunch.data, dtype=np.float64)
        columns = tuple(Column(feature, data[:, j]) for j, feature in enumerate(names))
        labels, classes = labelled(bunch.target, tuple(str(label) for label in bunch.target_names))
        provenance = {"scikit_learn": version("scikit-learn")}
        return Table(name, columns, labels, classes, "scikit-learn", provenance)

    def fingerprint(self, name: str, loading: Loading) -> dict[str, Any]:
        """Return the version of scikit-learn."""
        return {"source": "scikit-learn", "version": version("scikit-learn")}
