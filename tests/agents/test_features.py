"""Feature maps: comparison with scikit-learn and the Gaussian kernel, and use in linear recipes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.gaussian_process.kernels import RBF
from sklearn.preprocessing import PolynomialFeatures

import neucb
from neucb.agents.linear.features import Fourier, Quadratic
from neucb.agents.linear.oracle import Linear
from neucb.agents.losses import Squared
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import find_recipe
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.environments.table import Column, Table

rng = np.random.default_rng(0)


def test_quadratic_features_equal_scikit_learn() -> None:
    x = rng.standard_normal((2, 3, 5))
    features = Quadratic()
    assert features.reset(Spec((0, 1), 3, 5, 10)) == 20
    expected = PolynomialFeatures(2, include_bias=False).fit_transform(x.reshape(6, 5)).reshape(2, 3, 20)
    np.testing.assert_allclose(features(torch.tensor(x)), expected)
    np.testing.assert_allclose(features(torch.tensor(x[:, 0])), expected[:, 0])


def test_fourier_features_approximate_the_gaussian_kernel_of_each_replica() -> None:
    x = rng.standard_normal((2, 6, 5)) / 5**0.5
    features = Fourier(20_000, (0.5, 2.0))
    features.reset(Spec((0, 1), 6, 5, 10))
    mapped = features(torch.tensor(x)).numpy()
    for r, bandwidth in enumerate((0.5, 2.0)):
        np.testing.assert_allclose(mapped[r] @ mapped[r].T, RBF(bandwidth)(x[r]), atol=0.03)
    alone = Fourier(20_000, 2.0)
    alone.reset(Spec((1,), 6, 5, 10))
    np.testing.assert_allclose(alone(torch.tensor(x[1:])), mapped[1:], atol=1e-12)


def parity(rows: int = 1500) -> Table:
    """Return a table with the product of two columns as label, which no linear model can learn."""
    signs = rng.integers(0, 2, (rows, 3)) * 2.0 - 1.0
    columns = tuple(Column(name, signs[:, j]) for j, name in enumerate("abc"))
    return Table("parity", columns, (signs[:, 0] * signs[:, 1] > 0).astype(np.int64), ("no", "yes"), "memory")


@pytest.mark.parametrize("features", ["quadratic", "fourier"])
@pytest.mark.parametrize("agent", ["squarecb", "linucb", "fastcb"])
def test_feature_maps_learn_products(agent: str, features: str) -> None:
    table = parity()

    def final(choice: str) -> float:
        settings = {"feature_map": choice, "n_components": 100}
        return float(
            neucb.run(agent, table, seeds=2, settings=settings).groupby("seed").tail(1)["regret"].mean()
        )

    assert final(features) < 0.5 * final("linear")


def test_too_many_features_are_rejected_or_warned_of() -> None:
    with pytest.raises(InputError, match=r"5,049, more than 5,000; take feature_map=fourier"):
        Quadratic().reset(Spec((0,), 2, 99, 10))
    with pytest.warns(UserWarning, match="diagonal"):
        make_agent(find_recipe("squarecb"), {"feature_map": "quadratic"}).reset(Spec((0,), 2, 30, 10))
    assert Linear(Squared()).covariance == "auto"
