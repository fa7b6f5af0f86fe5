"""Rows of contexts in the kernels, dense or sparse: lists of their nonzero inputs.

`sparse` is None for dense contexts; the compiler then removes the other branch.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from neucb.kernels.jit import exact, fast
from neucb.kernels.types import Array, SparseRows
from neucb.kernels.vectors import Lists, nonzero


@exact
def list_row(
    contexts: Array, sparse: SparseRows | None, row: int, constant: float, index: Array, value: Array
) -> int:
    """List the nonzero inputs of a row, the constant one last; return their number."""
    if sparse is None:
        return nonzero(contexts[row], constant, index, value)
    return list_sparse_row(sparse, row, contexts.shape[1], constant, index, value)


@fast
def list_sparse_row(
    sparse: SparseRows, row: int, columns: int, constant: float, index: Array, value: Array
) -> int:
    """List the entries of a row, and the constant input at index `columns`; return their number."""
    n = 0
    for k in range(sparse.start[row], sparse.start[row + 1]):
        index[n] = sparse.column[k]
        value[n] = sparse.value[k]
        n += 1
    index[n] = columns
    value[n] = constant
    return n + (constant != 0)


@fast
def count_sparse_row(sparse: SparseRows, row: int, intercept: float, squares: Array) -> None:
    """Add the squares of a row's entries and of the constant input to `squares`."""
    for k in range(sparse.start[row], sparse.start[row + 1]):
        squares[sparse.column[k]] += np.float64(sparse.value[k]) ** 2
    squares[len(squares) - 1] += intercept**2


@fast
def scale_listed(squares: Array, n: int, power: float, floor: float, count: float, lists: Lists) -> None:
    """Set the steps of n listed inputs to their values times step sizes, see `InputScaling`.

    Padding fills the lists up to a multiple of four.

    Args:
        squares: [d + 1] sums of squares over `count` rounds.
        n: number of listed inputs.
        power: exponent, 0 for no scaling.
        floor: added to the sums.
        count: number of rounds.
        lists: indices, values and steps.
    """
    index, value, step = lists
    scale = len(squares) / count
    for k in range(n):
        size = 1.0
        if power == 0.5:
            size = 1.0 / sqrt(scale * (squares[index[k]] + floor))
        elif power != 0.0:
            size = (scale * (squares[index[k]] + floor)) ** -power
        step[k] = value[k] * size
    for k in range(3):
        index[n + k] = len(squares) + k
        value[n + k] = 0
        step[n + k] = 0
