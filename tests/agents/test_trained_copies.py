"""Continuing a trained agent plays a copy of it, or raises a one-line error."""

from __future__ import annotations

import random
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import neucb
from neucb.agents.copying import copy_agent
from neucb.agents.losses import KL
from neucb.agents.module.oracle import Module
from neucb.agents.rules.inverse_gap import FastInverseGap
from neucb.agents.rules.schedules import Power
from neucb.core.errors import InputError
from tests.support.networks import adam, network
from tests.support.recipes import one_quick_of_each
from tests.support.runs import with_agent
from tests.support.tables import toy

X = torch.full((2, 4), 0.5)


class Own:
    """Agent with its own network, trained with Adam; it stores the network's output."""

    part: Any = None

    def reset(self, spec: Any) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.network = nn.Linear(spec.features, spec.arms)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=0.05)
        self.total = torch.zeros(())

    def distribution(self, context: Tensor) -> Tensor:
        self.output = self.network(context)
        return torch.softmax(-8.0 * self.output, dim=1)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        predicted = self.output.gather(1, action[:, None]).squeeze(1)
        self.optimiser.zero_grad()
        (predicted - loss).square().sum().backward()
        self.optimiser.step()


def trained(agent: Any) -> neucb.Trained:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return with_agent(agent, toy(), 60, 2, engine="torch")[1]


@pytest.mark.parametrize("name", one_quick_of_each())
def test_every_trained_recipe_continues_from_an_unchanged_copy(name: str) -> None:
    agent = trained(name)
    before = neucb.run(agent, toy(), 60)
    agent.distribution(X)
    assert neucb.run(agent, toy(), 60)["loss"].tolist() == before["loss"].tolist()


def test_a_trained_module_oracle_continues_from_an_unchanged_copy() -> None:
    agent = trained(
        neucb.Reduction(Module(network, KL(), adam, updates_per_round=4), FastInverseGap(Power(30.0)))
    )
    before = neucb.run(agent, toy(), 60)
    agent.distribution(X)
    assert neucb.run(agent, toy(), 60)["loss"].tolist() == before["loss"].tolist()


def test_stored_outputs_are_detached_with_a_warning() -> None:
    """The copy's optimiser moves only the copy's parameters."""
    agent = trained(Own())
    assert not agent.output.is_leaf
    weights = agent.network.weight.detach().clone()
    with pytest.warns(UserWarning, match="Own holds tensors that autograd has computed: the copy"):
        copy = with_agent(agent, toy(), 60)[1]
    assert torch.equal(agent.network.weight, weights)
    assert not torch.equal(copy.network.weight, weights)
    (step,) = {float(state["step"]) for state in copy.optimiser.state.values()}
    assert step == 120


@pytest.mark.parametrize("inside", ["list", "dictionary", "object", "slots", "weight norm"])
def test_computed_tensors_are_found_in_nested_parts(inside: str) -> None:
    class Slots:
        __slots__ = ("value",)
        value: Tensor

    agent = Own()
    agent.reset(type("Shape", (), {"features": 4, "arms": 3}))
    computed = agent.network(X)
    slots = Slots()
    slots.value = computed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        norm = nn.utils.weight_norm(nn.Linear(4, 3))
    agent.part = {
        "list": [[computed]],
        "dictionary": {"a": (computed,)},
        "object": neucb.Prediction(computed),
        "slots": slots,
        "weight norm": norm,
    }[inside]
    with pytest.warns(UserWarning, match="Own holds tensors that autograd has computed"):
        copy = copy_agent(agent, "Own")
    if inside == "weight norm":
        assert torch.equal(copy.part(X), norm(X))
        copy.part(X).sum().backward()
        assert norm.weight_v.grad is None
        assert copy.part.weight_v.grad is not None
    else:
        assert copy.part is not agent.part
        readers: dict[str, Any] = {"list": lambda part: part[0][0], "dictionary": lambda part: part["a"][0]}
        read: Any = readers.get(inside, lambda part: part.mean if inside == "object" else part.value)
        assert torch.equal(read(copy.part), computed)
        assert not read(copy.part).requires_grad


@pytest.mark.parametrize("make", [random.Random, lambda seed: torch.Generator().manual_seed(seed)])
def test_generators_continue_in_a_copy_and_from_a_file(make: Any, tmp_path: Path) -> None:
    def draw(generator: Any) -> float:
        if isinstance(generator, random.Random):
            return generator.random()
        return float(torch.rand((), generator=generator))

    class Drawing(Own):
        def reset(self, spec: Any) -> None:
            super().reset(spec)
            self.part = make(3)

        def distribution(self, context: Tensor) -> Tensor:
            with torch.no_grad():
                return super().distribution(context) * 1.0

        def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
            draw(self.part)

    agent = trained(Drawing())
    agent.save(tmp_path / "agent.safetensors")
    copied = copy_agent(agent, "Drawing")
    loaded = neucb.load_agent(tmp_path / "agent.safetensors", Drawing())
    first = [draw(copy.part) for copy in (copied, loaded)]
    assert first == [draw(agent.part)] * 2
    assert first[0] != draw(make(3))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (threading.Lock, "Held.part is a lock and cannot be kept; give its owner the methods state_dict"),
        (Path(__file__).open, "Held cannot be copied to go on: TypeError: .*give the class of that part"),
        (lambda: (i for i in range(3)), "Held.part is a generator and cannot be kept"),
    ],
    ids=["lock", "file", "generator"],
)
def test_a_part_that_cannot_be_copied_is_a_one_line_error(part: Any, message: str) -> None:
    class Held(Own):
        def reset(self, spec: Any) -> None:
            super().reset(spec)
            self.part = part()

        def distribution(self, context: Tensor) -> Tensor:
            with torch.no_grad():
                return torch.softmax(self.network(context), dim=1)

        def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
            pass

    agent = trained(Held())
    with pytest.raises(InputError, match=message) as caught:
        neucb.run(agent, toy(), 60)
    assert "\n" not in str(caught.value)
    if hasattr(agent.part, "close"):
        agent.part.close()


def test_unusual_parts_are_copied_and_saved(tmp_path: Path) -> None:
    class Odd(Own):
        def reset(self, spec: Any) -> None:
            super().reset(spec)
            self.part = {
                (1, 2): "pair",
                "code": lambda value: value,
                "half": torch.ones(2, dtype=torch.bfloat16),
            }

        def distribution(self, context: Tensor) -> Tensor:
            with torch.no_grad():
                return torch.softmax(self.network(context), dim=1)

        def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
            self.part[(3, 4)] = "another"

    agent = trained(Odd())
    agent.save(tmp_path / "odd.safetensors")
    loaded = neucb.load_agent(tmp_path / "odd.safetensors", Odd())
    assert loaded.part[(3, 4)] == "another"
    assert loaded.part["code"](3) == 3
    assert torch.equal(loaded.part["half"], agent.part["half"])
    assert neucb.run(agent, toy(), 60)["loss"].tolist() == neucb.run(loaded, toy(), 60)["loss"].tolist()
