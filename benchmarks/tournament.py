"""Tournament of peers and our agents on the same rows, one result row per run in a CSV file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.benchmarks.measure import Tick
from neucb.benchmarks.peers import PEERS, Game, Peer
from neucb.core.columns import with_current_names
from neucb.core.errors import InputError, NeucbError
from neucb.core.files import atomic_write, explained
from neucb.core.provenance import library_version
from neucb.environments.preprocessing import Encoded
from neucb.runs.api import prepare

if TYPE_CHECKING:
    import pandas as pd

OURS = ("kl", "kl-perturbed", "kl-perturbed-replay", "squarecb")  # our agents in `neucb bench`
RUN = ["agent_label", "dataset", "seed"]
KEY = [*RUN, "round", "library", "version", "settings"]  # key of a stored run
METRICS = ["regret", "best_fixed_arm_regret", "cpu_seconds"]


@dataclass(frozen=True)
class Player:
    """A player of a tournament: a peer or one of our agents.

    Attributes:
        label: label in the table.
        library, version, settings: provenance of its results.
        play: function that returns regret and CPU seconds.
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


def of_agent(text: str) -> Player:
    """Return one of our agents as a player, on its default engine.

    Args:
        text: name and hyper-parameters other than the defaults: "kl:updates_per_round=16:gamma=50".

    Raises:
        InputError: an unknown name, or an invalid hyper-parameter.
    """
    from neucb.agents.recipes.registry import find_recipe
    from neucb.sweeps.identity import code_version

    name, *pairs = text.split(":")
    settings = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
    recipe = find_recipe(name)
    recipe.settings(settings)

    def play(game: Game) -> tuple[float, float]:
        run = prepare(name, game.env, seeds=[game.seed], settings=settings)
        run.load()
        before = time.process_time()
        run.player.play()
        return float(run.log.sums["regret"][0]), time.process_time() - before

    version = f"{library_version('neucb')}+{code_version(recipe)[:8]}"
    return Player(text, "neucb", version, ", ".join(pairs) or "defaults", play)


def measure_peers(encoded: Encoded, rounds: int) -> list[dict[str, Any]]:
    """Return mistakes and CPU microseconds per round of our agents and all peers on seed 0, or a note."""
    game = Game(encoded, min(rounds, encoded.table.rows), 0)
    rows: list[dict[str, Any]] = []
    for player in [*map(of_agent, OURS), *map(of_peer, PEERS.values())]:
        missing = PEERS[player.label].missing if player.label in PEERS else None
        name = f"{player.library}: {player.label}"
        try:
            if missing:
                raise InputError(missing)
            mistakes, seconds = player.play(game)
        except Exception as error:  # a fault of a peer library must not end the benchmark
            rows.append({"peer": name, "note": _reason(error)})
            continue
        cpu = 1e6 * seconds / game.rounds
        rows.append({"peer": name, "rounds": game.rounds, "mistakes": int(mistakes), "cpu_us": cpu})
    return rows


def _reason(error: Exception) -> str:
    message = " ".join(str(error).split())[:200]
    return message if isinstance(error, NeucbError) else f"{type(error).__name__}: {message}"


def read(path: Path) -> pd.DataFrame:
    """Return the rows of a tournament file, or an empty frame if it does not exist.

    Raises:
        InputError: it is not a tournament file.
    """
    import pandas as pd

    columns = [*KEY, *METRICS]
    if not path.exists():
        return pd.DataFrame(columns=columns)
    try:
        frame = with_current_names(pd.read_csv(path, dtype={"version": str, "settings": str}))
    except (ValueError, UnicodeDecodeError):
        frame = pd.DataFrame()
    if list(frame.columns) != columns:
        raise InputError(f"{path} is not a file of `neucb peers`: name another one with --out")
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
    """Play the runs that are missing in the file; return the requested rows and the failures.

    A run is played again after a change of its library's version, its settings or the rounds; the settings
    include a non-standard encoding and the use of the bundled rows. Completed runs are in the file even if
    the tournament ends early.

    Args:
        players: the players.
        names: names of the data sets.
        load: function that returns the encoded rows of a data set.
        seeds: seeds, one game each.
        rounds: T, at most the number of rows.
        out: the CSV file.
        plan: callback that receives the number of runs.
        tick: callback that receives the name of each run.

    Returns:
        Columns agent_label, dataset, seed, round, library, version, settings, regret, best_fixed_arm_regret
        (in hindsight) and cpu_seconds; and a line per failed run.
    """
    rows = _Rows(out)
    failed: list[str] = []
    plan(len(names) * len(seeds) * len(players))
    requested = []
    for name in names:
        encoded = load(name)
        for seed in seeds:
            game = Game(encoded, min(rounds, encoded.table.rows), seed)
            with rows:
                for player in players:
                    tick(f"{name}: {player.label}")
                    key = _key(player, name, game)
                    if key not in rows:
                        _play(player, game, key, rows, failed)
                    requested.append(key)
    frame = rows.frame()
    keys = frame.set_index(KEY).index
    return frame[keys.isin(requested)].reset_index(drop=True), failed


def _key(player: Player, name: str, game: Game) -> tuple[Any, ...]:
    encoded = game.encoded
    rows = [f"{encoded.preprocessing} encoding"] if encoded.preprocessing != "standard" else []
    rows += ["bundled rows"] if encoded.table.source == "bundled" else []
    return (
        *(player.label, name, game.seed, game.rounds),
        *(player.library, player.version, "; ".join((player.settings, *rows))),
    )


def _play(player: Player, game: Game, key: tuple[Any, ...], rows: _Rows, failed: list[str]) -> None:
    import numpy as np

    try:
        regret, seconds = player.play(game)
    except Exception as error:  # a fault of a peer library must not end the tournament
        label, name, seed = key[: len(RUN)]
        failed.append(f"{label} on {name}, seed {seed}: {_reason(error)}")
        return
    fixed = float(game.rounds - np.bincount(game.y).max())
    rows.add(key, (regret, fixed, round(seconds, 6)))


class _Rows:
    """Rows of the file; new ones are written when the context exits."""

    def __init__(self, out: Path) -> None:
        self.out = out
        frame = read(out)
        self._rows = {row[: len(KEY)]: row[len(KEY) :] for row in frame.itertuples(index=False, name=None)}
        self._new = False

    def __contains__(self, key: tuple[Any, ...]) -> bool:
        return key in self._rows

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if self._new:
            with explained(self.out.parent):
                atomic_write(self.out, lambda path: self.frame().to_csv(path, index=False))
            self._new = False

    def add(self, key: tuple[Any, ...], metrics: tuple[float, float, float]) -> None:
        """Add a row; drop rows of the same run with another provenance."""
        run = key[: len(RUN)]
        for old in list(self._same(run)):
            del self._rows[old]
        self._rows[key] = metrics
        self._new = True

    def _same(self, run: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        return (key for key in self._rows if key[: len(RUN)] == run)

    def frame(self) -> pd.DataFrame:
        """Return all rows."""
        import pandas as pd

        rows = [(*key, *metrics) for key, metrics in self._rows.items()]
        frame = pd.DataFrame(rows, columns=[*KEY, *METRICS])
        return frame.sort_values(["dataset", "agent_label", "seed"], kind="stable").reset_index(drop=True)
