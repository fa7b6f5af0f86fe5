"""Feedback: losses of the arms in a round, expected and realised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.diagonal import DENSE_UP_TO, diagonal_matrix, is_view
from neucb.core.errors import InputError, unknown_name

Matrix = NDArray[np.float64]


def cost_matrix(cost: Any, classes: Sequence[str]) -> Matrix:
    """Return a cost matrix [K, K] in the order of the classes, labels down and arms across.

    Args:
        cost: numbers [K, K] in that order; or with names, in any order: a DataFrame, or rows, the first of
            which holds an empty cell and the names of the arms, each further one the name of a label and
            its costs.
        classes: names of the K classes.

    Raises:
        InputError: an unknown or repeated name, a class without costs, or costs that are no numbers.
    """
    named = named_costs(cost)
    if named is None:
        try:
            return np.asarray(cost, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(
                "the cost matrix must be numbers [K, K], or carry the names of the classes"
            ) from None
    labels, arms, values = named
    orders = []
    for names, side in ((labels, "rows"), (arms, "columns")):
        for name in names:
            if name not in classes:
                raise unknown_name(f"class among the {side} of the cost matrix", name, classes)
        if sorted(names) != sorted(classes):
            missing = [one for one in classes if names.count(one) != 1]
            raise InputError(f"the {side} of the cost matrix must name every class once: '{missing[0]}'")
        orders.append([names.index(one) for one in classes])
    return values[np.ix_(*orders)]


def cost_order(cost: Any, classes: Sequence[str]) -> list[str]:
    """Return a line on the assumed order of a cost matrix from a file; nothing for one with names."""
    if named_costs(cost) is not None:
        return []
    return [
        f"rows and columns of the cost matrix are taken in the order of the classes: {', '.join(classes)}"
    ]


def named_costs(cost: Any) -> tuple[list[str], list[str], Matrix] | None:
    """Return labels, arms and costs of a matrix with names, None for one without."""
    if hasattr(cost, "iloc"):
        labels, arms, values = cost.index, cost.columns, cost.to_numpy()
    elif isinstance(cost, Sequence) and len(cost) > 1 and cost[0] and isinstance(cost[0][0], str):
        labels, arms, values = [row[0] for row in cost[1:]], cost[0][1:], [row[1:] for row in cost[1:]]
    else:
        return None
    try:
        matrix = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            "the cost matrix must be numbers, under and behind the names of the classes"
        ) from None
    return [str(one).strip() for one in labels], [str(one).strip() for one in arms], matrix


@dataclass(frozen=True)
class Feedback:
    """Costs of arms under labels, and label noise.

    Attributes:
        cost: losses [K, K]; cost[y, a] in [0, 1] is the loss of arm a under label y.
        expected: mean losses [K, K]; expected[y, a] is the mean loss of arm a under clean label y:
            (1 - q) cost[y, a] + q / (K - 1) * sum of cost[y', a] over the other labels y'.
        noise: probability q that a label is replaced by one of the others, uniformly.

    For 0/1 loss and many arms the matrices are views of O(K) memory, see `diagonal_matrix`.
    """

    cost: Matrix
    expected: Matrix
    noise: float

    @staticmethod
    def make(arms: int, noise: float = 0.0, cost: Matrix | None = None) -> Feedback:
        """Return the feedback of K = `arms` classes, 0/1 loss by default.

        Raises:
            InputError: noise outside [0, (K - 1) / K), or a cost matrix of another shape or with
                entries outside [0, 1].
        """
        if not 0.0 <= noise < (arms - 1) / arms:
            raise InputError(f"label noise must be at least 0 and below (K-1)/K = {(arms - 1) / arms:.3g}")
        if cost is None and arms > DENSE_UP_TO:
            on, off = noise, 1.0 - noise / (arms - 1)
            return Feedback(diagonal_matrix(arms, 0.0, 1.0), diagonal_matrix(arms, on, off), noise)
        matrix = 1.0 - np.eye(arms) if cost is None else np.asarray(cost, dtype=np.float64)
        if matrix.shape != (arms, arms):
            raise InputError(
                f"the cost matrix must be [label, arm] of shape {(arms, arms)}, not {matrix.shape}"
            )
        if not ((matrix >= 0.0) & (matrix <= 1.0)).all():
            label, arm = np.argwhere(~((matrix >= 0.0) & (matrix <= 1.0)))[0]
            raise InputError(
                f"costs must lie in [0, 1]; that of arm {arm} under label {label} is {matrix[label, arm]:g}"
            )
        seen = np.full((arms, arms), noise / (arms - 1))
        np.fill_diagonal(seen, 1.0 - noise)
        return Feedback(matrix, seen @ matrix, noise)

    def shifts(self, horizon: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the label noise of each round [T] as an offset: 0, or uniformly 1..K-1.

        The noisy label is (label + shift) mod K.
        """
        if self.noise == 0.0:
            return np.zeros(horizon, dtype=np.int64)
        arms = len(self.cost)
        flipped = rng.random(horizon) < self.noise
        return np.where(flipped, rng.integers(1, arms, horizon), 0)

    @cached_property
    def _least(self) -> NDArray[np.float64]:
        """Least expected loss [K] under each label."""
        if is_view(self.expected):
            return np.full(len(self.expected), self.noise)
        least: NDArray[np.float64] = self.expected.min(1)
        return least

    @cached_property
    def _best(self) -> NDArray[np.int64]:
        """Best arm [K] under each label."""
        if is_view(self.expected):  # noise below (K - 1) / K: that of the label
            return np.arange(len(self.expected))
        best: NDArray[np.int64] = self.expected.argmin(1)
        return best

    def outcome(
        self, label: NDArray[Any], seen: NDArray[Any], action: NDArray[np.int64]
    ) -> dict[str, Matrix]:
        """Return the losses of rounds, in arrays of the shape of the arguments.

        Args:
            label: clean labels, after drift.
            seen: labels after noise; `label` without noise.
            action: played arms.

        Returns:
            loss: realised loss of the played arm.
            expected_loss, best_loss: expected loss of the played and of the best arm.
            best_realised_loss: realised loss of the best arm.
        """
        if is_view(self.cost):
            loss = self.cost[seen, action]
        else:
            loss = self.cost.take(seen * len(self.cost) + action)  # faster than [seen, action]
        best_loss = self._least.take(label)
        if self.noise == 0.0:
            expected_loss, best_realised_loss = loss, best_loss
        else:
            expected_loss, best_realised_loss = (
                self.expected[label, action],
                self.cost[seen, self._best[label]],
            )
        return {
            "loss": loss,
            "expected_loss": expected_loss,
            "best_loss": best_loss,
            "best_realised_loss": best_realised_loss,
        }
