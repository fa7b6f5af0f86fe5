"""Peer libraries, where installed, on the same rows as our environments.

They are optional dependencies: `pip install 'neucb[peers]'`. Each draws its actions from its own
generator and plays with its defaults unless its settings, recorded in every result, differ. The time of
Vowpal Wabbit includes parsing a text file, without cache; the others are called round by round.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError, unknown_name
from neucb.core.provenance import library_version
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.contexts import dense_rows
from neucb.environments.preprocessing import Encoded

Arms = NDArray[np.int64]
VOWPAL = "vw:"  # prefix of a peer given by Vowpal Wabbit options


@dataclass(frozen=True)
class Game:
    """Rounds of one seed: shuffled rows, clean labels, loss 0 for the right arm and 1 otherwise.

    Attributes:
        encoded: encoded rows.
        rounds: T; rows are drawn again where there are fewer.
        seed: seed of the row order, and of the peers' generators where they take one.
    """

    encoded: Encoded
    rounds: int
    seed: int

    @property
    def env(self) -> ClassificationVectorEnv:
        """The environment of one replica."""
        return ClassificationVectorEnv(self.encoded, horizon=self.rounds, recycle=True)

    @property
    def arms(self) -> int:
        """Number of arms K."""
        return self.encoded.table.arms

    @cached_property
    def rows(self) -> Arms:
        """Table rows [T] of the rounds."""
        return self.env.script(self.seed).rows

    @property
    def x(self) -> NDArray[np.float32]:
        """Contexts [T, d]."""
        return dense_rows(self.encoded.contexts, self.rows)

    @property
    def y(self) -> Arms:
        """Right arms [T]."""
        return self.encoded.labels[self.rows]

    @cached_property
    def vowpal_text(self) -> str:
        """The rounds in Vowpal Wabbit's text format, nonzero entries with six digits.

        Feature names are not plain numbers, which would be their own hashes: `--cbify` with
        `--cb_explore_adf` drops the last bits of hashes and would merge four features into one.
        """
        shown: dict[int, str] = {}
        for row in np.unique(self.rows).tolist():
            entries = dense_rows(self.encoded.contexts, np.array([row]))[0]
            features = " ".join(f"x{j}:{entries[j]:.6g}" for j in np.flatnonzero(entries))
            shown[row] = f"{self.encoded.labels[row] + 1} | {features}\n"
        return "".join(shown[row] for row in self.rows.tolist())

    def regret(self, played: Arms) -> float:
        """Return the regret of played arms [T], the number of wrong ones: one arm is right in every round."""
        return float((played != self.y).sum())


@dataclass(frozen=True)
class Peer:
    """An agent of a peer library.

    Attributes:
        name: name of the peer.
        library: name of the module and of its distribution.
        settings: hyper-parameters in the library's notation.
        play: function that returns the played arms [T] and the CPU seconds.
    """

    name: str
    library: str
    settings: str
    play: Callable[[Game], tuple[Arms, float]]

    @property
    def missing(self) -> str | None:
        """Installation hint for a missing library, or None for an installed one."""
        if importlib.util.find_spec(self.library) is not None:
            return None
        return f"{self.library} is not installed (pip install 'neucb[peers]')"

    @property
    def version(self) -> str:
        """Version of the library, or "unknown"."""
        return library_version(self.library) or "unknown"


def vowpal(name: str, options: str) -> Peer:
    """Return the peer of Vowpal Wabbit with a linear learner per arm and these options."""

    def play(game: Game) -> tuple[Arms, float]:
        import vowpalwabbit

        with tempfile.TemporaryDirectory() as folder:
            data, out = Path(folder, "rows.txt"), Path(folder, "played.txt")
            data.write_text(game.vowpal_text, encoding="utf-8")
            files = f"--quiet --random_seed {game.seed} -d {data} -p {out}"
            before = time.process_time()
            vowpalwabbit.Workspace(f"--cbify {game.arms} {options} {files}").finish()
            seconds = time.process_time() - before
            played = [int(float(line.split()[0])) - 1 for line in out.read_text().splitlines()]
        return np.array(played, np.int64), seconds

    return Peer(name, "vowpalwabbit", f"--cbify K {options}", play)


def _coba(game: Game) -> tuple[Arms, float]:
    """Play coba's SquareCB with quadratic features, implemented by Vowpal Wabbit."""
    from coba.learners import VowpalSquarecbLearner
    from coba.safety import SafeLearner

    learner = SafeLearner(VowpalSquarecbLearner(seed=game.seed), seed=game.seed)
    actions = [str(a) for a in range(game.arms)]
    contexts = [{f"x{j}": float(row[j]) for j in np.flatnonzero(row)} for row in game.x]
    y, played = game.y, np.empty(game.rounds, np.int64)
    before = time.process_time()
    for t, context in enumerate(contexts):
        action, probability, extra = learner.predict(context, actions)
        played[t] = int(action)
        learner.learn(context, action, float(y[t] == played[t]), probability, **extra)
    return played, time.process_time() - before


