"""Tables of origin: settings, data, versions, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neucb.report.table import Cell, Table, number, words
from neucb.sweeps.store.naming import in_words
from neucb.sweeps.store.run_logs import environment_of

if TYPE_CHECKING:
    import pandas as pd

Manifests = Sequence[dict[str, Any]]


def settings_table(frame: pd.DataFrame) -> Table:
    """Return the hyper-parameters of every competitor, data sets with the same ones together."""
    from neucb.agents.recipes.registry import RECIPES

    rows = []
    for label, part in frame.groupby("label", sort=False):
        agent = str(part["agent"].iloc[0])
        recipe = RECIPES.get(agent)
        names = [one.name for one in recipe.parameters if one.name in part] if recipe else []
        worlds: dict[str, list[str]] = {}
        for (dataset, *values), _ in part.groupby(["dataset", *names], sort=False, dropna=False):
            text = ", ".join(f"{name} = {in_words(value)}" for name, value in zip(names, values, strict=True))
            worlds.setdefault(text, []).append(str(dataset))
        everywhere = len(worlds) == 1
        rows += [
            [words(label), words(agent), words("all" if everywhere else ", ".join(played)), words(text)]
            for text, played in worlds.items()
        ]
    return Table("Hyper-parameters.", ["agent", "recipe", "data sets", "settings"], rows)


def provenance_table(manifests: Manifests) -> Table:
    """Return where the rows of every data set came from."""
    seen: dict[str, dict[str, Any]] = {}
    for about in map(environment_of, manifests):
        if about:
            kept = {name: about.get(name) for name in ("dataset", "source", "rows", "arms", "features")}
            text = json.dumps({**kept, "encoding": about.get("preprocessing")}, sort_keys=True)
            seen.setdefault(text, about)
    rows = []
    for about in seen.values():
        origin = about.get("provenance") or {}
        rows.append(
            [
                words(about.get("dataset", "")),
                words(about.get("source", "")),
                *(_count(about.get(name)) for name in ("rows", "arms", "features")),
                words(about.get("preprocessing", "")),
                words(", ".join(f"{name}: {value}" for name, value in origin.items())),
            ]
        )
    columns = ["data set", "source", "rows", "arms", "features", "encoding", "provenance"]
    return Table("The data sets. Features are counted after the encoding.", columns, rows)


def _count(value: object) -> Cell:
    """Return a cell of a number; as text where an environment of the user's has another value."""
    return number(value, ",d") if type(value) is int else words("" if value is None else value)


def notes_table(manifests: Manifests) -> Table | None:
    """Return what was left out of every data set or guessed on reading it; None where nothing was."""
    notes: dict[tuple[str, str], None] = {}
    for about in map(environment_of, manifests):
        notes |= dict.fromkeys(
            (str(about.get("dataset", "")), str(note)) for note in about.get("notes") or ()
        )
    rows = [[words(dataset), words(note)] for dataset, note in notes]
    caption = "What of the data was left out or read by a guess."
    return Table(caption, ["data set", "left out or guessed"], rows) if rows else None


def versions_table(manifests: Manifests) -> Table:
    """Return the different versions, commits, machines and engines that runs were played with."""
    counts: dict[tuple[str, str, str, str], int] = {}
    for one in manifests:
        versions = ", ".join(f"{name} {version}" for name, version in (one.get("versions") or {}).items())
        machine = one.get("machine") or {}
        where = ", ".join(str(machine[name]) for name in ("platform", "processor") if machine.get(name))
        where += f", {machine['cores']} cores" if machine.get("cores") else ""
        engine = one.get("engine") or (one.get("configuration") or {}).get("engine") or ""
        key = versions, str(one.get("commit") or "installed"), where, str(engine)
        counts[key] = counts.get(key, 0) + 1
    rows = [[*map(words, key), number(count, ",d")] for key, count in counts.items()]
    return Table("What played them.", ["versions", "commit", "machine", "engine", "logs"], rows)


def failures(manifests: Manifests) -> list[str]:
    """Return a line for every run of a sweep that failed."""
    return [
        ", ".join(f"{name}: {value}" for name, value in one.items())
        for manifest in manifests
        for one in manifest.get("failures") or ()
    ]
