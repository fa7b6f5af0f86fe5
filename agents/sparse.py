"""Products of a first layer with contexts of few entries, made of these entries alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import embedding_bag

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.spec import Spec

PAYS_BELOW = 0.4  # of the entries are not 0; measured with 50 to 400 hidden units


def pays(spec: Spec) -> bool:
    """Return whether entries alone are faster, of rows that a run is known to play.

    A GPU would have to tell how many there are before it could go on.
    """
    return spec.density < PAYS_BELOW and spec.device == "cpu"


@dataclass(frozen=True)
class Entries:
    """The entries that are not 0 of contexts [R, B, d], of each as many as the fullest context has.

    Attributes:
        inputs: d.
        place: [R, B, 1, n] which of the d inputs each is of; any where there are none left.
        value: [R, B, 1, n] of each; 0 where there are none left.
    """

    inputs: int
    place: Tensor
    value: Tensor

    @staticmethod
    def of(contexts: Tensor) -> Entries:
        """Find the entries of contexts [R, B, d], contiguous. In numpy: torch takes several times as long."""
        R, B, d = contexts.shape
        flat = contexts.view(-1).numpy()
        found = np.flatnonzero(flat != 0.0)
        start = np.arange(0, R * B * d, d)
        first = found.searchsorted(start)
        count = np.diff(first, append=len(found))
        n = int(count.max())
        place, value = np.zeros((R * B, n), np.int32), np.zeros((R * B, n), flat.dtype)
        there = np.arange(n) < count[:, np.newaxis]
        place[there] = found - start.repeat(count)
        value[there] = flat[found]
        shape = R, B, 1, n
        return Entries(d, torch.from_numpy(place).view(shape), torch.from_numpy(value).view(shape))

    def through(self, layer: Tensor) -> Tensor:
        """Return the products [R, K, B, m] with all arms' blocks of a first layer [R K, d, m]."""
        R, B, _, n = self.place.shape
        arms = len(layer) // R
        blocks = torch.arange(0, len(layer) * self.inputs, self.inputs, dtype=torch.int32)
        row = self.place + blocks.view(R, 1, arms, 1)
        value = self.value.expand(row.shape)
        summed = embedding_bag(
            row.view(-1, n), layer.flatten(0, 1), mode="sum", per_sample_weights=value.reshape(-1, n)
        )
        return summed.view(R, B, arms, -1).transpose(1, 2)
