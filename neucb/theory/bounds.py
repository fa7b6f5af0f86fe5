"""Regret bounds: shapes with one fitted constant, and bounds with known constants.

A shape is a function of t without constants; one constant is fitted to a measured curve by least
squares, as every label states. Deb et al., ICLR 2024 (arXiv 2312.07145), as we read the paper:
regression regret like log T, NeuSquareCB's regret like sqrt(K T log T), NeuFastCB's like
sqrt(K L* log T) + K log T, and sqrt(K) T^(3/4) without the perturbation. A fitted shape shows
whether a curve could have that growth; it proves nothing about its size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bounded = Literal["regression", "neusquarecb", "neufastcb", "unperturbed"]
SHAPES: tuple[Bounded, ...] = ("regression", "neusquarecb", "neufastcb", "unperturbed")


@dataclass(frozen=True)
class FittedShape:
    """A shape with its fitted constant.

    Attributes:
        words: formula of the shape in matplotlib's mathtext.
        constant: least-squares constant.
        curve: [n] the constant times the shape.
        misfit: root mean squared difference to the measured curve, as a share of the curve's mean.
    """

    words: str
    constant: float
    curve: Array
    misfit: float

    @property
    def label(self) -> str:
        """Label of a legend, which states that the constant is fitted."""
        return f"{self.constant:.2g} {self.words}, constant fitted"


def fit_shape(
    bounded: Bounded,
    rounds: NDArray[Any],
    measured: NDArray[Any],
    arms: int,
    best: NDArray[Any] | None = None,
) -> FittedShape:
    """Fit the constant of a shape to a curve.

    Args:
        bounded: name of the shape.
        rounds: [n] rounds t >= 1.
        measured: [n] measured curve: regression regret for "regression", regret for the others.
        arms: K.
        best: [n] L*(t) >= 0; required by "neufastcb".
    """
    t = np.asarray(rounds, dtype=np.float64)
    curve = np.asarray(measured, dtype=np.float64)
    formula, shape = _shape(bounded, t, arms, best)
    square = float(shape @ shape)
    constant = float(shape @ curve) / square if square else 0.0  # log 1 = 0, where one round was played
    fitted = constant * shape
    scale = max(abs(float(curve.mean())), np.finfo(np.float64).tiny)
    return FittedShape(formula, constant, fitted, float(np.sqrt(np.square(fitted - curve).mean())) / scale)


def _shape(bounded: Bounded, t: Array, arms: int, best: NDArray[Any] | None) -> tuple[str, Array]:
    match bounded:
        case "regression":
            return r"$\log t$", np.log(t)
        case "neusquarecb":
            return r"$\sqrt{K t \log t}$", np.sqrt(arms * t * np.log(t))
        case "unperturbed":
            return r"$\sqrt{K}\, t^{3/4}$", math.sqrt(arms) * t**0.75
        case _:
            assert best is not None
            zero = float(best[-1]) == 0.0
            formula = r"$K \log t$ ($L^* = 0$)" if zero else r"$(\sqrt{K L^* \log t} + K \log t)$"
            return formula, kl_star_shape(t, best, arms)


def kl_star_shape(rounds: NDArray[Any], best: NDArray[Any], arms: float) -> Array:
    """Return sqrt(K L*(t) log t) + K log t, the shape of NeuFastCB's regret bound.

    Args:
        rounds: [n] rounds t >= 1.
        best: [n] L*(t) >= 0.
        arms: K; NaN where unknown.
    """
    log = np.log(rounds)
    return np.asarray(np.sqrt(arms * best * log) + arms * log, dtype=np.float64)


def squarecb_gamma(arms: int, horizon: int, regression_regret: float, delta: float) -> float:
    """Return SquareCB's gamma = sqrt(K T / (Reg + log(2 / delta))), see `squarecb_bound`."""
    return math.sqrt(arms * horizon / (regression_regret + math.log(2.0 / delta)))


def squarecb_bound(arms: int, horizon: int, regression_regret: float, delta: float) -> float:
    """Return SquareCB's regret bound 4 sqrt(K T Reg) + 8 sqrt(K T log(2 / delta)) at probability 1 - delta.

    Foster and Rakhlin, ICML 2020 (arXiv 2002.04926), Theorem 1, for gamma = `squarecb_gamma` of the
    same Reg and for regression regret of at most Reg.

    Args:
        arms: K.
        horizon: T.
        regression_regret: Reg >= 0, regression regret of the unhalved squared loss.
        delta: failure probability in (0, 1).
    """
    rounds = arms * horizon
    return 4.0 * math.sqrt(rounds * regression_regret) + 8.0 * math.sqrt(rounds * math.log(2.0 / delta))
