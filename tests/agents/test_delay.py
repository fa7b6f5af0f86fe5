"""Delayed feedback: rounds at which losses reach the agent."""

from __future__ import annotations

import pytest
import torch

import neucb
from neucb.agents.base import CountsPending
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import find_recipe
from neucb.agents.wrappers.delay import Delayed
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from tests.support.tables import cyclic as toy


class Recorder:
    """Agent that records each loss with the number of rounds played before it."""

    def reset(self, spec: Spec) -> None:
        self.updates: list[tuple[int, float]] = []
        self.rounds = 0

    def distribution(self, context: torch.Tensor) -> torch.Tensor:
        self.rounds += 1
        return torch.full((len(context), 3), 1 / 3)

    def update(self, context: torch.Tensor, action: torch.Tensor, loss: torch.Tensor) -> None:
        self.updates.append((self.rounds, float(loss[0])))


@pytest.mark.parametrize(
    ("options", "arrivals"),
    [
        ({}, [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0), (6, 6.0), (7, 7.0)]),
        ({"delay": 2}, [(3, 1.0), (4, 2.0), (5, 3.0), (6, 4.0), (7, 5.0)]),
        ({"feedback_batch": 3}, [(3, 1.0), (3, 2.0), (3, 3.0), (6, 4.0), (6, 5.0), (6, 6.0)]),
        ({"delay": 1, "feedback_batch": 2}, [(3, 1.0), (3, 2.0), (5, 3.0), (5, 4.0), (7, 5.0), (7, 6.0)]),
    ],
)
def test_losses_arrive_after_delay_and_batch(
    options: dict[str, int], arrivals: list[tuple[int, float]]
) -> None:
    recorder = Recorder()
    agent = Delayed(recorder, **options)
    agent.reset(Spec((0,), 3, 2, 7))
    context = torch.zeros(1, 2)
    for t in range(1, 8):
        agent.distribution(context)
        context.fill_(t)  # environments may reuse their memory
        agent.update(context, torch.tensor([0]), torch.tensor([float(t)]))
    assert recorder.updates == arrivals


def test_delay_0_changes_nothing_and_delay_costs_regret() -> None:
    plain = neucb.run("kl", toy(600), seeds=3).groupby("seed").tail(1)["regret"]
    late = neucb.run("kl", toy(600), seeds=3, delay=200)
    assert late.attrs["delay"] == 200
    assert late.groupby("seed").tail(1)["regret"].mean() > plain.mean() + 60
    same = neucb.run("kl", toy(600), seeds=3, delay=0, feedback_batch=1)
    assert list(same.groupby("seed").tail(1)["regret"]) == list(plain)


def test_invalid_arguments_are_rejected() -> None:
    with pytest.raises(InputError, match="delay must be a whole number of at least 0"):
        neucb.run("kl", toy(), delay=-1)
    with pytest.raises(InputError, match="feedback_batch must be a whole number of at least 1"):
        neucb.run("kl", toy(), feedback_batch=0)


class Queue(Recorder):
    """User-defined agent with an attribute `pending`."""

    def reset(self, spec: Spec) -> None:
        super().reset(spec)
        self.pending = ["mine"]


def test_a_user_attribute_named_pending_is_unchanged() -> None:
    queue = Queue()
    agent = Delayed(queue, delay=2)
    agent.reset(Spec((0,), 3, 2, 4))
    context = torch.zeros(1, 2)
    for t in range(4):
        agent.distribution(context)
        assert queue.pending == ["mine"], t
        agent.update(context, torch.tensor([0]), torch.tensor([1.0]))


def test_pending_losses_are_counted() -> None:
    for name in ("kl", "exp4"):
        inner = make_agent(find_recipe(name))
        assert isinstance(inner, CountsPending)
        agent = Delayed(inner, delay=3)
        agent.reset(Spec((0,), 3, 2, 9))
        context = torch.ones(1, 2) / 2**0.5
        pending = []
        for _ in range(6):
            agent.distribution(context)
            pending.append(inner.pending)
            agent.update(context, torch.tensor([0]), torch.tensor([1.0]))
        assert pending == [0, 1, 2, 3, 3, 3], name


def test_a_trained_agent_continues_with_new_draws() -> None:
    """Draws are numbered by played rounds, including those whose losses never arrived."""
    inner = make_agent(find_recipe("lints"))
    spec = Spec((0,), 3, 2, 9)
    first = Delayed(inner, delay=4)
    first.reset(spec)
    numbers: list[int] = []

    def play(agent: Delayed) -> None:
        for _ in range(9):
            agent.distribution(torch.ones(1, 2) / 2**0.5)
            numbers.append(inner.now.number + inner.now.pending)  # type: ignore[attr-defined]
            agent.update(torch.ones(1, 2), torch.tensor([0]), torch.tensor([1.0]))

    play(first)
    continued = Delayed(neucb.Trained(inner, "lints", {}, spec, 9, {}), delay=2)
    continued.reset(spec)
    play(continued)
    assert numbers == [*range(1, 19)]
