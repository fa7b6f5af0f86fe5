"""Targets of `tests.support.fuzz`: creation and use of damaged specs, manifests and logs."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from neucb import cli
from neucb.agents.recipes.registry import RECIPES
from neucb.plots import KINDS
from neucb.runs.api import prepare
from neucb.runs.save import save
from neucb.sweeps.api import play_experiment
from neucb.sweeps.plan import reporting_batches, tuning_batches
from neucb.sweeps.play.batch import play_batch
from neucb.sweeps.play.execute import Played, Task
from neucb.sweeps.spec.reading import read_spec
from neucb.sweeps.store.load_sweep import load_sweep as load_results
from neucb.sweeps.store.read_results import read_results
from tests.support.mutations import as_json, as_toml, mutated_bytes, mutated_table, mutated_value

SPEC: dict[str, Any] = {
    "experiment": {
        "name": "fuzzed",
        "rounds": 6,
        "reporting_seeds": [0, 1],
        "tuning_seeds": "10:12",
        "datasets": ["iris", {"name": "synthetic:cosine", "arms": 3, "features": 4}],
        "order": ["shuffled", "stored"],
        "label_noise": [0.0, 0.1],
        "preprocessing": ["standard"],
        "select": "per_dataset",
        "engine": "auto",
        "dtype": "float32",
        "drift": [3],
        "delay": 1,
        "feedback_batch": 2,
        "recycle": True,
    },
    "agents": [
        {"name": "uniform"},
        {
            "name": "squarecb",
            "label": "ridge",
            "settings": {"gamma": 10.0},
            "grid": {"regularization": [0.1, 1.0]},
        },
    ],
}
TINY = {
    "experiment": {
        "name": "tiny",
        "rounds": 4,
        "reporting_seeds": 2,
        "tuning_seeds": "10:11",
        "datasets": ["iris"],
    },
    "agents": SPEC["agents"],
}


@dataclass
class Sources:
    """Undamaged inputs: a folder of two runs, and one of a sweep."""

    runs: Path
    sweep: Path

    @classmethod
    def make(cls, folder: Path) -> Sources:
        """Play the runs and the sweep into a folder."""
        for agent in ("squarecb", "uniform"):
            trial = prepare(agent, "iris", 12, 2)
            trial.play()
            save(trial, folder / "runs")
        spec = folder / "tiny.toml"
        spec.write_bytes(as_toml(TINY))
        play_experiment(read_spec(spec), folder / "tiny", here)
        return cls(folder / "runs", folder / "tiny")


def here(tasks: Any) -> Played:
    """Play tasks in this process."""
    task: Task
    for task in tasks:
        if task.claim():
            yield task, play_batch(task.batch, task.data)


def run(command: str, *arguments: object) -> bool:
    """Run a command of the command line in this process; return whether it succeeded.

    Raises:
        AssertionError: it fails without a one-line error, or prints other lines.
    """
    stderr = io.StringIO()
    code: object = "the command line did not end"
    argv = sys.argv
    sys.argv = ["neucb", command, *map(str, arguments)]
    try:
        with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
            cli.main()
    except SystemExit as exit_info:
        code = exit_info.code
    finally:
        sys.argv = argv
    lines = stderr.getvalue().splitlines()
    errors = [line for line in lines if line.startswith("neucb: error: ")]
    assert all(line.startswith("neucb: ") for line in lines), lines
    assert errors == (lines[-1:] if code else []), (code, lines)
    return not code


def use_folder(folder: Path, rng: random.Random) -> bool:
    """Plot, report, tabulate or read a folder; return whether that succeeded."""
    out = folder / "out"
    command = rng.choices(("read", "results", "plot", "report"), weights=(30, 12, 7, 1))[0]
    options: tuple[str, ...] = ()
    match command:
        case "report":
            target = out / "page.html"
            succeeded = run("report", folder, "-o", target)
        case "plot":
            target = out / f"figure.{rng.choice(('png', 'pdf', 'svg'))}"
            kind = rng.choice(sorted(KINDS))
            options = ("--bounds",) if kind in ("regret", "lstar") and rng.random() < 0.5 else ()
            succeeded = run("plot", folder, "--kind", kind, "-o", target, *options)
        case "results":
            target = out / f"table.{rng.choice(('csv', 'tex'))}"
            options = ("--times",) if rng.random() < 0.3 else ()
            succeeded = run("results", folder, "--export", target, *options)
        case _:
            read_results([folder], lambda line: None)
            return True
    assert not succeeded or target.stat().st_size > 0
    written = {path.name for path in out.iterdir()} if out.exists() else set()
    assert written <= {target.name}, written
    return succeeded


def fuzz_spec(sources: Sources, folder: Path, rng: random.Random) -> bool:
    """Read a damaged spec and plan its batches."""
    content = json.loads(json.dumps(SPEC))
    recipe = RECIPES[rng.choice(sorted(RECIPES))]
    agent: dict[str, Any] = {"name": recipe.name, "label": "third", "grid": {}}
    for parameter in rng.sample(list(recipe.parameters), min(2, len(recipe.parameters))):
        agent["grid"][parameter.name] = [parameter.default]
    content["agents"].append(agent)
    if rng.random() < 0.6:
        data = as_toml(mutated_value(content, rng))
    else:
        data = mutated_bytes(as_toml(content), rng)
    path = folder / "spec.toml"
    path.write_bytes(data)
    experiment = read_spec(path)
    tuning_batches(experiment)
    reporting_batches(experiment, {})
    return True


def fuzz_sweep(sources: Sources, folder: Path, rng: random.Random) -> bool:
    """Play a damaged spec if it is small, and read its results."""
    path = folder / "spec.toml"
    path.write_bytes(as_toml(mutated_value(TINY, rng)))
    experiment = read_spec(path)
    if (experiment.rounds or 99) > 12 or len(experiment.reporting_seeds) > 3:
        return True
    play_experiment(experiment, folder / "out", here, notify=lambda line: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about failed runs
        load_results(folder / "out")
    return True


def fuzz_manifest(sources: Sources, folder: Path, rng: random.Random) -> bool:
    """Read runs, one of them with a damaged manifest."""
    copy = Path(shutil.copytree(sources.runs, folder / "runs"))
    _damage_json(rng.choice(sorted(copy.glob("*.json"))), rng)
    return use_folder(copy, rng)


def fuzz_log(sources: Sources, folder: Path, rng: random.Random) -> bool:
    """Read runs, one of them with a damaged log."""
    copy = Path(shutil.copytree(sources.runs, folder / "runs"))
    _damage_log(rng.choice(sorted(copy.glob("*.parquet"))), rng)
    return use_folder(copy, rng)


def fuzz_results(sources: Sources, folder: Path, rng: random.Random) -> bool:
    """Read a sweep with a damaged plan, manifest or log, sometimes with a matching checksum."""
    copy = Path(shutil.copytree(sources.sweep, folder / "tiny"))
    path = rng.choice(sorted(copy.glob("*.*")))
    if path.suffix == ".json":
        _damage_json(path, rng)
    else:
        _damage_log(path, rng)
        manifest = path.with_name(f"_{path.stem}.json")
        content = json.loads(manifest.read_bytes())
        content["sha256"] = sha256(path.read_bytes()).hexdigest()
        if rng.random() < 0.7:
            manifest.write_text(json.dumps(content))
    succeeded = use_folder(copy, rng)
    if rng.random() < 0.1 or path.stem == "_selection":
        spec = folder / "tiny.toml"
        spec.write_bytes(as_toml(TINY))
        report_only = path.stem == "_selection"
        play_experiment(read_spec(spec), copy, here, notify=lambda line: None, report_only=report_only)
    return succeeded


TARGETS: dict[Callable[[Sources, Path, random.Random], bool], int] = {
    fuzz_spec: 10,
    fuzz_manifest: 4,
    fuzz_log: 4,
    fuzz_results: 4,
    fuzz_sweep: 1,
}  # target -> relative frequency


def _damage_json(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    half = rng.random() < 0.3
    path.write_bytes(mutated_bytes(data, rng) if half else as_json(mutated_value(json.loads(data), rng)))


def _damage_log(path: Path, rng: random.Random) -> None:
    if rng.random() < 0.3:
        path.write_bytes(mutated_bytes(path.read_bytes(), rng))
        return
    frame = mutated_table(pd.read_parquet(path), rng)
    with contextlib.suppress(Exception):  # a frame that cannot be written is no input
        frame.to_parquet(path, index=False)
