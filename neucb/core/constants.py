"""Numbers that both engines must agree on; importing them costs nothing."""

from __future__ import annotations

TIE = 1e-12  # arms whose predictions differ by less, relatively, are tied
REACH = 9.0  # standard deviations within which all normal draws lie but 1e-19 of them
FLOOR = 1e-6  # FastCB's least predicted loss: its rule is 0/0 at yhat_b = 0, gamma = 0
FOLD_BELOW = 1e-3  # of the pull's scale factor, long before its inverse loses precision
CLIP = 1e-6  # log losses see predictions in [CLIP, 1 - CLIP]
DELTA = 0.05  # failure probability of the theorems' bounds
FULL_UP_TO = 300  # features for which linear models keep full covariances unless told otherwise
INPUT_FLOOR = 1e-3  # of sums of squares, against division by 0 for inputs that were always 0

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
