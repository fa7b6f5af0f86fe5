"""Provenance tables: hyper-parameters, data sets, versions, and failed runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neucb.report.table import Cell, ReportTable, number, text_cell
from neucb.sweeps.store.naming import in_words
from neucb.sweeps.store.run_logs import environment_of

if TYPE_CHECKING:
    import pandas as pd

Manifests = Sequence[dict[str, Any]]


def settings_table(frame: pd.DataFrame) -> ReportTable:
    """Return the hyper-parameters of every competitor, with data sets grouped by equal values."""
    from neucb.agents.recipes.registry import RECIPES

    rows = []
    for label, part in frame.groupby("agent_label", sort=False):
        agent = str(part["agent"].iloc[0])
        recipe = RECIPES.get(agent)
        names = [item.name for item in recipe.parameters if item.name in part] if recipe else []
        datasets_by_settings: dict[str, list[str]] = {}
        for (dataset, *values), _ in part.groupby(["dataset", *names], sort=False, dropna=False):
            text = ", ".join(f"{name} = {in_words(value)}" for name, value in zip(names, values, strict=True))
            datasets_by_settings.setdefault(text, []).append(str(dataset))
        everywhere = len(datasets_by_settings) == 1
        rows += [
            [
                text_cell(label),
                text_cell(agent),
                text_cell("all" if everywhere else ", ".join(datasets)),
                text_cell(text),
            ]
            for text, datasets in datasets_by_settings.items()
        ]
    return ReportTable("Hyper-parameters.", ["agent", "recipe", "data sets", "settings"], rows)


def provenance_table(manifests: Manifests) -> ReportTable:
    """Return source, size and encoding of every data set."""
    datasets: dict[str, dict[str, Any]] = {}
    for environment in map(environment_of, manifests):
        if environment:
            fields = {
                name: environment.get(name) for name in ("dataset", "source", "rows", "arms", "features")
            }
            text = json.dumps({**fields, "encoding": environment.get("preprocessing")}, sort_keys=True)
            datasets.setdefault(text, environment)
    rows = []
    for environment in datasets.values():
        origin = environment.get("provenance") or {}
        rows.append(
            [
                text_cell(environment.get("dataset", "")),
                text_cell(environment.get("source", "")),
                *(_count(environment.get(name)) for name in ("rows", "arms", "features")),
                text_cell(environment.get("preprocessing", "")),
                text_cell(", ".join(f"{name}: {value}" for name, value in origin.items())),
            ]
        )
    columns = ["data set", "source", "rows", "arms", "features", "encoding", "provenance"]
    return ReportTable("Data sets; features are counted after the encoding.", columns, rows)


def _count(value: object) -> Cell:
    """Return a numeric cell, or a text cell for a non-integer value of a user's environment."""
    return number(value, ",d") if type(value) is int else text_cell("" if value is None else value)


def notes_table(manifests: Manifests) -> ReportTable | None:
    """Return the omissions and guesses of the data readers per data set, or None without any."""
    notes: dict[tuple[str, str], None] = {}
    for environment in map(environment_of, manifests):
        notes |= dict.fromkeys(
            (str(environment.get("dataset", "")), str(note)) for note in environment.get("notes") or ()
        )
    rows = [[text_cell(dataset), text_cell(note)] for dataset, note in notes]
    caption = "Rows and columns left out, and guesses of the readers."
    return ReportTable(caption, ["data set", "left out or guessed"], rows) if rows else None


def versions_table(manifests: Manifests) -> ReportTable:
    """Return the distinct versions, commits, machines and engines of the runs."""
    counts: dict[tuple[str, str, str, str], int] = {}
    for manifest in manifests:
        versions = ", ".join(f"{name} {value}" for name, value in (manifest.get("versions") or {}).items())
        machine = manifest.get("machine") or {}
        platform = ", ".join(str(machine[name]) for name in ("platform", "processor") if machine.get(name))
        platform += f", {machine['cores']} cores" if machine.get("cores") else ""
        engine = manifest.get("engine") or (manifest.get("configuration") or {}).get("engine") or ""
        key = versions, str(manifest.get("commit") or "installed"), platform, str(engine)
        counts[key] = counts.get(key, 0) + 1
    rows = [[*map(text_cell, key), number(count, ",d")] for key, count in counts.items()]
    return ReportTable(
        "Software and machines of the runs.", ["versions", "commit", "machine", "engine", "logs"], rows
    )


def failures(manifests: Manifests) -> list[str]:
    """Return a line for every failed run of a sweep."""
    return [
        ", ".join(f"{name}: {value}" for name, value in failure.items())
        for manifest in manifests
        for failure in manifest.get("failures") or ()
    ]
