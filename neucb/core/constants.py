"""Numerical constants that both engines share; this module imports nothing."""

from __future__ import annotations

TIE = 1e-12  # relative difference of predictions below which arms are tied
REACH = 9.0  # truncation in standard deviations: a share of 1e-19 of normal draws lies outside
FLOOR = 1e-6  # lower clip of predicted losses in FastCB's rule, which is 0/0 at yhat_b = 0, gamma = 0
FOLD_BELOW = 1e-3  # scale factor below which it is folded into the weights, to keep its inverse precise
CLIP = 1e-6  # log losses clip predictions to [CLIP, 1 - CLIP]
LEAST_PROBABILITY = -1e-9  # lower bound of probabilities, below 0 by rounding only
SUM_TOLERANCE = 1e-6  # deviation of the sum of probabilities from 1
DELTA = 0.05  # failure probability of the theorems' bounds
FULL_UP_TO = 300  # number of features up to which linear models keep full covariances by default
INPUT_FLOOR = 1e-3  # floor of sums of squares, against division by 0 for inputs that were always 0

# sigmoid(f) = sum_i w_i Phi(s_i f), see `neucb.agents.losses.KL.smoothed`.
MIXTURE_WEIGHTS = (
    0.003246343272134,
    0.051517477033972,
    0.195077912673858,
    0.315569823632818,
    0.274149576158423,
    0.131076880695470,
    0.027912418727972,
    0.001449567805354,
)
MIXTURE_SLOPES = (
    1.365340806296348,
    1.059523971016916,
    0.830791313765644,
    0.650732166639391,
    0.508135425366489,
    0.396313345166341,
    0.308904252267995,
    0.238212616409306,
)
