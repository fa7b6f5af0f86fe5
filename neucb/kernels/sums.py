"""Running sums of the log, in the order of the rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.kernels.jit import kernel

if TYPE_CHECKING:
    from neucb.kernels.types import Array


@kernel
def sums_at(total: Array, added: Array, ends: Array, sums: Array) -> None:
    """Set sums [R, C] to `total` [R] and the first ends [C] of `added` [R, n], ends in ascending order."""
    for r in range(len(total)):
        running, i = total[r], 0
        for c in range(len(ends)):
            while i < ends[c]:
                running += added[r, i]
                i += 1
            sums[r, c] = running


@kernel
def counts_at(total: Array, label: Array, ends: Array, counts: Array) -> None:
    """Set counts [C, R, K] to `total` [R, K] and the numbers of labels in the first ends [C] of [R, n]."""
    for r in range(len(total)):
        i = 0
        for c in range(len(ends)):
            for a in range(total.shape[1]):
                counts[c, r, a] = counts[c - 1, r, a] if c > 0 else total[r, a]
            while i < ends[c]:
                counts[c, r, label[r, i]] += 1.0
                i += 1
