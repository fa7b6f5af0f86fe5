"""Neural tangent kernel of the two-layer network on the disjoint encoding of T contexts and K arms.

f(theta; x, a) = factor w2 . relu(W1 (e_a (x) x)), both layers trained, W1 ~ N(0, s1^2), w2 ~ N(0, s2^2).
The mean over theta of <grad f(x, a), grad f(x', b)> is, with the angle t of x and x',

    A(x, x') = head |x| |x'| (sin t + (pi - t) cos t) / (2 pi) + first x.x' (pi - t) / (2 pi),  a = b,
    B(x, x') = head |x| |x'| / (2 pi),  a != b,

head = m factor^2 s1^2 and first = m factor^2 s2^2: 2 and 1 for "he", 2 and 2 for "ntk", 1 and 1/m for
"paper". Encodings of different arms have no first-layer weight in common. Jacot, Gabriel, Hongler,
NeurIPS 2018 (arXiv 1806.07572); Cho and Saul, NeurIPS 2009, for the arc-cosine kernels.

The Gram matrix of all T K encoded contexts is H = I_K (x) M + 11' (x) b b' with M = A - B and
B = b b': its spectrum is that of M, K - 1 times, and that of M + K b b'. The functions below use only
M and b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.initialisation import INITIALISATIONS, Initialisation, draw_network

if TYPE_CHECKING:
    from neucb.core.spec import Spec

Array = NDArray[np.float64]
BLOCK = 512  # rows of M computed together


@dataclass(frozen=True)
class Kernel:
    """The Gram matrix H, stored as M and b.

    Attributes:
        within: [T, T] M = A - B, positive semi-definite.
        across: [T] b, with B = b b'.
        arms: K.
    """

    within: Array
    across: Array
    arms: int

    @property
    def rounds(self) -> int:
        """T, the number of rounds."""
        return len(self.across)

    def first(self, rounds: int) -> Kernel:
        """Return a view of the kernel of the first rounds."""
        return Kernel(self.within[:rounds, :rounds], self.across[:rounds], self.arms)

    def full(self) -> Array:
        """Return the dense H [T K, T K], with round t and arm a in row a T + t; for small T K."""
        blocks = np.kron(np.eye(self.arms), self.within)
        return blocks + np.kron(np.ones((self.arms, self.arms)), np.outer(self.across, self.across))


def closed_form(contexts: NDArray[Any], arms: int, init: Initialisation = "he", width: int = 100) -> Kernel:
    """Return the expected kernel of a random network.

    Args:
        contexts: [T, d], the constant input included.
        arms: K.
        init: initialisation of the network.
        width: m; only the kernel of "paper" depends on it.
    """
    x = np.asarray(contexts, dtype=np.float64)
    sd_first, sd_head, factor = INITIALISATIONS[init](width)
    head, first = width * factor**2 * sd_first**2, width * factor**2 * sd_head**2
    norm = np.sqrt(np.square(x).sum(1))
    within = np.empty((len(x), len(x)))
    for start in range(0, len(x), BLOCK):  # blocks keep temporaries smaller than the result
        within[start : start + BLOCK] = _rows(x, norm, start, head, first)
    return Kernel(within, math.sqrt(head / (2.0 * math.pi)) * norm, arms)


def _rows(x: Array, norm: Array, start: int, head: float, first: float) -> Array:
    """Return BLOCK rows of M from row `start` on."""
    rows = slice(start, start + BLOCK)
    inner = x[rows] @ x.T
    size = np.outer(norm[rows], norm)
    cosine = np.divide(inner, size, out=np.zeros_like(inner), where=size > 0.0)
    i = np.arange(len(inner))
    cosine[i, start + i] = norm[rows] > 0.0  # the angle of a row with itself is 0, without rounding
    np.clip(cosine, -1.0, 1.0, out=cosine)
    left = math.pi - np.arccos(cosine)
    bend = np.sqrt(1.0 - np.square(cosine)) + left * cosine - 1.0  # minus 1 subtracts B
    return np.asarray((head * size * bend + first * inner * left) / (2.0 * math.pi), dtype=np.float64)


def empirical(contexts: NDArray[Any], first: NDArray[Any], head: NDArray[Any], factor: float) -> Array:
    """Return the empirical kernel of a network [T K, T K], in the order of `Kernel.full`; for small T K.

    Args:
        contexts: [T, d], the constant input included.
        first: [K, m, d] first layer.
        head: [m] second layer.
        factor: the output factor.
    """
    x = np.asarray(contexts, dtype=np.float64)
    hidden = np.einsum("td,kmd->ktm", x, first)
    K, T, m = hidden.shape
    active = np.maximum(hidden, 0.0).reshape(K * T, m)
    kernel = active @ active.T
    delta = head * (hidden > 0.0)  # [K, T, m]
    inner = x @ x.T
    for a in range(K):
        part = slice(a * T, (a + 1) * T)
        kernel[part, part] += inner * (delta[a] @ delta[a].T)
    return np.asarray(factor**2 * kernel, dtype=np.float64)


def network_kernel(contexts: NDArray[Any], spec: Spec, width: int, init: Initialisation) -> Array:
    """Return the empirical kernel at theta_0 [T K, T K] of the first replica's network."""
    inputs = np.asarray(contexts).shape[1]
    first, head = draw_network(spec.seeds[0], spec.arms, inputs, width, init)
    return empirical(contexts, first, head, INITIALISATIONS[init](width)[2])


def with_constant(contexts: NDArray[Any], intercept: float) -> Array:
    """Return contexts [T, d + 1] with the constant input appended, or [T, d] for an intercept of 0."""
    x = np.asarray(contexts, dtype=np.float64)
    return np.hstack([x, np.full((len(x), 1), intercept)]) if intercept else x
