"""Vector loops. Their sums have no fixed order, so that the compiler can vectorise them.

An array that one of them writes must not share memory with its other arguments, see `jit.fast`.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from neucb.kernels.jit import fast
from neucb.kernels.types import TILE, Array

ONE, TWO, THREE = np.uint64(1), np.uint64(2), np.uint64(3)  # signed and unsigned would sum to a float
Rows = tuple[Array, Array, Array, Array]
Lists = tuple[Array, Array, Array]
Four = tuple[float, float, float, float]


@fast
def nonzero(x: Array, constant: float, index: Array, value: Array) -> int:
    """List the nonzero inputs of a row, the constant one last; return their number."""
    n = 0
    for j in range(len(x)):
        index[n] = j
        value[n] = x[j]
        n += x[j] != 0
    index[n] = len(x)
    value[n] = constant
    return n + (constant != 0)


@fast
def list_steps(x: Array, constant: float, size: Array, idle: int, lists: Lists) -> int:
    """List the nonzero inputs of a row, and their products with step sizes, the constant one last.

    Padding fills the lists up to a multiple of four. Return the number of inputs without padding.
    """
    index, value, step = lists
    n = 0
    for j in range(len(x)):
        index[n] = j
        value[n] = x[j]
        step[n] = x[j] * size[j]
        n += x[j] != 0
    index[n] = len(x)
    value[n] = constant
    step[n] = value[n] * size[len(x)]
    n += constant != 0
    for k in range(3):
        index[n + k] = idle + k
        value[n + k] = 0
        step[n + k] = 0
    return n


@fast
def combine(w: Array, index: Array, value: Array, n: int, left: int, z: Array) -> None:
    """Set z = x' w for the row that `index` and `value` list and the columns of w from `left` on."""
    right = left + len(z)
    if n < 4:
        z[:] = 0
    k = 0
    while k + 4 <= n:
        a, b = w[index[k], left:right], w[index[k + 1], left:right]
        c, d = w[index[k + 2], left:right], w[index[k + 3], left:right]
        p, q, r, s = value[k], value[k + 1], value[k + 2], value[k + 3]
        if k == 0:
            for i in range(len(z)):
                z[i] = p * a[i] + q * b[i] + r * c[i] + s * d[i]
        else:
            for i in range(len(z)):
                z[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i]
        k += 4
    if k + 3 == n:
        a, b, c = w[index[k], left:right], w[index[k + 1], left:right], w[index[k + 2], left:right]
        p, q, r = value[k], value[k + 1], value[k + 2]
        for i in range(len(z)):
            z[i] += p * a[i] + q * b[i] + r * c[i]
    if k + 2 == n:
        a, b = w[index[k], left:right], w[index[k + 1], left:right]
        p, q = value[k], value[k + 1]
        for i in range(len(z)):
            z[i] += p * a[i] + q * b[i]
    if k + 1 == n:
        a = w[index[k], left:right]
        p = value[k]
        for i in range(len(z)):
            z[i] += p * a[i]


@fast
def list_together(rows: Rows, constant: float, idle: int, index: Array, value: Array) -> int:
    """List the inputs that are nonzero in one of four rows, the constant one last; set value [4, inputs].

    Padding fills the lists up to a multiple of four. Return the number of inputs without padding.
    """
    a, b, c, d = rows
    n = 0
    for j in range(len(a)):
        index[n] = j
        value[0, n], value[1, n], value[2, n], value[3, n] = a[j], b[j], c[j], d[j]
        n += (a[j] != 0) | (b[j] != 0) | (c[j] != 0) | (d[j] != 0)
    index[n] = len(a)
    value[:, n] = constant
    n += constant != 0
    for k in range(3):
        index[n + k] = idle + k
        value[:, n + k] = 0
    return n


