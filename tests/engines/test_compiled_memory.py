"""Networks that do not fit into memory are refused before they are drawn."""

from __future__ import annotations

import pytest

from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.engines.compiled.memory import (
    check_fits,
    memory_bytes,
    models_bytes,
    network_bytes,
)
from neucb.engines.compiled.replica import check

NEURAL, LINEAR = RECIPES["kl"], RECIPES["squarecb"]
SETTINGS = {"width": 10}


def test_bytes_of_all_replicas_and_of_the_draw_of_one() -> None:
    assert network_bytes(SETTINGS, Spec((0, 1), 5, 3, 100)) == 5 * 10 * 4 * (2 * 4 + 16)


def test_linear_models_are_counted() -> None:
    settings = dict(LINEAR.settings({}))
    spec = Spec((0, 1), 5, 3, 100)
    assert models_bytes(settings, spec) == 8 * 2 * 5 * (3 + 9)
    check_fits(LINEAR, settings, spec, 960)
    with pytest.raises(InputError, match=r"squarecb needs 960 bytes .* covariance=diagonal"):
        check_fits(LINEAR, settings, spec, 959)
    wide = models_bytes({**settings, "hash_bits": 30}, spec)
    assert wide == 8 * 2 * 5 * 2 * 2**30
    assert models_bytes({**settings, "hash_bits": 4, "covariance": "full"}, spec) == 8 * 2 * 5 * (16 + 256)


def test_bounds() -> None:
    spec = Spec((0, 1), 5, 3, 100)
    needed = network_bytes(SETTINGS, spec)
    check_fits(NEURAL, SETTINGS, spec, needed)
    with pytest.raises(
        InputError, match=r"kl needs at least 4,800 bytes .* smaller width.*squarecb"
    ) as caught:
        check_fits(NEURAL, SETTINGS, spec, needed - 1)
    assert "\n" not in str(caught.value)


def test_the_compiled_engine_refuses_before_it_allocates() -> None:
    with pytest.raises(InputError, match="bytes for the networks of 10,000,000 arms"):
        check(NEURAL, {"width": 1000}, Spec((0,), 10_000_000, 10_000, 100))


def test_memory_is_known_or_unlimited() -> None:
    assert memory_bytes() > 1_000_000
