"""What the perturbation does to the loss: curvature on the path, a slice, convergence in S.

    python -m neucb.experiments.landscape CACHE FOLDER

CACHE is the root of an OpenML cache that holds magic; FOLDER takes curvature.csv, slice.csv,
convergence.csv and spread.csv, `results/theory` in the repository. The agent's own path is trained
again, parameter by parameter, from its trace.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neucb.agents.initial import draw_network, draw_signs
from neucb.agents.losses import KL
from neucb.environments.catalogue import load_table
from neucb.environments.preprocessing import Encoded, encode
from neucb.experiments.perturbation import largest_c_p
from neucb.runner import prepare, run

SET = "magic"
ROUNDS = 3000
AT = (1, 10, 30, 100, 300, 1000, 3000)
SAMPLE = 300  # played pairs whose mean loss is looked at
WIDTH, LR, INTERCEPT = 100, 0.1, 0.1
STEPS = {"lr": LR, "lr_power": 0.0, "normalize": 0.0, "width": WIDTH, "intercept": INTERCEPT}
COUNTS = tuple(int(10**power) for power in np.arange(0.0, 5.5, 0.5))
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(64)


@dataclass(frozen=True)
class Perturbed:
    """A network of K arms as one vector theta [p], and its perturbed loss.

    Attributes:
        start: [p] theta_0, W1 [K, m, d] before w2 [m].
        shape: (K, m, d).
        c: c_p m^(-1/4).
        signs: [S, p], no rows without a perturbation; None for S = infinity.
        kl: whether the loss is KL and not the squared one, halved.
    """

    start: Tensor
    shape: tuple[int, int, int]
    c: float
    signs: Tensor | None
    kl: bool

    def output(self, theta: Tensor, x: Tensor, arm: Tensor) -> Tensor:
        """Return f [n] of contexts [n, d] and arms [n]."""
        K, m, d = self.shape
        hidden = torch.einsum("nd,kmd->nkm", x, theta[: K * m * d].view(K, m, d)).relu()
        rows: Tensor = (hidden[torch.arange(len(x)), arm] * theta[K * m * d :]).sum(1)
        return rows

    def loss(self, theta: Tensor, x: Tensor, arm: Tensor, y: Tensor) -> Tensor:
        """Return the mean over samples and perturbations of the loss."""
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
            each = torch.nn.functional.softplus(moved) - y.unsqueeze(1) * moved
        else:
            each = (moved - y.unsqueeze(1)).square() / 2.0
        return (each @ weight).mean()


def make(encoded: Encoded, seed: int, kl: bool, count: float, c_p: float) -> Perturbed:
    """Return the network that the agent of this seed starts from, with the same signs."""
    shape = (encoded.table.arms, WIDTH, encoded.contexts.shape[1] + 1)
    first, head = draw_network(seed, shape[0], shape[2], WIDTH, "he")
    start = torch.from_numpy(np.concatenate([first.ravel(), head]))
    signs = None
    if math.isfinite(count):
        drawn = draw_signs(seed, int(count), len(start)) if count else np.empty((0, len(start)))
        signs = torch.from_numpy(drawn.astype(np.float64) * 2 - 1)
    return Perturbed(start, shape, c_p / WIDTH**0.25, signs, kl)


@dataclass(frozen=True)
class Samples:
    """Played pairs: x [T, d] with the constant input, arm [T], y [T]; and what the log says at the end."""

    x: Tensor
    arm: Tensor
    y: Tensor
    distance: float

    def first(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the first `count` of them."""
        return self.x[:count], self.arm[:count], self.y[:count]


def played(encoded: Encoded, kl: bool, count: float, c_p: float, rounds: int, seed: int) -> Samples:
    """Let the agent play and return its samples."""
    name = ("kl" if kl else "sq") + ("-perturbed" if count else "")
    own = {"c_p": c_p, "perturbations": count if math.isinf(count) else int(count)} if count else {}
    settings = {**STEPS, "gamma": 100.0, **own}
    frame, trace = run(
        name, encoded, rounds, [seed], settings=settings, engine="torch", dtype="float64", trace=True
    )
    rows = trace["context"].to_numpy()
    x = np.hstack([encoded.contexts[rows], np.full((rounds, 1), INTERCEPT)]).astype(np.float64)
    y = torch.tensor(trace["loss"].to_numpy(copy=True))
    arm = torch.tensor(trace["action"].to_numpy(copy=True))
    return Samples(torch.from_numpy(x), arm, y, float(frame["distance"].iloc[-1]))


def path(net: Perturbed, samples: Samples, at: Sequence[int]) -> dict[int, Tensor]:
    """Train one step a round on the agent's samples; return theta after the rounds `at`."""
    slope = torch.func.grad(net.loss)
    theta, kept = net.start.clone(), {}
    for t in range(max(at)):
        here = slice(t, t + 1)
        theta = theta - LR * slope(theta, samples.x[here], samples.arm[here], samples.y[here])
        if t + 1 in at:
            kept[t + 1] = theta
    return kept


def product(net: Perturbed, theta: Tensor, sample: tuple[Tensor, ...], v: Tensor) -> Tensor:
    """Return the Hessian of the mean loss times v."""
    slope = torch.func.grad(net.loss)
    found: Tensor = torch.func.jvp(lambda one: slope(one, *sample), (theta,), (v,))[1]
    return found


