"""Theory beside practice: regression regret, K L*, SquareCB's theorem, NeuralUCB's bound.

    python -m neucb.experiments.theory CACHE FOLDER [regression] [kl-star] [theorem] [kernel]

CACHE is the root of an OpenML cache that holds the data sets; FOLDER takes a table per part,
`results/theory` in the repository. All parts by default. Seeds 0 to 4.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.agent import Oracle, Reduction
from neucb.agents.recipes import find_recipe
from neucb.environments.catalogue import load_table
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.make import ROUNDS
from neucb.environments.preprocessing import Encoded, encode
from neucb.environments.synthetic import SyntheticVectorEnv
from neucb.log import RunLog, log_spaced
from neucb.spec import Spec
from neucb.theory.bounds import fit_shape, squarecb_gamma, squarecb_run_bound
from neucb.theory.diagnose import Question, diagnose
from neucb.theory.growth import growth
from neucb.theory.hindsight import Training, fit_class, regression_regret
from neucb.theory.record import Played, record

SEEDS = tuple(range(5))
AGENTS = ("sq-perturbed", "kl-perturbed")
WORLDS = ("linear", "cosine", "teacher")
WORLD_ROUNDS = 5000
REGRESSION_SETS = ("magic", "adult")
THEOREM_ROUNDS = 2000
NOISES = (0.0, 0.1, 0.2)
NOISY_SETS = ("magic", "adult", "shuttle", "covertype")
CLASS_SETS = ("magic",)  # whose L* of the class is fitted
KERNEL_SETS = ("magic", "covertype", "adult", "mushroom", "shuttle")
KERNEL_ROUNDS = 2000
DELTA = 0.05

ONCE = Training(restarts=1)

Array = NDArray[np.float64]
Row = dict[str, Any]


def main(cache: str, folder: str, *parts: str) -> None:
    """Write the table of every part, after each row anew."""
    import pandas as pd

    known = {"regression": regression, "kl-star": kl_star, "theorem": theorem, "kernel": kernel}
    for part in parts or known:
        rows: list[Row] = []
        for row in known[part](Path(cache)):
            rows.append(row)
            print(row, flush=True)
            pd.DataFrame(rows).to_csv(Path(folder) / f"{part}.csv", index=False, float_format="%.5g")


def load(name: str, cache: Path) -> Encoded:
    """Return an encoded set of the cache."""
    return encode(load_table(name, source="openml", cache=cache))


def regression(cache: Path) -> Iterator[Row]:
    """Yield how regression regret grows: against the true h, and against a network in hindsight."""
    for world in WORLDS:
        for agent in AGENTS:
            recipe = find_recipe(agent)
            env = SyntheticVectorEnv(world, len(SEEDS), horizon=WORLD_ROUNDS, arms=4, features=20)
            built = recipe.build()
            assert isinstance(built, Reduction)
            played = record(built, env, Spec(SEEDS, 4, 20, WORLD_ROUNDS, per_arm=True))
            curves = regression_regret(
                played.at_action(played.predicted), played.at_action(played.h), played.loss, recipe.loss
            )
            yield described(f"synthetic:{world}", agent, "true h", curves, 4)
    for name in REGRESSION_SETS:
        encoded = load(name, cache)
        for agent in AGENTS:
            yield described(name, agent, "network in hindsight", *against_network(encoded, agent))


def against_network(encoded: Encoded, agent: str) -> tuple[Array, int]:
    """Return regression regret [R, T] on the played pairs, and K. Five fits, one per seed."""
    recipe, arms = find_recipe(agent), encoded.table.arms
    rounds = min(ROUNDS, encoded.table.rows)
    env = ClassificationVectorEnv(encoded, len(SEEDS), horizon=rounds)
    built = recipe.build()
    assert isinstance(built, Reduction)
    played = record(built, env, Spec(SEEDS, arms, encoded.contexts.shape[1], rounds))
    best = []
    for r in range(len(SEEDS)):
        losses = np.zeros((rounds, arms))
        losses[np.arange(rounds), played.action[r]] = played.loss[r]
        fitted = fit_class(recipe, played.context[r], losses, played.action[r], training=ONCE)
        best.append(fitted.predicted[np.arange(rounds), played.action[r]])
    own = played.at_action(played.predicted)
    return regression_regret(own, np.stack(best), played.loss, recipe.loss), arms


def described(dataset: str, agent: str, comparator: str, curves: Array, arms: int) -> Row:
    """Return a row about curves of regression regret [R, T]."""
    kept = log_spaced(curves.shape[1])
    values = curves[:, kept - 1].T
    found = growth(kept, values)
    shape = fit_shape("regression", kept, values.mean(1), arms)
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
    from neucb.runner import prepare

    for name in NOISY_SETS:
        encoded = load(name, cache)
        for agents in (("kl-perturbed", "kl"), ("sq-perturbed", "sq")):
            for noise in NOISES:
                # Both agents have the same class and loss.
                best = class_loss(encoded, agents[0], noise) if name in CLASS_SETS else {}
                for agent in agents:
                    job = prepare(agent, encoded, None, SEEDS, label_noise=noise)
                    job.play()
                    yield shaped(name, agent, noise, job.log) | best


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


def class_loss(encoded: Encoded, agent: str, noise: float) -> Row:
    """Return the expected loss of the best policy found of the class on seed 0's rows, and the fit."""
    rounds = min(ROUNDS, encoded.table.rows)
    env = ClassificationVectorEnv(encoded, 1, horizon=rounds, label_noise=noise)
    script = env.script(0)
    losses = env.feedback.expected[script.label]
    fitted = fit_class(find_recipe(agent), encoded.contexts[script.rows], losses)
    return {
        "L_star_class": float(fitted.policy_losses(losses).sum()),
        "class_trained": fitted.trained,
        "class_held_out": fitted.held_out,
        "class_epochs": fitted.epochs,
        "class_spread": fitted.spread,
    }


