"""Table of bounds: what the theory allows the regret of every run, beside its regret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.errors import InputError
from neucb.plots.competitors import learners
from neucb.report.table import Table, number, words
from neucb.theory.guarantees import WORDS, guarantee

if TYPE_CHECKING:
    import pandas as pd

CAPTION = (
    "What the theory guarantees, constants included, of agents with SquareCB's or FastCB's rule. Theorem: "
    "4 sqrt(K T Reg) + 8 sqrt(K T log(2 / delta)), delta = 0.05, where gamma followed it for a Reg that all "
    "runs kept to. Otherwise the rule's inequality of every round, summed: a bound in expectation. "
    "Regression regret: squared loss of the oracle minus that of the true expected losses, unhalved; with "
    "clean labels the second is 0. A bound above T says nothing."
)


def bounds_table(frame: pd.DataFrame) -> Table:
    """Return a row per data set and competitor whose rule has a guarantee.

    Raises:
        InputError: there is none, or K is not known.
    """
    rows = []
    if "arms" in frame:
        for (dataset, label), part in learners(frame).groupby(["dataset", "label"], sort=False):
            arms = part["arms"].iloc[0]
            found = guarantee(part, int(arms)) if arms == arms else None
            if found is None:
                continue
            rounds = int(part["round"].max())
            regret = float(part.loc[part["round"] == rounds, "regret"].mean())
            rows.append(
                [
                    words(dataset),
                    words(label),
                    number(regret),
                    number(found.regression_regret),
                    words(WORDS[found.kind]),
                    number(float(found.bound[-1]), ",.0f"),
                    number(float(found.bound[-1]) / rounds, ",.2f"),
                ]
            )
    if not rows:
        raise InputError("bounds need agents with SquareCB's or FastCB's rule and logs that tell h")
    columns = ["data set", "agent", "regret", "regression regret", "guaranteed by", "bound", "bound / T"]
    return Table(CAPTION, columns, rows)
