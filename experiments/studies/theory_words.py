"""Markdown tables of results/theory/README.md, from the CSV files in its folder.

    python -m neucb.experiments.studies.theory_words FOLDER

prints them. A test checks that the README contains each row.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Table = Any  # a DataFrame with untyped columns

LAWS = {"log": "log t", "sqrt": "sqrt t", "power": "t^alpha"}
NOISY = ("magic", "adult", "shuttle", "covertype")
KERNELS = ("magic", "covertype", "adult", "mushroom", "shuttle")


def main(folder: str) -> None:
    """Print all tables."""
    for row in rows(Path(folder)):
        print(row)


def rows(folder: Path) -> Iterator[str]:
    """Yield every row of the tables without the headers."""
    import pandas as pd

    makers = {
        "regression": regression,
        "kl-star": kl_star,
        "class": classes,
        "kernel": kernel,
        "ablation": ablation,
    }
    for name, make in makers.items():
        yield from (f"| {' | '.join(cells)} |" for cells in make(pd.read_csv(folder / f"{name}.csv")))


def regression(table: Table) -> Iterator[list[str]]:
    """Yield rows of world, agent, regression regret at T and at T/2, exponent, law."""
    for row in table.to_dict("records"):
        law = LAWS.get(row["law"]) or _undecided(row)
        exponent = f"{row['alpha']:.2f} [{row['alpha_low']:.2f}, {row['alpha_high']:.2f}]"
        values = [f"{row['regression_regret']:,.0f}", f"{row['at_half']:,.0f}"]
        yield [row["dataset"].removeprefix("synthetic:"), f"`{row['agent']}`", *values, exponent, law]


def _undecided(row: dict[str, Any]) -> str:
    shares = {name: row[f"share_{name}"] for name in LAWS}
    first = max(shares, key=lambda name: shares[name])
    return f"undecided, {LAWS[first]} in {100 * shares[first]:.0f} %"


def kl_star(table: Table) -> Iterator[list[str]]:
    """Yield a row per metric of kl-perturbed at label noise 0, 10 % and 20 %."""
    own = table[table["agent"] == "kl-perturbed"].set_index("dataset")
    percent = {
        "its misfit, share of the mean curve": "neufastcb_misfit",
        "misfit of sqrt(K t log t)": "neusquarecb_misfit",
        "misfit of sqrt(K) t^(3/4)": "unperturbed_misfit",
    }
    plain = {
        "regret of `kl-perturbed`": ("regret", ",.0f"),
        "fitted constant of sqrt(K L* log t) + K log t": ("neufastcb_constant", ".2g"),
    }
    cells = {
        title: [" / ".join(format(value, form) for value in own.loc[name, column]) for name in NOISY]
        for title, (column, form) in plain.items()
    }
    for title, column in percent.items():
        cells[title] = [
            " / ".join(f"{100 * value:.0f}" for value in own.loc[name, column]) + " %" for name in NOISY
        ]
    cells["exponent of t"] = [
        " / ".join(f"{alpha:.2f}" for alpha in own.loc[name, "alpha"]) for name in NOISY
    ]
    yield from ([title, *values] for title, values in cells.items())


def classes(table: Table) -> Iterator[list[str]]:
    """Yield means over seeds of best-in-class fits, a row per data set and label noise."""
    for (name, noise), seeds in table.groupby(["dataset", "label_noise"], sort=False):
        mean = seeds.mean(numeric_only=True)
        best = f"{mean['L_star_class']:,.0f}"
        if seeds["L_star_class"].nunique() > 1:
            best += f", {seeds['L_star_class'].min():,.0f} to {seeds['L_star_class'].max():,.0f}"
        misfits = (mean[f"{shape}_misfit"] for shape in ("neufastcb", "neusquarecb", "unperturbed"))
        yield [
            f"{name}, {100 * noise:.0f} %",
            f"{mean['loss']:,.0f}",
            best,
            f"{mean['regret_against_class']:,.0f}",
            f"{mean['shape']:,.0f}",
            f"{mean['regret_against_class'] / mean['shape']:.1f}",
            " / ".join(f"{100 * misfit:.0f}" for misfit in misfits) + " %",
            f"{_short(mean['trained'])} / {_short(mean['held_out'])}",
            _short(seeds["spread"].max()),
        ]


def kernel(table: Table) -> Iterator[list[str]]:
    """Yield the least bound of every data set, and the exponents for all lambda."""
    own = table[table["preprocessing"] == "standard"]
    for name in KERNELS:
        ridges = own[own["dataset"] == name]
        best = ridges.loc[ridges["ucb_bound"].idxmin()]
        powers = " / ".join(f"{power:.2f}" for power in ridges["power"])
        yield [
            name,
            f"{best['ucb_bound']:,.0f}",
            f"{best['ucb_bound'] / best['rounds']:,.0f} T",
            f"{best['ucb_regret']:,.0f}",
            f"{'T^' + powers}",
            f"{best['S']:.0f}",
        ]


def ablation(table: Table) -> Iterator[list[str]]:
    """Yield regret relative to the plain network, averaged over data sets, a row per variant."""
    plain = table["mean_regret"] - table["difference"]
    cells = table.assign(over=100.0 * table["difference"] / plain)[table["S"] > 0]
    for count, share, c_p in _variants(cells):
        texts = []
        for loss in ("squared", "kl"):
            part = cells[(cells["loss"] == loss) & (cells["S"] == count)]
            part = part[part["c_p"] == c_p] if math.isinf(count) else part[part["share_of_c_max"] == share]
            means = part.groupby("label_noise")["over"].mean()
            texts.append(" / ".join(_signed(mean) for mean in means) + " %")
        name = f"infinity, c_p = {c_p:g}" if math.isinf(count) else f"{count:.0f}, {share:g} c_max"
        yield [f"S = {name}", *texts]


def _variants(cells: Table) -> Iterator[tuple[float, float, float]]:
    pulls = cells[cells["S"] == math.inf]["c_p"].unique()
    yield from ((math.inf, math.nan, float(c_p)) for c_p in pulls)
    few = cells[cells["S"] < math.inf][["S", "share_of_c_max"]].drop_duplicates()
    yield from ((float(S), float(share), math.nan) for S, share in few.to_numpy())


def _signed(value: float) -> str:
    return f"{value:+.0f}" if abs(value) >= 9.95 else f"{value:+.1f}"


def _short(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-4 else f"{value:.0e}".replace("e-0", "e-")


if __name__ == "__main__":
    main(*sys.argv[1:])
