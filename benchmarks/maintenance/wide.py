"""Wide sparse files: CPU time of reading and playing, memory, regret, Vowpal Wabbit beside.

    python -m neucb.benchmarks.maintenance.wide [FOLDER]

Writes FOLDER/sparse.csv and FOLDER/sparse_scaling.csv (results/benchmarks by default) and prints them. Every
row of the first is played in a process of its own, after another one has compiled its kernel; start and
imports are not counted. The settings of squarecb and of Vowpal Wabbit are those of the least regret on a
tuning file of another seed; other agents play with their defaults. Vowpal Wabbit's time is the difference of
two lengths. The second has the mean regret over seeds of three ways to scale sparse columns, with defaults.
"""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neucb.benchmarks.peers import VOWPAL, Game, find_peer
from neucb.benchmarks.sparse_files import FILES
from neucb.environments.classification import ClassificationVectorEnv, load
from neucb.environments.preprocessing import Encoded
from neucb.environments.sparse_encoding import normalise_rows
from neucb.environments.table import Table
from neucb.runs.api import run

TUNING_SEED, SEED = 1, 0
GRID = {"gamma": (10.0, 100.0, 1000.0), "regularization": (0.003, 0.03, 0.3)}
VOWPAL_GRID = {"--gamma_scale": (10, 100, 1000), "-l": (0.1, 0.5, 2.0)}
LONG = 200_000  # rounds
# File, agent, rounds (None for one pass), settings beside the tuned ones.
PLAYS: tuple[tuple[str, str, int | None, dict[str, Any]], ...] = (
    ("words", "squarecb", LONG, {}),
    ("words", "squarecb", None, {}),
    ("numbers", "squarecb", None, {}),
    ("numbers", "kl-perturbed", None, {}),
    ("topics", "squarecb", None, {"hash_bits": 18}),
    ("topics", "squarecb", None, {}),
    ("topics", "fastcb", None, {}),
    ("topics", "kl-perturbed", None, {}),
)


def main(folder: Path) -> None:
    """Measure all rows and write their table."""
    import pandas as pd

    rows = []
    with tempfile.TemporaryDirectory(prefix="neucb-wide-") as name:
        files = Path(name)
        for kind, write in FILES.items():
            write(files / f"{kind}.libsvm", SEED)
            write(files / f"{kind}-tuning.libsvm", TUNING_SEED)
        tuned: dict[str, dict[str, Any]] = {}
        for kind, agent, rounds, settings in PLAYS:
            if agent == "squarecb" and kind not in tuned:
                tuned[kind] = tune(files / f"{kind}-tuning.libsvm", agent)
            own = {**tuned[kind], **settings} if agent == "squarecb" else settings
            in_own_process(files / f"{kind}.libsvm", agent, own, 100)  # compiles the kernel
            rows.append({"file": kind, **in_own_process(files / f"{kind}.libsvm", agent, own, rounds)})
            print(rows[-1], flush=True)
        peer = find_peer("vw-squarecb")
        if peer.missing is not None:
            print(f"without vw-squarecb: {peer.missing}")
        else:
            rows.append({"file": "words", **play_vowpal(files)})
            print(rows[-1], flush=True)
        scales = compare_scales(files)
    table, scaling = pd.DataFrame(rows), pd.DataFrame(scales)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sparse.csv").write_text(table.to_csv(index=False, float_format="%.4g"), encoding="utf-8")
    (folder / "sparse_scaling.csv").write_text(scaling.to_csv(index=False), encoding="utf-8")
    print(table.to_string(index=False))
    print(scaling.pivot(index=["file", "agent"], columns="scale", values="regret").to_string())


SCALES = ("none", "largest", "sd")
SCALED = ("squarecb", "fastcb", "kl-perturbed", "kl-perturbed-replay")


