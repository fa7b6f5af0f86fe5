"""Orders, drift, recycled rows and graded costs equal their definitions."""

from __future__ import annotations

import numpy as np
import pytest

import neucb
from neucb.core.errors import InputError
from neucb.core.random import stream
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.feedback import Feedback
from neucb.environments.orders.registry import make_order
from neucb.environments.orders.weakest_class import REACT_AFTER
from tests.support.episodes import played_rows
from tests.support.tables import cyclic as toy

LABELS = np.array([2, 0, 1, 0, 2, 1, 0])


def rows(name: str, horizon: int, seed: int = 0) -> list[int]:
    order = make_order(name, LABELS, 3, horizon, seed)
    return [order.row(t) for t in range(horizon)]


def test_stored_and_sorted_orders() -> None:
    assert rows("stored", 10) == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2]
    assert rows("sorted", 8) == [1, 3, 6, 2, 5, 0, 4, 1]


def test_recycled_rows_are_successive_permutations() -> None:
    order = rows("shuffled", 21)
    assert [sorted(order[k : k + 7]) for k in (0, 7, 14)] == [list(range(7))] * 3
    assert order[:7] != order[7:14]
    assert rows("shuffled", 7) == order[:7]


def test_more_rounds_than_rows_need_recycle() -> None:
    with pytest.raises(InputError, match="recycle"):
        ClassificationVectorEnv(toy(), horizon=61)
    assert played_rows(ClassificationVectorEnv(toy(), horizon=61, recycle=True)).shape == (61, 1)


def play_badly_on(hard: int, horizon: int, seeds: list[int]) -> np.ndarray:
    """Play the right arm except on one class per replica; return the labels of the rows [T, R]."""
    env = ClassificationVectorEnv(toy(3000), len(seeds), horizon=horizon, order="weakest-class")
    env.reset(seed=seeds)
    labels = np.empty((horizon, len(seeds)), dtype=np.int64)
    worst = (hard + np.arange(len(seeds))) % 3
    for t in range(horizon):
        label = env.encoded.labels[env.rows]
        labels[t] = label
        env.step(np.where(label == worst, (label + 1) % 3, label))
    return labels


def test_rows_of_the_weakest_class_are_more_frequent() -> None:
    labels = play_badly_on(1, 1100, [4, 5])
    for r, weak in enumerate((1, 2)):
        early, late = labels[:REACT_AFTER, r] == weak, labels[REACT_AFTER:, r] == weak
        assert abs(early.mean() - 1 / 3) < 0.08
        # half of the rounds, and a third of the others
        assert abs(late.mean() - 2 / 3) < 0.08


def test_weakest_class_plays_every_row_once() -> None:
    env = ClassificationVectorEnv(toy(1500), 1, order="weakest-class")
    played = played_rows(env, [3])[:, 0]
    assert sorted(played) == list(range(1500))
    with pytest.raises(InputError, match="twice"):
        ClassificationVectorEnv(toy(), 1, order="weakest-class", horizon=61, recycle=True)


def test_drift_permutes_the_labels_at_the_given_rounds() -> None:
    env = ClassificationVectorEnv(toy(), 2, drift=(20, 35))
    env.reset(seed=[8, 9])
    pairs: list[set[tuple[int, int]]] = [set(), set(), set()]
    for t in range(60):
        clean = env.encoded.labels[env.rows]
        _, _, _, _, info = env.step(np.array([0, 0]))
        pairs[(t >= 20) + (t >= 35)] |= {(int(clean[1]), int(info["label"][1]))}
        assert (info["best_loss"] == 0).all()
    assert pairs[0] == {(0, 0), (1, 1), (2, 2)}
    for part in pairs[1:]:
        assert len(part) == len({a for a, _ in part}) == len({b for _, b in part}) == 3
    binary = ClassificationVectorEnv(toy(60, 2), 20, drift=(10,))
    binary.reset(seed=0)
    for t in range(11):
        clean = binary.encoded.labels[binary.rows]
        _, _, _, _, info = binary.step(np.zeros(20, dtype=np.int64))
        assert (info["label"] == (clean if t < 10 else 1 - clean)).all()
    with pytest.raises(InputError, match="drift"):
        ClassificationVectorEnv(toy(), drift=(60,))


