"""Contexts of few entries, whose products with a first layer are made of these entries alone."""

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

PAYS_BELOW = 0.4  # of the entries are not 0; measured with 50 to 400 hidden units
FEW = 100  # inputs, up to which steps are added faster one by one even where none is 0; measured the same way


def pays(spec: Spec) -> bool:
    """Return whether entries alone are faster, of rows that a run is known to play.

    By kernels: a GPU would also have to tell how many there are before it could go on.
    """
    return spec.density < PAYS_BELOW and spec.device == "cpu"


@dataclass(frozen=True)
class Entries:
    """The entries that are not 0 of the contexts of B rounds, of each as many as the fullest has; on a CPU.

    Attributes:
        place: [R, B, n] which of the d inputs each is of; 0 where there are none left; and below.
        value: of the contexts.
        step: of the contexts times their step sizes.
        count: [R, B].
    """

    place: NDArray[np.int32]
    value: NDArray[Any]
    step: NDArray[Any]
    count: NDArray[np.int64]

    @staticmethod
    def of(contexts: Tensor, steps: Tensor) -> Entries:
        """Find the entries of contexts [R, B, d], and of these times their step sizes."""
        from neucb.kernels.lookahead import count_entries, list_entries

        x, scaled = contexts.numpy(), steps.numpy()
        count = np.empty(x.shape[:2], np.int64)
        count_entries(x, count)
        shape = *count.shape, int(count.max())
        found = Entries(np.empty(shape, np.int32), np.empty(shape, x.dtype), np.empty(shape, x.dtype), count)
        list_entries(x, scaled, found.place, found.value, found.step)
        return found

    def through(self, layer: Tensor) -> Tensor:
        """Return the products [R, B, K, m] with all arms' blocks of a first layer [R K, d, m]."""
        from neucb.kernels.lookahead import list_rows

        R, B, n = self.place.shape
        blocks, inputs, _ = layer.shape
        shape = R, B, blocks // R, n
        row, factor = np.empty(shape, np.int32), np.empty(shape, self.value.dtype)
        list_rows(self.place, self.value, inputs, row, factor)
        places, weights = (torch.from_numpy(one).view(-1, n) for one in (row, factor))
        summed = embedding_bag(places, layer.flatten(0, 1), mode="sum", per_sample_weights=weights)
        return summed.view(*shape[:3], -1)

    def add(self, layer: Tensor, arm: NDArray[np.int64], delta: Tensor, rounds: tuple[int, int]) -> None:
        """Add steps times delta [R, B, m] to the blocks of arms [R, B], of rounds from one up to another."""
        from neucb.kernels.lookahead import add_steps

        add_steps(self.place, self.step, self.count, layer.numpy(), arm, delta.numpy(), *rounds)
