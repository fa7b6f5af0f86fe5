"""Classification data as a bandit: one arm per class, 0/1 loss by default."""

from __future__ import annotations

import bisect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from neucb.core.errors import InputError
from neucb.core.random import stream
from neucb.core.seeds import is_whole
from neucb.environments.contexts import dense_rows, is_sparse
from neucb.environments.feedback import Feedback, cost_matrix
from neucb.environments.orders.order import FixedOrder, Order
from neucb.environments.orders.registry import make_order
from neucb.environments.preprocessing import Encoded, check_preprocessing, encode
from neucb.environments.replica_seeds import replica_seeds
from neucb.environments.sources.catalogue import load_table
from neucb.environments.table import Table, announce
from neucb.environments.tables.table_file import Reading

Observations = NDArray[np.float32]
Actions = NDArray[np.int64]


def load(
    dataset: str | Table | Encoded,
    *,
    preprocessing: str = "standard",
    source: str = "auto",
    openml_cache: str | Path | None = None,
    reading: Reading | None = None,
    strict: bool = False,
    notify: Callable[[str], None] = warnings.warn,
) -> Encoded:
    """Return an encoded data set. Arguments and errors as for `ClassificationVectorEnv`.

    `notify` is called with a line when the data differ from those requested, and with each of `Table.notes`;
    with `strict` the notes are errors.
    """
    if not isinstance(dataset, str) and reading not in (None, Reading()):
        raise InputError("target, columns, header, decimal and separator are for files and DataFrames")
    if isinstance(dataset, Encoded):
        return dataset
    check_preprocessing(preprocessing)  # before anything is downloaded
    if isinstance(dataset, str):
        folder = None if openml_cache is None else Path(openml_cache)
        dataset = load_table(dataset, source=source, openml_cache=folder, reading=reading, notify=notify)
    announce(dataset.name, dataset.notes, notify, strict=strict)
    encoded = encode(dataset, preprocessing)
    announce(dataset.name, encoded.notes, notify)
    return encoded


@dataclass(frozen=True)
class Script:
    """Rows and labels of one replica, as far as they are known before the run.

    Attributes:
        order: order of the rows.
        rows: rows of the table [T]; filled by the engine where the order is adaptive.
        label: clean labels [T], after drift; likewise.
        seen: labels after noise [T]; likewise.
        part: part of the run between two drifts [T]; this and the rest for adaptive orders only.
        relabel: labels after drift [parts, K].
        shift: offset of each label by noise [T], modulo K.
    """

    order: Order
    rows: NDArray[np.int64]
    label: NDArray[np.int64]
    seen: NDArray[np.int64]
    part: NDArray[np.int64]
    relabel: NDArray[np.int64]
    shift: NDArray[np.int64]


