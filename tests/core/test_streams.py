"""Streams and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from neucb.core.errors import InputError
from neucb.core.random import PURPOSES, stream
from neucb.core.seeds import parse_seeds


def test_values_are_keyed_by_seed_and_purpose() -> None:
    values = {(seed, purpose): stream(seed, purpose).random() for seed in (0, 1) for purpose in PURPOSES}
    assert len(set(values.values())) == len(values)
    first = stream(3, "action").random(10)
    np.testing.assert_array_equal(stream(3, "action").random(20)[:10], first)


def test_values_are_frozen() -> None:
    """A change would change every published number."""
    assert stream(0, "action").random(3).tolist() == pytest.approx(FROZEN, abs=0)


FROZEN = [0.9329842082654152, 0.4845214076217217, 0.6838308121893845]


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("5", (0, 1, 2, 3, 4)), (2, (0, 1)), ("10:13", (10, 11, 12)), ("3,7", (3, 7)), ([8, 1], (8, 1))],
)
def test_seeds_are_parsed(text: str | int | list[int], seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "x", "5:5", "3:1", "-2", "1,1", "1,-3", "1.5", 0, []])
def test_invalid_seeds_are_rejected(text: str | int | list[int]) -> None:
    with pytest.raises(InputError):
        parse_seeds(text)
