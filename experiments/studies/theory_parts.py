"""The parts of `neucb.experiments.studies.theory`: each yields the rows of its table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.constants import DELTA
from neucb.engines.log import RunLog
from neucb.environments.preprocessing import Encoded, encode
from neucb.environments.sources.catalogue import load_table
from neucb.environments.synthetic import SyntheticVectorEnv
from neucb.runs.api import prepare
from neucb.runs.run import Run
from neucb.theory.bounds import fit_shape, kl_star_shape, squarecb_gamma
from neucb.theory.diagnose import diagnose
from neucb.theory.diagnosis import Question
from neucb.theory.fitting import Training
from neucb.theory.growth import growth
from neucb.theory.guarantees import guarantee
from neucb.theory.hindsight import class_loss, class_regression_regret

SEEDS = range(5)
AGENTS = ("sq-perturbed", "kl-perturbed")
WORLDS = ("linear", "cosine", "teacher")
WORLD_ROUNDS = 5000
REGRESSION_SETS = ("magic", "adult")
THEOREM_ROUNDS = 2000
NOISES = (0.0, 0.1, 0.2)
NOISY_SETS = ("magic", "adult", "shuttle", "covertype")
PAPER_SETS = ("covertype", "fashion-mnist", "magic", "mushroom", "plants-margin", "adult", "shuttle")
CLASS_SEEDS = range(3)
ORACLES = {"squarecb": {"regularization": 1.0}, "sq": {"lr": 0.1, "lr_power": 0.0, "normalize": 0.0}}
KERNEL_SETS = ("magic", "covertype", "adult", "mushroom", "shuttle")
KERNEL_ROUNDS = 2000
ARMS, FEATURES = 4, 20  # of the synthetic worlds

ONCE, TWICE = Training(restarts=1), Training(restarts=2)

Array = NDArray[np.float64]
Row = dict[str, Any]


def load(name: str, cache: Path) -> Encoded:
    """Return an encoded set of the cache."""
    return encode(load_table(name, source="openml", cache=cache))


def regression(cache: Path) -> Iterator[Row]:
    """Yield how regression regret grows: against the true h, and against a network in hindsight."""
    for world in WORLDS:
        for agent in AGENTS:
            env = SyntheticVectorEnv(world, len(SEEDS), horizon=WORLD_ROUNDS, arms=ARMS, features=FEATURES)
            job = prepare(agent, env, seeds=SEEDS)
            job.play()
            column = ("log" if agent.startswith("kl") else "squared") + "_regression_regret"
            table = job.log.frame({}).pivot(index="round", columns="seed", values=column)
            yield described(f"synthetic:{world}", agent, "true h", table.index.to_numpy(), table.to_numpy().T)
    for name in REGRESSION_SETS:
        encoded = load(name, cache)
        for agent in AGENTS:
            job = prepare(agent, encoded, seeds=SEEDS, trace=True)
            job.play()
            yield described(name, agent, "network in hindsight", *class_regression_regret(job, ONCE))


def described(dataset: str, agent: str, comparator: str, kept: NDArray[np.int64], curves: Array) -> Row:
    """Return a row about curves of regression regret [R, n] at kept rounds [n]."""
    values = curves.T
    found = growth(kept, values)
    shape = fit_shape("regression", kept, values.mean(1), 0)
    middle = values[np.searchsorted(kept, kept[-1] / 2, side="right") - 1].mean()
    return {
        "dataset": dataset,
        "agent": agent,
        "comparator": comparator,
        "rounds": int(kept[-1]),
        "regression_regret": float(values[-1].mean()),
        "at_half": float(middle),
        "alpha": found.alpha,
        "alpha_low": found.interval[0] if found.interval else np.nan,
        "alpha_high": found.interval[1] if found.interval else np.nan,
        "law": found.preferred,
        **{f"share_{law}": share for law, share in found.shares.items()},
        "log_constant": shape.constant,
        "log_misfit": shape.misfit,
    }


def kl_star(cache: Path) -> Iterator[Row]:
    """Yield regret under label noise beside sqrt(K L* log t) + K log t and its rivals."""
    for name in NOISY_SETS:
        encoded = load(name, cache)
        for agent in ("kl-perturbed", "kl", "sq-perturbed", "sq"):
            for noise in NOISES:
                job = prepare(agent, encoded, seeds=SEEDS, label_noise=noise)
                job.play()
                yield shaped(name, agent, noise, job.log)


def shaped(name: str, agent: str, noise: float, log: RunLog) -> Row:
    """Return a row about the regret of one run."""
    frame = log.frame({})
    tables = {
        column: frame.pivot(index="round", columns="seed", values=column) for column in ("regret", "L_star")
    }
    kept = tables["regret"].index.to_numpy()
    regret, best = tables["regret"].to_numpy(), tables["L_star"].to_numpy().mean(1)
    found = growth(kept, regret)
    arms = log.spec.arms
    row: Row = {
        "dataset": name,
        "agent": agent,
        "label_noise": noise,
        "rounds": int(kept[-1]),
        "regret": float(regret[-1].mean()),
        "L_star": float(best[-1]),
        "alpha": found.alpha,
        "alpha_low": found.interval[0] if found.interval else np.nan,
        "alpha_high": found.interval[1] if found.interval else np.nan,
        "law": found.preferred,
    }
    for bounded in ("neufastcb", "neusquarecb", "unperturbed"):
        shape = fit_shape(bounded, kept, regret.mean(1), arms, best)
        row |= {f"{bounded}_constant": shape.constant, f"{bounded}_misfit": shape.misfit}
    return row


def classes(cache: Path) -> Iterator[Row]:
    """Yield the best policy found of kl-perturbed's class, one row per data set, label noise and seed."""
    for name in PAPER_SETS:
        encoded = load(name, cache)
        for noise in NOISES if name == "magic" else (0.0,):
            job = prepare("kl-perturbed", encoded, seeds=CLASS_SEEDS, label_noise=noise, trace=True)
            job.play()
            yield from class_rows(name, noise, job)


