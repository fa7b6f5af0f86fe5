"""The logistic function in the kernels, and its mean under a Gaussian offset, see `neucb.agents.losses.KL`.

Polynomials in place of exp and erf let the compiler vectorise the loops.
"""

from __future__ import annotations

from math import factorial, log, pi, sqrt

import numpy as np

from neucb.core.constants import MIXTURE_SLOPES, MIXTURE_WEIGHTS
from neucb.kernels.jit import exact, fast
from neucb.kernels.types import Array

WEIGHTS, SLOPES = np.array(MIXTURE_WEIGHTS), np.array(MIXTURE_SLOPES)
PARTS = len(MIXTURE_SLOPES)
FAR = 37.0  # Phi(-37) is 6e-300
FLAT = 700.0  # exp(-700) is 1e-304
MIDDLE = 5.0
# Phi(-a) exp(a^2 / 2) (a + MIDDLE) for 0 <= a <= FAR, in powers of (a - MIDDLE) / (a + MIDDLE): interpolated
# at Chebyshev's nodes, relative error below 2e-14.
TAIL = np.array(
    (
        0.7691930497500528,
        -0.6653825028900581,
        0.495305615972024,
        -0.3135331566710513,
        0.16502036610253326,
        -0.06911863871473506,
        0.020795067675161153,
        -0.002993376659754915,
        -0.0007978751567242743,
        0.0005448983126114349,
        -5.9353852044996657e-05,
        -4.9759820036009125e-05,
        1.6630253456782802e-05,
        3.97345780650044e-06,
        -2.695048632468576e-06,
        -3.247876070123155e-07,
        3.6683714494504565e-07,
        3.047112299669294e-08,
        -3.2332263523967834e-08,
        -2.497583186983635e-09,
    )
)
EXP = np.array([1.0 / factorial(k) for k in range(16)])
WHOLE = 1.5 * 2.0**52  # adding it to a number rounds away the fraction
LOG_HIGH = 2977044471 / 2.0**32  # upper bits of log 2; its product with an exponent is exact
LOG_LOW = 1.9082149292705877e-10


@fast
def cubic(c: Array, k: int, x: float, square: float) -> float:
    """Return c_k + c_(k+1) x + c_(k+2) x^2 + c_(k+3) x^3."""
    return c[k] + c[k + 1] * x + (c[k + 2] + c[k + 3] * x) * square


@exact
def rest(y: float, k: float) -> float:
    """Return y - k log 2; another order of summation would lose a digit or two."""
    return y - k * LOG_HIGH - k * LOG_LOW


@exact
def whole(y: float) -> tuple[float, np.int64]:
    """Return the integer nearest to y, |y| < 2^51, as a float and in the low bits of an integer.

    Adding a large number drops y's fraction, which is faster than rounding.
    """
    raised = y + WHOLE
    return raised - WHOLE, np.float64(raised).view(np.int64)


@fast
def exponential(y: float) -> float:
    """Return exp(y) for -700 <= y <= 0, relative error below 1e-15."""
    k, bits = whole(y / log(2.0))
    x = rest(y, k)
    square = x * x
    fourth = square * square
    upper = cubic(EXP, 8, x, square) + cubic(EXP, 12, x, square) * fourth
    lower = cubic(EXP, 0, x, square) + cubic(EXP, 4, x, square) * fourth
    power = np.int64((bits + 1023) << 52).view(np.float64)  # 2^k
    return (lower + upper * fourth * fourth) * power


@fast
def logistic(f: float) -> float:
    """Return 1 / (1 + exp(-f)), relative error below 2e-15; exactly 0 or 1 where |f| > 700."""
    a = FLAT if abs(f) > FLAT else abs(f)  # NaN stays NaN
    e = 0.0 if abs(f) > FLAT else exponential(-a)
    inverse = 1.0 / (1.0 + e)
    return e * inverse if f < 0.0 else inverse


@fast
def tail(x: float) -> float:
    """Return the polynomial with the coefficients of TAIL."""
    square = x * x
    fourth = square * square
    upper = cubic(TAIL, 12, x, square) + cubic(TAIL, 16, x, square) * fourth
    lower = cubic(TAIL, 4, x, square) + cubic(TAIL, 8, x, square) * fourth
    return cubic(TAIL, 0, x, square) + (lower + upper * fourth * fourth) * fourth


@fast
def widen(tau: float, widened: Array) -> None:
    """Set `widened` to the slopes of the mixture's parts under an offset of standard deviation tau."""
    for i in range(PARTS):
        widened[i] = SLOPES[i] / sqrt(1.0 + (SLOPES[i] * tau) ** 2)


@fast
def smoothed(f: float, widened: Array) -> tuple[float, float]:
    """Return E sigmoid(f + tau xi) and E sigmoid'(f + tau xi); `widened` belongs to this tau.

    The error added to the mixture's own is below 1e-14 for both.
    """
    mean, slope = 0.0, 0.0
    for i in range(PARTS):
        z = widened[i] * f
        a = FAR if abs(z) > FAR else abs(z)  # NaN stays NaN
        density = exponential(-0.5 * a * a)
        inverse = 1.0 / (a + MIDDLE)
        below = density * inverse * tail((a - MIDDLE) * inverse)
        mean += WEIGHTS[i] * (below if z < 0.0 else 1.0 - below)
        slope += WEIGHTS[i] * widened[i] * density
    return mean, slope / sqrt(2.0 * pi)
