"""Tables of growth laws of regret and of ablations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from neucb.core.errors import InputError
from neucb.plots.competitors import learners
from neucb.report.table import ReportTable, number, p_value, text_cell
from neucb.statistics import final_scores, holm, paired_t, t_half_width
from neucb.theory.growth import Growth, growth_of
from neucb.theory.laws import LAWS, WORDS

if TYPE_CHECKING:
    import pandas as pd

ADDED = ("-perturbed", "-replay")  # suffixes of recipe names with an added part


def growth_table(frame: pd.DataFrame, progress: Callable[[], object] = lambda: None) -> ReportTable:
    """Return the growth law of every competitor's regret on every data set.

    Raises:
        InputError: no run is long enough.
    """
    rows = []
    for (dataset, label), part in learners(frame).groupby(["dataset", "agent_label"], sort=False):
        progress()
        try:
            fitted = growth_of(part)
        except InputError:
            continue
        low, high = fitted.interval or (np.nan, np.nan)
        rows.append(
            [
                text_cell(dataset),
                text_cell(label),
                number(fitted.alpha, ".2f"),
                number(low, ".2f"),
                number(high, ".2f"),
                text_cell(_preferred(fitted)),
                *(number(fitted.errors[law], ".3f") for law in LAWS),
            ]
        )
    if not rows:
        raise InputError("growth laws need runs of more rounds")
    caption = (
        "Growth of mean regret: a + b log t, a + b sqrt t and a + b t^alpha. alpha is fitted to all rounds, "
        "its 95 % interval is a bootstrap over seeds. The preferred law, fitted to the first half of the "
        "rounds, predicts the second half best in 90 % of the resamples. Last columns: error of that "
        "prediction relative to the predicted growth."
    )
    columns = ["data set", "agent", "alpha", "from", "to", "preferred", *(WORDS[law] for law in LAWS)]
    return ReportTable(caption, columns, rows)


def _preferred(fitted: Growth) -> str:
    return WORDS.get(fitted.preferred, fitted.preferred)


def ablation_table(frame: pd.DataFrame) -> ReportTable:
    """Return the regret of competitors minus that of the plain agent of their family.

    A family is an agent with and without perturbation and replay, and its settings; the plain agent has
    neither part, and the first of the settings.

    Raises:
        InputError: no family has two members.
    """
    frame = learners(frame)
    scores = final_scores(frame)
    agents = frame.drop_duplicates("agent_label").set_index("agent_label")["agent"]
    rows = []
    for dataset, part in scores.groupby("dataset", sort=False):
        table = part.pivot(index="seed", columns="agent_label", values="value")
        families: dict[str, list[str]] = {}
        for label in dict.fromkeys(part["agent_label"]):
            families.setdefault(plain_name(agents[label]), []).append(label)
        for plain_agent, members in families.items():
            base = min(members, key=lambda label: (agents[label] != plain_agent, members.index(label)))
            for variant in members:
                if variant != base:
                    rows.append((dataset, variant, base, table[variant].to_numpy(), table[base].to_numpy()))
    if not rows:
        raise InputError("an ablation needs an agent with and without a part, or with several settings")
    tests = [paired_t(first, second) for *_, first, second in rows]
    corrected = holm(np.array([test.p for test in tests]))
    cells = []
    for (dataset, variant, base, first, second), test, p in zip(rows, tests, corrected, strict=True):
        difference = (first - second)[np.isfinite(first - second)]
        half = float(t_half_width(difference)) if test.pairs else np.nan
        cells.append(
            [
                text_cell(dataset),
                text_cell(variant),
                text_cell(base),
                number(test.difference),
                number(half),
                number(100.0 * test.difference / abs(float(np.nanmean(second))), "+.1f"),
                p_value(test.p),
                p_value(float(p)),
                number(test.pairs, "d"),
            ]
        )
    caption = (
        "Regret of a variant minus that of the plain agent, paired by seed: mean, half the 95 % Student t "
        "interval, per cent of the plain agent's regret, two-sided paired t test, and its p-value corrected "
        "by Holm for all rows."
    )
    columns = ["data set", "variant", "plain", "difference", "±", "%", "p", "p (Holm)", "seeds"]
    return ReportTable(caption, columns, cells)


def plain_name(agent: str) -> str:
    """Return the name of an agent without the suffixes ADDED."""
    for part in ADDED:
        agent = agent.replace(part, "")
    return agent
