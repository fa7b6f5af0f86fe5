"""Invalid arguments of runs give an error that names the cure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neucb
from neucb.core.errors import InputError
from neucb.runs.api import prepare


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delay": 1.5}, "delay must be a whole number of at least 0, not 1.5"),
        ({"feedback_batch": 2.5}, "feedback_batch must be a whole number of at least 1"),
        ({"rounds": 20.5}, "rounds must be a whole number of at least 1, not 20.5"),
        ({"rounds": "20"}, "rounds must be a whole number of at least 1, not '20'"),
        ({"rounds": True}, "rounds must be a whole number"),
        ({"best_in_class": True}, r"neucb.run\(..., best_in_class=True\)"),
        ({"settings": ["lr=1"]}, "settings must be a dictionary"),
    ],
)
def test_prepare_rejects_invalid_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare("kl", "iris", **arguments)


def test_numpy_integers_are_accepted() -> None:
    numbers: Any = {"rounds": np.int64(20), "seeds": np.arange(3), "delay": np.int64(1)}
    frame = neucb.run("uniform", "iris", **numbers)
    assert frame["seed"].unique().tolist() == [0, 1, 2]
    assert frame["round"].max() == 20
