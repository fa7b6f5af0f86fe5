"""render_report: the HTML page of a report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError, NeucbError, in_one_line
from neucb.plots import draw
from neucb.plots.competitors import learners
from neucb.report.bounds import best_in_class_table, bounds_table
from neucb.report.figures import Drawing, make_drawing
from neucb.report.origin import (
    Manifests,
    failures,
    notes_table,
    provenance_table,
    settings_table,
    versions_table,
)
from neucb.report.results import by_dataset, claims, datasets_table, pairs_table, summary_table
from neucb.report.table import ReportTable
from neucb.report.theory import ablation_table, growth_table

if TYPE_CHECKING:
    import pandas as pd

    from neucb.sweeps.store.read_results import Results

Part = ReportTable | Drawing | str  # str: reason for a missing part


def render_report(
    results: Results,
    title: str,
    left_out: list[str],
    progress: Callable[[], object] = lambda: None,
) -> str:
    """Return a report as one self-contained HTML page.

    Args:
        results: results of runs or of a sweep.
        title: title of the page.
        left_out: messages on omitted runs.
        progress: callback, called as often as `steps` returns.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("neucb.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html")
    frame = by_dataset(results.frame, results.frame["dataset"])
    return template.render(
        title=title,
        counts=_counts(frame, len(results.manifests)),
        claims=claims(frame),
        sections=_sections(frame, results.manifests, progress),
        left_out=[*left_out, *failures(results.manifests)],
    )


def steps(frame: pd.DataFrame) -> int:
    """Return the number of calls of `progress` in `render_report`."""
    return frame["dataset"].nunique() + int(learners(frame).groupby(["dataset", "agent_label"]).ngroups)


def _counts(frame: pd.DataFrame, logs: int) -> str:
    runs = len(frame.drop_duplicates(["dataset", "agent_label", "seed"]))
    agents, datasets = frame["agent_label"].nunique(), frame["dataset"].nunique()
    return (
        f"{agents} agent{'s' * (agents != 1)}, {datasets} data set{'s' * (datasets != 1)}, "
        f"{runs:,} runs in {logs:,} log{'s' * (logs != 1)}"
    )


def _sections(
    frame: pd.DataFrame, manifests: Manifests, progress: Callable[[], object]
) -> list[tuple[str, list[Part]]]:
    return [
        ("Summary", [_if_allowed(summary_table, frame)]),
        ("Regret, data set by data set", _curves(frame, progress)),
        ("Regret against L*", [_figure(frame, "lstar", "Regret against L*", bounds=True)]),
        ("Best policy of the class", [_if_allowed(best_in_class_table, frame)]),
        ("Normalised regret", [_figure(frame, "normalized", "Normalised regret")]),
        ("Ranks", [_figure(frame, "ranks", "Average ranks and the critical difference")]),
        ("Wins and losses", [_figure(frame, "winloss", "Wins minus losses")]),
        ("Tests over data sets", [_if_allowed(datasets_table, frame)]),
        ("Tests over seeds", [_if_allowed(pairs_table, frame)]),
        ("Growth of regret", [_if_allowed(lambda rows: growth_table(rows, progress), frame)]),
        ("Bounds", [_if_allowed(bounds_table, frame)]),
        ("Ablation", [_if_allowed(ablation_table, frame)]),
        ("Regression regret", [_figure(frame, "regression", "Regression regret", bounds=True)]),
        ("Propensities", [_figure(frame, "propensity", "Mean propensity of the played arms")]),
        ("Perturbation", [_figure(frame, "spread", "Spread of the perturbation")]),
        ("Settings", [settings_table(frame)]),
        ("Data", [table for table in (provenance_table(manifests), notes_table(manifests)) if table]),
        ("Versions", [versions_table(manifests)]),
    ]


def _if_allowed(make: Callable[[pd.DataFrame], ReportTable], frame: pd.DataFrame) -> Part:
    try:
        return make(frame)
    except InputError as error:
        return f"Not shown: {error}."


def _figure(frame: pd.DataFrame, kind: str, title: str, **options: Any) -> Part:
    try:
        return make_drawing(draw(frame, kind, **options), title)
    except NeucbError as error:
        return f"Not shown: {in_one_line(error)}."


def _curves(frame: pd.DataFrame, progress: Callable[[], object]) -> list[Part]:
    parts: list[Part] = []
    for name, rows in frame.groupby("dataset", sort=False):
        progress()
        parts.append(_figure(rows, "regret", f"Regret on {name}", bounds=True))
    return parts
