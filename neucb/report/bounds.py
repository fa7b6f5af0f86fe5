"""Tables of regret bounds and of best-in-class fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.core.errors import InputError
from neucb.plots.competitors import learners
from neucb.report.table import ReportTable, number, text_cell
from neucb.statistics import t_half_width
from neucb.theory.bounds import kl_star_shape
from neucb.theory.guarantees import WORDS, guarantee

if TYPE_CHECKING:
    import pandas as pd

CAPTION = (
    "Guaranteed regret bounds, constants included, of agents with SquareCB's or FastCB's rule. Theorem: "
    "4 sqrt(K T Reg) + 8 sqrt(K T log(2 / delta)), delta = 0.05, where gamma was set for a Reg that no run "
    "exceeded and predictions lie in [0, 1]. Otherwise the sum of the rule's inequality over the rounds, "
    "a bound in expectation. Regression regret: squared loss of the oracle minus that of the true expected "
    "losses, unhalved; with clean labels the second is 0. A bound above T is vacuous."
)

CLASS_CAPTION = (
    "The best fitted policy of the agent's class, trained for many epochs on all losses of the rows: its "
    "expected loss L*, mean over the fitted seeds and half the 95 % Student t interval. Error of the "
    "fit: mean loss of its predictions on the training and on the held-out rows (log, or squared and "
    "unhalved), and the largest difference in mean loss between its restarts. Regret: the agent's "
    "expected loss minus that of the policy, on the same seeds. Shape: sqrt(K L* log T) + K log T, the "
    "constant 1, and regret divided by it. Regression regret: under the agent's loss, against the class "
    "fitted to the played pairs; of runs with best_in_class. A fit that is not optimal makes both "
    "regrets too small."
)


def bounds_table(frame: pd.DataFrame) -> ReportTable:
    """Return the regret bounds, a row per data set and competitor whose rule has a guarantee.

    Raises:
        InputError: no competitor has a guarantee, or K is unknown.
    """
    rows = []
    if "arms" in frame:
        for (dataset, label), part in learners(frame).groupby(["dataset", "agent_label"], sort=False):
            arms = part["arms"].iloc[0]
            bound = guarantee(part, int(arms)) if arms == arms else None
            if bound is None:
                continue
            rounds = int(part["round"].max())
            regret = float(part.loc[part["round"] == rounds, "regret"].mean())
            rows.append(
                [
                    text_cell(dataset),
                    text_cell(label),
                    number(regret),
                    number(bound.regression_regret),
                    text_cell(WORDS[bound.kind]),
                    number(float(bound.bound[-1]), ",.0f"),
                    number(float(bound.bound[-1]) / rounds, ",.2f"),
                ]
            )
    if not rows:
        raise InputError("bounds need agents with SquareCB's or FastCB's rule and logs with known h")
    columns = ["data set", "agent", "regret", "regression regret", "guaranteed by", "bound", "bound / T"]
    return ReportTable(CAPTION, columns, rows)


def best_in_class_table(frame: pd.DataFrame) -> ReportTable:
    """Return the best-in-class fits, a row per data set and competitor with one.

    Raises:
        InputError: the log has no best-in-class columns.
    """
    if "L_star_class" not in frame or frame["L_star_class"].isna().all():
        raise InputError(
            "a best-in-class fit needs runs with best_in_class=True, or a sweep of agents with "
            "best_in_class_seeds = SEEDS"
        )
    rows = []
    optional = {"class_regression_regret": "regression regret"}  # logged by runs, not by sweeps
    present = {column: name for column, name in optional.items() if column in frame}
    fitted = learners(frame[frame["L_star_class"].notna()])
    for (dataset, label), part in fitted.groupby(["dataset", "agent_label"], sort=False):
        rounds = int(part["round"].max())
        last = part[part["round"] == rounds]
        best, regret = last["L_star_class"], last["regret"] + last["L_star"] - last["L_star_class"]
        shape = kl_star_shape(last["round"].to_numpy(), best.to_numpy(), last["arms"].iloc[0]).mean()
        rows.append(
            [
                text_cell(dataset),
                text_cell(label),
                number(float(best.mean())),
                number(float(t_half_width(best.to_numpy()))),
                number(_mean(last, "class_trained"), ".2g"),
                number(_mean(last, "class_held_out"), ".2g"),
                number(float(last["class_spread"].max()), ".4f"),
                number(float(regret.mean())),
                number(float(shape)),
                number(float(regret.mean() / shape), ".2f"),
                *(number(float(last[column].mean())) for column in present),
                number(len(last), "d"),
            ]
        )
    metrics = ["trained", "held out", "restarts differ by", "regret", "shape", "regret / shape"]
    columns = ["data set", "agent", "L* of the class", "±", *metrics, *present.values(), "seeds"]
    return ReportTable(CLASS_CAPTION, columns, rows)


def _mean(rows: pd.DataFrame, column: str) -> float:
    """Return the mean of a column, or NaN if it is missing."""
    return float(rows[column].mean()) if column in rows else float("nan")
