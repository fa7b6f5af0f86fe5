"""Parts of `neucb.experiments.studies.theory`, each a generator of table rows."""

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
from neucb.theory.best_in_class import class_loss, class_regression_regret
from neucb.theory.bounds import fit_shape, kl_star_shape, squarecb_gamma
from neucb.theory.diagnose import diagnose
from neucb.theory.diagnosis import Question
from neucb.theory.fitting import Training
from neucb.theory.growth import growth
from neucb.theory.guarantees import guarantee

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
ORACLES = {"squarecb": {"regularization": 1.0}, "sq": {"lr": 0.1, "lr_power": 0.0, "input_scaling": 0.0}}
KERNEL_SETS = ("magic", "covertype", "adult", "mushroom", "shuttle")
KERNEL_ROUNDS = 2000
ARMS, FEATURES = 4, 20  # K and d of the synthetic worlds

ONCE, TWICE = Training(restarts=1), Training(restarts=2)

Array = NDArray[np.float64]
Row = dict[str, Any]


def load(name: str, cache: Path) -> Encoded:
    """Return an encoded data set from the cache."""
    return encode(load_table(name, source="openml", openml_cache=cache))


def regression(cache: Path) -> Iterator[Row]:
    """Yield growth laws of regression regret against the true h and against a network in hindsight."""
    for world in WORLDS:
        for agent in AGENTS:
            env = SyntheticVectorEnv(world, len(SEEDS), horizon=WORLD_ROUNDS, arms=ARMS, features=FEATURES)
            run = prepare(agent, env, seeds=SEEDS)
            run.play()
            column = ("log" if agent.startswith("kl") else "squared") + "_regression_regret"
            table = run.log.frame({}).pivot(index="round", columns="seed", values=column)
            yield described(f"synthetic:{world}", agent, "true h", table.index.to_numpy(), table.to_numpy().T)
    for name in REGRESSION_SETS:
        encoded = load(name, cache)
        for agent in AGENTS:
            run = prepare(agent, encoded, seeds=SEEDS, trace=True)
            run.play()
            yield described(name, agent, "network in hindsight", *class_regression_regret(run, ONCE))


def described(dataset: str, agent: str, comparator: str, kept: NDArray[np.int64], curves: Array) -> Row:
    """Return the row of regression-regret curves [R, n] at kept rounds [n]."""
    values = curves.T
    fitted = growth(kept, values)
    shape = fit_shape("regression", kept, values.mean(1), 0)
    middle = values[np.searchsorted(kept, kept[-1] / 2, side="right") - 1].mean()
    return {
        "dataset": dataset,
        "agent": agent,
        "comparator": comparator,
        "rounds": int(kept[-1]),
        "regression_regret": float(values[-1].mean()),
        "at_half": float(middle),
        "alpha": fitted.alpha,
        "alpha_low": fitted.interval[0] if fitted.interval else np.nan,
        "alpha_high": fitted.interval[1] if fitted.interval else np.nan,
        "law": fitted.preferred,
        **{f"share_{law}": share for law, share in fitted.shares.items()},
        "log_constant": shape.constant,
        "log_misfit": shape.misfit,
    }


def kl_star(cache: Path) -> Iterator[Row]:
    """Yield fits of sqrt(K L* log t) + K log t and alternative shapes to regret under label noise."""
    for name in NOISY_SETS:
        encoded = load(name, cache)
        for agent in ("kl-perturbed", "kl", "sq-perturbed", "sq"):
            for noise in NOISES:
                run = prepare(agent, encoded, seeds=SEEDS, label_noise=noise)
                run.play()
                yield shaped(name, agent, noise, run.log)


def shaped(name: str, agent: str, noise: float, log: RunLog) -> Row:
    """Return the row of one run's regret."""
    frame = log.frame({})
    tables = {
        column: frame.pivot(index="round", columns="seed", values=column) for column in ("regret", "L_star")
    }
    kept = tables["regret"].index.to_numpy()
    regret, best = tables["regret"].to_numpy(), tables["L_star"].to_numpy().mean(1)
    fitted = growth(kept, regret)
    arms = log.spec.arms
    row: Row = {
        "dataset": name,
        "agent": agent,
        "label_noise": noise,
        "rounds": int(kept[-1]),
        "regret": float(regret[-1].mean()),
        "L_star": float(best[-1]),
        "alpha": fitted.alpha,
        "alpha_low": fitted.interval[0] if fitted.interval else np.nan,
        "alpha_high": fitted.interval[1] if fitted.interval else np.nan,
        "law": fitted.preferred,
    }
    for bounded in ("neufastcb", "neusquarecb", "unperturbed"):
        shape = fit_shape(bounded, kept, regret.mean(1), arms, best)
        row |= {f"{bounded}_constant": shape.constant, f"{bounded}_misfit": shape.misfit}
    return row


