"""CPU kernels of the torch engine's deferred layer, see agents/network/lookahead.py.

Each replica is computed separately, so that its numbers do not depend on its neighbours.
"""

from __future__ import annotations

import numpy as np

from neucb.kernels.jit import fast, kernel
from neucb.kernels.types import Array
from neucb.kernels.vectors import add_scaled, add_to_rows, four_from, listed_rows


@kernel
def count_entries(x: Array, count: Array) -> None:
    """Set count [R, B] to the numbers of nonzero entries of contexts x [R, B, d]."""
    for r in range(x.shape[0]):
        for b in range(x.shape[1]):
            n = 0
            for j in range(x.shape[2]):
                n += x[r, b, j] != 0
            count[r, b] = n


@kernel
def list_entries(x: Array, steps: Array, place: Array, value: Array, step: Array) -> None:
    """List the nonzero entries of contexts x [R, B, d], and the entries of `steps` at their indices.

    Args:
        x: [R, B, d] contexts.
        steps: [R, B, d] contexts times step sizes.
        place: [R, B, n] indices of the entries, n at least the largest count; padded with 0, as below.
        value: [R, B, n] entries of x.
        step: [R, B, n] entries of `steps`.
    """
    place[:] = 0
    value[:] = 0
    step[:] = 0
    for r in range(x.shape[0]):
        for b in range(x.shape[1]):
            k = 0
            for j in range(x.shape[2]):
                if x[r, b, j] != 0:
                    place[r, b, k] = j
                    value[r, b, k] = x[r, b, j]
                    step[r, b, k] = steps[r, b, j]
                    k += 1


@kernel
def list_rows(place: Array, value: Array, inputs: int, row: Array, factor: Array) -> None:
    """List the rows of all arms' blocks for entries [R, B, n], as row and factor [R, B, K, n]."""
    replicas, rounds, arms, n = row.shape
    for r in range(replicas):
        for b in range(rounds):
            for a in range(arms):
                first = (r * arms + a) * inputs
                for k in range(n):
                    row[r, b, a, k] = first + place[r, b, k]
                    factor[r, b, a, k] = value[r, b, k]


@kernel
def add_steps(
    place: Array, step: Array, count: Array, layer: Array, arm: Array, delta: Array, left: int, right: int
) -> None:
    """Add the sparse steps of rounds left..right-1, times delta [R, B, m], to a layer.

    Args:
        place: [R, B, n] indices of `list_entries`.
        step: [R, B, n] step entries of `list_entries`.
        count: [R, B] number of entries.
        layer: [R K, d, m] first layer.
        arm: [R, B] arms whose blocks are updated.
        delta: [R, B, m].
        left: first round.
        right: round after the last.
    """
    replicas = len(arm)
    arms = len(layer) // replicas
    for r in range(replicas):
        for b in range(left, right):
            add_step(layer[r * arms + arm[r, b]], place[r, b], step[r, b], count[r, b], delta[r, b])


@fast
def add_step(block: Array, place: Array, step: Array, n: int, delta: Array) -> None:
    """Add step delta' to the rows of a block at the first n indices of `place`."""
    for four in range(n // 4):
        k = np.uint64(4 * four)  # unsigned, see `add_outer`
        add_to_rows(listed_rows(block, place, k, 0, len(delta)), four_from(step, k), delta)
    for last in range(n // 4 * 4, n):
        add_scaled(block[place[last]], step[last], delta)


@kernel
def add_pending(products: Array, arm: Array, gram: Array, delta: Array, now: int) -> None:
    """Add the pending steps of rounds before `now` to the products with the contexts of round `now`.

    Args:
        products: [R, K, m] products of all arms.
        arm: [R, B] played arms.
        gram: [R, B', B'] products of contexts c and scaled contexts b at [c, b].
        delta: [R, B, m].
        now: the round.
    """
    for r in range(len(arm)):
        for b in range(now):
            add_scaled(products[r, arm[r, b]], gram[r, now, b], delta[r, b])


@kernel
def add_pending_played(
    products: Array, played: Array, arm: Array, gram: Array, delta: Array, left: int, now: int
) -> None:
    """Add the pending steps from round `left` on to the products [R, m] of the played arms of round `now`."""
    for r in range(len(arm)):
        for b in range(left, now):
            if arm[r, b] == played[r]:
                add_scaled(products[r], gram[r, now, b], delta[r, b])


def load(dtype: str) -> None:
    """Compile the kernels for "float32" or "float64", or load them from numba's cache."""
    count, arm = np.zeros((1, 1), np.int64), np.zeros((1, 1), np.int64)
    place, value = np.zeros((1, 1, 1), np.int32), np.zeros((1, 1, 1), dtype)
    count_entries(value, count)
    list_entries(value, value, place, value.copy(), value.copy())
    list_rows(place, value, 1, np.zeros((1, 1, 1, 1), np.int32), np.zeros((1, 1, 1, 1), dtype))
    add_steps(place, value, count, value, arm, value, 0, 0)
    add_pending(value, arm, value, value, 0)
    add_pending_played(value[0], arm[0], arm, value, value, 0, 0)
