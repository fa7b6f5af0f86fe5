"""Delayed feedback: exactly when the agent hears of what."""

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


class Diary:
    """Writes down after how many rounds it was told of which."""

    def reset(self, spec: Spec) -> None:
        self.told: list[tuple[int, float]] = []
        self.asked = 0

    def distribution(self, context: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return torch.full((len(context), 3), 1 / 3)

    def update(self, context: torch.Tensor, action: torch.Tensor, loss: torch.Tensor) -> None:
        self.told.append((self.asked, float(loss[0])))


@pytest.mark.parametrize(
    ("options", "heard"),
    [
        ({}, [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0), (6, 6.0), (7, 7.0)]),
        ({"delay": 2}, [(3, 1.0), (4, 2.0), (5, 3.0), (6, 4.0), (7, 5.0)]),
        ({"feedback_batch": 3}, [(3, 1.0), (3, 2.0), (3, 3.0), (6, 4.0), (6, 5.0), (6, 6.0)]),
        ({"delay": 1, "feedback_batch": 2}, [(3, 1.0), (3, 2.0), (5, 3.0), (5, 4.0), (7, 5.0), (7, 6.0)]),
    ],
)
def test_when_losses_arrive(options: dict[str, int], heard: list[tuple[int, float]]) -> None:
    diary = Diary()
    agent = Delayed(diary, **options)
    agent.reset(Spec((0,), 3, 2, 7))
    context = torch.zeros(1, 2)
    for t in range(1, 8):
        agent.distribution(context)
        context.fill_(t)  # the environment's memory is its own
        agent.update(context, torch.tensor([0]), torch.tensor([float(t)]))
    assert diary.told == heard


def test_no_delay_is_the_agent_itself_and_delay_costs() -> None:
    plain = neucb.run("kl", toy(600), seeds=3).groupby("seed").tail(1)["regret"]
    late = neucb.run("kl", toy(600), seeds=3, delay=200)
    assert late.attrs["delay"] == 200
    assert late.groupby("seed").tail(1)["regret"].mean() > plain.mean() + 60
    same = neucb.run("kl", toy(600), seeds=3, delay=0, feedback_batch=1)
    assert list(same.groupby("seed").tail(1)["regret"]) == list(plain)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="delay must be a whole number of at least 0"):
        neucb.run("kl", toy(), delay=-1)
    with pytest.raises(InputError, match="feedback_batch must be a whole number of at least 1"):
        neucb.run("kl", toy(), feedback_batch=0)


class Queue(Diary):
    """An agent of a user's, with a `pending` of its own."""

    def reset(self, spec: Spec) -> None:
        super().reset(spec)
        self.pending = ["mine"]


def test_an_attribute_called_pending_stays_the_users_own() -> None:
    queue = Queue()
    agent = Delayed(queue, delay=2)
    agent.reset(Spec((0,), 3, 2, 4))
    context = torch.zeros(1, 2)
    for t in range(4):
        agent.distribution(context)
        assert queue.pending == ["mine"], t
        agent.update(context, torch.tensor([0]), torch.tensor([1.0]))


def test_outstanding_losses_are_counted_for_agents_that_number_their_rounds() -> None:
    for name in ("kl", "exp4"):
        inner = make_agent(find_recipe(name))
        assert isinstance(inner, CountsPending)
        agent = Delayed(inner, delay=3)
        agent.reset(Spec((0,), 3, 2, 9))
        context = torch.ones(1, 2) / 2**0.5
        counted = []
        for _ in range(6):
            agent.distribution(context)
            counted.append(inner.pending)
            agent.update(context, torch.tensor([0]), torch.tensor([1.0]))
        assert counted == [0, 1, 2, 3, 3, 3], name


def test_a_trained_agent_goes_on_with_draws_of_its_own() -> None:
    """Thompson's draws are numbered by the rounds played, also those whose losses never arrived."""
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
    again = Delayed(neucb.Trained(inner, "lints", {}, spec, 9, {}), delay=2)
    again.reset(spec)
    play(again)
    assert numbers == [*range(1, 19)]
