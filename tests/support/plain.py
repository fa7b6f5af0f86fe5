"""Reference implementation of the neural oracles: dense disjoint encoding, autograd, one replica, float64.

The oracles in neucb.agents must equal it. The only shared code is that of the streams from which initial
weights and signs are drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neucb.core.random import stream

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


@dataclass
class Plain:
    """One replica of the perturbed network; `count` is None without perturbation, else S, inf included."""

    seed: int
    arms: int
    features: int
    loss: str
    width: int = 8
    depth: int = 1
    lr: float = 0.1
    lr_power: float = 0.0
    intercept: float = 1.0
    init: str = "he"
    c_p: float = 0.0
    count: float | None = None
    radius: float = math.inf
    input_scaling: float = 0.0
    updates_per_round: int = 1
    per_arm: bool = False

    def __post_init__(self) -> None:
        self.blocks = 1 if self.per_arm else self.arms
        m, K, d = self.width, self.blocks, self.features + 1
        sd_first, sd_head, self.factor = {
            "he": (math.sqrt(2 / m), math.sqrt(1 / m), 1.0),
            "ntk": (1.0, 1.0, math.sqrt(2 / m)),
            "paper": (1.0, math.sqrt(1 / m), math.sqrt(1 / m)),
        }[self.init]
        normal = stream(self.seed, "init").standard_normal
        first = torch.tensor(normal((K, m, d)) * sd_first)  # W1, one block per arm
        further = torch.tensor(normal((self.depth - 1) * m * m) * sd_first)
        head = torch.tensor(normal(m) * sd_head)
        g, h = (self.factor**2 * sd**2 * m / 2 for sd in (sd_first, sd_head))
        L = self.depth
        self.lr *= (g + h) / (g**L + (1 + (L - 1) / 4) * h * g ** (L - 1))
        self.factor **= L
        self.theta = torch.cat([first.reshape(-1), further, head]).requires_grad_()
        self.start = self.theta.detach().clone()
        self.c = self.c_p / m**0.25
        self.round = 0
        self.squares = torch.zeros(d, dtype=torch.float64)
        self.past: list[tuple[Tensor, int, float]] = []
        self.draws = stream(self.seed, "replay")
        if self.count is not None and math.isfinite(self.count):
            p, S = len(self.start), int(self.count)
            bits = np.unpackbits(
                np.frombuffer(stream(self.seed, "signs").bytes(S * ((p + 7) // 8)), np.uint8)
            )
            self.signs = torch.tensor(bits.reshape(S, -1)[:, :p].astype(float) * 2 - 1)

    def input(self, x: Tensor) -> Tensor:
        """Return contexts [..., d - 1] with the intercept appended."""
        return torch.cat([x, torch.full((*x.shape[:-1], 1), self.intercept, dtype=torch.float64)], -1)

    def output(self, x: Tensor, arm: int) -> Tensor:
        """Return f(theta; e_arm (x) (x, intercept))."""
        m, K, d = self.width, self.blocks, self.features + 1
        z = torch.zeros(K, d, dtype=torch.float64)
        z[0 if self.per_arm else arm] = self.input(x[arm] if self.per_arm else x)
        first = self.theta[: K * m * d].view(K, m, d).permute(1, 0, 2).reshape(m, K * d)
        hidden = torch.relu(first @ z.reshape(-1))
        for layer in self.theta[K * m * d : -m].view(-1, m, m):
            hidden = torch.relu(hidden @ layer)
        return self.factor * self.theta[-m:] @ hidden

    def offsets(self) -> tuple[Tensor, Tensor]:
        """Return the offsets of the perturbed networks and their weights, which sum to one."""
        u = self.theta - self.start
        if self.count is None:
            return torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
        if math.isinf(self.count):  # <u, eps> ~ N(0, |u|^2); the square root has no gradient at 0
            norm = (u.square().sum() + 1e-300).sqrt()
            weights = torch.tensor(WEIGHTS / WEIGHTS.sum())
            return self.c * norm * torch.tensor(NODES), weights
        return self.c * (self.signs @ u), torch.full(
            (len(self.signs),), 1 / len(self.signs), dtype=torch.float64
        )

    def predict(self, x: Tensor) -> Tensor:
        """Return predicted losses [K]."""
        with torch.no_grad():
            offset, weight = self.offsets()
            f = torch.stack([self.output(x, a) for a in range(self.arms)])
            values = f[:, None] + offset
            return (values if self.loss == "squared" else torch.sigmoid(values)) @ weight

    def update(self, x: Tensor, arm: int, target: float) -> None:
        """Make the steps of a round: on the newest sample, then on drawn ones."""
        self.round += 1
        self.past.append((x, arm, target))
        square = self.input(x).square()
        self.squares += square.mean(0) if self.per_arm else square
        self.step(x, arm, target)
        if self.updates_per_round > 1:
            if (self.round - 1) % 256 == 0:
                self.ahead = self.draws.random((256, self.updates_per_round - 1))
            for u in self.ahead[(self.round - 1) % 256]:
                self.step(*self.past[int(u * self.round)])

    def step(self, x: Tensor, arm: int, target: float) -> None:
        """Make a step of projected gradient descent on the weighted loss, by autograd.

        The gradient through f is scaled per input and layer, unlike that through the offsets.
        """
        output, (offset, weight) = self.output(x, arm), self.offsets()
        through_f = self.loss_of(output + offset.detach(), target) @ weight
        through_offset = self.loss_of(output.detach() + offset, target) @ weight
        (gradient,) = torch.autograd.grad(through_f, self.theta)
        pull = torch.zeros_like(gradient)
        if through_offset.requires_grad:
            (pull,) = torch.autograd.grad(through_offset, self.theta)
        d = len(self.squares)
        inside = self.blocks * self.width * d  # number of parameters of the first layer
        scale = (d * (self.squares + 1e-3) / self.round) ** -self.input_scaling
        inner = gradient[:inside].view(-1, d) * scale
        further, last = gradient[inside : -self.width], gradient[-self.width :]
        gradient = torch.cat([inner.reshape(-1), further / 4, last])
        with torch.no_grad():
            self.theta -= self.lr / self.round**self.lr_power * (gradient + pull)
            u = self.theta - self.start
            self.theta.copy_(self.start + u * min(1.0, self.radius / float(u.norm())))

    def loss_of(self, values: Tensor, target: float) -> Tensor:
        """Return the training losses of outputs."""
        y = torch.full_like(values, target)
        if self.loss == "squared":
            return 0.5 * (values - y).square()
        return torch.nn.functional.binary_cross_entropy_with_logits(values, y, reduction="none")
