"""Many arms: CPU time a round and memory of agents with 1,000 and 10,000 arms.

    python -m neucb.benchmarks.maintenance.many_arms [FOLDER]

Writes FOLDER/many_arms.csv (results/benchmarks by default) and prints it. A labelled table with 10 features
and two rows per class, and the synthetic world `cosine` with 10 features per arm. Every row is played in a
process of its own, after another one has compiled its kernel; start, imports and the draw of initial weights
are not counted: the time is the difference of two lengths.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.synthetic import SyntheticVectorEnv
from neucb.environments.table import Column, Table
from neucb.runs.api import prepare

ARMS = (1_000, 10_000)
AGENTS = ("uniform", "epsilon-greedy", "squarecb", "linucb", "kl-squarecb", "kl-perturbed")
FEATURES, SHORT, ROUNDS = 10, 64, 1_000


def main(folder: Path) -> None:
    """Measure all rows and write their table."""
    import pandas as pd

    rows = []
    for arms in ARMS:
        for world in ("table", "cosine"):
            for agent in AGENTS:
                in_own_process(world, agent, arms)  # compiles the kernel
                rows.append(in_own_process(world, agent, arms))
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "many_arms.csv").write_text(table.to_csv(index=False, float_format="%.4g"), encoding="utf-8")
    print(table.to_string(index=False))


def in_own_process(world: str, agent: str, arms: int) -> dict[str, Any]:
    """Return the measurements of `measure`, made in a new process; the reason where the run is refused."""
    command = [sys.executable, "-m", "neucb.benchmarks.maintenance.many_arms", "--one"]
    done = subprocess.run([*command, world, agent, str(arms)], check=False, capture_output=True, text=True)
    if done.returncode:
        return {"world": world, "agent": agent, "arms": arms, "error": done.stderr.splitlines()[-1]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(world: str, agent: str, arms: int) -> dict[str, Any]:
    """Return CPU microseconds a round, and resident megabytes above the imports."""
    warnings.simplefilter("ignore")
    before, seconds = peak(), []
    for rounds in (SHORT, ROUNDS):
        env: Any = SyntheticVectorEnv("cosine", 1, horizon=rounds, arms=arms, features=FEATURES)
        if world == "table":
            env = ClassificationVectorEnv(labelled_table(arms), 1, horizon=rounds)
        run = prepare(agent, env, seeds=1)
        run.load()
        started = time.process_time()
        run.play()
        seconds.append(time.process_time() - started)
    return {
        "world": world,
        "agent": agent,
        "arms": arms,
        "engine": run.engine,
        "us_a_round": 1e6 * (seconds[1] - seconds[0]) / (ROUNDS - SHORT),
        "resident_mb": peak() - before,
    }


def labelled_table(arms: int) -> Table:
    """Return two rows per class with normal features."""
    x = np.random.default_rng(0).standard_normal((2 * arms, FEATURES))
    columns = tuple(Column(f"x{j}", x[:, j]) for j in range(FEATURES))
    return Table("many", columns, np.arange(2 * arms) % arms, tuple(map(str, range(arms))), "memory")


def peak() -> float:
    """Return the largest resident memory of this process so far, in megabytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        world, agent, arms = sys.argv[2:]
        print(json.dumps(measure(world, agent, int(arms))))
    else:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/benchmarks"))
