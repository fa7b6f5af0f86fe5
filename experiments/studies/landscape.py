"""Study of the perturbed loss landscape: curvature along the trajectory, a slice, convergence in S.

    python -m neucb.experiments.studies.landscape CACHE FOLDER

CACHE is the root of an OpenML cache that holds magic and covertype; FOLDER, `results/theory` in the
repository, receives curvature.csv, slice.csv, convergence.csv and spread.csv. The agent's trajectory in
parameter space is recomputed from its trace.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neucb.agents.losses import KL
from neucb.engines.log import GAUGES
from neucb.environments.preprocessing import Encoded, encode
from neucb.environments.sources.catalogue import load_table
from neucb.experiments.studies.perturbation import largest_c_p
from neucb.experiments.studies.perturbed_network import LR, WIDTH, make, path, played, product, top_curvature
from neucb.runs.api import prepare

SET, LARGER = "magic", "covertype"
ROUNDS = 3000
AT = (1, 10, 30, 100, 300, 1000, 3000)  # rounds of the curvature rows
SAMPLE = 300  # played pairs of the mean loss
STEPS = 300  # training steps of u for the convergence in S
COUNTS = tuple(int(10**power) for power in np.arange(0.0, 5.5, 0.5))


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
                        "parameter_distance": float((theta - net.start).norm()),
                        "top": top_curvature(net, theta, sample),
                        "top_unperturbed": top_curvature(plain, theta, sample),
                        "along_first_sign": float(unit @ product(net, theta, sample, unit)),
                        "along_unperturbed": float(unit @ product(plain, theta, sample, unit)),
                        "theory_along": net.c**2 * (p / count if 0 < count < math.inf else float(count > 0)),
                    }
                )
            last = thetas[ROUNDS]
            curvature[-1]["parameter_distance_logged"] = samples.distance
            for step in np.linspace(-0.5, 1.5, 41):
                theta = net.start + step * (last - net.start)
                shifted = last + (step - 0.5) * unit
                slices.append(
                    {
                        **label,
                        "step": round(float(step), 3),
                        "to_the_end": float(net.loss(theta, *sample)),
                        "to_the_end_unperturbed": float(plain.loss(theta, *sample)),
                        "along_first_sign": float(net.loss(shifted, *sample)),
                    }
                )
    return curvature, slices


def convergence_rows(sets: Mapping[str, Encoded]) -> list[dict[str, Any]]:
    """Return the relative error of the pull (1/S) E' E u against u, for a small and for trained networks.

    u is the displacement after STEPS unperturbed training steps; the small network has p = 40 and a
    normal u.

    Args:
        sets: name -> training data of a network.
    """
    rng = np.random.default_rng(0)
    cases = {"small, p = 40": rng.standard_normal(40)}
    for name, encoded in sets.items():
        samples, net = played(encoded, False, 0, 0.0, STEPS, 0), make(encoded, 0, False, 0, 0.0)
        cases[f"{name}, p = {len(net.start):,}"] = (path(net, samples, (STEPS,))[STEPS] - net.start).numpy()
    return [
        {"network": name, "S": count, **convergence(u, count, rng)}
        for name, u in cases.items()
        for count in COUNTS
        if len(u) < 100 or count <= 1000
    ]


def convergence(u: NDArray[np.float64], count: int, rng: np.random.Generator) -> dict[str, float]:
    """Return root mean squared errors over draws of S sign vectors, for the pull and for a KL prediction."""
    f, c = 0.3, 0.3 / WIDTH**0.25 * 3.0 / np.linalg.norm(u)
    exact = KL().smoothed(torch.tensor(f).double(), torch.tensor(c * np.linalg.norm(u)).double())[0]
    errors: list[tuple[float, float]] = []
    for _ in range(20 if count < 10_000 else 5):
        signs = rng.integers(0, 2, (count, len(u)), dtype=np.int8) * 2.0 - 1.0
        along = signs @ u
        pull = float(np.linalg.norm(signs.T @ along / count - u) / np.linalg.norm(u))
        yhat = float((1.0 / (1.0 + np.exp(-(f + c * along)))).mean())
        errors.append((pull, abs(yhat - float(exact))))
    pull, predicted = np.sqrt(np.square(np.array(errors)).mean(0))
    return {
        "pull_error": float(pull),
        "sqrt_p_over_S": math.sqrt(len(u) / count),
        "prediction_error": float(predicted),
    }


def spread_rows(encoded: Encoded) -> list[dict[str, Any]]:
    """Return the gauges and regret of the recipes for values of c_p, means over seeds 0 to 4."""
    rows = []
    for name in ("sq-perturbed", "kl-perturbed"):
        for count, grid in ((math.inf, (0.03, 0.1, 0.3, 1.0)), (10, (0.003, 0.01, 0.03))):
            for c_p in grid:
                run = prepare(name, encoded, None, 5, settings={"c_p": c_p, "perturbations": count})
                run.play()
                last = run.frame().groupby("seed").tail(1)
                means = {column: float(last[column].mean()) for column in ("regret", *GAUGES)}
                rows.append({"agent": name, "S": float(count), "c_p": c_p, **means})
    return rows


def main(cache: str, folder: str) -> None:
    """Write the tables."""
    import pandas as pd

    out = Path(folder)
    sets = {
        name: encode(load_table(name, source="openml", openml_cache=Path(cache))) for name in (SET, LARGER)
    }
    encoded = sets[SET]
    curvature, slices = curvature_rows(encoded)
    tables: dict[str, Sequence[dict[str, Any]]] = {"curvature": curvature, "slice": slices}
    tables |= {"convergence": convergence_rows(sets), "spread": spread_rows(encoded)}
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(out / f"{name}.csv", index=False, float_format="%.5g")
        print(name, len(rows), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
