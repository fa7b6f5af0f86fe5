"""Going on with an agent plays a copy of it, whatever it holds, or says in one line why it cannot."""

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
    """A network of its own, trained by autograd with Adam; keeps what the network gave."""

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
def test_every_recipe_goes_on_after_it_was_asked(name: str) -> None:
    agent = trained(name)
    before = neucb.run(agent, toy(), 60)
    agent.distribution(X)
    assert neucb.run(agent, toy(), 60)["loss"].tolist() == before["loss"].tolist()


def test_a_network_of_ones_own_in_our_oracle_goes_on_after_it_was_asked() -> None:
    agent = trained(
        neucb.Reduction(Module(network, KL(), adam, updates_per_round=4), FastInverseGap(Power(30.0)))
    )
    before = neucb.run(agent, toy(), 60)
    agent.distribution(X)
    assert neucb.run(agent, toy(), 60)["loss"].tolist() == before["loss"].tolist()


def test_an_agent_that_keeps_the_output_of_its_network_goes_on_and_says_so() -> None:
    """The copy learns: its optimiser steps its own parameters, the original's do not move."""
    agent = trained(Own())
    assert not agent.output.is_leaf
    weights = agent.network.weight.detach().clone()
    with pytest.warns(UserWarning, match="Own holds tensors that autograd has computed: the copy"):
        on = with_agent(agent, toy(), 60)[1]
    assert torch.equal(agent.network.weight, weights)
    assert not torch.equal(on.network.weight, weights)
    (step,) = {float(one["step"]) for one in on.optimiser.state.values()}
    assert step == 120


@pytest.mark.parametrize("inside", ["list", "dictionary", "object", "slots", "weight norm"])
def test_computed_tensors_are_found_wherever_they_are(inside: str) -> None:
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
        other = copy_agent(agent, "Own")
    if inside == "weight norm":
        assert torch.equal(other.part(X), norm(X))
        other.part(X).sum().backward()
        assert norm.weight_v.grad is None
        assert other.part.weight_v.grad is not None
    else:
        assert other.part is not agent.part
        found: dict[str, Any] = {"list": lambda one: one[0][0], "dictionary": lambda one: one["a"][0]}
        read: Any = found.get(inside, lambda one: one.mean if inside == "object" else one.value)
        assert torch.equal(read(other.part), computed)
        assert not read(other.part).requires_grad


@pytest.mark.parametrize("make", [random.Random, lambda seed: torch.Generator().manual_seed(seed)])
def test_generators_go_on_where_they_were_in_a_copy_and_from_a_file(make: Any, tmp_path: Path) -> None:
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
    first = [draw(one.part) for one in (copied, loaded)]
    assert first == [draw(agent.part)] * 2
    assert first[0] != draw(make(3))


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (threading.Lock, "Held.part is a lock and cannot be kept; give its owner the methods state_dict"),
        (Path(__file__).open, "Held cannot be copied to go on: TypeError: .*give the class of that part"),
        (lambda: (i for i in range(3)), "Held.part is a generator and cannot be kept"),
    ],
    ids=["lock", "file", "generator"],
)
def test_a_part_that_cannot_be_copied_is_one_line(part: Any, words: str) -> None:
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
    with pytest.raises(InputError, match=words) as caught:
        neucb.run(agent, toy(), 60)
    assert "\n" not in str(caught.value)
    if hasattr(agent.part, "close"):
        agent.part.close()


def test_code_tables_by_tuples_and_half_precision_are_copied_and_kept(tmp_path: Path) -> None:
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
