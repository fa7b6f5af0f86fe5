"""Tables of results: regret of every competitor on every data set, and paired tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neucb.core.errors import InputError
from neucb.plots.competitors import learners
from neucb.report.table import Cell, ReportTable, number, p_value, text_cell
from neucb.statistics import (
    compare_over_datasets,
    compare_over_seeds,
    final_scores,
    intervals,
    normalized_regret,
    progressive_loss,
)
from neucb.statistics.scores import last_rounds

if TYPE_CHECKING:
    import pandas as pd

CAPTION = (
    "Cumulative regret at the end of the runs: mean over seeds and half the 95 % Student t interval. "
    "Loss: progressive validation loss, the mean realised loss of a round. Normalised: 0 is the supervised "
    "skyline where it was played, else the best policy; 1 the best fixed arm in hindsight. p: paired "
    "two-sided t test against the least regret on the data set, over seeds, corrected by Holm for all pairs "
    "of the data set; skylines are not tested."
)


def summary_table(frame: pd.DataFrame) -> ReportTable:
    """Return a row per data set and competitor, the least regret of a data set emphasised."""
    regret = intervals(final_scores(frame))
    loss = intervals(progressive_loss(frame)).set_index(["dataset", "agent_label"])["mean"]
    normalized = intervals(normalized_regret(frame)).set_index(["dataset", "agent_label"])["mean"]
    rounds = last_rounds(frame).groupby("dataset")["round"].first()
    best = best_of(frame)
    p_values = _against_best(frame, best)
    rows = []
    for row in by_dataset(regret.sort_values("mean", kind="stable"), regret["dataset"]).to_dict("records"):
        key = row["dataset"], row["agent_label"]
        is_best = best.get(row["dataset"]) == row["agent_label"]
        rows.append(
            [
                text_cell(row["dataset"]),
                Cell(row["agent_label"], strong=is_best),
                number(row["mean"], strong=is_best),
                number(row["high"] - row["mean"]),
                number(loss[key], ".4f"),
                number(normalized.get(key, np.nan), ".3f"),
                p_value(p_values.get(key, np.nan)),
                number(rounds[row["dataset"]], ",d"),
                number(row["seeds"], "d"),
            ]
        )
    columns = ["data set", "agent", "regret", "±", "loss", "normalised", "p", "rounds", "seeds"]
    return ReportTable(CAPTION, columns, rows)


def by_dataset(frame: pd.DataFrame, order: pd.Series[Any]) -> pd.DataFrame:
    """Return the rows grouped by data set, in the order of first occurrence in `order`."""
    positions = {name: i for i, name in enumerate(dict.fromkeys(order))}
    return frame.sort_values("dataset", key=lambda column: column.map(positions), kind="stable")


def best_of(frame: pd.DataFrame) -> dict[str, str]:
    """Return the competitor of least mean regret on every data set, skylines excluded."""
    table = intervals(final_scores(learners(frame)))
    least = table.sort_values("mean", kind="stable").drop_duplicates("dataset")
    return dict(zip(least["dataset"], least["agent_label"], strict=True))


def _against_best(frame: pd.DataFrame, best: dict[str, str]) -> dict[tuple[str, str], float]:
    p_values = {}
    for row in compare_over_seeds(final_scores(learners(frame))).to_dict("records"):
        pair = {row["first"], row["second"]}
        if best.get(row["dataset"]) in pair:
            (other,) = pair - {best[row["dataset"]]}
            p_values[row["dataset"], other] = row["p_holm"]
    return p_values


def claims(frame: pd.DataFrame) -> list[str]:
    """Return a sentence per data set: the competitor of least regret, and those not significantly worse."""
    table = intervals(final_scores(frame))
    best = best_of(frame)
    against = _against_best(frame, best)
    sentences = []
    for row in table.to_dict("records"):
        dataset, label = row["dataset"], row["agent_label"]
        if best.get(dataset) != label:
            continue
        half = row["high"] - row["mean"]
        mean_text = f"{row['mean']:,.1f}" + (f" ± {half:,.1f}" if np.isfinite(half) else " (one seed)")
        rivals = {other: p for (name, other), p in against.items() if name == dataset}
        text = f"{dataset}: {label} has the least regret, {mean_text}"
        similar = [other for other, p in rivals.items() if not p < 0.05]
        if rivals and not similar:
            text += "; all others have significantly more"
        elif rivals:
            text += f", not significantly less than {', '.join(similar)}"
        sentences.append(text + ".")
    return sentences


def pairs_table(frame: pd.DataFrame) -> ReportTable:
    """Return paired tests over seeds, a row per data set and pair of competitors."""
    rows = [
        [
            text_cell(row["dataset"]),
            text_cell(row["first"]),
            text_cell(row["second"]),
            number(row["difference"]),
            p_value(row["p"]),
            p_value(row["p_holm"]),
            number(row["seeds"], "d"),
        ]
        for row in compare_over_seeds(final_scores(learners(frame))).to_dict("records")
    ]
    caption = (
        "Paired two-sided t tests of regret over seeds. Difference: mean regret of the first minus that of "
        "the second. Holm: corrected for all pairs of the data set."
    )
    columns = ["data set", "first", "second", "difference", "p", "p (Holm)", "seeds"]
    return ReportTable(caption, columns, rows, long=len(rows) > 40)


def datasets_table(frame: pd.DataFrame) -> ReportTable:
    """Return paired tests over data sets, a row per pair of competitors.

    Raises:
        InputError: fewer than two data sets were played.
    """
    comparisons = compare_over_datasets(progressive_loss(learners(frame)))
    comparisons = comparisons[comparisons["datasets"] > 1]
    if comparisons.empty:
        raise InputError("tests over data sets need at least two data sets that two agents have played")
    rows = [
        [
            text_cell(row["first"]),
            text_cell(row["second"]),
            number(row["difference"], ".4f"),
            p_value(row["p"]),
            p_value(row["p_holm"]),
            number(row["datasets"], "d"),
        ]
        for row in comparisons.to_dict("records")
    ]
    caption = (
        "Wilcoxon signed-rank tests, two-sided, over data sets, of progressive validation loss averaged over "
        "seeds. Difference: first minus second. Holm: corrected for all pairs. With n data sets an exact p "
        "cannot be below 2 / 2^n."
    )
    return ReportTable(
        caption, ["first", "second", "difference", "p", "p (Holm)", "data sets"], rows, long=len(rows) > 40
    )