class ClassificationVectorEnv(VectorEnv[Observations, Actions, NDArray[Any]]):
    """Vector environment of R replicas of a contextual bandit made of a classification table.

    Observation: contexts [R, d], float32, rows of L2 norm 1, shared by the arms. Action: an arm in
    0..K-1 per replica. Reward: 1 - loss. Each replica has its own order of rows, label noise and
    drift from its seed. Nothing is ever `terminated`; all replicas are `truncated` together after
    `horizon` rounds, and there is no automatic reset.

    Step info, one entry per replica, of the round just played:
        label: clean label [R], after drift.
        loss: realised loss of the played arm [R], 1 - reward.
        expected_losses: expected loss of every arm [R, K], see `Feedback`.
        expected_loss, best_loss: expected loss of the played and of the best arm [R].
        best_realised_loss: realised loss of the best arm [R].

    Args:
        dataset: name in the catalogue, `Table`, or `Encoded` table.
        num_envs: number of replicas R >= 1.
        horizon: rounds T of a run; 1..N, or more with `recycle`; all N rows by default.
        preprocessing: "standard", "zscore", "centered" or "paper", see `encode`.
        label_noise: probability q in [0, (K - 1) / K) that a label is replaced by one of the other
            K - 1, uniformly.
        cost: losses in [0, 1] of arms (columns) under labels (rows) [K, K], in the order of
            `table.classes` or with names, see `cost_matrix`; 0/1 by default.
        order: row order, a key of `neucb.environments.orders.registry.ORDERS`.
        drift: rounds before which the labels are permuted anew, each time differently from before;
            in 1..T-1; () for none.
        recycle: allow more rounds than rows, the rows being drawn again by a new permutation.
        source: source of a named data set: "auto", "openml" or "bundled".
        openml_cache: folder of the OpenML cache; the client's own by default.
        target, columns, header, decimal, separator: options of reading a file, see `Reading`.
        strict: raise an error where rows or columns are left out, in place of a warning.

    Raises:
        InputError: a value out of its range; DataError: the data set is unavailable.
    """

    trusted = True  # `check_environment` checks it in the tests

    @property
    def sparse_contexts(self) -> bool:
        """Whether contexts are kept in compressed rows, see `Encoded`."""
        return is_sparse(self.encoded.contexts)

    def __init__(
        self,
        dataset: str | Table | Encoded,
        num_envs: int = 1,
        *,
        horizon: int | None = None,
        preprocessing: str = "standard",
        label_noise: float = 0.0,
        cost: Any = None,
        order: str = "shuffled",
        drift: Sequence[int] = (),
        recycle: bool = False,
        source: str = "auto",
        openml_cache: str | Path | None = None,
        target: str | None = None,
        columns: Mapping[str, str] | None = None,
        header: bool | None = None,
        decimal: str | None = None,
        separator: str | None = None,
        strict: bool = False,
    ) -> None:
        reading = Reading(target, columns or {}, header, decimal, separator)
        self.encoded = load(
            dataset,
            preprocessing=preprocessing,
            source=source,
            openml_cache=openml_cache,
            reading=reading,
            strict=strict,
        )
        self.table = self.encoded.table
        rows, features = self.encoded.contexts.shape
        arms = self.table.arms
        self.horizon = rows if horizon is None else horizon
        self.order = order
        for name, flag in (("recycle", recycle), ("strict", strict)):
            if not isinstance(flag, bool | np.bool_):
                raise InputError(f"{name} must be True or False, not {flag!r}")
        if not isinstance(drift, Sequence | np.ndarray) or not all(map(is_whole, drift)):
            raise InputError(f"drift must be a list of whole numbers, not {drift!r}")
        self.drift = tuple(sorted({int(round_) for round_ in drift}))
        if num_envs < 1:
            raise InputError(f"num_envs must be at least 1, not {num_envs}")
        if self.horizon < 1 or (self.horizon > rows and not recycle):
            raise InputError(
                f"{self.table.name} has {rows} rows: rounds must be 1..{rows}, not {horizon}, "
                "or the rows be drawn again (recycle)"
            )
        if self.drift and not (self.drift[0] > 0 and self.drift[-1] < self.horizon):
            raise InputError(f"drift must name rounds in 1..{self.horizon - 1}, not {list(drift)}")
        matrix = None if cost is None else cost_matrix(cost, self.table.classes)
        self.feedback = Feedback.make(arms, label_noise, matrix)
        self._graded = cost is not None
        make_order(order, self.encoded.labels, arms, self.horizon, 0)  # raises its errors now, not at reset
        self.num_envs = num_envs
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space = spaces.Box(-1.0, 1.0, (features,), np.float32)
        self.single_action_space = spaces.Discrete(arms)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._round = -1

    def describe(self) -> dict[str, Any]:
        """Return the description of the environment for manifests."""
        return {
            "dataset": self.table.name,
            "source": self.table.source,
            "rows": self.table.rows,
            "arms": self.table.arms,
            "classes": list(self.table.classes),  # in the order of the arms
            "features": int(self.encoded.contexts.shape[1]),
            "preprocessing": self.encoded.preprocessing,
            "label_noise": self.feedback.noise,
            "cost": self.feedback.cost.tolist() if self._graded else "0/1",
            "order": self.order,
            "drift": list(self.drift),
            "provenance": self.table.provenance,
            "notes": [*self.table.notes, *self.encoded.notes],
            **({"sparse": True} if is_sparse(self.encoded.contexts) else {}),
        }

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start a run: return the first contexts [R, d] and an empty info.

        Args:
            seed: seed per replica; or one number s for the seeds s, s + 1, ..., as in Gymnasium;
                None draws new seeds.
            options: ignored.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = replica_seeds(seed, self.num_envs, self.np_random)
        arms, horizon = self.table.arms, self.horizon
        self._orders = [make_order(self.order, self.encoded.labels, arms, horizon, one) for one in seeds]
        self._shift = np.stack([self.feedback.shifts(horizon, stream(one, "noise")) for one in seeds])
        self._relabel = np.stack([self._permutations(one) for one in seeds])  # [R, parts, K]
        self._round = 0
        self._show()
        return self._contexts(), {}

    def _permutations(self, seed: int) -> NDArray[np.int64]:
        """Return the permutation of labels in each part of the run [parts, K], the first the identity."""
        rng = stream(seed, "drift")
        parts = [np.arange(self.table.arms)]
        while len(parts) <= len(self.drift):
            drawn = rng.permutation(self.table.arms)
            if not np.array_equal(drawn, parts[-1]):
                parts.append(drawn)
        return np.stack(parts)

    def script(self, seed: int) -> Script:
        """Return the rows and labels of the replica of this seed."""
        arms = self.table.arms
        order = make_order(self.order, self.encoded.labels, arms, self.horizon, seed)
        if isinstance(order, FixedOrder):
            label = self.encoded.labels.take(order.rows)
            if self.drift:
                label = self._permutations(seed)[self._parts(), label]
            seen = label
            if self.feedback.noise:
                seen = (label + self.feedback.shifts(self.horizon, stream(seed, "noise"))) % arms
            return Script(order, order.rows, label, seen, *np.zeros((3, 0), np.int64))
        shift = self.feedback.shifts(self.horizon, stream(seed, "noise"))
        rows, label, seen = np.zeros((3, self.horizon), dtype=np.int64)
        return Script(order, rows, label, seen, self._parts(), self._permutations(seed), shift)

    def _parts(self) -> NDArray[np.int64]:
        """Return the part of the run, between two drifts, of each round [T]."""
        return np.searchsorted(self.drift, np.arange(self.horizon), side="right")

    def _show(self) -> None:
        """Set this round's row of every replica from its order."""
        self.rows = np.array([order.row(self._round) for order in self._orders])  # [R]

    def _contexts(self) -> Observations:
        return dense_rows(self.encoded.contexts, self.rows)

    def step(
        self, actions: Actions
    ) -> tuple[Observations, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Play one arm per replica [R]: return next contexts, rewards, terminated, truncated, info.

        After the last round the contexts of that round are returned again.

        Raises:
            InputError: an arm that does not exist, or a step before `reset` or after the last round.
        """
        if not 0 <= self._round < self.horizon:
            raise InputError("no round to play: call reset first, and again after the last round")
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or actions.min() < 0 or actions.max() >= self.table.arms:
            raise InputError(f"actions must be {self.num_envs} arms in 0..{self.table.arms - 1}")
        each = np.arange(self.num_envs)
        part = bisect.bisect_right(self.drift, self._round)
        own = self.encoded.labels[self.rows]
        label = self._relabel[each, part, own]
        seen = (label + self._shift[:, self._round]) % self.table.arms
        info = {
            "label": label,
            "expected_losses": self.feedback.expected[label],
            **self.feedback.outcome(label, seen, actions),
        }
        for order, one, value in zip(self._orders, own, info["expected_loss"], strict=True):
            order.observe(int(one), float(value))
        self._round += 1
        if self._round < self.horizon:
            self._show()
        truncated = np.full(self.num_envs, self._round == self.horizon)
        return self._contexts(), 1.0 - info["loss"], np.zeros(self.num_envs, dtype=np.bool_), truncated, info