@fast
def combine_four(w: Array, index: Array, value: Array, n: int, z: Array) -> None:
    """Set z [4, K m] to value [4, inputs] times the rows of w that `index` lists, with padding."""
    z[:] = 0
    rows = z[0], z[1], z[2], z[3]
    for four in range((n + 3) // 4):
        k = np.uint64(4 * four)
        add_four(
            rows,
            listed_rows(w, index, k, 0, w.shape[1]),
            four_from(value[0], k),
            four_from(value[1], k),
            four_from(value[2], k),
            four_from(value[3], k),
        )


@fast
def add_scaled(y: Array, scale: float, x: Array) -> None:
    """Add scale x to y, in the precision of y."""
    s = y.dtype.type(scale)
    for i in range(len(y)):
        y[i] += s * x[i]


@fast
def add_to_rows(w: Rows, scale: Four, x: Array) -> None:
    """Add multiples of x to four rows."""
    a, b, c, d = w
    p, q, r, s = scale
    for i in range(len(x)):
        move = x[i]
        a[i] += p * move
        b[i] += q * move
        c[i] += r * move
        d[i] += s * move


@fast
def add_to_rows_seen(w: Rows, scale: Four, x: Array) -> float:
    """Do `add_to_rows`; return the inner product of the previous rows and the added multiples."""
    a, b, c, d = w
    p, q, r, s = scale
    total = x.dtype.type(0)
    for i in range(len(x)):
        move = x[i]
        total += move * (p * a[i] + q * b[i] + r * c[i] + s * d[i])
        a[i] += p * move
        b[i] += q * move
        c[i] += r * move
        d[i] += s * move
    return total


@fast
def listed_rows(w: Array, index: Array, k: int, left: int, right: int) -> Rows:
    """Return columns left..right-1 of the rows that `index` lists from its k-th entry on."""
    return (
        w[index[k], left:right],
        w[index[k + ONE], left:right],
        w[index[k + TWO], left:right],
        w[index[k + THREE], left:right],
    )


@fast
def four_from(value: Array, k: int) -> Four:
    """Return four entries from the k-th on."""
    return value[k], value[k + ONE], value[k + TWO], value[k + THREE]


@fast
def add_outer(w: Array, index: Array, step: Array, n: int, left: int, delta: Array) -> None:
    """Add step delta' to the rows of w that `index` lists, with padding, from column `left` on."""
    right = left + len(delta)
    for four in range((n + 3) // 4):
        k = np.uint64(4 * four)  # unsigned: spares a check for negative indices
        add_to_rows(listed_rows(w, index, k, left, right), four_from(step, k), delta)


@fast
def add_outer_seen(w: Array, index: Array, step: Array, n: int, left: int, delta: Array) -> float:
    """Do `add_outer`; return the inner product of the previous w and step delta'."""
    right = left + len(delta)
    total = w.dtype.type(0)
    for four in range((n + 3) // 4):
        k = np.uint64(4 * four)
        total += add_to_rows_seen(listed_rows(w, index, k, left, right), four_from(step, k), delta)
    return total


@fast
def scale_by(y: Array, scale: float) -> None:
    """Multiply y by `scale`, in the precision of y."""
    s = y.dtype.type(scale)
    for i in range(len(y)):
        y[i] *= s


@fast
def copy_to(y: Array, x: Array) -> None:
    """Copy x to the first entries of y."""
    for i in range(len(x)):
        y[i] = x[i]


@fast
def rectify(z: Array, head: Array) -> float:
    """Set z [m] to relu(z), NaN staying NaN, and return its product with the head [m]."""
    f = z.dtype.type(0)
    for i in range(len(head)):
        h = z[i]
        h = z.dtype.type(0) if h < 0 else h
        z[i] = h
        f += h * head[i]
    return f


@fast
def rectify_sum(z: Array, scale: float, moved: Array, head: Array) -> float:
    """Set z [m] to relu(z + scale moved), and return its product with the head [m]."""
    s, f = z.dtype.type(scale), z.dtype.type(0)
    for i in range(len(head)):
        h = z[i] + s * moved[i]
        h = z.dtype.type(0) if h < 0 else h
        z[i] = h
        f += h * head[i]
    return f


@fast
def add_four(z: Rows, w: Rows, p: Four, q: Four, r: Four, s: Four) -> None:
    """Add p . w, q . w, r . w and s . w to the four rows of z; every load of w serves four rows."""
    z0, z1, z2, z3 = z
    a, b, c, d = w
    for i in range(len(z0)):
        z0[i] += p[0] * a[i] + p[1] * b[i] + p[2] * c[i] + p[3] * d[i]
        z1[i] += q[0] * a[i] + q[1] * b[i] + q[2] * c[i] + q[3] * d[i]
        z2[i] += r[0] * a[i] + r[1] * b[i] + r[2] * c[i] + r[3] * d[i]
        z3[i] += s[0] * a[i] + s[1] * b[i] + s[2] * c[i] + s[3] * d[i]


@fast
def four_rows(w: Array, j: int, left: int, right: int) -> Rows:
    """Return columns left..right-1 of rows j..j+3."""
    return w[j, left:right], w[j + 1, left:right], w[j + 2, left:right], w[j + 3, left:right]


@fast
def multiply(x: Array, w: Array, z: Array, n: int) -> None:
    """Set z [n, K m] = x w for the first n rows of x, n rounded up to a multiple of four.

    The tiles fit into the first-level cache.
    """
    inputs, columns = w.shape
    z[: (n + 3) // 4 * 4] = 0
    for left in range(0, columns, TILE):
        right = min(left + TILE, columns)
        whole = inputs // 4 * 4
        for j in range(0, whole, 4):
            for row in range(0, n, 4):
                a, b, c, d = x[row], x[row + 1], x[row + 2], x[row + 3]
                add_four(
                    four_rows(z, row, left, right),
                    four_rows(w, j, left, right),
                    (a[j], a[j + 1], a[j + 2], a[j + 3]),
                    (b[j], b[j + 1], b[j + 2], b[j + 3]),
                    (c[j], c[j + 1], c[j + 2], c[j + 3]),
                    (d[j], d[j + 1], d[j + 2], d[j + 3]),
                )
        for last in range(whole, inputs):
            for row in range(n):
                add_scaled(z[row, left:right], x[row, last], w[last, left:right])


@fast
def add_products(w: Array, x: Array, delta: Array, some: Array, left: int, right: int) -> None:
    """Add x[b]' delta[b] to columns left..right-1 of w, for the rounds b that `some` lists."""
    n, whole = len(some), len(w) // 4 * 4
    for k in range(0, n, 4):
        a, b = some[k], some[min(k + 1, n - 1)]
        c, d = some[min(k + 2, n - 1)], some[min(k + 3, n - 1)]
        q = w.dtype.type(k + 1 < n)
        r, s = w.dtype.type(k + 2 < n), w.dtype.type(k + 3 < n)
        rows = delta[a], delta[b], delta[c], delta[d]
        for j in range(0, whole, 4):
            add_four(
                four_rows(w, j, left, right),
                rows,
                (x[a, j], q * x[b, j], r * x[c, j], s * x[d, j]),
                (x[a, j + 1], q * x[b, j + 1], r * x[c, j + 1], s * x[d, j + 1]),
                (x[a, j + 2], q * x[b, j + 2], r * x[c, j + 2], s * x[d, j + 2]),
                (x[a, j + 3], q * x[b, j + 3], r * x[c, j + 3], s * x[d, j + 3]),
            )
    for last in range(whole, len(w)):
        for k in range(n):
            add_scaled(w[last, left:right], x[some[k], last], delta[some[k]])


@fast
def add_to(y: Array, x: Array, scale: float, more: Array) -> None:
    """Set y to x + scale more."""
    s = y.dtype.type(scale)
    for i in range(len(y)):
        y[i] = x[i] + s * more[i]


@fast
def gradient(active: Array, head: Array, scale: float, delta: Array) -> None:
    """Set delta [m] = scale * head * relu'(h) from active = relu(h)."""
    s = delta.dtype.type(scale)
    for i in range(len(delta)):
        delta[i] = s * head[i] if active[i] > 0 else 0


@fast
def step_head(active: Array, head: Array, scale: float, delta: Array, moved: Array) -> None:
    """Do `gradient`, and add scale active to `moved` [m]."""
    s = delta.dtype.type(scale)
    for i in range(len(delta)):
        delta[i] = s * head[i] if active[i] > 0 else 0
        moved[i] += s * active[i]


@fast
def three_products(active: Array, head: Array, moved: Array) -> tuple[float, float, float]:
    """Return |head * relu'(h)|^2, |h|^2 and the product of h and `moved`, from active = relu(h)."""
    zero = active.dtype.type(0)
    first, second, third = zero, zero, zero
    for i in range(len(active)):
        h = active[i]
        first += head[i] * head[i] if h > 0 else zero
        second += h * h
        third += h * moved[i]
    return first, second, third


@fast
def dot(x: Array, y: Array) -> float:
    """Return the product of two vectors."""
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i] * y[i]
    return total


@fast
def count_squares(x: Array, squares: Array, scale: float, floor: float, size: Array) -> None:
    """Add the squares of a row to `squares`; set size to the inverse roots of scale (squares + floor)."""
    real = size.dtype.type
    for j in range(len(x)):
        squares[j] += np.float64(x[j]) * np.float64(x[j])
        size[j] = real(1) / sqrt(real(scale * (squares[j] + floor)))
