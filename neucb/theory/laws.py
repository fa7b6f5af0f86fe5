"""Growth laws a + b log t, a + b sqrt t and a + b t^alpha, and their least-squares fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Law = Literal["log", "sqrt", "power"]
Array = NDArray[np.float64]

LAWS: tuple[Law, ...] = ("log", "sqrt", "power")
WORDS: dict[str, str] = {"log": "log t", "sqrt": "sqrt t", "power": "t^alpha"}
GRID = np.linspace(-1.0, 2.0, 32)  # values of alpha without 0


@dataclass(frozen=True)
class LawFit:
    """A fitted growth law; `at` evaluates it.

    Attributes:
        law: name of the law.
        a: offset; b: factor of log t, sqrt t or (t^alpha - 1) / alpha.
        alpha: exponent of "power"; 0 denotes the limit log t.
    """

    law: Law
    a: float
    b: float
    alpha: float

    def at(self, rounds: NDArray[Any]) -> Array:
        """Return the curve [n] at rounds [n] >= 1."""
        return self.a + self.b * _basis(self.law, np.asarray(rounds, dtype=np.float64), self.alpha)


def fit(law: Law, rounds: Array, curve: Array) -> LawFit:
    """Fit one law to a curve [n] by least squares."""
    if law != "power":
        a, b, _ = _line(_basis(law, rounds, 0.0), curve)
        return LawFit(law, a, b, 0.0)
    from scipy.optimize import minimize_scalar

    # Given alpha the fit is linear. The grid brackets the global minimum among several local ones.
    near = int(np.argmin(_grid_errors(rounds, curve)))
    bounds = (GRID[max(near - 1, 0)], GRID[min(near + 1, len(GRID) - 1)])
    minimum = minimize_scalar(
        lambda alpha: _line(_basis("power", rounds, alpha), curve)[2],
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-4},
    )
    alpha = float(minimum.x)
    a, b, _ = _line(_basis("power", rounds, alpha), curve)
    return LawFit("power", a, b, alpha)


def _basis(law: Law, rounds: Array, alpha: float) -> Array:
    """Return the basis [n]: log t, sqrt t or (t^alpha - 1) / alpha, with limit log t at alpha = 0."""
    if law == "sqrt":
        return np.sqrt(rounds)
    log = np.log(rounds)
    if law == "log" or abs(alpha) < 1e-9:
        return log
    return np.asarray(np.expm1(alpha * log) / alpha, dtype=np.float64)


def _grid_errors(rounds: Array, curve: Array) -> Array:
    """Return the squared error of the best line for every alpha of GRID."""
    basis = np.expm1(GRID[:, None] * np.log(rounds)) / GRID[:, None]
    centred, target = basis - basis.mean(1, keepdims=True), curve - curve.mean()
    explained = np.square(centred @ target) / np.square(centred).sum(1)
    return np.asarray(target @ target - explained, dtype=np.float64)


def _line(x: Array, y: Array) -> tuple[float, float, float]:
    """Return a, b of the least-squares line y = a + b x, and its squared error."""
    mean = x.mean()
    centred, target = x - mean, y - y.mean()
    b = float(centred @ target / (centred @ centred))
    error = target - b * centred
    return float(y.mean() - b * mean), b, float(error @ error)
