"""Square matrices with one value on the diagonal and another elsewhere, in O(K) memory."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

DENSE_UP_TO = 256  # rows K of a matrix that is stored in full: 512 KB, with reads at constant strides


def diagonal_matrix(rows: int, on: float, off: float) -> Matrix:
    """Return the matrix [K, K], K = `rows`, with `on` on the diagonal and `off` elsewhere.

    Above `DENSE_UP_TO` rows it is a view of 2 K - 1 numbers, whose entry [i, j] is number K - 1 + j - i: it
    is indexed like any array, in kernels too, but entries share memory and must not be written. Functions
    that copy it to a contiguous array, such as `take` and `ravel`, need K^2 numbers.
    """
    if rows <= DENSE_UP_TO:
        matrix = np.full((rows, rows), off)
        np.fill_diagonal(matrix, on)
        return matrix
    line = np.full(2 * rows - 1, off)
    line[rows - 1] = on
    step = line.itemsize
    # Formally writable, because the kernels are compiled for writable arrays.
    return as_strided(line[rows - 1 :], (rows, rows), (-step, step))


def is_view(matrix: Matrix) -> bool:
    """Return whether a matrix is a view of `diagonal_matrix`, that is one of more than `DENSE_UP_TO` rows."""
    down, across = matrix.strides
    return down == -across < 0
