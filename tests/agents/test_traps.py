"""Common faults of bandit code: seeds that vary only a part, state changed by predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import neucb
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.state import take_state
from neucb.core.spec import Spec
from tests.support.runs import traced
from tests.support.tables import toy


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_a_seed_varies_rows_actions_and_network(engine: str) -> None:
    _, trace = traced("uniform", toy(), 100, 2, engine=engine)
    rows, arms = (trace.pivot(index="round", columns="seed", values=name) for name in ("row", "action"))
    assert (rows[0] != rows[1]).mean() > 0.9  # different rows
    assert (
        0.5 < (arms[0] != arms[1]).mean() < 0.85
    )  # different action draws: two thirds of uniform arms differ
    frame = neucb.run("kl", toy(), 1, 2, engine=engine)
    assert frame["regression_log_loss"].nunique() == 2  # different initial networks


CACHES = ("._last", "._repeated")  # caches of the last prediction


def _bits(agent: object) -> tuple[Any, dict[str, bytes]]:
    """Return all counters and generators of an agent, and the bytes of its tensors except caches."""
    state, tensors = take_state(agent)
    compared = {name: value for name, value in tensors.items() if not any(cache in name for cache in CACHES)}
    for cache in CACHES:
        state = _without(state, cache[1:])
    return state, {name: value.numpy().tobytes() for name, value in compared.items()}


def _without(state: Any, name: str) -> Any:
    if isinstance(state, dict):
        return {key: _without(value, name) for key, value in state.items() if key != name}
    return [_without(value, name) for value in state] if isinstance(state, list) else state


@pytest.mark.parametrize("name", RECIPES)
def test_predictions_change_no_bit_of_the_state(name: str) -> None:
    """Tensors, generators and counters of an agent are unchanged by calls of `distribution`."""
    agent = make_agent(RECIPES[name])
    agent.reset(Spec((3, 8), 3, 4, 60))
    rng = np.random.default_rng(0)
    x = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((30, 2, 4))).float(), dim=2)
    with torch.no_grad():
        for t in range(20):
            agent.distribution(x[t])
            agent.update(x[t], torch.tensor([t % 3, 1]), torch.tensor([1.0, float(t % 2)]))
        before = _bits(agent)
        for t in range(20, 30):
            agent.distribution(x[t])
        assert _bits(agent) == before
        agent.update(x[0], torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))
    if RECIPES[name].learns:
        assert _bits(agent) != before
