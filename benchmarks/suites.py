"""Suites of `neucb bench`: groups of entrants for its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from neucb.benchmarks.entrants import ROUNDS, BenchTask, compiled, plain, processes, torch_engine
from neucb.benchmarks.loop import Idle, IdleArrays, idle
from neucb.benchmarks.measure import Entrant, EntrantGroup
from neucb.benchmarks.shapes import DataShape, stand_in
from neucb.core.threads import cores
from neucb.environments.preprocessing import Encoded

Data = Mapping[str, Encoded]

AGENT = "kl"
MOST_WEIGHTS = 100e6  # maximum bytes of weights of a lockstep batch; drawing them takes long
REPLICAS = (1, 32, 128)


def speed(data: Data, *, quick: bool) -> Iterator[EntrantGroup]:
    """Yield the groups of the main table: the plain loop against both engines on every data set."""
    for name, encoded in data.items():
        task = BenchTask(AGENT, encoded)
        weights = 400 * encoded.contexts.shape[1] * encoded.table.arms
        batches = [R for R in REPLICAS if R * weights <= MOST_WEIGHTS and (R == 32 or not quick)]
        entrants: list[Entrant] = [plain(task), *(torch_engine(task, R) for R in batches)]
        yield EntrantGroup("speed", name, [*entrants, compiled(task)])


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "kl": ("kl", {}),
    "kl, S = inf": ("kl-perturbed", {}),
    "kl, S = 10": ("kl-perturbed", {"perturbations": 10}),
    "kl, 16 steps": ("kl-perturbed-replay", {}),
    "sq": ("sq", {}),
    "sq, S = inf": ("sq-perturbed", {}),
    "sq, S = 10": ("sq-perturbed", {"perturbations": 10}),
    "neural-ucb": ("neural-ucb", {}),
}
FEW = 32  # replicas of the torch engine in the table of variants


def variants(data: Data, *, quick: bool) -> Iterator[EntrantGroup]:
    """Yield agents on the first data set, each against its plain loop."""
    for encoded in list(data.values())[:1]:
        for name, (agent, settings) in VARIANTS.items():
            if quick and name not in ("sq", "kl, S = inf"):
                continue
            task = BenchTask(agent, encoded, settings)
            entrants = [plain(task)]
            if not quick and "S = 10" not in name and "16" not in name:
                entrants.append(torch_engine(task, FEW))
            if task.has_compiled:
                entrants.append(compiled(task))
            yield EntrantGroup("variants", name, entrants)


BASE = DataShape("base", "", 54, 7, 54)
SWEEPS: dict[str, tuple[int, ...]] = {
    "T": (1_000, 10_000, 100_000),
    "K": (2, 26, 100),
    "d": (10, 200, 784),
    "width": (32, 256, 512),
}


def scaling() -> Iterator[EntrantGroup]:
    """Yield stand-ins of covertype's shape with one size varied, and with several numbers of replicas."""
    for name, sizes in SWEEPS.items():
        for size in sizes:
            shape = replace(
                BASE,
                features=size if name == "d" else 54,
                active=size if name == "d" else 54,
                arms=size if name == "K" else 7,
            )
            settings = {"width": size} if name == "width" else {}
            task = BenchTask(AGENT, stand_in(shape), settings)
            runs = size if name == "T" else ROUNDS // 4
            yield EntrantGroup("scaling", f"{name} = {size:,}", [plain(task), compiled(task, rounds=runs)])
    task = BenchTask(AGENT, stand_in(BASE))
    yield EntrantGroup("replicas", "covertype's size", [torch_engine(task, R) for R in (1, 8, 32, 128, 256)])


def loop(data: Data) -> Iterator[EntrantGroup]:
    """Yield the loop around an idle user-defined agent, on a table and on a stepped environment."""
    for encoded in list(data.values())[:1]:
        for task, order in (("table", "shuffled"), ("stepped", "weakest-class")):
            entrants = [idle(encoded, agent, R, order) for agent in (Idle, IdleArrays) for R in (1, 5)]
            yield EntrantGroup("loop", task, entrants)


def machine(data: Data) -> Iterator[EntrantGroup]:
    """Yield a group for all cores, by wall-clock time: processes against threads."""
    for name, encoded in list(data.items())[:1]:
        task = BenchTask(AGENT, encoded)
        entrants = [processes(task, cores()), compiled(task, replicas=4 * cores(), threads=cores())]
        yield EntrantGroup("machine", name, entrants, by="wall")
