"""Reader of specs: convert TOML to an Experiment; every error names its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args

from neucb.agents.parameter import by_name
from neucb.core.errors import InputError, unknown_name
from neucb.core.files import check_text
from neucb.core.seeds import parse_seeds
from neucb.core.spec import check_device_name
from neucb.engines.choose import EngineName
from neucb.environments.orders.registry import ORDERS
from neucb.environments.preprocessing import Preprocessing
from neucb.runs.plugins import Plugin, find_agent
from neucb.sweeps.spec.datasets import DatasetReader, beside
from neucb.sweeps.spec.spec_errors import Places
from neucb.sweeps.spec.sweep_spec import AgentGrid, Experiment, Selection

OPTIONS = ("recycle", "drift", "delay", "feedback_batch", "source")
EXPERIMENT = (
    *("name", "datasets", "rounds", "tuning_seeds", "reporting_seeds", "order", "label_noise"),
    *("preprocessing", "select", "engine", "device", "dtype", "strict", "openml_cache", *OPTIONS),
)
PLAIN = ("rounds", "select", "engine", "device", "dtype", "strict")
AGENT = ("name", "label", "settings", "grid", "best_in_class_seeds")


def read_spec(path: Path, tables: Collection[str] = ()) -> Experiment:
    """Return the experiment of a TOML file.

    Args:
        path: path of the file.
        tables: names of tables in memory.

    Raises:
        InputError: the file is missing or invalid; the message gives the line and the nearest name.
    """
    check_text(str(path), "the spec")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8") from None
    return parse_spec(text, path.name, path.parent, tables)


def parse_spec(
    text: str, name: str = "spec", folder: Path = Path(), tables: Collection[str] = ()
) -> Experiment:
    """Return the experiment of a TOML text.

    Args:
        text: content of the spec.
        name: name of the file, for messages.
        folder: folder of relative names of data files.
        tables: names of tables in memory.

    Raises:
        InputError: as for `read_spec`.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: {error}") from None
    except RecursionError:
        raise InputError(f"{name}: its values are nested too deeply") from None
    return _SpecReader(text, name, folder, tables).experiment(content)


