"""The tables of results/theory/README.md, made of the tables beside it.

    python -m neucb.experiments.studies.theory_words FOLDER

prints them in Markdown. A test holds that each row stands in the README.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Table = Any  # a DataFrame, of whose columns no type is known

LAWS = {"log": "log t", "sqrt": "sqrt t", "power": "t^alpha"}
NOISY = ("magic", "adult", "shuttle", "covertype")
KERNELS = ("magic", "covertype", "adult", "mushroom", "shuttle")


def main(folder: str) -> None:
    """Print all tables."""
    for row in rows(Path(folder)):
        print(row)


def rows(folder: Path) -> Iterator[str]:
    """Yield every row of the tables, their heads left out."""
    import pandas as pd

    made = {
        "regression": regression,
        "kl-star": kl_star,
        "class": classes,
        "kernel": kernel,
        "ablation": ablation,
    }
    for name, make in made.items():
        yield from (f"| {' | '.join(cells)} |" for cells in make(pd.read_csv(folder / f"{name}.csv")))


def regression(table: Table) -> Iterator[list[str]]:
    """Yield: world, agent, at T, at T/2, exponent, law."""
    for row in table.to_dict("records"):
        law = LAWS.get(row["law"]) or _undecided(row)
        exponent = f"{row['alpha']:.2f} [{row['alpha_low']:.2f}, {row['alpha_high']:.2f}]"
        figures = [f"{row['regression_regret']:,.0f}", f"{row['at_half']:,.0f}"]
        yield [row["dataset"].removeprefix("synthetic:"), f"`{row['agent']}`", *figures, exponent, law]


def _undecided(row: dict[str, Any]) -> str:
    shares = {name: row[f"share_{name}"] for name in LAWS}
    first = max(shares, key=lambda name: shares[name])
    return f"undecided, {LAWS[first]} in {100 * shares[first]:.0f} %"


def kl_star(table: Table) -> Iterator[list[str]]:
    """Yield a row per figure of kl-perturbed, without, with a tenth and a fifth of the labels replaced."""
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
        words: [" / ".join(format(one, form) for one in own.loc[name, column]) for name in NOISY]
        for words, (column, form) in plain.items()
    }
    for words, column in percent.items():
        cells[words] = [
            " / ".join(f"{100 * one:.0f}" for one in own.loc[name, column]) + " %" for name in NOISY
        ]
    cells["exponent of t"] = [" / ".join(f"{one:.2f}" for one in own.loc[name, "alpha"]) for name in NOISY]
    yield from ([words, *values] for words, values in cells.items())


def classes(table: Table) -> Iterator[list[str]]:
    """Yield means over seeds, a row per data set and label noise."""
    for (name, noise), seeds in table.groupby(["dataset", "label_noise"], sort=False):
        mean = seeds.mean(numeric_only=True)
        best = f"{mean['L_star_class']:,.0f}"
        if seeds["L_star_class"].nunique() > 1:
            best += f", {seeds['L_star_class'].min():,.0f} to {seeds['L_star_class'].max():,.0f}"
        misfits = (mean[f"{one}_misfit"] for one in ("neufastcb", "neusquarecb", "unperturbed"))
        yield [
            f"{name}, {100 * noise:.0f} %",
            f"{mean['loss']:,.0f}",
            best,
            f"{mean['regret_against_class']:,.0f}",
            f"{mean['shape']:,.0f}",
            f"{mean['regret_against_class'] / mean['shape']:.1f}",
            " / ".join(f"{100 * one:.0f}" for one in misfits) + " %",
            f"{_short(mean['trained'])} / {_short(mean['held_out'])}",
            _short(seeds["spread"].max()),
        ]


def kernel(table: Table) -> Iterator[list[str]]:
    """Yield the least bound of every set, and the exponents for all lambda."""
    own = table[table["preprocessing"] == "standard"]
    for name in KERNELS:
        one = own[own["dataset"] == name]
        best = one.loc[one["ucb_bound"].idxmin()]
        powers = " / ".join(f"{power:.2f}" for power in one["power"])
        yield [
            name,
            f"{best['ucb_bound']:,.0f}",
            f"{best['ucb_bound'] / best['rounds']:,.0f} T",
            f"{best['ucb_regret']:,.0f}",
            f"{'T^' + powers}",
            f"{best['S']:.0f}",
        ]


def ablation(table: Table) -> Iterator[list[str]]:
    """Yield regret over the plain network's, mean of the sets, a row per variant."""
    plain = table["mean_regret"] - table["difference"]
    cells = table.assign(over=100.0 * table["difference"] / plain)[table["S"] > 0]
    for count, share, c_p in _variants(cells):
        texts = []
        for loss in ("squared", "kl"):
            one = cells[(cells["loss"] == loss) & (cells["S"] == count)]
            one = one[one["c_p"] == c_p] if math.isinf(count) else one[one["share_of_c_max"] == share]
            means = one.groupby("label_noise")["over"].mean()
            texts.append(" / ".join(_signed(mean) for mean in means) + " %")
        words = f"infinity, c_p = {c_p:g}" if math.isinf(count) else f"{count:.0f}, {share:g} c_max"
        yield [f"S = {words}", *texts]


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
