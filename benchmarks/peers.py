"""Other libraries, where they are installed: the same rows in the same order, regret beside speed.

None of them is a dependency. Their dice are their own. Vowpal Wabbit reads its text format from a
file, parser included and cache off; coba's SquareCB and mabwiser's LinUCB are called round by round.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.benchmarks.contenders import Task
from neucb.environments.preprocessing import Encoded

SEED = 0


def measure_peers(encoded: Encoded, rounds: int) -> list[dict[str, Any]]:
    """Return our agents and every peer on seed 0: mistakes and CPU microseconds a round, or why not."""
    rounds = min(rounds, len(encoded.labels))
    script = Task("kl", encoded).env(1, rounds).script(SEED)
    x, y = encoded.contexts[script.rows], script.label
    rows = [_ours(agent, encoded, rounds) for agent in ("kl", "kl-perturbed-replay", "squarecb")]
    peers: dict[str, tuple[str, Callable[..., NDArray[np.int64]], int]] = {
        "vowpalwabbit: SquareCB, linear": ("vowpalwabbit", _vowpal, rounds),
        "coba: SquareCB": ("coba", _coba, rounds),
        "mabwiser: LinUCB": ("mabwiser", _mabwiser, rounds),
    }
    for name, (module, play, n) in peers.items():
        if importlib.util.find_spec(module) is None:
            rows.append({"peer": name, "note": f"{module} is not installed"})
            continue
        try:
            timing: dict[str, float] = {}
            arms = play(x[:n], y[:n], encoded.table.arms, timing)
        except Exception as error:  # whatever another library does must not end the benchmark
            rows.append({"peer": name, "note": f"failed: {' '.join(str(error).split())[:100]}"})
            continue
        mistakes = int((arms != y[:n]).sum())
        rows.append({"peer": name, "rounds": n, "mistakes": mistakes, "cpu_us": 1e6 * timing["cpu"] / n})
    return rows


def _ours(agent: str, encoded: Encoded, rounds: int) -> dict[str, Any]:
    job = Task(agent, encoded).run(1, rounds, "compiled")
    job.load()
    started = time.process_time()
    job.player.play()
    spent = time.process_time() - started
    return {
        "peer": f"neucb: {agent}",
        "rounds": rounds,
        "mistakes": int(job.log.sums["loss"][0]),
        "cpu_us": 1e6 * spent / rounds,
    }


def _vowpal(
    x: NDArray[np.float32], y: NDArray[np.int64], arms: int, timing: dict[str, float]
) -> NDArray[np.int64]:
    """Play rows with Vowpal Wabbit's linear SquareCB; the arms it drew are in its predictions."""
    import vowpalwabbit

    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder, "rows.txt"), Path(folder, "played.txt")
        with data.open("w", encoding="utf-8") as file:
            for row, label in zip(x, y, strict=True):
                words = " ".join(f"{j}:{row[j]:.6g}" for j in np.flatnonzero(row))
                file.write(f"{label + 1} | {words}\n")
        options = (
            f"--cbify {arms} --cb_explore_adf --squarecb --quiet --random_seed {SEED} -d {data} -p {out}"
        )
        started = time.process_time()
        workspace = vowpalwabbit.Workspace(options)
        workspace.finish()
        timing["cpu"] = time.process_time() - started
        played = [int(float(line.split()[0])) - 1 for line in out.read_text().splitlines()]
    return np.array(played)


def _coba(
    x: NDArray[np.float32], y: NDArray[np.int64], arms: int, timing: dict[str, float]
) -> NDArray[np.int64]:
    """Play rows with coba's SquareCB, its defaults: quadratic features, Vowpal Wabbit behind it."""
    from coba.learners import VowpalSquarecbLearner
    from coba.safety import SafeLearner

    learner = SafeLearner(VowpalSquarecbLearner())
    actions = [str(a) for a in range(arms)]
    contexts = [{f"x{j}": float(row[j]) for j in np.flatnonzero(row)} for row in x]
    played = np.empty(len(x), np.int64)
    started = time.process_time()
    for t, context in enumerate(contexts):
        action, probability, extra = learner.predict(context, actions)
        played[t] = int(action)
        learner.learn(context, action, float(y[t] == played[t]), probability, **extra)
    timing["cpu"] = time.process_time() - started
    return played


def _mabwiser(
    x: NDArray[np.float32], y: NDArray[np.int64], arms: int, timing: dict[str, float]
) -> NDArray[np.int64]:
    """Play rows with mabwiser's LinUCB, alpha 0.1, told of every round at once."""
    from mabwiser.mab import MAB, LearningPolicy

    player = MAB(list(range(arms)), LearningPolicy.LinUCB(alpha=0.1), seed=SEED)
    x = x.astype(np.float64)
    played = np.empty(len(x), np.int64)
    started = time.process_time()
    for t in range(len(x)):
        row = x[t : t + 1]
        played[t] = player.predict(row) if t else 0
        learn = player.partial_fit if t else player.fit
        learn([int(played[t])], [float(y[t] == played[t])], row)
    timing["cpu"] = time.process_time() - started
    return played
