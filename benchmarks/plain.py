"""Plain loop, the baseline: unoptimised PyTorch with autograd and the dense disjoint encoding.

It computes the updates of the recipes on the same random streams; in float64 it plays the same arms
(tested). From neucb it takes only the streams and the draws of theta_0 and signs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from neucb.agents.initialisation import draw_network, draw_signs
from neucb.agents.losses import Squared
from neucb.agents.recipes.kinds import REDUCTION
from neucb.agents.recipes.oracles import NEURAL
from neucb.agents.recipes.recipe import Recipe
from neucb.agents.recipes.wrappers import GRADIENT_NORM
from neucb.agents.rules.confidence import LowerConfidence
from neucb.agents.rules.inverse_gap import FastInverseGap, InverseGap
from neucb.core.errors import InputError
from neucb.core.random import stream
from neucb.environments.classification import ClassificationVectorEnv

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(21)  # quadrature of the infinite perturbation


def network(seed: int, arms: int, inputs: int, width: int, dtype: torch.dtype) -> nn.Sequential:
    """Return the network w2 . relu(W1 z) for z in R^(K d) with He initialisation."""
    blocks, head = draw_network(seed, arms, inputs, width, "he")
    first = nn.Linear(arms * inputs, width, bias=False, dtype=dtype)
    second = nn.Linear(width, 1, bias=False, dtype=dtype)
    with torch.no_grad():
        first.weight.copy_(torch.tensor(blocks).transpose(0, 1).reshape(width, arms * inputs))
        second.weight.copy_(torch.tensor(head).unsqueeze(0))
    return nn.Sequential(first, nn.ReLU(), second)


def flat(model: nn.Module) -> Tensor:
    """Return all parameters as one vector [p]."""
    return torch.cat([parameter.reshape(-1) for parameter in model.parameters()])


@dataclass(frozen=True)
class SeedRounds:
    """Rounds of one seed: x [T, d] with the constant input, losses [T, K], uniform draws [T]."""

    x: Tensor
    losses: NDArray[np.float64]
    uniforms: NDArray[np.float64]

    @staticmethod
    def of(env: ClassificationVectorEnv, seed: int, intercept: float, dtype: torch.dtype) -> SeedRounds:
        """Return the rounds of a seed in an environment."""
        script = env.script(seed)
        x = torch.tensor(env.encoded.contexts[script.rows], dtype=dtype)
        constant = torch.full((len(x), 1), intercept, dtype=dtype)
        uniforms = stream(seed, "action").random(len(x))
        return SeedRounds(torch.cat([x, constant], 1), env.feedback.cost[script.seen], uniforms)


class PlainLoop:
    """Plain loop of a neural recipe for one seed.

    Args:
        recipe: SquareCB or FastCB on a network, perturbed or not, or NeuralUCB.
        settings: all hyper-parameters as numbers; infinite radius, He initialisation, gamma by time.
        env: environment of the rounds.
        seed: seed of the replica.
        dtype: dtype of the network.

    Raises:
        InputError: an unsupported recipe or setting.
    """

    def __init__(
        self,
        recipe: Recipe,
        settings: Mapping[str, Any],
        env: ClassificationVectorEnv,
        seed: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if not supports(recipe, settings):
            raise InputError(f"there is no plain loop of {recipe.name} with these settings")
        self.recipe = recipe
        self.settings = settings
        self.dtype = dtype
        self.arms = env.table.arms
        self.samples = SeedRounds.of(env, seed, settings["intercept"], dtype)
        self.inputs = self.samples.x.shape[1]
        self.eye = torch.eye(self.arms, dtype=dtype)
        self.net = network(seed, self.arms, self.inputs, settings["width"], dtype)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=settings["lr"])
        self.start = flat(self.net).detach().clone()
        self.squares = torch.zeros(self.inputs, dtype=torch.float64)
        self.history: list[tuple[int, int, float]] = []
        self.replay_stream = stream(seed, "replay")
        self.count = settings["perturbations"] if recipe.perturbed else 0
        self.c = settings["c_p"] / settings["width"] ** 0.25 if recipe.perturbed else 0.0
        if self.count and math.isfinite(self.count):
            self.signs = self._signs(seed, int(self.count))
        self.ucb = recipe.wrapper == GRADIENT_NORM
        if self.ucb:
            self.u = torch.full_like(self.start, settings["regularization"])
        self.round = 0

    def _signs(self, seed: int, count: int) -> Tensor:
        """Return the sign vectors [S, p] in the order of `flat`."""
        width, size = self.settings["width"], len(self.start)
        bits = torch.tensor(draw_signs(seed, count, size)).to(self.dtype) * 2 - 1
        first = bits[:, :-width].view(count, self.arms, width, self.inputs).transpose(1, 2)
        return torch.cat([first.reshape(count, -1), bits[:, -width:]], 1)

    def play(self, rounds: int) -> list[int]:
        """Play the next rounds and return the played arms."""
        played = []
        for _ in range(rounds):
            t, x = self.round, self.samples.x[self.round]
            self.round += 1
            z = torch.kron(self.eye, x)  # e_a (x) x for all arms [K, K d]
            arm = self.confidence_arm(z) if self.ucb else self.inverse_gap_arm(z)
            loss = float(self.samples.losses[t, arm])
            if self.settings["input_scaling"]:
                self.squares += x.double() ** 2
            self.learn(z[arm], loss)
            if self.settings["updates_per_round"] > 1:
                self.history.append((t, arm, loss))
                self.replay()
            played.append(arm)
        return played

    def predict(self, z: Tensor) -> Tensor:
        """Return predicted losses [K] for the encoded contexts of all arms [K, K d]."""
        f = self.net(z).squeeze(1)
        if self.count:
            offset, weight = self.offsets()
            values = f.unsqueeze(1) + offset
            return (values if self.recipe.loss is Squared else torch.sigmoid(values)) @ weight
        return f if self.recipe.loss is Squared else torch.sigmoid(f)

    @torch.no_grad()
    def inverse_gap_arm(self, z: Tensor) -> int:
        """Return an arm drawn by inverse gap weighting."""
        mean = self.predict(z).double()
        gamma = self.settings["gamma"] * self.round ** self.settings["gamma_power"]
        if self.recipe.rule is FastInverseGap:
            mean = mean.clamp_min(1e-6)
        best = int(mean.argmin())
        gap = mean - mean[best]
        if self.recipe.rule is FastInverseGap:
            p = mean[best] / (self.arms * mean[best] + gamma * gap)
        else:
            p = 1.0 / (self.arms + gamma * gap)
        p[best] = 0.0
        p[best] = 1.0 - p.sum()
        below = p.cumsum(0) <= self.samples.uniforms[self.round - 1]
        return min(int(below.sum()), self.arms - 1)

    def confidence_arm(self, z: Tensor) -> int:
        """Return the arm of least f - alpha sqrt(lambda g' U^-1 g), and add its g^2 to U."""
        gradients, scores = [], []
        for output in self.net(z).squeeze(1):
            self.optimizer.zero_grad()
            output.backward(retain_graph=True)
            gradient = torch.cat([part.grad.reshape(-1) for part in self.net.parameters()])  # type: ignore[union-attr]
            sigma = (self.settings["regularization"] * gradient * gradient / self.u).sum().sqrt()
            gradients.append(gradient)
            scores.append(output.item() - self.settings["alpha"] * sigma.item())
        arm = int(np.argmin(scores))
        self.u += gradients[arm] ** 2
        return arm

    def offsets(self) -> tuple[Tensor, Tensor]:
        """Return offsets c <theta - theta_0, eps_s>, quadrature nodes for infinite S, and their weights."""
        displacement = flat(self.net) - self.start
        if math.isinf(self.count):
            nodes = torch.tensor(NODES, dtype=self.dtype)
            norm = (displacement.square().sum() + 1e-30).sqrt()  # the root has no derivative at 0
            return self.c * norm * nodes, torch.tensor(WEIGHTS / WEIGHTS.sum(), dtype=self.dtype)
        weights = torch.full((self.count,), 1 / self.count, dtype=self.dtype)
        return self.c * (self.signs @ displacement), weights

    def learn(self, z: Tensor, loss: float) -> None:
        """Make one SGD step on the weighted training loss of the played arm's encoded context [K d]."""
        self.optimizer.param_groups[0]["lr"] = self.settings["lr"] / self.round ** self.settings["lr_power"]
        self.optimizer.zero_grad()
        f = self.net(z).squeeze()
        if not self.count:
            self.training_loss(f, loss).backward()  # type: ignore[no-untyped-call]
            self.scale_gradient()
        else:  # step sizes per input apply to the gradient through f, not through the offsets
            offset, weight = self.offsets()
            total = self.training_loss(f + offset, loss) @ weight
            through_f, through_offset = torch.autograd.grad(total, (f, offset))
            f.backward(through_f)
            self.scale_gradient()
            offset.backward(through_offset)  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def training_loss(self, f: Tensor, loss: float) -> Tensor:
        """Return the training losses of outputs f for an observed loss."""
        target = torch.full_like(f, loss)
        if self.recipe.loss is Squared:
            return 0.5 * mse_loss(f, target, reduction="none")
        return binary_cross_entropy_with_logits(f, target, reduction="none")

    def scale_gradient(self) -> None:
        """Scale the gradient of the first layer by the step sizes per input."""
        if self.settings["input_scaling"] == 0.0:
            return
        mean = (self.squares + 1e-3) / self.round * self.inputs
        sizes = (mean ** -self.settings["input_scaling"]).to(self.dtype)
        gradient = self.net[0].weight.grad
        assert isinstance(gradient, Tensor)
        gradient.view(-1, self.arms, self.inputs).mul_(sizes)

    def replay(self) -> None:
        """Make the replayed updates of the round, on samples drawn from all played rounds."""
        count = self.settings["updates_per_round"] - 1
        if (self.round - 1) % 256 == 0:
            self.sample_draws = self.replay_stream.random((256, count))
        for uniform in self.sample_draws[(self.round - 1) % 256]:
            t, arm, loss = self.history[int(uniform * self.round)]
            self.learn(torch.kron(self.eye[arm], self.samples.x[t]), loss)


def supports(recipe: Recipe, settings: Mapping[str, Any]) -> bool:
    """Return whether the plain loop supports a recipe with these hyper-parameters."""
    if recipe.kind != REDUCTION or recipe.oracle != NEURAL:
        return False
    if settings["init"] != "he" or math.isfinite(settings["radius"]):
        return False
    if recipe.wrapper == GRADIENT_NORM:
        plain = settings["gradient_scaling"] == "none" and settings["covariance"] == "diagonal"
        return plain and recipe.rule is LowerConfidence and recipe.loss is Squared
    gap = recipe.rule in (InverseGap, FastInverseGap) and recipe.wrapper is None
    return gap and settings["gamma_schedule"] == "time"
