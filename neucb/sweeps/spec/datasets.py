"""Reader of a spec's data sets: names, globs, suites, files, the user's own code, synthetic worlds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from neucb.environments.cost_file import read_costs
from neucb.environments.make import READING
from neucb.environments.rewards import check_reward_range
from neucb.environments.sources.catalogue import expand
from neucb.environments.sources.registry import find_source
from neucb.environments.tables.table_file import Reading
from neucb.runs.plugins import DATASETS, find_dataset, installed
from neucb.sweeps.spec.spec_errors import Places
from neucb.sweeps.spec.sweep_spec import Dataset

SUITE = "suite:"
PATH = ("experiment", "datasets")
IN_MEMORY = ("target", "columns", "decimal")  # of `READING`, for DataFrames
OPTIONS = ("name", *READING, "cost", "group", "arms", "features", "reward_range")


class DatasetReader:
    """Reader of the data sets of one spec.

    Args:
        places: text and lines of the spec.
        folder: folder of relative file names.
        tables: names of tables in memory.
    """

    def __init__(self, places: Places, folder: Path, tables: Collection[str]) -> None:
        self.places = places
        self.folder = folder
        self.tables = tables

    def read(self, value: object) -> tuple[Dataset, ...]:
        """Return the data sets of the key `datasets`."""
        found: list[Dataset] = []
        for entry in value if isinstance(value, list) else [value]:
            options: dict[str, Any] = {}
            if isinstance(entry, dict):
                options = dict(self.places.known(entry, OPTIONS, *PATH))
                entry = options.pop("name", None)
            if not isinstance(entry, str) or not entry:
                raise self.places.fail("a data set must have a name", *PATH)
            for name in self.names(entry):
                if any(one.name == name for one in found):
                    raise self.places.fail(f"data set '{name}' occurs twice", *PATH, value=entry)
                found.append(Dataset(name, self.options(name, options)))
        if not found:
            raise self.places.fail("datasets is empty", *PATH)
        return tuple(found)

    def names(self, entry: str) -> list[str]:
        """Return the names of data sets that an entry expands to."""
        if entry in self.tables:
            return [entry]
        source = find_source(entry)
        find = partial(beside if source is None else source.resolve, entry, self.folder)
        known = self.places.checked(find, *PATH, value=entry)
        suite = entry.startswith(SUITE)
        names: list[str] = self.places.checked(
            lambda: expand(
                [] if suite else [known], entry.removeprefix(SUITE) if suite else None, installed(DATASETS)
            ),
            *PATH,
            value=entry,
        )
        for name in names:
            self.places.checked(partial(find_dataset, name), *PATH, value=entry)
        return names

    def options(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a data set that apply to its kind."""
        allowed = self.allowed(name)
        for key, value in given.items():
            if key not in allowed:
                raise self.places.fail(
                    f"{name} has no option '{key}'; it has {', '.join(allowed)}", *PATH, value=key
                )
            if key in ("arms", "features") and (type(value) is not int or value < 1):
                raise self.places.fail(f"{key} must be a whole number, at least 1", *PATH, value=key)
            if key in ("target", "group", "decimal", "separator") and not isinstance(value, str):
                kind = "the name of a column" if key in ("target", "group") else "a text"
                raise self.places.fail(f"{key} must be {kind}", *PATH, value=key)
            if key == "header" and not isinstance(value, bool):
                raise self.places.fail("header must be true or false", *PATH, value=key)
            if key == "columns" and not isinstance(value, dict):
                raise self.places.fail("columns must be a table of names and types", *PATH, value=key)
        self.places.checked(lambda: Reading.of(given), *PATH)
        ranking = sorted({"group", "arms"} & set(given))
        if ranking and "cost" in given:
            raise self.places.fail(f"cost and {ranking[0]} do not go together", *PATH, value="cost")
        costs = {"cost": self.costs(given["cost"])} if "cost" in given else {}
        rewards = {}
        if "reward_range" in given:
            read = partial(check_reward_range, given["reward_range"])
            rewards = {"reward_range": list(self.places.checked(read, *PATH, value="reward_range"))}
        return {**given, **costs, **rewards}

    def allowed(self, name: str) -> tuple[str, ...]:
        """Return the names of the options that a data set may have."""
        if name in self.tables:
            return (*IN_MEMORY, "cost")
        source = find_source(name)
        if source is not None:
            return source.options
        return ("cost",) if find_dataset(name) is None else (*IN_MEMORY, "cost", "reward_range")

    def costs(self, value: object) -> list[list[Any]]:
        """Return the cost matrix of a CSV file or of a list of rows, with or without names."""
        if isinstance(value, str):
            value = self.places.checked(partial(read_costs, self.folder / value), *PATH, value=value)
        whole = value if isinstance(value, list) else []
        named = bool(whole) and isinstance(whole[0], list) and bool(whole[0]) and isinstance(whole[0][0], str)
        if named and not all(isinstance(row, list) and row and all(map(str, row[:1])) for row in whole[1:]):
            whole = []
        rows = [row[1:] for row in whole[1:]] if named else whole
        square = bool(rows) and all(isinstance(row, list) and len(row) == len(rows) for row in rows)
        numbers = square and all(type(one) in (int, float) and 0 <= one <= 1 for row in rows for one in row)
        if not numbers:
            raise self.places.fail(
                "cost must be a square matrix of numbers in [0, 1]: rows are labels, columns arms; "
                "a list of rows, with the names of the classes or without, or a .csv file",
                *PATH,
                value="cost",
            )
        numbers_only = [[float(one) for one in row] for row in rows]
        if not named:
            return numbers_only
        names = [str(row[0]) for row in whole[1:]]
        head = ["", *map(str, whole[0][1:])]
        return [head, *([name, *row] for name, row in zip(names, numbers_only, strict=True))]


def beside(reference: str, folder: Path) -> str:
    """Return a reference "file.py:Name" with the path of the file in the spec's folder, if it is there."""
    file, colon, name = reference.rpartition(":")
    there = folder / file
    return f"{there}{colon}{name}" if file.endswith(".py") and there.is_file() else reference
