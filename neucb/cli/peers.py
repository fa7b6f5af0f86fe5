"""neucb peers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neucb.cli.messages import note
from neucb.cli.options import ENCODINGS, SOURCES
from neucb.core.errors import InputError, NeucbError, StoppedError

if TYPE_CHECKING:
    import pandas as pd

    from neucb.benchmarks.tournament import Player


def peers(
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="Names, lists (a,b) and globs as for `neucb run`.  [default: covertype]"),
    ] = None,
    suite: Annotated[str | None, typer.Option(help="Play all sets of a suite: cc18 or bakeoff.")] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help="vw-squarecb, vw-epsilon, coba-squarecb, contextualbandits-linucb, mabwiser-linucb, with "
            "commas between; or vw:OPTIONS, Vowpal Wabbit with options of yours.  [default: all installed]"
        ),
    ] = None,
    agent: Annotated[
        str,
        typer.Option(
            help="Our agents in the comparison, commas between; with their defaults, or as in "
            "kl:updates_per_round=16:lr=0.5."
        ),
    ] = "kl-perturbed,kl-perturbed-replay",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds T, or the rows there are.")] = 10_000,
    seeds: Annotated[str, typer.Option(help="5 (seeds 0 to 4), 10:20 (10 to 19) or 3,7.")] = "1",
    preprocessing: Annotated[
        str,
        typer.Option("--preprocessing", help=ENCODINGS),
    ] = "standard",
    source: Annotated[str, typer.Option(help=SOURCES)] = "auto",
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
    beside: Annotated[
        Path | None, typer.Option(help="Folder of a sweep of the same rows, whose agents are ranked too.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="CSV file of the runs; what is in it is not played again.")
    ] = Path("results/peers.csv"),
    page: Annotated[
        Path | None,
        typer.Option(help="Also write the tables to this Markdown file, regret on every set too."),
    ] = None,
) -> None:
    """Play other libraries' bandits on the rows that our agents play: regret beside CPU time.

    They are optional: pip install 'neucb[peers]'. Every run is a row of the file: agent_label, dataset, seed,
    round, regret as in `neucb.load_results`, and library, version, settings, cpu_seconds.
    """
    from neucb.benchmarks.tournament import run_tournament
    from neucb.cli.progress import steps
    from neucb.core.files import check_file
    from neucb.core.seeds import parse_seeds
    from neucb.environments.classification import load
    from neucb.environments.preprocessing import Encoded
    from neucb.environments.sources.catalogue import expand
    from neucb.sweeps.store.load_sweep import load_sweep

    ours = [name for name in agent.split(",") if name]
    players = find_players(peer, ours)
    numbers = parse_seeds(seeds)
    given = list(dataset or []) or ([] if suite else ["covertype"])
    names = expand(given, suite)
    log = None if beside is None else load_sweep(beside)
    check_file(out, "--out")
    if page is not None:
        check_file(page, "--page")

    def rows(name: str) -> Encoded:
        return load(name, preprocessing=preprocessing, source=source, openml_cache=openml_cache, notify=note)

    try:
        with steps("playing") as (plan, tick):
            frame, failed = run_tournament(players, names, rows, numbers, rounds, out, plan=plan, tick=tick)
    except KeyboardInterrupt:
        raise StoppedError(
            f"interrupted; the runs played are in {out}, the same command plays the others"
        ) from None
    if len(frame):
        played = set(frame["agent_label"])
        there = [name for name in ours if name in played]
        _show(frame, there, log)
        if page is not None:
            _write(page, frame, there, log)
        print(f"runs: {out}")
    for line in failed[:5]:
        note(f"failed: {line}")
    if failed:
        raise NeucbError(f"{len(failed)} runs failed and are not in the table")


def find_players(peer: list[str] | None, agents: list[str]) -> list[Player]:
    """Return the players; a peer that is not installed is left out with a note.

    Raises:
        InputError: an unknown name, or no player is left.
    """
    from neucb.benchmarks.peers import PEERS, VOWPAL, find_peer
    from neucb.benchmarks.tournament import of_agent, of_peer

    words = [[text] if text.startswith(VOWPAL) else text.split(",") for text in peer or PEERS]
    chosen = [find_peer(word) for several in words for word in several if word]
    players = [of_agent(name) for name in agents]
    missing = {one.missing for one in chosen} - {None}
    for line in sorted(str(one) for one in missing):
        note(line)
    there = [of_peer(one) for one in chosen if one.missing is None]
    if not there:
        raise InputError("there is no peer to play; install them: pip install 'neucb[peers]'")
    labels = [one.label for one in (*players, *there)]
    twice = {label for label in labels if labels.count(label) > 1}
    if twice:
        raise InputError(f"{min(twice)} is named twice")
    return [*players, *there]


def _show(frame: pd.DataFrame, ours: list[str], log: pd.DataFrame | None) -> None:
    """Print ranks, and comparisons of every peer with every agent of neucb."""
    from rich.table import Table

    from neucb.benchmarks.page import times
    from neucb.benchmarks.ranking import duels, ranks
    from neucb.core.terminal import show_table

    if frame["agent_label"].nunique() < 2:
        return
    standing = ranks(frame, log)
    sets, seeds = standing["datasets"].iloc[0], frame["seed"].nunique()
    grid = Table(
        title=f"average ranks by mean regret ({sets} data sets, {seeds} seeds)", title_justify="left"
    )
    for column in ("agent", "rank", "rounds per CPU second"):
        grid.add_column(column, justify="left" if column == "agent" else "right")
    for label, rank, speed in zip(
        standing.index, standing["rank"], standing["rounds_per_second"], strict=True
    ):
        grid.add_row(str(label), f"{rank:.1f}", "" if speed != speed else f"{speed:,.0f}")
    show_table(grid)
    found = duels(frame, ours)
    for own in ours:
        grid = Table(title=f"against {own}", title_justify="left")
        for column in ("peer", "less : more regret", "tests", "CPU time over ours"):
            grid.add_column(column, justify="left" if column == "peer" else "right")
        mine = [duel for duel in found if duel.own == own]
        for duel in mine:
            grid.add_row(duel.peer, f"{len(duel.less)} : {duel.more}", f"{duel.balance:+d}", times(duel))
        if mine:
            show_table(grid)
        for duel in mine:
            if duel.less:
                print(f"{duel.peer} has less regret than {own} on {', '.join(duel.less)}")
    if found:
        print(
            "less : more: on how many data sets; tests: sets won minus lost by paired t tests over seeds; "
            "CPU time: median and range over the sets"
        )


def _write(path: Path, frame: pd.DataFrame, ours: list[str], log: pd.DataFrame | None) -> None:
    from neucb.benchmarks.page import page
    from neucb.core.files import atomic_write, explained

    text = page(frame, ours, log)
    with explained(path.parent, "--page"):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    print(f"written: {path}")
