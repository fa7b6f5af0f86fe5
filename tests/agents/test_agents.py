"""check_agent accepts every recipe and finds faulty agents."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.testing import check_agent
from tests.support.recipes import one_quick_of_each


@pytest.mark.parametrize("name", one_quick_of_each())
def test_every_recipe_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neucb.testing.agents.ROUNDING", 0.0)  # recipes are equal to the bit
    recipe = RECIPES[name]
    replay = (
        {"updates_per_round": 2} if recipe.settings({}).get("updates_per_round", 1) != 1 else {}
    )  # 16 take long
    check_agent(name, learns=recipe.learns, settings=replay)


class Leader:
    """Agent that plays the arm of least cumulative loss and ignores contexts."""

    def reset(self, spec: Spec) -> None:
        self.loss = torch.zeros(spec.replicas, spec.arms)

    def distribution(self, context: Tensor) -> Tensor:
        return torch.zeros_like(self.loss).scatter(1, self.loss.argmin(1, keepdim=True), 1.0)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        self.loss.scatter_add_(1, action[:, None], loss[:, None])


class Forgetful(Leader):
    def distribution(self, context: Tensor) -> Tensor:
        self.loss += context[:, :1]
        self.loss[:, 0] += 0.1
        return super().distribution(context)


class Sociable(Leader):
    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        super().update(context, action, loss)
        self.loss = self.loss.mean(0, keepdim=True).expand_as(self.loss).clone()


class Rounded(Leader):
    def distribution(self, context: Tensor) -> Tensor:
        error = 1e-6 if len(context) > 1 else 0.0
        return super().distribution(context).mul_(1.0 - error).add_(error / self.loss.shape[1])


class Moody(Leader):
    def reset(self, spec: Spec) -> None:
        self.loss = torch.rand(spec.replicas, spec.arms)


class Fragile(Leader):
    def distribution(self, context: Tensor) -> Tensor:
        if float(context.abs().max()) == 0.0:
            raise ZeroDivisionError("nothing there")
        return super().distribution(context)


class Blind(Leader):
    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        return super().distribution(context)


def test_a_valid_agent_passes() -> None:
    check_agent(Leader, learns=False)


def test_rounding_differences_in_a_batch_pass() -> None:
    check_agent(Rounded, learns=False)


def test_networks_with_rounding_differences_in_a_batch_pass() -> None:
    check_agent("kl", learns=False, settings={"depth": 3, "width": 30})


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (Leader, r"the loss is 4\d\d in 600 rounds"),
        (Forgetful, "two calls of distribution"),
        (Sociable, "neighbours"),
        (Moody, "the same seeds"),
        (Blind, "not available"),
    ],
)
def test_faulty_agents_are_found(agent: type[Leader], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_agent(agent)


class Deaf:
    def reset(self, spec: Spec) -> None: ...

    def distribution(self, context: Tensor) -> Tensor:
        return context


class Choosy(Leader):
    def __init__(self, rate: float) -> None:
        self.rate = rate


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (Deaf, r"Deaf is no agent: it lacks update\(context, action, loss\)"),
        (lambda: Deaf(), "is no agent: it lacks update"),
        (partial(Deaf), "partial is no agent: it lacks update"),
        (Deaf(), "TypeError: 'Deaf' object is not callable"),
        (Choosy, "Choosy needs arguments: rate; give them defaults"),
        (partial(Choosy), "TypeError: .*missing 1 required positional argument: 'rate'"),
    ],
)
def test_invalid_constructors_give_a_one_line_error(agent: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check_agent(agent)
    assert "\n" not in str(caught.value)


def test_a_partial_is_a_valid_constructor() -> None:
    check_agent(partial(Choosy, 0.5), learns=False)


def test_other_errors_are_not_caught() -> None:
    with pytest.raises(ZeroDivisionError):
        check_agent(Fragile, learns=False)
