"""Uncertainty and its rules: comparison with autograd, normal equations, Monte Carlo and hand calculation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import neucb
from neucb.agents.base import Reduction
from neucb.agents.linear.oracle import Linear
from neucb.agents.losses import KL, Squared
from neucb.agents.network.gradient_norm import GradientNorm
from neucb.agents.network.oracle import Neural
from neucb.agents.network.weights import PlainWeights
from neucb.agents.noise import Noise
from neucb.agents.prediction import Prediction, Round
from neucb.agents.rules.confidence import LowerConfidence, Thompson
from neucb.agents.wrappers.delay import Delayed
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from tests.support.plain import Plain
from tests.support.rounds import ARMS, FEATURES, rounds


def gradient(plain: Plain, x: Tensor, arm: int) -> Tensor:
    return torch.autograd.grad(plain.output(x, arm), plain.theta)[0]


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
@pytest.mark.parametrize("scaling", ["none", "sqrt_width"])
@pytest.mark.parametrize(("init", "depth"), [("he", 1), ("ntk", 1), ("he", 3), ("ntk", 2)])
def test_gradient_norm_equals_autograd_and_an_explicit_inverse(
    covariance: Any, scaling: Any, init: Any, depth: int
) -> None:
    """Two replicas, two lambdas, 40 rounds: g by autograd on the dense encoding, U inverted each round."""
    penalty, width = (1.0, 0.1), 6
    settings: Any = {"width": width, "depth": depth, "lr": 0.3, "init": init}
    network = Neural(Squared(), PlainWeights(), **settings)
    oracle = GradientNorm(network, regularization=penalty, gradient_scaling=scaling, covariance=covariance)
    oracle.reset(Spec((5, 11), ARMS, FEATURES, 40, dtype="float64"))
    plain = [Plain(seed, ARMS, FEATURES, "squared", **settings) for seed in (5, 11)]
    U = [
        lam * torch.eye(len(replica.theta), dtype=torch.float64)
        for lam, replica in zip(penalty, plain, strict=True)
    ]
    divisor = math.sqrt(width) if scaling == "sqrt_width" else 1.0
    for x, action, target in rounds(2, 40):
        prediction = oracle.predict(x)
        assert prediction.std is not None
        for r, replica in enumerate(plain):
            inverse = torch.linalg.inv(U[r])
            g = torch.stack([gradient(replica, x[r], a) for a in range(ARMS)]) / divisor
            expected = (penalty[r] * ((g @ inverse) * g).sum(1)).sqrt()
            torch.testing.assert_close(prediction.std[r], expected, atol=1e-9, rtol=1e-8)
            torch.testing.assert_close(prediction.mean[r], replica.predict(x[r]), atol=1e-9, rtol=0)
            played = g[int(action[r])]
            U[r] += torch.outer(played, played) if covariance == "full" else torch.diag(played.square())
            replica.update(x[r], int(action[r]), float(target[r]))
        oracle.update(x, action, target)
    assert max(float(matrix.diagonal().max()) for matrix in U) > 2.0  # U has grown


def test_clip_mean_limits_comparisons_but_not_learning() -> None:
    """Two replicas, two limits; an arm above the limit is played for its larger deviation."""
    oracle = GradientNorm(Neural(Squared(), PlainWeights(), width=6, lr=0.3), clip_mean=(1.0, math.inf))
    oracle.reset(Spec((5, 5), 2, FEATURES, 40, dtype="float64"))
    x = torch.ones(2, FEATURES, dtype=torch.float64) / FEATURES**0.5
    for arm, target, count in ((0, 1.2, 9), (1, 1.1, 30)):  # arm 1 is better and played more often
        for _ in range(count):
            oracle.predict(x)
            oracle.update(x, torch.tensor([arm, arm]), torch.tensor([target, target], dtype=torch.float64))
    prediction = oracle.predict(x)
    mean, std = prediction.mean, prediction.std
    assert std is not None
    assert prediction.output is not None
    torch.testing.assert_close(mean[0], mean[1], atol=0, rtol=0)
    assert float(mean[0, 0]) > float(mean[0, 1]) > 1.0
    assert float(std[0, 0]) > float(std[0, 1])
    assert prediction.output[0].tolist() == [1.0, 1.0]
    torch.testing.assert_close(prediction.output[1], mean[1], atol=0, rtol=0)
    assert LowerConfidence(0.01)(prediction, now(2)).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_clip_mean_needs_the_squared_loss() -> None:
    oracle = GradientNorm(Neural(KL(), PlainWeights(), width=6), clip_mean=1.0)
    with pytest.raises(InputError, match="squared loss"):
        oracle.reset(Spec((5,), ARMS, FEATURES, 40))


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_gradient_norm_of_contexts_per_arm_equals_an_explicit_inverse(covariance: Any) -> None:
    """All arms share one block: g_a = (x_a delta', relu(h))."""
    network = Neural(Squared(), PlainWeights(), width=5, lr=0.2, intercept=0.5)
    oracle = GradientNorm(network, covariance=covariance)
    oracle.reset(Spec((3,), ARMS, FEATURES, 20, dtype="float64", per_arm=True))
    rng = np.random.default_rng(0)
    U: Tensor | None = None
    for _ in range(20):
        x = torch.tensor(rng.standard_normal((1, ARMS, FEATURES)))
        forward = network.forward(x)
        z = torch.cat([x[0], torch.full((ARMS, 1), 0.5)], 1)
        delta = forward.head[0] * (forward.hidden[0] > 0)
        g = torch.cat([(z[:, :, None] * delta[:, None, :]).flatten(1), forward.hidden[0].relu()], 1)
        U = torch.eye(g.shape[1], dtype=torch.float64) if U is None else U
        expected = ((g @ torch.linalg.inv(U)) * g).sum(1).sqrt()
        std = oracle.predict(x).std
        assert std is not None
        torch.testing.assert_close(std[0], expected, atol=1e-10, rtol=1e-8)
        oracle.update(x, torch.tensor([1]), torch.tensor([0.3]))
        U = U + (torch.outer(g[1], g[1]) if covariance == "full" else torch.diag(g[1].square()))


def test_a_full_covariance_of_a_large_network_is_rejected() -> None:
    oracle = GradientNorm(Neural(Squared(), PlainWeights(), width=100), covariance="full")
    with pytest.raises(InputError, match="up to 3,000 parameters, not 3,600"):
        oracle.reset(Spec((0,), 7, 4, 1))


def test_linucb_equals_the_normal_equations() -> None:
    """Two replicas, two lambdas and alphas: A = Z'Z + lambda I solved each round, bonus with its root."""
    penalty, alpha = (1.0, 0.2), (0.5, 2.0)
    oracle, rule = Linear(Squared(), regularization=penalty, uncertainty=True), LowerConfidence(alpha)
    oracle.reset(Spec((0, 1), ARMS, FEATURES, 60))
    past: list[tuple[Tensor, Tensor, Tensor]] = []
    for x, action, target in rounds(2, 60):
        p = rule(oracle.predict(x), now(2))
        for r in range(2):
            z = np.append(x[r].numpy(), 1.0)
            score = []
            for arm in range(ARMS):
                own = [(context[r].numpy(), float(y[r])) for context, a, y in past if int(a[r]) == arm]
                Z = np.array([np.append(context, 1.0) for context, _ in own]).reshape(-1, FEATURES + 1)
                A = Z.T @ Z + penalty[r] * np.eye(FEATURES + 1)
                theta = np.linalg.solve(A, Z.T @ np.array([y for _, y in own]))
                score.append(z @ theta - alpha[r] * math.sqrt(z @ np.linalg.solve(A, z)))
            assert p[r].tolist() == np.eye(ARMS)[int(np.argmin(score))].tolist()
        oracle.update(x, action, target)
        past.append((x, action, target))


def now(replicas: int, number: int = 1, noise: Noise | None = None) -> Round:
    return Round(number, torch.zeros(replicas, dtype=torch.float64), 100, noise)


def test_logistic_uncertainty_is_the_deviation_of_the_output() -> None:
    oracle = Linear(KL(), regularization=0.5, uncertainty=True)
    oracle.reset(Spec((0,), ARMS, FEATURES, 60))
    x = torch.zeros(1, FEATURES, dtype=torch.float64)  # only the intercept
    oracle.update(x, torch.tensor([1]), torch.tensor([1.0]))  # w = 1/4
    prediction = oracle.predict(x)
    assert prediction.std is not None
    assert prediction.output is not None
    assert prediction.std[0].tolist() == pytest.approx([math.sqrt(2), math.sqrt(1 / 0.75), math.sqrt(2)])
    torch.testing.assert_close(torch.sigmoid(prediction.output), prediction.mean)


def test_lower_confidence_equals_hand_computed_numbers() -> None:
    """The bound of a loss is the lower one; `output`, if present, replaces the mean."""
    mean = torch.tensor([[0.5, 0.6, 0.9]] * 3, dtype=torch.float64)
    std = torch.tensor([[0.1, 0.3, 0.5]] * 3, dtype=torch.float64)
    rule = LowerConfidence((0.1, 1.0, 2.0))  # least of .49 .57 .85, of .4 .3 .4, of .3 0 -.1
    assert rule(Prediction(mean, std), now(3)).argmax(1).tolist() == [0, 1, 2]
    third = torch.tensor([[True, True, False]] * 3)
    assert rule(Prediction(mean, std, third), now(3)).argmax(1).tolist() == [0, 1, 1]
    output = torch.tensor([[2.0, 1.0, 0.0]] * 3, dtype=torch.float64)
    assert rule(Prediction(mean, std, output=output), now(3)).argmax(1).tolist() == [2, 2, 2]
    assert rule(Prediction(mean, std * math.nan), now(3)).isnan().all()  # NaN stops the run
    with pytest.raises(InputError, match="std"):
        rule(Prediction(mean), now(3))


def test_thompson_draws_have_gaussian_probabilities() -> None:
    """Two arms: P(arm 1) = Phi((m_0 - m_1) / (nu sqrt(s_0^2 + s_1^2))), over 20,000 rounds."""
    noise = Noise(Spec((0, 1), 2, 1, 1))
    mean = torch.tensor([[0.5, 0.6]] * 2, dtype=torch.float64)
    std = torch.tensor([[0.3, 0.4]] * 2, dtype=torch.float64)
    rule = Thompson((1.0, 0.2))
    played = torch.stack([rule(Prediction(mean, std), now(2, t, noise))[:, 1] for t in range(1, 20001)])
    chance = [0.5 * (1 + math.erf(-0.1 / (nu * 0.5) / math.sqrt(2))) for nu in (1.0, 0.2)]
    np.testing.assert_allclose(played.mean(0).numpy(), chance, atol=4 * 0.5 / math.sqrt(20000))


def test_arms_with_a_shared_model_are_drawn_jointly() -> None:
    """With one theta for all arms the draws have covariance X A^-1 X'; a common part does not matter."""
    oracle = Linear(Squared(), regularization=0.5, uncertainty=True)
    oracle.reset(Spec((0,), ARMS, FEATURES, 60, per_arm=True))
    rng = np.random.default_rng(0)
    A = 0.5 * np.eye(FEATURES + 1)
    for _ in range(30):
        x = rng.standard_normal((1, ARMS, FEATURES))
        oracle.update(torch.tensor(x), torch.tensor([2]), torch.tensor([0.5]))
        z = np.append(x[0, 2], 1.0)
        A += np.outer(z, z)
    x = rng.standard_normal((1, ARMS, FEATURES))
    prediction = oracle.predict(torch.tensor(x))
    assert prediction.factor is not None
    assert prediction.std is not None
    X = np.column_stack([x[0], np.ones(ARMS)])
    covariance = X @ np.linalg.solve(A, X.T)
    factor = prediction.factor[0].numpy()
    np.testing.assert_allclose(factor @ factor.T, covariance, atol=1e-10)
    np.testing.assert_allclose(prediction.std[0].numpy() ** 2, np.diag(covariance), atol=1e-10)

    mean = torch.tensor([[0.5, 0.5001]], dtype=torch.float64)
    common = Prediction(mean, torch.ones(1, 2), factor=torch.ones(1, 2, 1))
    noise = Noise(Spec((0,), 2, 1, 1))
    assert all(Thompson(1.0)(common, now(1, t, noise))[0, 0] == 1.0 for t in range(1, 100))


def test_noise_is_keyed_by_seed_and_round() -> None:
    together, alone = Noise(Spec((3, 4), 2, 1, 1)), Noise(Spec((4,), 2, 1, 1))
    later = alone.normal(200, 5)
    assert torch.equal(together.normal(200, 5)[1:], later)
    assert not torch.equal(together.normal(200, 5)[:1], later)
    alone.normal(1, 5)
    assert torch.equal(alone.normal(200, 5), later)
    drawn = torch.stack([alone.normal(t, 5) for t in range(1, 2001)])
    assert len(set(drawn.ravel().tolist())) == drawn.numel()
    assert float(drawn.mean()) == pytest.approx(0.0, abs=0.04)
    assert float(drawn.var()) == pytest.approx(1.0, abs=0.06)


def test_draws_do_not_repeat_under_delay() -> None:
    """Every round has a new draw, also before any loss arrives."""
    agent = Delayed(Reduction(Linear(Squared(), uncertainty=True), Thompson(1.0)), delay=100)
    agent.reset(Spec((0,), ARMS, FEATURES, 60))
    x, action, loss = rounds(1, 1)[0]
    played = []
    for _ in range(60):
        played.append(int(agent.distribution(x).argmax()))
        agent.update(x, action, loss)
    assert set(played) == {0, 1, 2}


def test_the_diagonal_covariance_equals_hand_computed_numbers() -> None:
    """Lambda = 2, x = (1, 2) and the intercept, y = 1, twice."""
    oracle = Linear(Squared(), regularization=2.0, covariance="diagonal", uncertainty=True)
    oracle.reset(Spec((0,), 2, 2, 2))
    x, arm, y = torch.tensor([[1.0, 2.0]]), torch.tensor([0]), torch.ones(1)
    z = np.array([1.0, 2.0, 1.0])
    A, theta = np.full(3, 2.0), np.zeros(3)
    for _ in range(2):
        oracle.update(x, arm, y)
        theta = theta + np.linalg.solve(np.diag(A) + np.outer(z, z), z) * (1 - z @ theta)
        A = A + z**2
        prediction = oracle.predict(x)
        assert prediction.std is not None
        assert prediction.mean[0].tolist() == pytest.approx([z @ theta, 0.0])
        assert prediction.std[0].tolist() == pytest.approx([math.sqrt((z**2 / A).sum()), math.sqrt(3)])


def test_many_features_use_a_diagonal_covariance_with_a_warning() -> None:
    oracle = Linear(Squared())
    with pytest.warns(UserWarning, match="301 features keep the diagonal"):
        oracle.reset(Spec((0,), 2, 301, 2))
    oracle.reset(Spec((0,), 2, 300, 2))  # warnings are errors here


def test_a_count_of_2_equals_two_samples() -> None:
    sample = rounds(2, 1)[0]
    for loss in (Squared(), KL()):
        once, twice, never = (Linear(loss, uncertainty=True) for _ in range(3))
        for oracle in (once, twice, never):
            oracle.reset(Spec((0, 1), ARMS, FEATURES, 2))
        before = never.predict(sample[0])
        never.update(*sample, count=torch.zeros(2))
        assert torch.equal(never.predict(sample[0]).mean, before.mean)
        twice.update(*sample, count=torch.tensor([2.0, 1.0]))
        once.update(*sample)
        torch.testing.assert_close(once.predict(sample[0]).mean[1], twice.predict(sample[0]).mean[1])
        if loss.name == "squared":
            once.update(*sample)
            torch.testing.assert_close(once.predict(sample[0]).std[0], twice.predict(sample[0]).std[0])  # type: ignore[index]
            torch.testing.assert_close(once.predict(sample[0]).mean[0], twice.predict(sample[0]).mean[0])


def test_thompson_runs_are_repeatable() -> None:
    frame = neucb.run("neural-ts", "iris", 150, 2)
    assert frame.equals(neucb.run("neural-ts", "iris", 150, 2))
