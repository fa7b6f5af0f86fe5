"""Classification data as a bandit: an arm per class, loss 0 for the right one and 1 otherwise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from neucb.environments.catalogue import load_table
from neucb.environments.preprocessing import Encoded, encode
from neucb.environments.table import Table
from neucb.errors import InputError
from neucb.streams import stream

Observations = NDArray[np.float32]
Actions = NDArray[np.int64]


def load(
    dataset: str | Table | Encoded,
    *,
    preprocessing: str = "standard",
    source: str = "auto",
    cache: str | Path | None = None,
    target: str | None = None,
    notify: Callable[[str], None] = warnings.warn,
) -> Encoded:
    """Return a data set ready to be played. Arguments and errors as for `ClassificationVectorEnv`.

    `notify` gets a line when something else is played than was asked for.
    """
    if isinstance(dataset, Encoded):
        return dataset
    if isinstance(dataset, str):
        folder = None if cache is None else Path(cache)
        table = load_table(dataset, source=source, cache=folder, target=target, notify=notify)
        return encode(table, preprocessing)
    return encode(dataset, preprocessing)


class ClassificationVectorEnv(VectorEnv[Observations, Actions, NDArray[Any]]):
    """R replicas of a contextual bandit made of a classification table.

    Observation: contexts [R, d], float32, rows of L2 norm 1, shared by the arms. Action: an arm in
    0..K-1 per replica. Reward: 1 - loss. Each replica draws its own order of rows from its seed
    (without replacement), and its own label noise. Nothing is ever `terminated`; all replicas are
    `truncated` together after `horizon` rounds, and there is no automatic reset.

    Step info, one entry per replica, of the round just played:
        label: [R] the clean label.
        loss: [R] realised loss of the played arm, 1 - reward.
        expected_losses: [R, K] expected loss of every arm: with label noise q, q for the label's arm
            and 1 - q / (K - 1) for the others.
        expected_loss, best_loss: [R] expected loss of the played and of the best arm.
        best_realised_loss: [R] realised loss of the best arm.

    Args:
        dataset: a name of the catalogue, a `Table`, or an `Encoded` table.
        num_envs: R >= 1.
        horizon: rounds T of a run, 1..N; all N rows by default.
        preprocessing: "standard" or "paper", see `encode`.
        label_noise: q in [0, (K - 1) / K): the chance that a label is replaced by one of the other
            K - 1, uniformly.
        source: where a named data set comes from: "auto", "openml" or "bundled".
        cache: folder of the OpenML cache; the client's own by default.

    Raises:
        InputError: a value out of its range; DataError: the data set cannot be had.
    """

    def __init__(
        self,
        dataset: str | Table | Encoded,
        num_envs: int = 1,
        *,
        horizon: int | None = None,
        preprocessing: str = "standard",
        label_noise: float = 0.0,
        source: str = "auto",
        cache: str | Path | None = None,
    ) -> None:
        self.encoded = load(dataset, preprocessing=preprocessing, source=source, cache=cache)
        self.table = self.encoded.table
        rows, features = self.encoded.contexts.shape
        arms = self.table.arms
        self.horizon = rows if horizon is None else horizon
        self.label_noise = label_noise
        if num_envs < 1:
            raise InputError(f"num_envs must be at least 1, not {num_envs}")
        if not 1 <= self.horizon <= rows:
            raise InputError(f"{self.table.name} has {rows} rows: rounds must be 1..{rows}, not {horizon}")
        if not 0.0 <= label_noise < (arms - 1) / arms:
            raise InputError(f"label noise must be at least 0 and below (K-1)/K = {(arms - 1) / arms:.3g}")
        self.num_envs = num_envs
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space = spaces.Box(-1.0, 1.0, (features,), np.float32)
        self.single_action_space = spaces.Discrete(arms)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._round = -1

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start a run: return the first contexts [R, d] and an empty info.

        Args:
            seed: one number per replica; or one number s, for s, s + 1, ... as Gymnasium has it;
                None draws new seeds.
            options: none are known.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = self._seeds(seed)
        shape = (self.num_envs, self.horizon)
        self._order = np.empty(shape, dtype=np.int64)
        self._seen = np.empty(shape, dtype=np.int64)  # labels after noise
        for r, one in enumerate(seeds):
            permutation = stream(one, "order").permutation(len(self.encoded.labels))
            self._order[r] = permutation[: self.horizon]
            self._seen[r] = self._noisy(self.encoded.labels[self._order[r]], one)
        self._round = 0
        return self._contexts(), {}

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int]:
        if isinstance(seed, int):
            return [seed + r for r in range(self.num_envs)]
        given: Sequence[int | None] = [None] * self.num_envs if seed is None else seed
        if len(given) != self.num_envs:
            raise InputError(f"{len(given)} seeds for {self.num_envs} replicas")
        return [int(self.np_random.integers(2**31)) if one is None else int(one) for one in given]

    def _noisy(self, labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
        if self.label_noise == 0.0:
            return labels
        noise, arms = stream(seed, "noise"), self.table.arms
        flipped = noise.random(len(labels)) < self.label_noise
        other = (labels + noise.integers(1, arms, len(labels))) % arms
        return np.where(flipped, other, labels)

    def _contexts(self) -> Observations:
        last = min(self._round, self.horizon - 1)  # after the end: the last context once more
        return self.encoded.contexts[self._order[:, last]]

    def step(
        self, actions: Actions
    ) -> tuple[Observations, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Play one arm per replica [R]: return next contexts, rewards, terminated, truncated, info.

        Raises:
            InputError: an arm that does not exist, or a step before `reset` or after the last round.
        """
        if not 0 <= self._round < self.horizon:
            raise InputError("no round to play: call reset first, and again after the last round")
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or actions.min() < 0 or actions.max() >= self.table.arms:
            raise InputError(f"actions must be {self.num_envs} arms in 0..{self.table.arms - 1}")
        rows = np.arange(self.num_envs)
        label = self.encoded.labels[self._order[:, self._round]]
        seen = self._seen[:, self._round]
        expected = self._expected_losses(label)
        loss = (actions != seen).astype(np.float64)
        info = {
            "label": label,
            "loss": loss,
            "expected_losses": expected,
            "expected_loss": expected[rows, actions],
            "best_loss": expected.min(1),
            "best_realised_loss": (label != seen).astype(np.float64),
        }
        self._round += 1
        truncated = np.full(self.num_envs, self._round == self.horizon)
        return self._contexts(), 1.0 - loss, np.zeros(self.num_envs, dtype=np.bool_), truncated, info

    def _expected_losses(self, label: NDArray[np.int64]) -> NDArray[np.float64]:
        q, arms = self.label_noise, self.table.arms
        expected = np.full((self.num_envs, arms), 1.0 - q / (arms - 1))
        expected[np.arange(self.num_envs), label] = q
        return expected