def top_curvature(net: Perturbed, theta: Tensor, sample: tuple[Tensor, ...], steps: int = 40) -> float:
    """Return the Hessian's eigenvalue of largest size, by power iteration."""
    v = torch.randn(len(theta), dtype=theta.dtype, generator=torch.Generator().manual_seed(0))
    value = 0.0
    for _ in range(steps):
        v = v / v.norm()
        moved = product(net, theta, sample, v)
        value, v = float(v @ moved), moved
    return value


def curvature_rows(encoded: Encoded, seed: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of curvature.csv and of slice.csv."""
    curvature, slices = [], []
    for kl in (False, True):
        for count, share in ((0, 0.0), (math.inf, 0.0), (1, 0.3), (3, 0.3), (10, 0.3)):
            p = len(make(encoded, seed, kl, 0, 0.0).start)
            c_p = share * largest_c_p(count, LR, p, WIDTH) if share else 0.3
            net = make(encoded, seed, kl, count, c_p if count else 0.0)
            samples = played(encoded, kl, count, c_p, ROUNDS, seed)
            sample = samples.first(SAMPLE)
            label = {"loss": "kl" if kl else "squared", "S": float(count), "c_p": c_p if count else 0.0}
            thetas = path(net, samples, AT)
            plain = make(encoded, seed, kl, 0, 0.0)
            along = make(encoded, seed, kl, 1, 0.0).signs
            assert along is not None
            unit = along[0] / math.sqrt(p)
            for t, theta in thetas.items():
                curvature.append(
                    {
                        **label,
                        "t": t,
                        "distance": float((theta - net.start).norm()),
                        "top": top_curvature(net, theta, sample),
                        "top_unperturbed": top_curvature(plain, theta, sample),
                        "along_first_sign": float(unit @ product(net, theta, sample, unit)),
                        "along_unperturbed": float(unit @ product(plain, theta, sample, unit)),
                        "theory_along": net.c**2 * (p / count if 0 < count < math.inf else float(count > 0)),
                    }
                )
            last = thetas[ROUNDS]
            curvature[-1]["distance_logged"] = samples.distance
            for step in np.linspace(-0.5, 1.5, 41):
                there = net.start + step * (last - net.start)
                aside = last + (step - 0.5) * unit
                slices.append(
                    {
                        **label,
                        "step": round(float(step), 3),
                        "to_the_end": float(net.loss(there, *sample)),
                        "to_the_end_unperturbed": float(plain.loss(there, *sample)),
                        "along_first_sign": float(net.loss(aside, *sample)),
                    }
                )
    return curvature, slices


def convergence_rows(encoded: Encoded) -> list[dict[str, Any]]:
    """Return the relative error of the pull (1/S) E' E u beside u, of a small and of real networks.

    u is that of 300 rounds of training without a perturbation; the small network has p = 40 and a
    normal u.
    """
    samples = played(encoded, False, 0, 0.0, 300, 0)
    net = make(encoded, 0, False, 0, 0.0)
    real = (path(net, samples, (300,))[300] - net.start).numpy()
    rng = np.random.default_rng(0)
    cases = {"small, p = 40": rng.standard_normal(40), f"{SET}, p = {len(real):,}": real}
    rows = []
    for name, u in cases.items():
        f, c = 0.3, 0.3 / WIDTH**0.25 * 3.0 / np.linalg.norm(u)
        exact = KL().smoothed(torch.tensor(f).double(), torch.tensor(c * np.linalg.norm(u)).double())[0]
        for count in COUNTS if len(u) < 100 else COUNTS[:7]:
            errors: list[tuple[float, float]] = []
            for _ in range(20 if count < 10_000 else 5):
                signs = rng.integers(0, 2, (count, len(u)), dtype=np.int8) * 2.0 - 1.0
                along = signs @ u
                pull = float(np.linalg.norm(signs.T @ along / count - u) / np.linalg.norm(u))
                yhat = float((1.0 / (1.0 + np.exp(-(f + c * along)))).mean())
                errors.append((pull, abs(yhat - float(exact))))
            pull, predicted = np.sqrt(np.square(np.array(errors)).mean(0))
            rows.append(
                {
                    "network": name,
                    "S": count,
                    "pull_error": float(pull),
                    "sqrt_p_over_S": math.sqrt(len(u) / count),
                    "prediction_error": float(predicted),
                }
            )
    return rows


def spread_rows(encoded: Encoded) -> list[dict[str, Any]]:
    """Return spread, distance and regret of the recipes against c_p, means over seeds 0 to 4."""
    rows = []
    for name in ("sq-perturbed", "kl-perturbed"):
        for count, grid in ((math.inf, (0.03, 0.1, 0.3, 1.0)), (10, (0.003, 0.01, 0.03))):
            for c_p in grid:
                job = prepare(name, encoded, None, 5, settings={"c_p": c_p, "perturbations": count})
                job.play()
                last = job.frame().groupby("seed").tail(1)
                figures = {one: float(last[one].mean()) for one in ("regret", "spread", "distance")}
                rows.append({"agent": name, "S": float(count), "c_p": c_p, **figures})
    return rows


def main(cache: str, folder: str) -> None:
    """Write the tables."""
    import pandas as pd

    out = Path(folder)
    encoded = encode(load_table(SET, source="openml", cache=Path(cache)))
    curvature, slices = curvature_rows(encoded)
    tables: dict[str, Sequence[dict[str, Any]]] = {"curvature": curvature, "slice": slices}
    tables |= {"convergence": convergence_rows(encoded), "spread": spread_rows(encoded)}
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(out / f"{name}.csv", index=False, float_format="%.5g")
        print(name, len(rows), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
