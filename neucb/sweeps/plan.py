"""Plan: the batches of an experiment, each of runs of one agent in one world that are played together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from neucb.agents.parameter import Value
from neucb.core.files import shortened
from neucb.core.json_values import digest
from neucb.runs.log_table import WORLD
from neucb.runs.plugins import Plugin, find_agent
from neucb.sweeps.identity import code_version, fit_version
from neucb.sweeps.spec.sweep_spec import AgentGrid, Dataset, Experiment

RUNS = 48  # upper bound per batch: enough for lockstep, few enough to lose little
Split = Literal["tuning", "reporting", "hindsight"]


@dataclass(frozen=True)
class World:
    """Data set and conditions of a run; one regret curve per agent and world."""

    dataset: Dataset
    preprocessing: str
    order: str
    label_noise: float

    @property
    def key(self) -> tuple[str, str, str, float]:
        """Values of the columns `WORLD`, unique for each world."""
        return self.dataset.name, self.preprocessing, self.order, self.label_noise


@dataclass(frozen=True)
class Batch:
    """Runs that are played together and stored in one file.

    Attributes:
        agent, agent_label: name of the recipe or reference, and its name in the results.
        split: "tuning" or "reporting"; "hindsight" for the fit of an agent's class, without play, see
            best_in_class.py.
        world: data set and conditions.
        seeds: [R] seed of each run.
        settings: all hyper-parameters; a tuple has one number per run.
        rounds: greatest horizon T, or None for the default.
        options, engine, device, dtype: see `Experiment`.
    """

    agent: str
    agent_label: str
    split: Split
    world: World
    seeds: tuple[int, ...]
    settings: Mapping[str, Value]
    rounds: int | None
    options: Mapping[str, Any]
    engine: str
    device: str
    dtype: str

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of the results with the same value in all rows."""
        named = {"agent": self.agent, "agent_label": self.agent_label, "split": self.split}
        return named | dict(zip(WORLD, self.world.key, strict=True))

    def cell(self, run: int) -> dict[str, Value]:
        """Return all hyper-parameters of one run."""
        return {
            name: value[run] if isinstance(value, tuple) else value for name, value in self.settings.items()
        }

    def part(self, first: int, last: int) -> Batch:
        """Return the batch of runs first..last-1."""
        settings = {
            name: value[first:last] if isinstance(value, tuple) else value
            for name, value in self.settings.items()
        }
        return replace(self, seeds=self.seeds[first:last], settings=settings)

    def configuration(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return all that determines the rows of the batch, as JSON values; `data` is the fingerprint."""
        found = find_agent(self.agent)
        content = {**asdict(self), "data": data}
        if isinstance(found, Plugin):
            return {**content, "code": code_version(), "plugin": found.origin}
        if self.split == "hindsight":
            oracle = None if found.oracle is None else found.oracle.name
            return {**content, "code": fit_version(), "class": [oracle, found.loss.name]}
        return {**content, "code": code_version(found)}

    def name(self, data: Mapping[str, Any]) -> str:
        """Return the name of the batch's files."""
        return f"{self.label_part}_{digest(self.configuration(data))}"

    @property
    def label_part(self) -> str:
        """Readable part of the name."""
        dataset = self.world.dataset.name.rsplit("/", 1)[-1]
        words = f"{self.agent_label}_{dataset}_{self.split}"
        return shortened("".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in words))


def worlds(experiment: Experiment) -> list[World]:
    """Return the worlds of an experiment."""
    axes = (experiment.datasets, experiment.preprocessing, experiment.order, experiment.label_noise)
    return [World(*one) for one in itertools.product(*axes)]


def tuning_batches(experiment: Experiment) -> list[Batch]:
    """Return the batches for the choice of settings: every cell on every tuning seed."""
    return [
        batch
        for agent in experiment.agents
        if experiment.tuned(agent)
        for world in worlds(experiment)
        for batch in _pack(experiment, agent, world, "tuning", agent.cells())
    ]


def reporting_batches(
    experiment: Experiment, chosen: Mapping[tuple[str, tuple[Any, ...]], Mapping[str, Value]]
) -> list[Batch]:
    """Return the batches that are reported.

    Args:
        experiment: experiment to plan.
        chosen: (label, `World.key`) -> chosen hyper-parameters, for tuned agents. A tuned agent without a
            choice in a world has no run there; all cells of other agents are played.
    """
    batches: list[Batch] = []
    for agent in experiment.agents:
        for world in worlds(experiment):
            cells = agent.cells()
            if experiment.tuned(agent):
                cells = [dict(chosen[agent.label, world.key])] if (agent.label, world.key) in chosen else []
            batches += _pack(experiment, agent, world, "reporting", cells)
    return batches


def _pack(
    experiment: Experiment,
    agent: AgentGrid,
    world: World,
    split: Split,
    cells: Sequence[Mapping[str, Value]],
) -> Iterator[Batch]:
    """Group cells that differ only in real numbers into the same batches, seed by seed.

    Further seeds, or cells with other text or integer values, do not change full batches.
    """
    seeds = experiment.tuning_seeds if split == "tuning" else experiment.reporting_seeds
    alike: dict[tuple[Any, ...], list[Mapping[str, Value]]] = {}
    for cell in cells:
        alike.setdefault(tuple(value for value in cell.values() if not _varies(value)), []).append(cell)
    for group in alike.values():
        runs = [(seed, cell) for seed in seeds for cell in group]
        for start in range(0, len(runs), RUNS):
            part = runs[start : start + RUNS]
            yield Batch(
                agent.name,
                agent.label,
                split,
                world,
                tuple(seed for seed, _ in part),
                _together([cell for _, cell in part]),
                experiment.rounds,
                experiment.options,
                experiment.engine,
                experiment.device,
                experiment.dtype,
            )


def _varies(value: Value) -> bool:
    """Return whether a hyper-parameter may differ between the runs of a batch: real numbers only."""
    return isinstance(value, float) and math.isfinite(value)


def _together(cells: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """Return one value where all cells agree, else a tuple with one per cell."""
    merged: dict[str, Value] = {}
    for name in cells[0]:
        values: tuple[Any, ...] = tuple(cell[name] for cell in cells)
        merged[name] = values[0] if len(set(values)) == 1 else values
    return merged


def runs(batches: Iterable[Batch]) -> int:
    """Return the total number of runs of batches."""
    return sum(len(batch.seeds) for batch in batches)
