"""The neural oracles written the naive way: dense disjoint encoding, autograd, one replica, float64.

The reference that the fast forms in neucb.agents are held to. It shares no code with them but the
streams that the initial weights and the signs are drawn from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neucb.streams import stream

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


@dataclass
class Plain:
    """One replica of the perturbed network; `count` None: no perturbation, inf: expected, S: signs."""

    seed: int
    arms: int
    features: int
    loss: str
    width: int = 8
    lr: float = 0.1
    lr_power: float = 0.0
    intercept: float = 1.0
    init: str = "he"
    c_p: float = 0.0
    count: float | None = None
    radius: float = math.inf

    def __post_init__(self) -> None:
        m, K, d = self.width, self.arms, self.features + 1
        sd_first, sd_head, self.factor = {
            "he": (math.sqrt(2 / m), math.sqrt(1 / m), 1.0),
            "ntk": (1.0, 1.0, math.sqrt(2 / m)),
            "paper": (1.0, math.sqrt(1 / m), math.sqrt(1 / m)),
        }[self.init]
        normal = stream(self.seed, "init").standard_normal
        first = torch.tensor(normal((K, m, d)) * sd_first)  # W1, one block per arm
        head = torch.tensor(normal(m) * sd_head)
        self.theta = torch.cat([first.reshape(-1), head]).requires_grad_()
        self.start = self.theta.detach().clone()
        self.c = self.c_p / m**0.25
        self.round = 0
        if self.count is not None and math.isfinite(self.count):
            p, S = len(self.start), int(self.count)
            bits = np.unpackbits(
                np.frombuffer(stream(self.seed, "signs").bytes(S * ((p + 7) // 8)), np.uint8)
            )
            self.signs = torch.tensor(bits.reshape(S, -1)[:, :p].astype(float) * 2 - 1)

    def output(self, x: Tensor, arm: int) -> Tensor:
        """Return f(theta; e_arm (x) (x, intercept))."""
        m, K, d = self.width, self.arms, self.features + 1
        z = torch.zeros(K, d, dtype=torch.float64)
        z[arm] = torch.cat([x, torch.tensor([self.intercept], dtype=torch.float64)])
        first = self.theta[: K * m * d].view(K, m, d).permute(1, 0, 2).reshape(m, K * d)
        return self.factor * self.theta[K * m * d :] @ torch.relu(first @ z.reshape(-1))

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
        """One step of projected gradient descent on the average of the losses, by autograd."""
        self.round += 1
        offset, weight = self.offsets()
        values = self.output(x, arm) + offset
        y = torch.full_like(values, target)
        if self.loss == "squared":
            losses = 0.5 * (values - y).square()
        else:
            losses = torch.nn.functional.binary_cross_entropy_with_logits(values, y, reduction="none")
        (gradient,) = torch.autograd.grad(losses @ weight, self.theta)
        with torch.no_grad():
            self.theta -= self.lr / self.round**self.lr_power * gradient
            u = self.theta - self.start
            self.theta.copy_(self.start + u * min(1.0, self.radius / float(u.norm())))