def class_rows(name: str, noise: float, job: Run) -> Iterator[Row]:
    """Yield a row per seed about the best of the class and the agent's regret against it."""
    found = class_loss(job, TWICE)
    arms, rounds = job.log.spec.arms, found.rounds
    frame = job.log.frame({})
    losses = (frame["regret"] + frame["L_star"]).to_numpy().reshape(found.best_loss.shape)  # expected
    for seed, lost, best, fit in zip(CLASS_SEEDS, losses, found.best_loss, found.fits, strict=True):
        fits = {
            bounded: fit_shape(bounded, rounds, lost - best, arms, best)
            for bounded in ("neufastcb", "neusquarecb", "unperturbed")
        }
        yield {
            "dataset": name,
            "label_noise": noise,
            "seed": seed,
            "arms": arms,
            "rounds": int(rounds[-1]),
            "loss": float(lost[-1]),
            "L_star_class": float(best[-1]),
            "regret_against_class": float(lost[-1] - best[-1]),
            "shape": float(kl_star_shape(rounds[-1:], best[-1:], arms)[0]),
            "trained": fit.trained,
            "held_out": fit.held_out,
            "epochs": fit.epochs,
            "spread": fit.spread,
            "neufastcb_constant": fits["neufastcb"].constant,
            **{f"{bounded}_misfit": shape.misfit for bounded, shape in fits.items()},
        }


def theorem(_: Path) -> Iterator[Row]:
    """Yield SquareCB's bound with its own regression regret: gamma follows what the last play measured."""
    for world in ("linear", "cosine"):
        for agent, own in ORACLES.items():
            assumed = 50.0
            for _attempt in range(4):
                env = SyntheticVectorEnv(
                    world, len(SEEDS), horizon=THEOREM_ROUNDS, arms=ARMS, features=FEATURES
                )
                settings = {**own, "gamma_schedule": "theory", "regression_regret": assumed}
                job = prepare(agent, env, seeds=SEEDS, settings=settings)
                job.play()
                worst = float(job.log.sums["squared_regression_regret"].max())
                if worst <= assumed <= 2.0 * max(worst, 1.0):
                    break
                assumed = 1.2 * max(worst, 1.0)
            for seed, rows in job.frame().groupby("seed"):
                found = guarantee(rows, ARMS)
                assert found is not None
                yield {
                    "world": world,
                    "agent": agent,
                    "seed": seed,
                    "rounds": THEOREM_ROUNDS,
                    "gamma": squarecb_gamma(ARMS, THEOREM_ROUNDS, assumed, DELTA),
                    "Reg_assumed": assumed,
                    "Reg_measured": found.regression_regret,
                    "kind": found.kind,
                    "regret": float(rows["regret"].iloc[-1]),
                    "bound": float(found.bound[-1]),
                }


def kernel(cache: Path) -> Iterator[Row]:
    """Yield what `neucb diagnose` finds, a row per set and lambda.

    The last four rows are magic in the encoding "paper" with init "ntk", whose kernel is twice that of
    W1, w2 ~ N(0, 1) and the output factor 1 / sqrt(m); twice the lambda makes up for it.
    """
    questions = [(name, "standard", Question(KERNEL_ROUNDS)) for name in KERNEL_SETS]
    halved = Question(KERNEL_ROUNDS, init="ntk", intercept=0.0, ridges=(0.002, 0.02, 0.2, 2.0))
    for name, preprocessing, question in [*questions, ("magic", "paper", halved)]:
        encoded = encode(load_table(name, source="openml", cache=cache), preprocessing)
        found = diagnose(encoded, question, prepare)
        for one in found.ridges:
            yield {
                "dataset": name,
                "preprocessing": preprocessing,
                "init": question.init,
                "rounds": question.rounds,
                "lambda": one.ridge,
                "dimension": float(one.dimension[-1]),
                "power": one.power,
                "S": float(found.norm[-1]),
                "ridge_for_S": found.norm_ridge,
                "repeated_rows": found.repeated,
                "conflicting_rows": found.conflicting,
                "least_eigenvalue": found.least,
                "largest_eigenvalue": found.largest,
                "network_gap": found.network_gap,
                "ucb_bound": float(one.ucb_bound[-1]),
                "ucb_regret": float(one.ucb_regret[-1]),
                "ts_shape": float(one.ts_shape[-1]),
                "ts_regret": float(one.ts_regret[-1]),
            }