def theorem(_: Path) -> Iterator[Row]:
    """Yield SquareCB's bound with its own regression regret: gamma follows what the last play measured."""
    from neucb.agents.exploration import InverseGap
    from neucb.agents.linear import Linear
    from neucb.agents.losses import Squared
    from neucb.agents.neural import Neural
    from neucb.agents.schedules import SquareTheory
    from neucb.agents.weights import PlainWeights

    oracles: dict[str, Callable[[], Oracle]] = {
        "ridge": lambda: Linear(Squared()),
        "network": lambda: Neural(Squared(), PlainWeights(), lr=0.1),
    }
    arms, features, horizon = 4, 20, THEOREM_ROUNDS
    for world in ("linear", "cosine"):
        for name, oracle in oracles.items():
            assumed = 50.0
            for _attempt in range(4):
                env = SyntheticVectorEnv(world, len(SEEDS), horizon=horizon, arms=arms, features=features)
                agent = Reduction(oracle(), InverseGap(SquareTheory(assumed, DELTA)))
                played = record(agent, env, Spec(SEEDS, arms, features, horizon, per_arm=True))
                measured = measured_regret(played)
                if measured.max() <= assumed <= 2.0 * max(measured.max(), 1.0):
                    break
                assumed = 1.2 * float(max(measured.max(), 1.0))
            for r, seed in enumerate(SEEDS):
                bound = squarecb_run_bound(
                    played.p[r], played.predicted[r], played.h[r], played.gamma[r], measured[r], DELTA
                )
                yield {
                    "world": world,
                    "oracle": name,
                    "seed": seed,
                    "rounds": horizon,
                    "gamma": squarecb_gamma(arms, horizon, assumed, DELTA),
                    "Reg_assumed": assumed,
                    "Reg_measured": float(measured[r]),
                    "kind": bound.kind,
                    "regret": float(bound.regret[-1]),
                    "bound": float(bound.bound[-1]),
                }


def measured_regret(played: Played) -> Array:
    """Return the regression regret [R] against h, squared, unhalved and, as the theorem has it, unclipped."""
    own = np.square(played.at_action(played.predicted) - played.loss)
    return np.asarray((own - np.square(played.at_action(played.h) - played.loss)).sum(1), dtype=np.float64)


def kernel(cache: Path) -> Iterator[Row]:
    """Yield what `neucb diagnose` finds, a row per set and lambda.

    The last four rows are magic in the encoding "paper" with init "ntk", whose kernel is twice that of
    W1, w2 ~ N(0, 1) and the output factor 1 / sqrt(m); twice the lambda makes up for it.
    """
    questions = [(name, "standard", Question(KERNEL_ROUNDS)) for name in KERNEL_SETS]
    halved = Question(KERNEL_ROUNDS, init="ntk", intercept=0.0, ridges=(0.002, 0.02, 0.2, 2.0))
    for name, preprocessing, question in [*questions, ("magic", "paper", halved)]:
        encoded = encode(load_table(name, source="openml", cache=cache), preprocessing)
        found = diagnose(encoded, question)
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


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)  # more are slower on networks of this size
    main(*sys.argv[1:])
