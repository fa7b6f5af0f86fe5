"""Agents of a user's own: what their distribution may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neucb
from neucb.errors import InputError
from neucb.testing import check_agent


class Uniform:
    """Uniform play, in numbers of any kind."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def reset(self, spec: Any) -> None:
        self.shape = (spec.replicas, spec.arms)

    def distribution(self, context: Any) -> Any:
        return self.kind(np.full(self.shape, 1.0 / self.shape[1]))

    def update(self, context: Any, action: Any, loss: Any) -> None:
        pass


@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist])
def test_arrays_and_lists_are_distributions_in_a_run_and_in_check_agent(kind: Any) -> None:
    ours = neucb.run(Uniform(kind), "iris", 50, 2)
    assert ours["loss"].tolist() == neucb.run("uniform", "iris", 50, 2)["loss"].tolist()
    check_agent(lambda: Uniform(kind), learns=False)


def test_a_distribution_that_is_none_is_one_line() -> None:
    with pytest.raises(InputError, match=r"must be numbers \[R, K\], a tensor or an array; it is a NoneType"):
        neucb.run(Uniform(lambda p: None), "iris", 50, 1)
