"""Loops over vectors. They sum in any order, so that the compiler can use the machine's vectors."""

from __future__ import annotations

from neucb.engines.kernels.jit import fast
from neucb.engines.kernels.types import TILE, Array


@fast
def nonzero(x: Array, constant: float, index: Array, value: Array) -> int:
    """List the inputs of a row that are not 0, the constant one last; return their number."""
    n = 0
    for j in range(len(x)):
        index[n] = j
        value[n] = x[j]
        n += x[j] != 0
    index[n] = len(x)
    value[n] = constant
    return n + (constant != 0)


@fast
def combine(w: Array, index: Array, value: Array, n: int, left: int, z: Array) -> None:
    """Set z = x' w for the row that `index` and `value` list and the columns of w from `left` on."""
    z[:] = 0
    right = left + len(z)
    k = 0
    while k + 4 <= n:
        a, b = w[index[k], left:right], w[index[k + 1], left:right]
        c, d = w[index[k + 2], left:right], w[index[k + 3], left:right]
        p, q, r, s = value[k], value[k + 1], value[k + 2], value[k + 3]
        for i in range(len(z)):
            z[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i]
        k += 4
    if k + 2 <= n:
        a, b = w[index[k], left:right], w[index[k + 1], left:right]
        p, q = value[k], value[k + 1]
        for i in range(len(z)):
            z[i] += p * a[i] + q * b[i]
        k += 2
    if k < n:
        a = w[index[k], left:right]
        p = value[k]
        for i in range(len(z)):
            z[i] += p * a[i]


@fast
def add_scaled(y: Array, scale: float, x: Array) -> None:
    """Add scale x to y, in the precision of y."""
    s = y.dtype.type(scale)
    for i in range(len(y)):
        y[i] += s * x[i]


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
def multiply(x: Array, w: Array, z: Array, n: int) -> None:
    """Set z [n, K m] = x w for the first n rows of x, in tiles that stay in the first-level cache."""
    z[:n] = 0
    inputs, columns = w.shape
    for left in range(0, columns, TILE):
        right = min(left + TILE, columns)
        j = 0
        while j + 4 <= inputs:
            a, b, c, d = w[j, left:right], w[j + 1, left:right], w[j + 2, left:right], w[j + 3, left:right]
            for row in range(n):
                p, q, r, s = x[row, j], x[row, j + 1], x[row, j + 2], x[row, j + 3]
                out = z[row, left:right]
                for i in range(len(out)):
                    out[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i]
            j += 4
        for last in range(j, inputs):
            a = w[last, left:right]
            for row in range(n):
                add_scaled(z[row, left:right], x[row, last], a)


@fast
def products(scaled: Array, x: Array, gram: Array, n: int) -> None:
    """Fill gram [n, n] above its diagonal with the products of rows of `scaled` and later ones of x."""
    for b in range(n):
        for c in range(b + 1, n):
            total = x.dtype.type(0)
            for j in range(x.shape[1]):
                total += scaled[b, j] * x[c, j]
            gram[b, c] = total


@fast
def shift_by(z: Array, scale: float, moved: Array) -> None:
    """Multiply `moved` by `scale` and add it to z."""
    s = z.dtype.type(scale)
    for i in range(len(z)):
        moved[i] *= s
        z[i] += moved[i]


@fast
def gradient(active: Array, head: Array, delta: Array) -> None:
    """Set delta [m] = head * relu'(h) from active = relu(h)."""
    for i in range(len(delta)):
        delta[i] = head[i] if active[i] > 0 else 0


@fast
def dot(x: Array, y: Array) -> float:
    """Return the product of two vectors."""
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i] * y[i]
    return total


@fast
def set_steps(index: Array, value: Array, size: Array, n: int, step: Array) -> None:
    """Multiply the inputs listed by their step sizes."""
    for k in range(n):
        step[k] = value[k] * size[index[k]]
