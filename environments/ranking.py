"""Ranking and regression tables as a bandit: every arm is a row with its own features and reward."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from neucb.core.errors import DataError, InputError, unknown_name
from neucb.core.files import sha256
from neucb.core.random import stream
from neucb.environments.preprocessing import encode_columns
from neucb.environments.replica_seeds import replica_seeds
from neucb.environments.table import announce, joined
from neucb.environments.tables.cells import Numbers, is_missing, is_number, readings
from neucb.environments.tables.column_types import decide, decimal_sign, declared_column
from neucb.environments.tables.frames import raw_frame
from neucb.environments.tables.raw_table import TextColumn
from neucb.environments.tables.table_file import (
    ArrowStream,
    Reading,
    columns_left_out,
    feature_columns,
    features,
    named,
    read_raw,
    with_dense_columns,
)

if TYPE_CHECKING:
    import pandas as pd

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """Table of rows with features and losses.

    Attributes:
        name: name of the table.
        contexts: float32 contexts [N, d], rows of L2 norm 1 (or 0).
        losses: losses [N] in [0, 1], 0 for the greatest target of the table and 1 for the least.
        queries: rows of each query, shown together; None where any rows may be shown together.
        provenance: origin of the data for manifests: target, group, preprocessing, checksum.
        notes: notes on the table, see `Table.notes`.
    """

    name: str
    contexts: NDArray[np.float32]
    losses: NDArray[np.float64]
    queries: tuple[Ints, ...] | None
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_ranking(
    dataset: str | Path | pd.DataFrame | ArrowStream,
    reading: Reading | str | None = None,
    group: str | None = None,
    preprocessing: str = "standard",
) -> Ranking:
    """Return the rows of a file or DataFrame.

    Args:
        dataset: file that `read_file` reads, or DataFrame.
        reading: options as in `Reading`, or the name of the target alone: a column of numbers, greater is
            better; the last one by default.
        group: column of the rows' queries ("qid" in .svmlight), which is no feature.
        preprocessing: encoding, see `encode`.

    Raises:
        InputError: an unknown column; DataError: an unreadable file, a target that is constant,
            missing or no number, or no features.
    """
    reading = Reading(reading) if isinstance(reading, str) else reading or Reading()
    stored = isinstance(dataset, str | Path)
    raw = (
        read_raw(Path(dataset), reading, group)
        if isinstance(dataset, str | Path)
        else raw_frame("table", dataset)
    )
    raw = with_dense_columns(raw, {reading.label, group, *reading.columns})
    name, names = raw.name, raw.names
    group = None if group is None else named(group)
    target = reading.label or names[-1]
    for column in (target, group, *reading.columns):
        if column is not None and column not in names:
            raise unknown_name(f"column of {name}", column, names)
    own = {str(column.name): column for column in raw.columns}
    decided = decide(
        [own[one] for one in names if one not in (target, group)], reading.features, reading.decimal
    )
    texts = [column for column in raw.columns if isinstance(column, TextColumn)]
    losses = _losses(own[target], f"{name}: the target '{target}'", reading.decimal or decimal_sign(texts))
    queries = None if group is None else _queries(own[group], name)
    provenance = {
        "target": target,
        "group": group,
        "preprocessing": preprocessing,
        **columns_left_out(decided),
    }
    if stored:
        provenance["sha256"] = sha256(Path(str(dataset)))
    sparse = joined([raw.sparse, *(one.sparse for one in decided)])
    columns = features(decided, name) if sparse is None else [*feature_columns(decided), *sparse.dense()]
    contexts = encode_columns(columns, preprocessing, name)
    notes = (*raw.notes, *(note for one in decided for note in one.notes))
    return Ranking(name, contexts, losses, queries, provenance, notes)


def _queries(column: TextColumn | pd.Series[Any], name: str) -> tuple[Ints, ...]:
    """Return the rows of each query, in the order of their first rows."""
    if isinstance(column, TextColumn):
        codes, cells = column.encoded
        missing = np.array([cell == "" for cell in cells])[codes]
    elif column.dtype == object:
        raise DataError(f"{name}: the group '{column.name}' holds neither numbers nor words")
    else:
        missing = column.isna().to_numpy()
        codes = column.factorize()[0]
    if missing.any():
        row = int(missing.argmax()) + 1
        raise DataError(
            f"{name}: the column '{column.name}' has missing values (row {row}); every row needs its query"
        )
    order = np.argsort(codes, kind="stable")
    return tuple(np.split(order, np.flatnonzero(np.diff(codes[order])) + 1))


def _losses(column: TextColumn | pd.Series[Any], what: str, decimal: str | None) -> NDArray[np.float64]:
    """Return the target of every row, scaled to [0, 1], 0 for the greatest."""
    if isinstance(column, TextColumn):
        codes, cells = column.encoded
        found = list(readings(cells, decimal).values())
        if not found and {cell.casefold() for cell in cells if not is_missing(cell)} <= {"true", "false"}:
            found = [Numbers(np.array([_truth(cell) for cell in cells]), "boolean")]
        if not found:
            odd = next((j for j, cell in enumerate(cells) if not (is_number(cell) or is_missing(cell))), 0)
            row, cell = column.row(odd), cells[odd]
            if is_number(cell):
                raise DataError(
                    f"{what} holds '{cell}' (row {row}), no number whose decimal sign is '{decimal}'"
                )
            raise DataError(
                f"{what} holds words (row {row}: '{cell}'); a ranking needs numbers, greater for better"
            )
        if any(not np.array_equal(one.values, found[0].values, equal_nan=True) for one in found):
            raise DataError(
                f"{what} could have a decimal or a thousands separator; say decimal=',' or decimal='.'"
            )
        reward = found[0].values[codes]
    else:
        declared = declared_column(str(column.name), column)
        reward = declared.values
        if declared.levels == ("False", "True"):
            reward = np.where(reward < 0, np.nan, reward)
        elif declared.levels is not None:
            graded = readings(declared.levels).get("point")
            if graded is None:
                raise DataError(f"{what} holds words; a ranking needs numbers, greater for better")
            reward = np.append(graded.values, np.nan)[reward]
    bad = ~np.isfinite(reward)
    if bad.any():
        raise DataError(
            f"{what} has missing or infinite values (row {int(bad.argmax()) + 1}); take those rows out"
        )
    if len(reward) == 0 or reward.max() == reward.min():
        raise DataError(f"{what} has the same value in every row; there is nothing to learn")
    scaled: NDArray[np.float64] = (reward.max() - reward) / (reward.max() - reward.min())
    return scaled


def _truth(cell: str) -> float:
    return {"true": 1.0, "false": 0.0}.get(cell.casefold(), np.nan)


class RankingVectorEnv(VectorEnv[NDArray[np.float32], Ints, NDArray[Any]]):
    """Vector environment of R replicas of a bandit whose arms are rows of a table.

    Observation: a context per arm [R, K, d], float32, rows of L2 norm 1; 0 for unavailable arms.
    Reward: 1 - loss, the target of the row scaled to [0, 1] over the table.

    With queries, a round shows the rows of one query, in random order; K is the size of the largest
    query, and `action_mask` marks the available arms of a smaller one. Without queries, a round shows
    K rows drawn without replacement. Each replica has its own order of rounds from its seed.

    Info of `reset` and `step`: action_mask [R, K], bool, the available arms of the next round (only
    where queries differ in size); an unavailable arm costs 1. Info of `step` also has the entries of
    `ClassificationVectorEnv` except `label`.

    Args:
        dataset: file, DataFrame, or `Ranking`.
        num_envs: number of replicas R >= 1.
        horizon: rounds T; by default all queries, or N / K rounds without queries.
        target, group, preprocessing: arguments of `read_ranking`.
        arms: rows per round K >= 2 without queries.
        recycle: allow more rounds than the table has, shown again in a new order.

    Raises:
        InputError: a value out of its range; DataError: see `read_ranking`.
    """

    trusted = True  # `check_environment` checks it in the tests

    def __init__(
        self,
        dataset: str | Path | pd.DataFrame | Ranking,
        num_envs: int = 1,
        *,
        horizon: int | None = None,
        target: str | None = None,
        group: str | None = None,
        arms: int = 10,
        preprocessing: str = "standard",
        recycle: bool = False,
    ) -> None:
        self.ranking = (
            dataset if isinstance(dataset, Ranking) else read_ranking(dataset, target, group, preprocessing)
        )
        if self.ranking is not dataset:
            announce(self.ranking.name, self.ranking.notes, warnings.warn)
        queries = self.ranking.queries
        rows, features = self.ranking.contexts.shape
        self.arms = arms if queries is None else max(map(len, queries))
        rounds = rows // self.arms if queries is None else len(queries)
        if self.arms < 2 or num_envs < 1:
            raise InputError(f"a ranking needs num_envs >= 1 and 2 rows in a round, not {self.arms}")
        if rounds < 1:
            raise InputError(f"{self.ranking.name} has {rows} rows, fewer than {self.arms} arms")
        self.horizon = rounds if horizon is None else horizon
        if self.horizon < 1 or (self.horizon > rounds and not recycle):
            raise InputError(
                f"{self.ranking.name} has rows for {rounds} rounds, not {horizon}; "
                "ask for fewer, or let rows be drawn again (recycle)"
            )
        self._rounds = rounds
        self._masked = queries is not None and min(map(len, queries)) < self.arms
        self.num_envs = num_envs
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space = spaces.Box(-1.0, 1.0, (self.arms, features), np.float32)
        self.single_action_space = spaces.Discrete(self.arms)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._round = -1

    def describe(self) -> dict[str, Any]:
        """Return the description of the environment for manifests."""
        return {
            "dataset": self.ranking.name,
            "source": "ranking",
            "rows": len(self.ranking.losses),
            "arms": self.arms,
            "features": int(self.ranking.contexts.shape[1]),
            "queries": None if self.ranking.queries is None else len(self.ranking.queries),
            "provenance": self.ranking.provenance,
            "notes": list(self.ranking.notes),
        }

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start a run: return the first contexts [R, K, d] and the info; seeds as elsewhere."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = replica_seeds(seed, self.num_envs, self.np_random)
        self._shown = np.stack([self._plan(stream(one, "order")) for one in seeds])  # [R, T, K]
        self._round = 0
        self._show()
        return self._observation, self._mask_info()

    def _plan(self, rng: np.random.Generator) -> Ints:
        """Return the rows of every round [T, K], -1 for unavailable arms."""
        passes = -(-self.horizon // self._rounds)
        plans = [self._one_pass(rng) for _ in range(passes)]
        return np.concatenate(plans)[: self.horizon]

    def _one_pass(self, rng: np.random.Generator) -> Ints:
        queries = self.ranking.queries
        if queries is None:
            rows = rng.permutation(len(self.ranking.losses))
            return rows[: self._rounds * self.arms].reshape(self._rounds, self.arms)
        plan = np.full((self._rounds, self.arms), -1, dtype=np.int64)
        for t, q in enumerate(rng.permutation(self._rounds)):
            plan[t, : len(queries[q])] = rng.permutation(queries[q])
        return plan

    def _show(self) -> None:
        self.rows = self._shown[:, self._round]  # [R, K], -1 for unavailable arms
        self._observation = self.ranking.contexts[self.rows] * (self.rows >= 0)[:, :, None]

    def _mask_info(self) -> dict[str, Any]:
        return {"action_mask": self.rows >= 0} if self._masked else {}

    def step(
        self, actions: Ints
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Play one arm per replica [R]: return next contexts, rewards, terminated, truncated, info.

        Raises:
            InputError: an arm beyond K, or a step before `reset` or after the last round.
        """
        if not 0 <= self._round < self.horizon:
            raise InputError("no round to play: call reset first, and again after the last round")
        actions = np.asarray(actions)
        each = np.arange(self.num_envs)
        inside = actions.shape == (self.num_envs,) and actions.min() >= 0 and actions.max() < self.arms
        if not inside:
            raise InputError(f"actions must be {self.num_envs} arms in 0..{self.arms - 1}")
        losses = np.where(self.rows >= 0, self.ranking.losses[self.rows], 1.0)
        loss, best = losses[each, actions], losses.min(axis=1)
        info = {
            "loss": loss,
            "expected_losses": losses,
            "expected_loss": loss,
            "best_loss": best,
            "best_realised_loss": best,
        }
        self._round += 1
        if self._round < self.horizon:
            self._show()
        truncated = np.full(self.num_envs, self._round == self.horizon)
        never = np.zeros(self.num_envs, dtype=np.bool_)
        return self._observation, 1.0 - loss, never, truncated, info | self._mask_info()