class _SpecReader(Places):
    """Reader of one spec.

    Args:
        text: content of the spec.
        name: name of the file.
        folder: folder of the file.
        tables: names of tables in memory.
    """

    def __init__(self, text: str, name: str, folder: Path, tables: Collection[str]) -> None:
        super().__init__(text, name)
        self.folder = folder
        self.tables = tables

    def experiment(self, content: Mapping[str, Any]) -> Experiment:
        self.known(content, ("experiment", "agents"))
        if "experiment" not in content:
            raise self.fail("there is no table [experiment]")
        given = self.known(content["experiment"], EXPERIMENT, "experiment")
        for key in ("name", "datasets", "reporting_seeds"):
            if key not in given:
                raise self.fail(f"[experiment] has no {key}", "experiment")
        reporting, tuning = self.seeds(given, "reporting_seeds"), self.seeds(given, "tuning_seeds")
        for seed in tuning:
            if seed in reporting:
                raise self.fail(
                    f"seed {seed} is a tuning seed and a reporting seed; settings are chosen on other seeds "
                    "than those reported",
                    "experiment",
                    "tuning_seeds",
                )
        plain = {key: given[key] for key in PLAIN if key in given}
        self.one_of(given, "select", get_args(Selection))
        self.one_of(given, "engine", get_args(EngineName))
        self.one_of(given, "dtype", ("float32", "float64"))
        self.checked(lambda: check_device_name(given.get("device", "cpu")), "experiment", "device")
        self.one_of(given, "source", ("auto", "openml", "bundled"))
        self.whole(given, "rounds", 1)
        self.whole(given, "delay", 0)
        self.whole(given, "feedback_batch", 1)
        for key in ("recycle", "strict"):
            if type(given.get(key, False)) is not bool:
                raise self.fail(f"{key} must be true or false", "experiment", key)
        drift = given.get("drift", [])
        if not isinstance(drift, list) or not all(type(one) is int and one > 0 for one in drift):
            raise self.fail("drift must be a list of rounds, at least 1", "experiment", "drift")
        experiment = Experiment(
            name=self.title(given["name"]),
            agents=self.agents(content),
            datasets=DatasetReader(self, self.folder, self.tables).read(given["datasets"]),
            reporting_seeds=reporting,
            tuning_seeds=tuning,
            order=self.axis(given, "order", "shuffled", tuple(ORDERS)),
            preprocessing=self.axis(given, "preprocessing", "standard", get_args(Preprocessing)),
            label_noise=self.noise(given),
            openml_cache=self.folder_of(given, "openml_cache"),
            options={key: given[key] for key in OPTIONS if key in given},
            **plain,
        )
        for number, agent in enumerate(experiment.agents):
            if agent.best_in_class_seeds:
                self.checked(
                    partial(experiment.check_class_of, agent), "agents", number, "best_in_class_seeds"
                )
        return experiment

    def title(self, name: object) -> str:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise self.fail("name must be letters, digits, dots and dashes", "experiment", "name")
        return name

    def seeds(self, given: Mapping[str, Any], key: str) -> tuple[int, ...]:
        value = given.get(key)
        if value is None:
            return ()
        numbers = isinstance(value, list) and all(type(one) is int for one in value)
        if not (type(value) is int or isinstance(value, str) or numbers):
            raise self.fail(f'{key} must be a count, a text like "10:20", or a list', "experiment", key)
        seeds: tuple[int, ...] = self.checked(lambda: parse_seeds(value), "experiment", key)
        return seeds

    def one_of(self, given: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> None:
        if key in given and given[key] not in allowed:
            raise self.fail(unknown_name(key, str(given[key]), allowed), "experiment", key)

    def whole(self, given: Mapping[str, Any], key: str, least: int) -> None:
        value = given.get(key, least)
        if type(value) is not int or value < least:
            raise self.fail(
                f"{key} must be a whole number, at least {least}, not {value!r}", "experiment", key
            )

    def folder_of(self, given: Mapping[str, Any], key: str) -> str | None:
        """Return a folder, relative to that of the spec."""
        value = given.get(key)
        if value is not None and not isinstance(value, str):
            raise self.fail(f"{key} must be a text, the name of a folder", "experiment", key)
        return None if value is None else str(self.folder / Path(value).expanduser())

    def axis(
        self, given: Mapping[str, Any], key: str, default: str, allowed: tuple[str, ...]
    ) -> tuple[str, ...]:
        values = self.distinct(given.get(key, default), "experiment", key)
        for value in values:
            if value not in allowed:
                raise self.fail(
                    unknown_name(key.removesuffix("s"), str(value), allowed), "experiment", key, value=value
                )
        return values

    def noise(self, given: Mapping[str, Any]) -> tuple[float, ...]:
        values = self.distinct(given.get("label_noise", 0.0), "experiment", "label_noise")
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
                raise self.fail(
                    f"label_noise must be numbers in [0, 1), not {value!r}",
                    "experiment",
                    "label_noise",
                    value=value,
                )
        return tuple(float(value) for value in values)

    def distinct(self, value: object, *path: str | int) -> tuple[Any, ...]:
        """Return a value or list of distinct values as a tuple."""
        values = tuple(value) if isinstance(value, list) else (value,)
        if not values:
            raise self.fail(f"{path[-1]} is empty", *path)
        for one in values:
            if isinstance(one, list | dict):
                raise self.fail(f"{path[-1]} must be a value or a list of values", *path)
            if values.count(one) > 1:
                raise self.fail(
                    f"{one!r} occurs twice in {path[-1]}: its runs would be one and the same", *path
                )
        return values

    def agents(self, content: Mapping[str, Any]) -> tuple[AgentGrid, ...]:
        tables = content.get("agents")
        if not isinstance(tables, list) or not tables:
            raise self.fail("there is no agent; write a table [[agents]] for each")
        agents: list[AgentGrid] = []
        for number, table in enumerate(tables):
            agent = self.agent(table, number)
            if any(agent.label == one.label for one in agents):
                raise self.fail(
                    f"two agents are called '{agent.label}'; give each a label of its own", "agents", number
                )
            agents.append(agent)
        return tuple(agents)

    def agent(self, table: object, number: int) -> AgentGrid:
        path: tuple[str | int, ...] = ("agents", number)
        given = self.known(table, AGENT, *path)
        name = given.get("name")
        if not isinstance(name, str):
            raise self.fail("the agent has no name", *path)
        name = beside(name, self.folder)
        recipe = self.checked(lambda: find_agent(name), *path, "name")
        own = isinstance(recipe, Plugin)
        label = given.get("label", recipe.name)
        if not isinstance(label, str) or not label:
            raise self.fail("label must be a text", *path, "label")
        for key in ("settings", "grid"):
            if own and given.get(key):
                raise self.fail(f"{name} takes no settings; write them into its code", *path, key)
        parameters = {} if own else by_name(recipe.parameters)
        settings = dict(self.known(given.get("settings", {}), tuple(parameters), *path, "settings"))
        grid = dict(self.known(given.get("grid", {}), tuple(parameters), *path, "grid"))
        chosen: dict[str, Any] = {}
        varied: dict[str, Any] = {}
        for key, value in settings.items():
            (chosen[parameters[key].name],) = self.values(parameters[key], [value], *path, "settings", key)
        for key, value in grid.items():
            if parameters[key].name in chosen:
                raise self.fail(f"{key} is among the settings and in the grid", *path, "grid", key)
            varied[parameters[key].name] = self.values(parameters[key], value, *path, "grid", key)
        seeds = given.get("best_in_class_seeds", 0)
        if type(seeds) is not int or seeds < 0:
            raise self.fail(
                "best_in_class_seeds must be a number of reporting seeds", *path, "best_in_class_seeds"
            )
        return AgentGrid(name if own else recipe.name, label, chosen, varied, seeds)

    def values(self, parameter: Any, value: object, *path: str | int) -> tuple[Any, ...]:
        values = self.distinct(value, *path)
        checked = tuple(self.checked(partial(parameter.check, one), *path, value=one) for one in values)
        for one in checked:
            if isinstance(one, tuple):
                raise self.fail(f"{path[-1]} must be one value", *path)
        return checked
