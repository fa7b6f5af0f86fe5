"""neucb peers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neucb.cli.messages import note
from neucb.cli.options import PREPROCESSING_HELP, SEEDS_HELP, SOURCE_HELP, SUITE_HELP, OpenmlCache
from neucb.core.errors import InputError, NeucbError, StoppedError

if TYPE_CHECKING:
    import pandas as pd

    from neucb.benchmarks.tournament import Player


def peers(
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="Data sets: names, lists (a,b) and globs (mfeat-*).  [default: covertype]"),
    ] = None,
    suite: Annotated[str | None, typer.Option(help=SUITE_HELP)] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help="Peers, comma-separated: vw-squarecb, vw-epsilon, coba-squarecb, contextualbandits-linucb, "
            "mabwiser-linucb; or vw:OPTIONS, Vowpal Wabbit with your own options.  [default: all installed]"
        ),
    ] = None,
    agent: Annotated[
        str,
        typer.Option(
            help="Agents of neucb, comma-separated, with default hyper-parameters or, for example, "
            "kl:updates_per_round=16:lr=0.5."
        ),
    ] = "kl-perturbed,kl-perturbed-replay",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds T, at most the number of rows.")] = 10_000,
    seeds: Annotated[str, typer.Option(help=SEEDS_HELP)] = "1",
    preprocessing: Annotated[str, typer.Option("--preprocessing", help=PREPROCESSING_HELP)] = "standard",
    source: Annotated[str, typer.Option(help=SOURCE_HELP)] = "auto",
    openml_cache: OpenmlCache = None,
    beside: Annotated[
        Path | None,
        typer.Option(help="Folder of a sweep on the same data sets, whose agents are ranked too."),
    ] = None,
    out: Annotated[Path, typer.Option(help="CSV file of the runs; stored runs are not played again.")] = Path(
        "results/peers.csv"
    ),
    page: Annotated[
        Path | None,
        typer.Option(help="Markdown file for the tables, with the regret on every data set."),
    ] = None,
) -> None:
    """Compare other libraries' bandits with our agents on the same rows: regret and CPU time.

    The libraries are optional: pip install 'neucb[peers]'. Every run is a row of the file: agent_label,
    dataset, seed, round, regret as in `neucb.load_results`, and library, version, settings, cpu_seconds.
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
    seed_numbers = parse_seeds(seeds)
    patterns = list(dataset or []) or ([] if suite else ["covertype"])
    names = expand(patterns, suite)
    log = None if beside is None else load_sweep(beside)
    check_file(out, "--out")
    if page is not None:
        check_file(page, "--page")

    def rows(name: str) -> Encoded:
        return load(name, preprocessing=preprocessing, source=source, openml_cache=openml_cache, notify=note)

    try:
        with steps("playing") as (plan, tick):
            frame, failed = run_tournament(
                players, names, rows, seed_numbers, rounds, out, plan=plan, tick=tick
            )
    except KeyboardInterrupt:
        raise StoppedError(
            f"interrupted; the runs played are in {out}, the same command plays the others"
        ) from None
    if len(frame):
        played = set(frame["agent_label"])
        present = [name for name in ours if name in played]
        _show(frame, present, log)
        if page is not None:
            _write(page, frame, present, log)
        print(f"runs: {out}")
    for line in failed[:5]:
        note(f"failed: {line}")
    if failed:
        raise NeucbError(f"{len(failed)} runs failed and are not in the table")


def find_players(peer: list[str] | None, agents: list[str]) -> list[Player]:
    """Return the players; a peer whose library is not installed is left out with a note.

    Raises:
        InputError: an unknown name, a repeated one, or no installed peer.
    """
    from neucb.benchmarks.peers import PEERS, VOWPAL, find_peer
    from neucb.benchmarks.tournament import of_agent, of_peer

    names = [[text] if text.startswith(VOWPAL) else text.split(",") for text in peer or PEERS]
    chosen = [find_peer(name) for group in names for name in group if name]
    players = [of_agent(name) for name in agents]
    missing = {chosen_peer.missing for chosen_peer in chosen} - {None}
    for line in sorted(str(hint) for hint in missing):
        note(line)
    present = [of_peer(chosen_peer) for chosen_peer in chosen if chosen_peer.missing is None]
    if not present:
        raise InputError("no peer is installed; install them: pip install 'neucb[peers]'")
    players += present
    labels = [player.label for player in players]
    repeated = {label for label in labels if labels.count(label) > 1}
    if repeated:
        raise InputError(f"{min(repeated)} is named twice")
    return players


def _show(frame: pd.DataFrame, ours: list[str], log: pd.DataFrame | None) -> None:
    """Print ranks, and a comparison of every peer with every agent of neucb."""
    from rich.table import Table

    from neucb.benchmarks.page import times
    from neucb.benchmarks.ranking import duels, ranks
    from neucb.core.terminal import show_table

    if frame["agent_label"].nunique() < 2:
        return
    ranking = ranks(frame, log)
    sets, seeds = ranking["datasets"].iloc[0], frame["seed"].nunique()
    grid = Table(
        title=f"average ranks by mean regret ({sets} data sets, {seeds} seeds)", title_justify="left"
    )
    for column in ("agent", "rank", "rounds per CPU second"):
        grid.add_column(column, justify="left" if column == "agent" else "right")
    for label, rank, speed in zip(ranking.index, ranking["rank"], ranking["rounds_per_second"], strict=True):
        grid.add_row(str(label), f"{rank:.1f}", "" if speed != speed else f"{speed:,.0f}")
    show_table(grid)
    pairs = duels(frame, ours)
    for agent in ours:
        grid = Table(title=f"against {agent}", title_justify="left")
        for column in ("peer", "less : more regret", "tests", "CPU time over ours"):
            grid.add_column(column, justify="left" if column == "peer" else "right")
        own_pairs = [duel for duel in pairs if duel.own == agent]
        for duel in own_pairs:
            grid.add_row(duel.peer, f"{len(duel.less)} : {duel.more}", f"{duel.balance:+d}", times(duel))
        if own_pairs:
            show_table(grid)
        for duel in own_pairs:
            if duel.less:
                print(f"{duel.peer} has less regret than {agent} on {', '.join(duel.less)}")
    if pairs:
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