def classes(cache: Path) -> Iterator[Row]:
    """Yield best-in-class fits for kl-perturbed, one row per data set, label noise and seed."""
    for name in PAPER_SETS:
        encoded = load(name, cache)
        for noise in NOISES if name == "magic" else (0.0,):
            run = prepare("kl-perturbed", encoded, seeds=CLASS_SEEDS, label_noise=noise, trace=True)
            run.play()
            yield from class_rows(name, noise, run)


def class_rows(name: str, noise: float, run: Run) -> Iterator[Row]:
    """Yield a row per seed with the best-in-class loss and the agent's regret against it."""
    hindsight = class_loss(run, TWICE)
    arms, rounds = run.log.spec.arms, hindsight.rounds
    frame = run.log.frame({})
    losses = (frame["regret"] + frame["L_star"]).to_numpy().reshape(hindsight.best_loss.shape)  # expected
    for seed, loss, best, fit in zip(CLASS_SEEDS, losses, hindsight.best_loss, hindsight.fits, strict=True):
        fits = {
            bounded: fit_shape(bounded, rounds, loss - best, arms, best)
            for bounded in ("neufastcb", "neusquarecb", "unperturbed")
        }
        yield {
            "dataset": name,
            "label_noise": noise,
            "seed": seed,
            "arms": arms,
            "rounds": int(rounds[-1]),
            "loss": float(loss[-1]),
            "L_star_class": float(best[-1]),
            "regret_against_class": float(loss[-1] - best[-1]),
            "shape": float(kl_star_shape(rounds[-1:], best[-1:], arms)[0]),
            "trained": fit.trained,
            "held_out": fit.held_out,
            "epochs": fit.epochs,
            "spread": fit.spread,
            "neufastcb_constant": fits["neufastcb"].constant,
            **{f"{bounded}_misfit": shape.misfit for bounded, shape in fits.items()},
        }


def theorem(_: Path) -> Iterator[Row]:
    """Yield SquareCB's bound, with gamma tuned to the regression regret measured in the previous run."""
    for world in ("linear", "cosine"):
        for agent, oracle in ORACLES.items():
            assumed = 50.0
            for _attempt in range(4):
                env = SyntheticVectorEnv(
                    world, len(SEEDS), horizon=THEOREM_ROUNDS, arms=ARMS, features=FEATURES
                )
                settings = {**oracle, "gamma_schedule": "theory", "regression_regret": assumed}
                run = prepare(agent, env, seeds=SEEDS, settings=settings)
                run.play()
                worst = float(run.log.sums["squared_regression_regret"].max())
                if worst <= assumed <= 2.0 * max(worst, 1.0):
                    break
                assumed = 1.2 * max(worst, 1.0)
            for seed, rows in run.frame().groupby("seed"):
                bound = guarantee(rows, ARMS)
                assert bound is not None
                yield {
                    "world": world,
                    "agent": agent,
                    "seed": seed,
                    "rounds": THEOREM_ROUNDS,
                    "gamma": squarecb_gamma(ARMS, THEOREM_ROUNDS, assumed, DELTA),
                    "Reg_assumed": assumed,
                    "Reg_measured": bound.regression_regret,
                    "kind": bound.kind,
                    "regret": float(rows["regret"].iloc[-1]),
                    "bound": float(bound.bound[-1]),
                }


def kernel(cache: Path) -> Iterator[Row]:
    """Yield the results of `neucb diagnose`, a row per data set and lambda.

    The last four rows are magic in the encoding "paper" with init "ntk", whose kernel is twice that of
    W1, w2 ~ N(0, 1) and the output factor 1 / sqrt(m); the doubled lambda compensates for it.
    """
    questions = [(name, "standard", Question(KERNEL_ROUNDS)) for name in KERNEL_SETS]
    halved = Question(KERNEL_ROUNDS, init="ntk", intercept=0.0, ridges=(0.002, 0.02, 0.2, 2.0))
    for name, preprocessing, question in [*questions, ("magic", "paper", halved)]:
        encoded = encode(load_table(name, source="openml", openml_cache=cache), preprocessing)
        diagnosis = diagnose(encoded, question, prepare)
        for ridge in diagnosis.ridges:
            yield {
                "dataset": name,
                "preprocessing": preprocessing,
                "init": question.init,
                "rounds": question.rounds,
                "lambda": ridge.ridge,
                "dimension": float(ridge.dimension[-1]),
                "power": ridge.power,
                "S": float(diagnosis.norm[-1]),
                "ridge_for_S": diagnosis.norm_ridge,
                "repeated_rows": diagnosis.repeated,
                "conflicting_rows": diagnosis.conflicting,
                "least_eigenvalue": diagnosis.least,
                "largest_eigenvalue": diagnosis.largest,
                "network_gap": diagnosis.network_gap,
                "ucb_bound": float(ridge.ucb_bound[-1]),
                "ucb_regret": float(ridge.ucb_regret[-1]),
                "ts_shape": float(ridge.ts_shape[-1]),
                "ts_regret": float(ridge.ts_regret[-1]),
            }
