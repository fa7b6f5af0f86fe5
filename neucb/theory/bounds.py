"""Bounds: the shapes that the theory gives regret, and the bounds whose constants are known.

A shape is a function of t with the constants left out; one constant is then fitted to a measured curve
by least squares, and every label says so. Deb et al., ICLR 2024 (arXiv 2312.07145), as we read the
paper: regression regret like log T, NeuSquareCB's regret like sqrt(K T log T), NeuFastCB's like
sqrt(K L* log T) + K log T, and sqrt(K) T^(3/4) without the perturbation. A fitted shape shows
whether a curve could grow so; it proves nothing about its size.
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
    """A shape whose constant was fitted.

    Attributes:
        words: the shape, in the notation of matplotlib's mathtext.
        constant: fitted by least squares to the measured curve.
        curve: [n] the constant times the shape.
        misfit: root mean squared difference to the measured curve, as a share of the curve's mean.
    """

    words: str
    constant: float
    curve: Array
    misfit: float

    @property
    def label(self) -> str:
        """For a legend; it says that the constant was fitted."""
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
        bounded: which shape.
        rounds: [n] rounds t >= 1.
        measured: [n] the curve: regression regret for "regression", regret for the others.
        arms: K.
        best: [n] L*(t) >= 0; needed by "neufastcb".
    """
    t = np.asarray(rounds, dtype=np.float64)
    curve = np.asarray(measured, dtype=np.float64)
    words, shape = _shape(bounded, t, arms, best)
    size = float(shape @ shape)
    constant = float(shape @ curve) / size if size else 0.0  # log 1 = 0, where one round was played
    fitted = constant * shape
    scale = max(abs(float(curve.mean())), np.finfo(np.float64).tiny)
    return FittedShape(words, constant, fitted, float(np.sqrt(np.square(fitted - curve).mean())) / scale)


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
            words = r"$K \log t$ ($L^* = 0$)" if zero else r"$(\sqrt{K L^* \log t} + K \log t)$"
            return words, kl_star_shape(t, best, arms)


def kl_star_shape(rounds: NDArray[Any], best: NDArray[Any], arms: float) -> Array:
    """Return sqrt(K L*(t) log t) + K log t, the shape of NeuFastCB's regret bound.

    Args:
        rounds: [n] rounds t >= 1.
        best: [n] L*(t) >= 0.
        arms: K; NaN where it is not known.
    """
    log = np.log(rounds)
    return np.asarray(np.sqrt(arms * best * log) + arms * log, dtype=np.float64)


def squarecb_gamma(arms: int, horizon: int, regression_regret: float, delta: float) -> float:
    """Return SquareCB's gamma = sqrt(K T / (Reg + log(2 / delta))), see `squarecb_bound`."""
    return math.sqrt(arms * horizon / (regression_regret + math.log(2.0 / delta)))


def squarecb_bound(arms: int, horizon: int, regression_regret: float, delta: float) -> float:
    """Return 4 sqrt(K T Reg) + 8 sqrt(K T log(2 / delta)), which holds with probability 1 - delta.

    Foster and Rakhlin, ICML 2020 (arXiv 2002.04926), Theorem 1, for gamma = `squarecb_gamma` of the
    same Reg and for regression regret that does not exceed it.

    Args:
        arms: K.
        horizon: T.
        regression_regret: Reg >= 0, of the squared loss, unhalved.
        delta: in (0, 1).
    """
    rounds = arms * horizon
    return 4.0 * math.sqrt(rounds * regression_regret) + 8.0 * math.sqrt(rounds * math.log(2.0 / delta))