def compare_scales(files: Path) -> list[dict[str, Any]]:
    """Return the mean regret over 5 seeds of agents in one pass, sparse columns scaled in three ways."""
    warnings.simplefilter("ignore")
    rows = []
    for kind in ("words", "topics"):
        table = load(str(files / f"{kind}.libsvm")).table
        for agent, scale in itertools.product(SCALED, SCALES):
            log = run(agent, scaled_contexts(table, scale), seeds=5)
            regret = float(log.groupby("seed")["regret"].last().mean())
            rows.append({"file": kind, "agent": agent, "scale": scale, "regret": regret})
    return rows


def scaled_contexts(table: Table, scale: str) -> Encoded:
    """Return a table's contexts with sparse columns unchanged, or divided by their largest value or sd."""
    assert table.sparse is not None
    values = table.sparse.values.copy()
    if scale == "sd":
        mean = values.mean(axis=0)
        sd = np.sqrt(values.power(2).mean(axis=0) - np.square(mean))
        values.data /= sd[values.indices]
    elif scale == "largest":
        values.data /= abs(values).max(axis=0).toarray().ravel()[values.indices]
    normalise_rows(values)
    return Encoded(values, table.labels, table, "paper")


def tune(file: Path, agent: str) -> dict[str, Any]:
    """Return the settings of `GRID` of the least regret in one pass over a file."""
    cells = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    return min(cells, key=lambda cell: in_own_process(file, agent, cell, None)["regret"])


def in_own_process(file: Path, agent: str, settings: Mapping[str, Any], rounds: int | None) -> dict[str, Any]:
    """Return the measurements of `measure`, made in a new process."""
    arguments = json.dumps([str(file), agent, dict(settings), rounds])
    command = [sys.executable, "-m", "neucb.benchmarks.maintenance.wide", "--one", arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(file: str, agent: str, settings: dict[str, Any], rounds: int | None) -> dict[str, Any]:
    """Return regret, CPU seconds of reading and of playing, and resident megabytes above the imports."""
    import numba  # noqa: F401 - counted as start
    import scipy.sparse  # noqa: F401
    import sklearn.datasets  # noqa: F401

    warnings.simplefilter("ignore")
    before, resident = time.process_time(), peak()
    env = ClassificationVectorEnv(file, 1)
    if rounds is not None:
        env = ClassificationVectorEnv(env.encoded, 1, horizon=rounds, recycle=True)
    read = time.process_time()
    log = run(agent, env, seeds=1, settings=settings)
    played = time.process_time()
    return {
        "agent": agent,
        "settings": json.dumps(settings),
        "rounds": env.horizon,
        "columns": env.encoded.contexts.shape[1],
        "regret": float(log["regret"].iloc[-1]),
        "read_seconds": read - before,
        "play_seconds": played - read,
        "rounds_per_cpu_second": env.horizon / (played - before),
        "resident_mb": peak() - resident,
    }


def peak() -> float:
    """Return the largest resident memory of this process so far, in megabytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1e6 if sys.platform == "darwin" else 1e3)


def play_vowpal(files: Path) -> dict[str, Any]:
    """Return Vowpal Wabbit's row on the words, tuned on the tuning file."""
    tuning = Game(load(str(files / "words-tuning.libsvm")), 5_000, SEED)
    cells = []
    for values in itertools.product(*VOWPAL_GRID.values()):
        words = " ".join(f"{name} {value}" for name, value in zip(VOWPAL_GRID, values, strict=True))
        cells.append(f"--cb_explore_adf --squarecb {words}")
    played = {cell: find_peer(VOWPAL + cell).play(tuning)[0] for cell in cells}
    best = min(cells, key=lambda cell: tuning.regret(played[cell]))
    encoded = load(str(files / "words.libsvm"))
    short, long = Game(encoded, 5_000, SEED), Game(encoded, LONG, SEED)
    peer = find_peer(VOWPAL + best)
    arms, seconds = peer.play(long)
    start = peer.play(short)[1]
    return {
        "agent": "vw-squarecb",
        "settings": best,
        "rounds": LONG,
        "columns": encoded.contexts.shape[1],
        "regret": long.regret(arms),
        "play_seconds": seconds - start,
        "rounds_per_cpu_second": (LONG - 5_000) / (seconds - start),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(*json.loads(sys.argv[2]))))
    else:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/benchmarks"))
