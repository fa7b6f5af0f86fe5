"""Perturbations by finitely many sign vectors, see `neucb.agents.network.sign_perturbation`."""

from __future__ import annotations

from math import sqrt

import numpy as np

from neucb.engines.compiled.kernels.rules import link
from neucb.kernels.blocks import place
from neucb.kernels.host import ONE_BY_ONE
from neucb.kernels.jit import alone, exact, fast
from neucb.kernels.types import GROUP, Array, NetworkConfig, Signs, Workspace
from neucb.kernels.vectors import Four, Rows, add_scaled, dot, four_from, listed_rows


@fast
def set_to_sum(y: Array, x: Array, move: float) -> None:
    """Set y to x + move, in the precision of y."""
    step = y.dtype.type(move)
    for i in range(len(x)):
        y[i] = x[i] + step


@fast
def write_table(v: Array, table: Array) -> None:
    """Set table[w] = sum_s +- v_s, where bit s of the word w is the sign."""
    table[0] = 0
    for s in range(len(v)):
        table[0] -= v[s]
    for s in range(len(v)):
        size = 1 << s
        set_to_sum(table[size : 2 * size], table[:size], 2.0 * v[s])


@fast
def add_four_looked_up(z: Array, words: Rows, x: Four, table: Array) -> None:
    """Add to z the table's entries at four rows of words, times four numbers, one unit at a time."""
    a, b, c, d = words
    p, q, r, s = x
    for i in range(len(z)):
        alone()
        z[i] += p * table[a[i]] + q * table[b[i]] + r * table[c[i]] + s * table[d[i]]


@fast
def add_looked_up(z: Array, word: Array, x: float, table: Array) -> None:
    """Add to z the table's entries at a row of words, times x."""
    for i in range(len(z)):
        z[i] += x * table[word[i]]


@fast
def add_signs(signs: Signs | None, index: Array, value: Array, n: int, left: int, z: Array) -> None:
    """Add E' v x to z for the row that `index` and `value` list and the columns from `left` on."""
    if signs is None:
        return
    right = left + len(z)
    for g in range(len(signs.words)):
        write_table(signs.v[g * GROUP : (g + 1) * GROUP], signs.table)
        fours = n // 4 if ONE_BY_ONE else 0
        for four in range(fours):
            k = np.uint64(4 * four)
            words = listed_rows(signs.words[g], index, k, left, right)
            add_four_looked_up(z, words, four_from(value, k), signs.table)
        for one in range(4 * fours, n):
            add_looked_up(z, signs.words[g, index[one], left:right], value[one], signs.table)


@exact
def spread_of(signs: Signs | None, c: float) -> float:
    """Return the root mean square of the offsets, 0 without signs."""
    if signs is None:
        return 0.0
    return c * sqrt(dot(signs.u, signs.u) / len(signs.u))


@exact
def add_head(signs: Signs | None, head: Array) -> None:
    """Add the second layer's part of E' v to the head."""
    if signs is None:
        return
    for s in range(len(signs.v)):
        add_scaled(head, signs.v[s], signs.head[s])


@fast
def add_halves(upper: Array, lower: Array) -> float:
    """Add the upper half to the lower one; return the sum of upper minus lower."""
    more = lower.dtype.type(0)
    for i in range(len(lower)):
        more += upper[i] - lower[i]
        lower[i] += upper[i]
    return more


@fast
def along_signs(signs: Signs, index: Array, value: Array, n: int, left: int, delta: Array) -> None:
    """Set `along` to the products of the sign vectors and the first layer's gradient x delta'."""
    m, table = len(delta), signs.table
    count = 0
    for i in range(m):
        signs.active[count] = i
        count += delta[i] != 0
    for g in range(len(signs.words)):
        part = signs.along[g * GROUP : (g + 1) * GROUP]
        table[: 1 << len(part)] = 0
        for k in range(n):
            word = signs.words[g, index[k], left : left + m]
            x = value[k]
            for j in range(count):
                i = signs.active[j]
                table[word[i]] += x * delta[i]
        for s in range(len(part) - 1, -1, -1):  # fold the table: its upper half has bit s set
            size = 1 << s
            part[s] = add_halves(table[size : 2 * size], table[:size])


@exact
def mean_link(signs: Signs | None, f: float, config: NetworkConfig) -> float:
    """Return mean_s link(f + c u_s)."""
    if signs is None:
        return 0.0
    total = 0.0
    for s in range(len(signs.u)):
        total += link(f + config.c * signs.u[s], config.loss)
    return total / len(signs.u)


@exact
def move_signs(
    signs: Signs | None,
    config: NetworkConfig,
    workspace: Workspace,
    b: int,
    arm: int,
    target: float,
    rate: float,
) -> float:
    """Update v and u; return the factor of grad f in the step of phi."""
    if signs is None:
        return 0.0
    S, m = len(signs.u), len(workspace.head)
    active = workspace.hidden[place(workspace, b), arm * m : (arm + 1) * m]
    along_signs(
        signs, workspace.inputs[b], workspace.step[b], workspace.filled[b], arm * m, workspace.delta[b]
    )
    mean = 0.0
    for s in range(S):
        r = link(workspace.f[arm] + config.c * signs.u[s], config.loss) - target
        mean += r / S
        signs.residual[s] = -rate * config.c / S * r
    move = -rate * config.factor * mean
    for s in range(S):
        along = signs.along[s] + dot(signs.head[s], active)
        signs.u[s] += move * along + dot(signs.gram[s], signs.residual)
    for s in range(S):
        signs.v[s] += signs.residual[s]
    return move