def _contextualbandits(game: Game) -> tuple[Arms, float]:
    """Play contextualbandits' LinUCB, updated after every round."""
    from contextualbandits.online import LinUCB

    learner = LinUCB(game.arms, random_state=game.seed + 1)  # a seed of 0 is rejected
    x, y, played = game.x, game.y, np.empty(game.rounds, np.int64)
    before = time.process_time()
    for t in range(game.rounds):
        row = x[t : t + 1]
        played[t] = learner.predict(row)[0]
        learner.partial_fit(row, played[t : t + 1], np.array([float(y[t] == played[t])]))
    return played, time.process_time() - before


def _mabwiser(game: Game) -> tuple[Arms, float]:
    """Play mabwiser's LinUCB, updated after every round."""
    from mabwiser.mab import MAB, LearningPolicy

    learner = MAB(list(range(game.arms)), LearningPolicy.LinUCB(alpha=0.1), seed=game.seed)
    x, y, played = game.x.astype(np.float64), game.y, np.empty(game.rounds, np.int64)
    before = time.process_time()
    for t in range(game.rounds):
        row = x[t : t + 1]
        played[t] = learner.predict(row) if t else 0
        learn = learner.partial_fit if t else learner.fit
        learn([int(played[t])], [float(y[t] == played[t])], row)
    return played, time.process_time() - before


def _gittins(game: Game) -> tuple[Arms, float]:
    """Play gittins' engine, its model of 2^18 weights shared by the arms; rounds are its clock."""
    import gittins

    state = gittins.create(bits=18, horizon=10.0)
    arms: list[tuple[str, dict[str, float]]] = [(str(a), {}) for a in range(game.arms)]
    contexts = [{f"x{j}": float(row[j]) for j in np.flatnonzero(row)} for row in game.x]
    y, played = game.y, np.empty(game.rounds, np.int64)
    before = time.process_time()
    for t, context in enumerate(contexts):
        record = gittins.decide(state, context, arms, float(t), f"{game.seed}-{t}")
        played[t] = record.chosen
        gittins.learn(state, record.decision_id, float(y[t] == played[t]), float(t))
    return played, time.process_time() - before


PEERS = {
    peer.name: peer
    for peer in (
        vowpal("vw-squarecb", "--cb_explore_adf --squarecb"),
        vowpal("vw-epsilon", "--cb_explore_adf --epsilon 0.05"),
        Peer("coba-squarecb", "coba", "VowpalSquarecbLearner()", _coba),
        Peer("contextualbandits-linucb", "contextualbandits", "LinUCB()", _contextualbandits),
        Peer("mabwiser-linucb", "mabwiser", "LinUCB(alpha=0.1)", _mabwiser),
        Peer("gittins", "gittins", "bits=18", _gittins),
    )
}


def find_peer(name: str) -> Peer:
    """Return the peer of a name, or Vowpal Wabbit with the user's options: "vw:--cb_explore_adf -l 1".

    Raises:
        InputError: an unknown name, or no options after "vw:".
    """
    if name.startswith(VOWPAL):
        options = name.removeprefix(VOWPAL).strip()
        if not options.startswith("-"):
            raise InputError(f"after {VOWPAL} come options, like {VOWPAL}--cb_explore_adf, not '{options}'")
        return vowpal(name, options)
    if name not in PEERS:
        raise unknown_name("peer", name, PEERS)
    return PEERS[name]
