"""Ensembles, last-layer regression, exponential weights and skylines: comparison with plain numpy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import neucb
from neucb.agents.baselines import BestFixed, Supervised
from neucb.agents.ensembles.bootstrap import Ensemble
from neucb.agents.ensembles.exp4 import Exp4
from neucb.agents.initialisation import member_seeds
from neucb.agents.linear.oracle import Linear
from neucb.agents.losses import KL, Squared
from neucb.agents.network.expected_perturbation import ExpectedPerturbation
from neucb.agents.network.last_layer import LastLayerRegression
from neucb.agents.network.oracle import Neural
from neucb.agents.network.weights import PlainWeights
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.wrappers.delay import Delayed
from neucb.core.errors import DivergedError, InputError
from neucb.core.random import stream
from neucb.core.spec import Spec
from tests.support.rounds import ARMS, FEATURES, rounds
from tests.support.tables import toy


def test_bagging_is_ridge_regression_on_counted_samples() -> None:
    """Two replicas of four members, two penalties: each member equals a weighted regression."""
    penalty = (1.0, 0.1)
    oracle = Linear(Squared(), regularization=[value for value in penalty for _ in range(4)])
    agent = Ensemble(oracle, members=4, bootstrap="poisson")
    agent.reset(Spec((7, 8), ARMS, FEATURES, 70))
    samples = rounds(2, 70)
    for x, action, loss in samples:
        agent.update(x, action, loss)
    probe = rounds(2, 1, seed=9)[0][0]
    p = agent.distribution(probe)
    for r, seed in enumerate((7, 8)):
        rng = stream(seed, "bootstrap")
        counts = np.concatenate([rng.poisson(1.0, (64, 4)) for _ in range(2)])[:70]
        means = np.empty((4, ARMS))
        for i in range(4):
            for arm in range(ARMS):
                played = np.array([int(a[r]) == arm for _, a, _ in samples])
                Z = np.array([np.append(x[r].numpy(), 1.0) for x, _, _ in samples])[played]
                y = np.array([float(loss[r]) for _, _, loss in samples])[played]
                W = np.diag(counts[played, i].astype(float))
                theta = np.linalg.solve(Z.T @ W @ Z + penalty[r] * np.eye(FEATURES + 1), Z.T @ W @ y)
                means[i, arm] = np.append(probe[r].numpy(), 1.0) @ theta
        votes = np.bincount(means.argmin(1), minlength=ARMS) / 4
        np.testing.assert_allclose(p[r].numpy(), votes, atol=1e-12)
        assert agent.prediction is not None
        np.testing.assert_allclose(agent.prediction.mean[r].numpy(), means.mean(0), atol=1e-9)


def test_members_have_distinct_seeds() -> None:
    seeds = member_seeds((0, 1), 10)
    assert len(set(seeds)) == 20
    assert member_seeds((1,), 10) == seeds[10:]
    assert member_seeds((0,), 3) == seeds[:3]


@pytest.mark.parametrize("bootstrap", ["poisson", "bernoulli"])
def test_counts_have_the_stated_mean(bootstrap: Any) -> None:
    recorded: list[Tensor] = []

    class Counter(Linear):
        def update(self, context: Tensor, action: Tensor, loss: Tensor, count: Tensor | None = None) -> None:
            assert count is not None
            recorded.append(count)

    agent = Ensemble(Counter(Squared()), members=20, bootstrap=bootstrap)
    agent.reset(Spec((0, 1), ARMS, FEATURES, 500))
    for sample in rounds(2, 500):
        agent.update(*sample)
    counts = torch.stack(recorded)
    mean, spread = (1.0, 1.0) if bootstrap == "poisson" else (0.5, 0.25)
    assert float(counts.mean()) == pytest.approx(mean, abs=5 * math.sqrt(spread / counts.numel()))
    assert float(counts.var()) == pytest.approx(spread, abs=0.05)
    assert not torch.equal(counts[:, 0], counts[:, 1])


def test_a_count_of_0_changes_no_network() -> None:
    network = Neural(KL(), PlainWeights(), width=6, lr=0.5, updates_per_round=3)
    network.reset(Spec((0, 1), ARMS, FEATURES, 30))
    probe = rounds(2, 1, seed=9)[0][0]
    before = network.predict(probe).mean
    for sample in rounds(2, 30):
        network.update(*sample, count=torch.tensor([0.0, 1.0]))
    after = network.predict(probe).mean
    assert torch.equal(after[0], before[0])
    assert not torch.equal(after[1], before[1])


@pytest.mark.parametrize(("per_arm", "depth"), [(False, 1), (True, 1), (False, 3), (True, 2)])
def test_the_last_layer_is_ridge_regression_on_the_features(per_arm: bool, depth: int) -> None:
    """Features are those of a sample's round, and after a refresh those of the current network."""
    penalty = (1.0, 0.2)
    network = Neural(Squared(), PlainWeights(), width=6, depth=depth, lr=0.3)
    oracle = LastLayerRegression(network, regularization=penalty, refresh_every=25)
    oracle.reset(Spec((0, 1), ARMS, FEATURES, 60, dtype="float64", per_arm=per_arm))
    rng = np.random.default_rng(0)
    past: list[tuple[Tensor, Tensor, Tensor]] = []
    samples: list[tuple[Tensor, Tensor]] = []
    for t in range(1, 61):
        shape = (2, ARMS, FEATURES) if per_arm else (2, FEATURES)
        x = torch.nn.functional.normalize(torch.tensor(rng.standard_normal(shape)), dim=-1)
        action, loss = torch.tensor(rng.integers(0, ARMS, 2)), torch.tensor(rng.random(2))
        here = (torch.arange(2), action)
        samples.append((network.forward(x).features()[here], loss))
        past.append((x, action, loss))
        oracle.predict(x)
        oracle.update(x, action, loss)
        if t % 25 == 0:
            samples = [(network.forward(x).features()[torch.arange(2), a], y) for x, a, y in past]
    forward = network.forward(x)
    phi = forward.features()  # [R, K, m]
    torch.testing.assert_close((phi * forward.head[:, None, -6:]).sum(2), forward.output)
    prediction = oracle.predict(x)
    assert prediction.factor is not None
    assert prediction.std is not None
    for r in range(2):
        F = torch.stack([features[r] for features, _ in samples])
        y = torch.stack([loss[r] for _, loss in samples])
        A = F.T @ F + penalty[r] * torch.eye(6, dtype=torch.float64)
        torch.testing.assert_close(prediction.mean[r], phi[r] @ torch.linalg.solve(A, F.T @ y))
        covariance = phi[r] @ torch.linalg.solve(A, phi[r].T)
        torch.testing.assert_close(prediction.factor[r] @ prediction.factor[r].T, covariance)
        torch.testing.assert_close(prediction.std[r].square(), covariance.diagonal())


