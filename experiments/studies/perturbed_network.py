"""Perturbed loss of a network as a function of one vector theta, and the agent's trajectory of theta."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from neucb.agents.initialisation import draw_network, draw_signs
from neucb.environments.preprocessing import Encoded
from neucb.runs.api import prepare

WIDTH, LR, INTERCEPT = 100, 0.1, 0.1
STEPS = {"lr": LR, "lr_power": 0.0, "input_scaling": 0.0, "width": WIDTH, "intercept": INTERCEPT}
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(64)


@dataclass(frozen=True)
class Perturbed:
    """A network of K arms as one vector theta [p], and its perturbed loss.

    Attributes:
        start: [p] theta_0, W1 [K, m, d] before w2 [m].
        shape: (K, m, d).
        c: c_p m^(-1/4).
        signs: [S, p], no rows without a perturbation; None for S = infinity.
        kl: whether the loss is KL instead of the halved squared loss.
    """

    start: Tensor
    shape: tuple[int, int, int]
    c: float
    signs: Tensor | None
    kl: bool

    def output(self, theta: Tensor, x: Tensor, arm: Tensor) -> Tensor:
        """Return outputs f [n] for contexts [n, d] and arms [n]."""
        K, m, d = self.shape
        hidden = torch.einsum("nd,kmd->nkm", x, theta[: K * m * d].view(K, m, d)).relu()
        rows: Tensor = (hidden[torch.arange(len(x)), arm] * theta[K * m * d :]).sum(1)
        return rows

    def loss(self, theta: Tensor, x: Tensor, arm: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss over samples and perturbations."""
        f, u = self.output(theta, x, arm), theta - self.start
        if self.signs is None:
            if not self.kl:
                pull = self.c**2 * u.square().sum() / 2.0
                return (f - y).square().mean() / 2.0 + pull
            tau = self.c * (u.square().sum() + 1e-18).sqrt()
            offset = tau * torch.from_numpy(NODES)
            weight = torch.from_numpy(WEIGHTS / WEIGHTS.sum())
        else:
            offset = self.c * (self.signs @ u) if len(self.signs) else f.new_zeros(1)
            weight = torch.full_like(offset, 1.0 / len(offset))
        moved = f.unsqueeze(1) + offset
        if self.kl:
            losses = torch.nn.functional.softplus(moved) - y.unsqueeze(1) * moved
        else:
            losses = (moved - y.unsqueeze(1)).square() / 2.0
        return (losses @ weight).mean()


def make(encoded: Encoded, seed: int, kl: bool, count: float, c_p: float) -> Perturbed:
    """Return the initial network of the agent with this seed, with the same signs."""
    shape = (encoded.table.arms, WIDTH, encoded.contexts.shape[1] + 1)
    first, head = draw_network(seed, shape[0], shape[2], WIDTH, "he")
    start = torch.from_numpy(np.concatenate([first.ravel(), head]))
    signs = None
    if math.isfinite(count):
        drawn = draw_signs(seed, int(count), len(start)) if count else np.empty((0, len(start)))
        signs = torch.from_numpy(drawn.astype(np.float64) * 2 - 1)
    return Perturbed(start, shape, c_p / WIDTH**0.25, signs, kl)


@dataclass(frozen=True)
class PlayedSamples:
    """Played pairs x [T, d] with the constant input, arm [T], y [T], and the logged distance at the end."""

    x: Tensor
    arm: Tensor
    y: Tensor
    distance: float

    def first(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the first `count` pairs."""
        return self.x[:count], self.arm[:count], self.y[:count]


def played(encoded: Encoded, kl: bool, count: float, c_p: float, rounds: int, seed: int) -> PlayedSamples:
    """Play the agent and return its samples."""
    name = ("kl" if kl else "sq") + ("-perturbed" if count else "")
    perturbation = {"c_p": c_p, "perturbations": count if math.isinf(count) else int(count)} if count else {}
    settings = {**STEPS, "gamma": 100.0, **perturbation}
    run = prepare(
        name, encoded, rounds, [seed], settings=settings, engine="torch", dtype="float64", trace=True
    )
    run.play()
    trace, network = run.trace(), cast("Any", run.playing).oracle
    rows = trace["row"].to_numpy()
    x = np.hstack([encoded.contexts[rows], np.full((rounds, 1), INTERCEPT)]).astype(np.float64)
    y = torch.tensor(trace["loss"].to_numpy(copy=True))
    arm = torch.tensor(trace["action"].to_numpy(copy=True))
    return PlayedSamples(torch.from_numpy(x), arm, y, float(network.weights.distance()))


def path(net: Perturbed, samples: PlayedSamples, at: Sequence[int]) -> dict[int, Tensor]:
    """Repeat the agent's training, one step per sample; return theta after the rounds `at`."""
    gradient = torch.func.grad(net.loss)
    theta, kept = net.start.clone(), {}
    for t in range(max(at)):
        index = slice(t, t + 1)
        theta = theta - LR * gradient(theta, samples.x[index], samples.arm[index], samples.y[index])
        if t + 1 in at:
            kept[t + 1] = theta
    return kept


def product(net: Perturbed, theta: Tensor, sample: tuple[Tensor, ...], v: Tensor) -> Tensor:
    """Return the product of the Hessian of the mean loss and v."""
    gradient = torch.func.grad(net.loss)
    hessian_v: Tensor = torch.func.jvp(lambda point: gradient(point, *sample), (theta,), (v,))[1]
    return hessian_v


def top_curvature(net: Perturbed, theta: Tensor, sample: tuple[Tensor, ...], steps: int = 40) -> float:
    """Return the Hessian's eigenvalue of largest absolute value, by power iteration."""
    v = torch.randn(len(theta), dtype=theta.dtype, generator=torch.Generator().manual_seed(0))
    value = 0.0
    for _ in range(steps):
        v = v / v.norm()
        moved = product(net, theta, sample, v)
        value, v = float(v @ moved), moved
    return value
