"""What the torch engine leaves to kernels on a CPU: steps of a block of rounds, see agents/lookahead.py.

A replica's numbers are made one after the other, so that they do not depend on its neighbours.
"""

from __future__ import annotations

import numpy as np

from neucb.kernels.jit import fast, kernel
from neucb.kernels.types import Array
from neucb.kernels.vectors import add_scaled, add_to_rows, four_from, listed_rows


@kernel
def count_entries(x: Array, count: Array) -> None:
    """Set count [R, B] to the numbers of entries of contexts x [R, B, d] that are not 0."""
    for r in range(x.shape[0]):
        for b in range(x.shape[1]):
            n = 0
            for j in range(x.shape[2]):
                n += x[r, b, j] != 0
            count[r, b] = n


@kernel
def list_entries(x: Array, steps: Array, place: Array, value: Array, step: Array) -> None:
    """List the entries of contexts x [R, B, d] that are not 0, and those of `steps` there.

    Args:
        x: contexts.
        steps: contexts times step sizes.
        place: [R, B, n], n being no less than any context has; 0 where there are none left; and below.
        value: of x.
        step: of `steps`.
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
    """List the rows of all arms' blocks that entries [R, B, n] go through, row and factor [R, B, K, n]."""
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
    """Add the listed steps of rounds left..right-1, times delta [R, B, m], to a layer.

    Args:
        place: as `list_entries` sets it; and below.
        step: of each entry.
        count: of entries.
        layer: [R K, d, m].
        arm: [R, B] whose blocks take the steps.
        delta: [R, B, m].
        left: first of the rounds.
        right: the round after the last.
    """
    replicas = len(arm)
    arms = len(layer) // replicas
    for r in range(replicas):
        for b in range(left, right):
            add_step(layer[r * arms + arm[r, b]], place[r, b], step[r, b], count[r, b], delta[r, b])


@fast
def add_step(block: Array, place: Array, step: Array, n: int, delta: Array) -> None:
    """Add step delta' to the rows of a block that the first n of `place` list."""
    for four in range(n // 4):
        k = np.uint64(4 * four)  # unsigned, see `add_outer`
        add_to_rows(listed_rows(block, place, k, 0, len(delta)), four_from(step, k), delta)
    for last in range(n // 4 * 4, n):
        add_scaled(block[place[last]], step[last], delta)


@kernel
def add_pending(products: Array, arm: Array, shown: Array, delta: Array, now: int) -> None:
    """Add what the steps of rounds before `now` show its contexts to the products [R, K, m] with these.

    Args:
        products: of all arms.
        arm: [R, B] played; and below.
        shown: [R, B', B'], in c what b's step shows.
        delta: [R, B, m].
        now: the round.
    """
    for r in range(len(arm)):
        for b in range(now):
            add_scaled(products[r, arm[r, b]], shown[r, now, b], delta[r, b])


@kernel
def add_pending_played(
    products: Array, played: Array, arm: Array, shown: Array, delta: Array, left: int, now: int
) -> None:
    """Do the same for the arms [R] played in round `now` alone, products [R, m], from round `left` on."""
    for r in range(len(arm)):
        for b in range(left, now):
            if arm[r, b] == played[r]:
                add_scaled(products[r], shown[r, now, b], delta[r, b])


def load(dtype: str) -> None:
    """Compile all of them for "float32" or "float64", or load them from numba's cache."""
    count, arm = np.zeros((1, 1), np.int64), np.zeros((1, 1), np.int64)
    place, value = np.zeros((1, 1, 1), np.int32), np.zeros((1, 1, 1), dtype)
    count_entries(value, count)
    list_entries(value, value, place, value.copy(), value.copy())
    list_rows(place, value, 1, np.zeros((1, 1, 1, 1), np.int32), np.zeros((1, 1, 1, 1), dtype))
    add_steps(place, value, count, value, arm, value, 0, 0)
    add_pending(value, arm, value, value, 0)
    add_pending_played(value[0], arm[0], arm, value, value, 0, 0)