def test_the_last_layer_needs_a_plain_network() -> None:
    oracle = LastLayerRegression(Neural(Squared(), ExpectedPerturbation(0.1)))
    with pytest.raises(InputError, match="without a perturbation"):
        oracle.reset(Spec((0,), ARMS, FEATURES, 1))


class Fixed:
    """Plays a fixed distribution."""

    def __init__(self, *p: float) -> None:
        self.p = torch.tensor(p, dtype=torch.float64)

    def reset(self, spec: Spec) -> None:
        self.rows = spec.replicas

    def distribution(self, context: Tensor) -> Tensor:
        return self.p.expand(self.rows, -1)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        pass


def test_exponential_weights_equal_hand_computed_numbers() -> None:
    """Two replicas, two rates; K = 2, N = 2. Round 1: w even, p = 0.9 (0.5, 0.5) + 0.05."""
    agent = Exp4([Fixed(1.0, 0.0), Fixed(0.0, 1.0)], eta=(1.0, 3.0), mixing=0.1)
    agent.reset(Spec((0, 1), 2, FEATURES, 9))
    x = torch.zeros(2, FEATURES)
    np.testing.assert_allclose(agent.distribution(x).numpy(), 0.5)
    agent.update(x, torch.tensor([0, 1]), torch.tensor([1.0, 0.5]))
    rate = math.sqrt(math.log(2) / 2)
    first = math.exp(-rate * 1.0 / 0.5)  # estimated loss 1 / p of expert 0 in replica 0
    second = math.exp(-3 * rate * 0.5 / 0.5)
    weights = [[first / (1 + first), 1 / (1 + first)], [1 / (1 + second), second / (1 + second)]]
    np.testing.assert_allclose(agent.weights.numpy(), weights)
    np.testing.assert_allclose(agent.distribution(x).numpy(), 0.9 * np.array(weights) + 0.05)


