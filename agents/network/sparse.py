"""Sparse contexts: first-layer products over the nonzero entries only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import embedding_bag

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from neucb.core.spec import Spec

PAYS_BELOW = 0.4  # density below which sparse products are faster; measured with 50 to 400 hidden units
FEW = 100  # inputs up to which steps are added faster one by one, even if dense; measured the same way


def pays(spec: Spec) -> bool:
    """Return whether sparse products are faster for a run.

    On a CPU only: on a GPU the number of entries would need a host synchronisation.
    """
    return spec.density < PAYS_BELOW and spec.device == "cpu"


@dataclass(frozen=True)
class Entries:
    """Nonzero entries of the contexts of B rounds, padded with 0 to the largest count n; on a CPU.

    Attributes:
        place: [R, B, n] input index in 0..d-1 of each entry.
        value: [R, B, n] entries of the contexts.
        step: [R, B, n] entries of the contexts times their step sizes per input.
        count: [R, B] number of nonzero entries.
    """

    place: NDArray[np.int32]
    value: NDArray[Any]
    step: NDArray[Any]
    count: NDArray[np.int64]

    @staticmethod
    def of(contexts: Tensor, steps: Tensor) -> Entries:
        """Return the entries of contexts [R, B, d] and of `steps`, the contexts times their step sizes."""
        from neucb.kernels.lookahead import count_entries, list_entries

        x, scaled = contexts.numpy(), steps.numpy()
        count = np.empty(x.shape[:2], np.int64)
        count_entries(x, count)
        shape = *count.shape, int(count.max())
        sparse = Entries(np.empty(shape, np.int32), np.empty(shape, x.dtype), np.empty(shape, x.dtype), count)
        list_entries(x, scaled, sparse.place, sparse.value, sparse.step)
        return sparse

    def through(self, layer: Tensor) -> Tensor:
        """Return the products [R, B, K, m] with all arms' blocks of a first layer [R K, d, m]."""
        from neucb.kernels.lookahead import list_rows

        R, B, n = self.place.shape
        blocks, inputs, _ = layer.shape
        shape = R, B, blocks // R, n
        row, factor = np.empty(shape, np.int32), np.empty(shape, self.value.dtype)
        list_rows(self.place, self.value, inputs, row, factor)
        indices, weights = (torch.from_numpy(part).view(-1, n) for part in (row, factor))
        summed = embedding_bag(indices, layer.flatten(0, 1), mode="sum", per_sample_weights=weights)
        return summed.view(*shape[:3], -1)

    def add(self, layer: Tensor, arm: NDArray[np.int64], delta: Tensor, rounds: tuple[int, int]) -> None:
        """Add steps times delta [R, B, m] of a range of rounds to the blocks of the arms [R, B]."""
        from neucb.kernels.lookahead import add_steps

        add_steps(self.place, self.step, self.count, layer.numpy(), arm, delta.numpy(), *rounds)
