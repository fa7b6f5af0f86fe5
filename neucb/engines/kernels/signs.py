"""Finitely many sign vectors in the kernels, see `neucb.agents.signs.SignPerturbation`."""

from __future__ import annotations

from math import sqrt

from neucb.engines.kernels.blocks import place
from neucb.engines.kernels.jit import exact, fast
from neucb.engines.kernels.rules import link
from neucb.engines.kernels.types import GROUP, Array, Learner, Signs, Work
from neucb.engines.kernels.vectors import add_scaled, dot


@fast
def write_table(v: Array, table: Array) -> None:
    """Set table[w] = sum_s +- v_s, the sign being bit s of the word w."""
    table[0] = 0
    for s in range(len(v)):
        table[0] -= v[s]
    for s in range(len(v)):
        size, move = 1 << s, 2 * v[s]
        for i in range(size):
            table[size + i] = table[i] + move


@fast
def add_signs(signs: Signs | None, index: Array, value: Array, n: int, left: int, z: Array) -> None:
    """Add E' v x to z for the row that `index` and `value` list and the columns from `left` on."""
    if signs is None:
        return
    right = left + len(z)
    for g in range(len(signs.words)):
        write_table(signs.v[g * GROUP : (g + 1) * GROUP], signs.table)
        for k in range(n):
            word = signs.words[g, index[k], left:right]
            x = value[k]
            for i in range(len(z)):
                z[i] += x * signs.table[word[i]]


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
    """Add the upper half to the lower one; return by how much it was more in sum."""
    more = lower.dtype.type(0)
    for i in range(len(lower)):
        more += upper[i] - lower[i]
        lower[i] += upper[i]
    return more


@fast
def along_signs(signs: Signs, index: Array, value: Array, n: int, left: int, delta: Array) -> None:
    """Set `along` to the products of the sign vectors and the first layer's gradient x delta'."""
    m, table = len(delta), signs.table
    for g in range(len(signs.words)):
        part = signs.along[g * GROUP : (g + 1) * GROUP]
        table[: 1 << len(part)] = 0
        for k in range(n):
            word = signs.words[g, index[k], left : left + m]
            x = value[k]
            for i in range(m):
                table[word[i]] += x * delta[i]
        for s in range(len(part) - 1, -1, -1):  # fold the table: its upper half has bit s set
            size = 1 << s
            part[s] = add_halves(table[size : 2 * size], table[:size])


@exact
def mean_link(signs: Signs | None, f: float, learner: Learner) -> float:
    """Return mean_s link(f + c u_s)."""
    if signs is None:
        return 0.0
    total = 0.0
    for s in range(len(signs.u)):
        total += link(f + learner.c * signs.u[s], learner.loss)
    return total / len(signs.u)


@exact
def move_signs(
    signs: Signs | None, learner: Learner, work: Work, b: int, arm: int, target: float, rate: float
) -> float:
    """Move v and u; return what to add to phi, times grad f."""
    if signs is None:
        return 0.0
    S, m = len(signs.u), len(work.head)
    active = work.hidden[place(work, b), arm * m : (arm + 1) * m]
    along_signs(signs, work.inputs[b], work.step[b], work.filled[b], arm * m, work.delta[b])
    mean = 0.0
    for s in range(S):
        r = link(work.f[arm] + learner.c * signs.u[s], learner.loss) - target
        mean += r / S
        signs.residual[s] = -rate * learner.c / S * r
    move = -rate * learner.factor * mean
    for s in range(S):
        along = signs.along[s] + dot(signs.head[s], active)
        signs.u[s] += move * along + dot(signs.gram[s], signs.residual)
    for s in range(S):
        signs.v[s] += signs.residual[s]
    return move