def test_exponential_weights_favour_the_better_expert() -> None:
    agent = Exp4([make_agent(RECIPES[name]) for name in ("uniform", "squarecb")])
    last = neucb.run(agent, toy(), seeds=2).groupby("seed").tail(1)
    assert (agent.weights[:, 1] > 0.9).all()
    assert (last["regret"] < 500).all()


def test_best_fixed_plays_the_best_fixed_arm() -> None:
    last = neucb.run("best-fixed", toy(), 300, 3, label_noise=0.2).groupby("seed").tail(1)
    np.testing.assert_allclose(last["regret"], last["best_fixed_arm_regret"])


def test_supervised_learns_from_the_losses_of_all_arms() -> None:
    updates: list[Tensor] = []

    class Listener(Linear):
        def update(self, context: Tensor, action: Tensor, loss: Tensor, count: Tensor | None = None) -> None:
            updates.append(torch.stack([action.double(), loss.double()]))
            super().update(context, action, loss, count)

    last = neucb.run(Supervised(Listener(Squared())), toy(), 200, 2).groupby("seed").tail(1)
    assert len(updates) == 200 * 3
    each = torch.stack(updates).view(200, 3, 2, 2)
    assert torch.equal(each[:, :, 0, 0], torch.arange(3.0, dtype=torch.float64).expand(200, 3))
    assert (each[:, :, 1].sum(1) == 2.0).all()  # one arm of three has loss 0
    assert (last["regret"] < 40).all()


def test_skylines_need_expected_losses() -> None:
    with pytest.raises(InputError, match="skyline"):
        Delayed(BestFixed(), delay=1)

    class WithoutExpected(neucb.ClassificationVectorEnv):
        def step(self, actions: Any) -> Any:
            *result, info = super().step(actions)
            info.pop("expected_losses")
            return *result, info

    for name in ("best-fixed", "supervised"):
        with pytest.raises(InputError, match="tells the expected losses"):
            neucb.run(name, WithoutExpected(toy(), 1, horizon=5))


def test_an_expert_that_diverges_is_named_by_both_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    diverging = replace(RECIPES["sq"], defaults=(*RECIPES["sq"].defaults, ("lr", 50.0)))
    mixture = RECIPES["exp4"]
    experts = tuple(diverging if expert.name == "sq" else expert for expert in mixture.experts)
    monkeypatch.setitem(RECIPES, "exp4", replace(mixture, experts=experts))
    messages = []
    for engine in ("torch", "compiled"):
        with pytest.raises(
            DivergedError, match=r"exp4, round \d+, seed 9: .* expert sq are no longer"
        ) as caught:
            neucb.run("exp4", toy(400), 400, [9], engine=engine, dtype="float64")
        assert (caught.value.replica, str((caught.value.round or 0) + 1) in str(caught.value)) == (0, True)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_the_round_of_a_diverged_expert_counts_pending_losses() -> None:
    """Round 14 is played when three losses are learnt and ten are pending."""
    agent = Exp4([Fixed(1.0, 0.0), Fixed(math.nan, 0.0)], names=("good", "bad"))
    good = Exp4([Fixed(1.0, 0.0), Fixed(0.0, 1.0)])
    for mixture in (agent, good):
        mixture.reset(Spec((5,), 2, 1, 40))
        mixture._round, mixture.pending = 3, 10
    context = torch.zeros(1, 1)
    assert good.distribution(context).isfinite().all()
    with pytest.raises(DivergedError, match=r"round 14, seed 5: .* expert bad "):
        agent.distribution(context)
    late = Delayed(good, delay=10)
    late.reset(Spec((5,), 2, 1, 40))
    for t in range(12):
        late.distribution(context)
        assert good._round + good.pending == t
        late.update(context, torch.tensor([0]), torch.tensor([1.0]))