def test_drift_increases_regret() -> None:
    still = neucb.run("squarecb", toy(600), seeds=3).groupby("seed").tail(1)["regret"].mean()
    drifting = neucb.run("squarecb", toy(600), seeds=[8, 9, 10], drift=(300,))
    assert drifting.groupby("seed").tail(1)["regret"].mean() > 1.2 * still


def test_costs_under_noise_equal_hand_computed_numbers() -> None:
    cost = np.array([[0.0, 0.4], [1.0, 0.2]])
    feedback = Feedback.make(2, 0.1, cost)
    np.testing.assert_allclose(feedback.expected, [[0.1, 0.38], [0.9, 0.22]])
    env = ClassificationVectorEnv(toy(60, 2), 1, cost=cost, label_noise=0.1)
    env.reset(seed=0)
    _, reward, _, _, info = env.step(np.array([1]))
    np.testing.assert_allclose(info["expected_losses"], feedback.expected[info["label"]])
    assert info["loss"][0] in (0.4, 0.2)
    assert reward[0] == 1 - info["loss"][0]


@pytest.mark.parametrize(
    ("cost", "message"),
    [([[0, 1]], "shape"), ([[0, 1], [2, 0]], r"\[0, 1\]"), ([[0, np.nan], [1, 0]], r"\[0, 1\]")],
)
def test_invalid_costs_are_rejected(cost: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Feedback.make(2, 0.0, np.array(cost))


def test_regret_is_expected_and_losses_are_realised() -> None:
    """L* = q T exactly, and the realised best loss is close to it."""
    last = neucb.run("uniform", toy(3000), seeds=2, label_noise=0.2).groupby("seed").tail(1)
    np.testing.assert_allclose(last["L_star"], 600.0)
    assert (abs(last["L_star_realised"] - 600) < 100).all()
    assert (last["L_star_realised"] != 600).any()
    expected = 3000 * ((0.2 + 2 * 0.9) / 3 - 0.2)
    np.testing.assert_allclose(last["regret"], expected, atol=80)


def test_weakest_class_refers_to_the_table_under_drift() -> None:
    """With two classes the labels swap in round 1; rows of the class with losses become more frequent."""
    env = ClassificationVectorEnv(toy(3000, 2), 1, horizon=1100, order="weakest-class", drift=(1,))
    env.reset(seed=[4])
    classes = np.empty(1100, dtype=np.int64)
    for t in range(1100):
        clean = env.encoded.labels[env.rows]
        label = clean if t < 1 else 1 - clean
        classes[t] = clean[0]
        env.step(np.where(clean == 0, 1 - label, label))  # wrong on class 0 of the table, right on class 1
    assert (classes[REACT_AFTER:] == 0).mean() > 0.65


class PlainWeakestClass:
    """Reference implementation of the order weakest-class."""

    def __init__(self, labels: np.ndarray, arms: int, horizon: int, rng: np.random.Generator) -> None:
        self.rows, self.coins = rng.permutation(len(labels)), rng.random(horizon)
        self.labels, self.shown = labels, set[int]()
        self.losses: list[list[float]] = [[] for _ in range(arms)]

    def row(self, t: int) -> int:
        remaining = [row for row in self.rows.tolist() if row not in self.shown]
        row = remaining[0]
        if t >= 500 and self.coins[t] < 0.5:
            classes = {self.labels[row] for row in remaining}
            means = [
                float(np.mean(losses)) if losses and a in classes else -1.0
                for a, losses in enumerate(self.losses)
            ]
            if max(means) >= 0:
                row = [row for row in remaining if self.labels[row] == int(np.argmax(means))][-1]
        self.shown.add(row)
        return int(row)

    def observe(self, label: int, loss: float) -> None:
        self.losses[label].append(loss)


def test_weakest_class_equals_the_reference() -> None:
    rng = np.random.default_rng(5)
    labels = rng.choice(4, 900, p=[0.7, 0.2, 0.08, 0.02])  # some classes are exhausted
    order = make_order("weakest-class", labels, 4, 900, 7)
    plain = PlainWeakestClass(labels, 4, 900, stream(7, "order"))
    for t in range(900):
        row = plain.row(t)
        assert order.row(t) == row
        loss = float(rng.integers(0, 5)) / 4  # sums of quarters are exact
        plain.observe(labels[row], loss)
        order.observe(labels[row], loss)
