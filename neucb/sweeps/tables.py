"""Table of a sweep: mean regret per agent and world, for the terminal, CSV and LaTeX."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from neucb.runs.log_table import WORLD
from neucb.runs.summary import confidence_interval

if TYPE_CHECKING:
    import pandas as pd

PER_ROUNDS = 10_000
SPECIAL = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    | {"[": "{[}", "*": "{*}"}  # options of the row end before them
)


def regret_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per world, agent and setting of the reporting runs.

    Columns: dataset, preprocessing, order, label_noise, agent_label, config_id, seeds, rounds, regret (mean
    over seeds at the last round), low and high (95 % Student t interval; missing for one seed),
    best_fixed_arm_regret. Settings are not distinguished where an agent has one setting in a world.

    Args:
        frame: rows as returned by `neucb.load_results`.
    """
    import pandas as pd

    reported = frame[frame["split"] == "reporting"]
    keys = [*WORLD, "agent_label", "config_id"]
    rows: list[dict[str, Any]] = []
    for key, runs in reported.groupby(keys, sort=False):
        last = runs.loc[runs.groupby("seed", sort=False)["round"].idxmax()]
        regret = last["regret"].to_numpy(dtype=float)
        low, high = confidence_interval(regret) or [float("nan")] * 2
        figures = {
            "seeds": len(last),
            "rounds": int(last["round"].max()),
            "regret": float(regret.mean()),
            "low": low,
            "high": high,
            "best_fixed_arm_regret": float(last["best_fixed_arm_regret"].mean()),
        }
        rows.append(dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True)) | figures)
    columns = [*keys, "seeds", "rounds", "regret", "low", "high", "best_fixed_arm_regret"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values([*WORLD, "regret"], kind="stable").reset_index(drop=True)


def times_table(times: pd.DataFrame) -> pd.DataFrame:
    """Return the processor time per run: one row per agent, the fastest first.

    Columns: agent_label, engine, batches, threads per batch, then processor seconds per 10,000 rounds of one
    run: the median, the least and the greatest over batches, each batch the mean of its runs.

    Args:
        times: rows as returned by `neucb.sweeps.store.load_times.load_times`.
    """
    each = times.assign(each=times["cpu_seconds"] / times["rounds"] * PER_ROUNDS)
    table = each.groupby(["agent_label", "engine"], sort=False).agg(
        batches=("each", "size"),
        threads=("threads", "max"),
        median=("each", "median"),
        least=("each", "min"),
        greatest=("each", "max"),
    )
    return table.reset_index().sort_values("median", kind="stable", ignore_index=True)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as text: rounded, constant columns left out, readable names."""
    import pandas as pd

    half = (table["high"] - table["low"]) / 2
    columns = {
        "data set": table["dataset"].map(short_names(table["dataset"])),
        "preprocessing": table["preprocessing"],
        "order": table["order"],
        "noise": table["label_noise"],
        "agent": table["agent_label"],
        "setting": table["config_id"],
        "seeds": table["seeds"],
        "rounds": table["rounds"],
        "regret": table["regret"].map("{:,.1f}".format),
        "± 95 %": half.map(lambda value: "" if value != value else f"{value:,.1f}"),
        "best fixed arm": table["best_fixed_arm_regret"].map("{:,.1f}".format),
    }
    several = {"preprocessing", "order", "noise", "seeds"}
    one_each = not table.duplicated([*WORLD, "agent_label"]).any()
    left_out = {name for name in several if columns[name].nunique() <= 1}
    left_out |= {"setting"} if one_each else set()
    return pd.DataFrame({name: value for name, value in columns.items() if name not in left_out})


def shown_times(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of times as text: three significant digits, constant columns left out."""
    digits = {name: table[name].map("{:#.3g}".format) for name in ("median", "least", "greatest")}
    left_out = [name for name in ("engine", "threads") if table[name].nunique() <= 1]
    return table.assign(**digits).drop(columns=left_out).rename(columns={"agent_label": "agent"})


def to_tabular(words: pd.DataFrame) -> str:
    """Return a table of text as a LaTeX tabular: text aligned left, numbers right."""
    sides = ["l" if name in ("agent", "engine") else "r" for name in words]
    rows = [list(words), *words.astype(str).to_numpy().tolist()]
    head, *lines = (" & ".join(map(_escape, row)) + r" \\" for row in rows)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{''.join(sides)}}}",
            r"\hline",
            head,
            r"\hline",
            *lines,
            r"\hline",
            r"\end{tabular}",
            "",
        ]
    )


def to_latex(table: pd.DataFrame) -> str:
    """Return a table as a LaTeX tabular: a row per world, a column per agent, the least regret bold.

    Where an agent has several settings in a world, its least regret is shown and its name gets a star: best
    of the grid on the reported stream.
    """
    short = short_names(table["dataset"])
    worlds = table[[*WORLD]].drop_duplicates().itertuples(index=False)
    agents = list(dict.fromkeys(table["agent_label"]))
    starred = set(table.loc[table.duplicated([*WORLD, "agent_label"]), "agent_label"])
    varying = [name for name in WORLD if name == "dataset" or table[name].nunique() > 1]
    names = [_escape(agent) + ("$^*$" if agent in starred else "") for agent in agents]
    head = [_escape(name.replace("_", " ")) for name in varying]
    lines = [
        rf"\begin{{tabular}}{{{'l' * len(varying)}{'r' * len(agents)}}}",
        r"\hline",
        " & ".join([*head, *names]) + r" \\",
        r"\hline",
    ]
    for world in worlds:
        key = dict(zip(WORLD, world, strict=True)) | {"dataset": short[str(world.dataset)]}
        mine = table[(table[[*WORLD]] == list(world)).all(axis=1)]
        best = mine.dropna(subset="regret").groupby("agent_label")["regret"].idxmin()
        least = mine["regret"].min()
        cells = [_cell(mine.loc[best[agent]], least) if agent in best else "--" for agent in agents]
        lines.append(" & ".join([*(_escape(str(key[name])) for name in varying), *cells]) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def _cell(row: pd.Series[Any], least: float) -> str:
    value = f"{row['regret']:.1f}"
    half = (row["high"] - row["low"]) / 2
    interval = "" if half != half else f" \\pm {half:.1f}"
    return f"$\\mathbf{{{value}}}{interval}$" if row["regret"] == least else f"${value}{interval}$"


def short_names(datasets: Iterable[str]) -> dict[str, str]:
    """Return for every data set the last part of its path, the whole path where several are equal."""
    last = {name: re.split(r"(?<!\d)/", name)[-1] or name for name in datasets}  # not the / of "cost 0/1"
    counts = Counter(last.values())
    return {name: short if counts[short] == 1 else name for name, short in last.items()}


def _escape(text: str) -> str:
    """Escape text for LaTeX, on one line; letters beyond ASCII stay, LaTeX reads UTF-8."""
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return re.sub("-(?=-)", "-{}", words.translate(SPECIAL))  # two would be joined to a dash
