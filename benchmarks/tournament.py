"""contest: peers and our agents on the same rows, a row of figures per run, kept in a CSV file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.benchmarks.measure import Tick
from neucb.benchmarks.peers import PEERS, Game, Peer
from neucb.core.errors import InputError, NeucbError
from neucb.core.files import atomic_write, explained
from neucb.core.provenance import library_version
from neucb.environments.preprocessing import Encoded
from neucb.runs.api import prepare

if TYPE_CHECKING:
    import pandas as pd

OURS = ("kl", "kl-perturbed", "kl-perturbed-replay", "squarecb")  # beside the peers in `neucb bench`
RUN = ["label", "dataset", "seed"]
WHICH = [*RUN, "round", "library", "version", "settings"]  # a row with these is not played again
FIGURES = ["regret", "best_fixed_arm", "cpu_seconds"]


@dataclass(frozen=True)
class Player:
    """Who plays, whatever it comes from.

    Attributes:
        label: in the table.
        library, version, settings: what made its figures.
        play: returns regret and CPU seconds.
    """

    label: str
    library: str
    version: str
    settings: str
    play: Callable[[Game], tuple[float, float]]


def of_peer(peer: Peer) -> Player:
    """Return a peer as a player."""

    def play(game: Game) -> tuple[float, float]:
        arms, seconds = peer.play(game)
        if arms.shape != (game.rounds,):
            raise ValueError(f"{len(arms)} arms in {game.rounds} rounds")
        return game.regret(arms), seconds

    return Player(peer.name, peer.library, peer.version, peer.settings, play)


def of_agent(words: str) -> Player:
    """Return one of our agents as a player, on the engine that is chosen for it.

    Args:
        words: its name, then what differs from its defaults: "kl:replay=16:gamma=50".

    Raises:
        InputError: an unknown name, or a setting that it does not take.
    """
    from neucb.agents.recipes.registry import find_recipe
    from neucb.sweeps.identity import code_version

    name, *pairs = words.split(":")
    settings = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
    find_recipe(name).settings(settings)

    def play(game: Game) -> tuple[float, float]:
        job = prepare(name, game.env, seeds=[game.seed], settings=settings)
        job.load()
        before = time.process_time()
        job.player.play()
        return float(job.log.sums["regret"][0]), time.process_time() - before

    version = f"{library_version('neucb')}+{code_version()[:8]}"
    return Player(words, "neucb", version, ", ".join(pairs) or "defaults", play)


def measure_peers(encoded: Encoded, rounds: int) -> list[dict[str, Any]]:
    """Return our agents and every peer on seed 0: mistakes and CPU microseconds a round, or why not."""
    game = Game(encoded, min(rounds, encoded.table.rows), 0)
    rows: list[dict[str, Any]] = []
    for player in [*map(of_agent, OURS), *map(of_peer, PEERS.values())]:
        missing = PEERS[player.label].missing if player.label in PEERS else None
        name = f"{player.library}: {player.label}"
        try:
            if missing:
                raise InputError(missing)
            mistakes, seconds = player.play(game)
        except Exception as error:  # whatever another library does must not end the benchmark
            rows.append({"peer": name, "note": _reason(error)})
            continue
        cpu = 1e6 * seconds / game.rounds
        rows.append({"peer": name, "rounds": game.rounds, "mistakes": int(mistakes), "cpu_us": cpu})
    return rows


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split())[:200]
    return words if isinstance(error, NeucbError) else f"{type(error).__name__}: {words}"


def read(path: Path) -> pd.DataFrame:
    """Return the rows of a file, none where there is no file.

    Raises:
        InputError: it is no file of a contest.
    """
    import pandas as pd

    columns = [*WHICH, *FIGURES]
    if not path.exists():
        return pd.DataFrame(columns=columns)
    try:
        frame = pd.read_csv(path, dtype={"version": str, "settings": str})
    except (ValueError, UnicodeDecodeError):
        frame = pd.DataFrame()
    if list(frame.columns) != columns:
        raise InputError(f"{path} is no file of `neucb peers`: name another one with --out")
    return frame


def run_tournament(
    players: Sequence[Player],
    names: Sequence[str],
    load: Callable[[str], Encoded],
    seeds: Sequence[int],
    rounds: int,
    out: Path,
    *,
    plan: Callable[[int], None] = lambda _: None,
    tick: Tick = lambda _: None,
) -> tuple[pd.DataFrame, list[str]]:
    """Play what is not in the file yet, players in turn; return the rows asked for, and what failed.

    A run is played again where its library's version, its settings or the rounds have changed; among the
    settings are an encoding other than the standard one, and that the rows are those that come with neucb.
    Whatever ends the contest early, the runs that were played are in the file.

    Args:
        players: who plays.
        names: of the data sets.
        load: returns the rows of one.
        seeds: a game each.
        rounds: T, or the rows there are.
        out: the file.
        plan: is told the number of runs.
        tick: is told of every run.

    Returns:
        Columns label, dataset, seed, round, library, version, settings, regret, best_fixed_arm (its
        regret in hindsight) and cpu_seconds; and a line per run that failed.
    """
    rows = _Rows(out)
    failed: list[str] = []
    plan(len(names) * len(seeds) * len(players))
    wanted = []
    for name in names:
        encoded = load(name)
        for seed in seeds:
            game = Game(encoded, min(rounds, encoded.table.rows), seed)
            with rows:
                for player in players:
                    tick(f"{name}: {player.label}")
                    which = _which(player, name, game)
                    if which not in rows:
                        _play(player, game, which, rows, failed)
                    wanted.append(which)
    frame = rows.frame()
    keys = frame.set_index(WHICH).index
    return frame[keys.isin(wanted)].reset_index(drop=True), failed


def _which(player: Player, name: str, game: Game) -> tuple[Any, ...]:
    encoded = game.encoded
    rows = [f"{encoded.preprocessing} encoding"] if encoded.preprocessing != "standard" else []
    rows += ["bundled rows"] if encoded.table.source == "bundled" else []
    return (
        *(player.label, name, game.seed, game.rounds),
        *(player.library, player.version, "; ".join((player.settings, *rows))),
    )


def _play(player: Player, game: Game, which: tuple[Any, ...], rows: _Rows, failed: list[str]) -> None:
    import numpy as np

    try:
        regret, seconds = player.play(game)
    except Exception as error:  # whatever another library does must not end the contest
        label, name, seed = which[: len(RUN)]
        failed.append(f"{label} on {name}, seed {seed}: {_reason(error)}")
        return
    fixed = float(game.rounds - np.bincount(game.y).max())
    rows.add(which, (regret, fixed, round(seconds, 6)))


class _Rows:
    """The rows of the file; leaving the context writes what is new."""

    def __init__(self, out: Path) -> None:
        self.out = out
        frame = read(out)
        self._rows = {
            row[: len(WHICH)]: row[len(WHICH) :] for row in frame.itertuples(index=False, name=None)
        }
        self._new = False

    def __contains__(self, which: tuple[Any, ...]) -> bool:
        return which in self._rows

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if self._new:
            with explained(self.out.parent):
                atomic_write(self.out, lambda path: self.frame().to_csv(path, index=False))
            self._new = False

    def add(self, which: tuple[Any, ...], figures: tuple[float, float, float]) -> None:
        """Add a row; one of the same run that something else made is dropped."""
        run = which[: len(RUN)]
        for old in list(self._same(run)):
            del self._rows[old]
        self._rows[which] = figures
        self._new = True

    def _same(self, run: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        return (which for which in self._rows if which[: len(RUN)] == run)

    def frame(self) -> pd.DataFrame:
        """Return all rows."""
        import pandas as pd

        rows = [(*which, *figures) for which, figures in self._rows.items()]
        frame = pd.DataFrame(rows, columns=[*WHICH, *FIGURES])
        return frame.sort_values(["dataset", "label", "seed"], kind="stable").reset_index(drop=True)
