"""Ranking and regression tables: losses, queries, masks, and agents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import neucb
import neucb.core.errors
from neucb.agents.prediction import Prediction, Round
from neucb.agents.rules.inverse_gap import EpsilonGreedy, FastInverseGap, InverseGap
from neucb.agents.rules.schedules import Power
from neucb.core.errors import DataError, InputError
from neucb.environments.ranking import RankingVectorEnv, read_ranking
from tests.support.tables import RATED

# One recipe for every kind of oracle, wrapper and rule.
LEARNERS = (
    "kl-perturbed",
    "sq",
    "neural-epsilon",
    "neural-falcon",
    "neural-ts",
    "neural-bootstrap",
    "neural-linear",
    "squarecb",
    "fastcb",
    "softmax",
    "linucb",
    "lints",
    "logistic-ts",
    "exp4",
    "supervised",
)


def large(queries: int = 400) -> pd.DataFrame:
    """Return queries of two to six rows with a rating that is a function of the columns."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(2, 7, queries)
    frame = pd.DataFrame(rng.standard_normal((sizes.sum(), 3)), columns=list("abc"))
    frame.insert(0, "query", np.repeat(np.arange(queries), sizes))
    return frame.assign(rating=frame["a"] - 2 * frame["b"])


def test_losses_are_the_scaled_target() -> None:
    ranking = read_ranking(RATED, group="query")
    rating = RATED["rating"].to_numpy()
    np.testing.assert_allclose(ranking.losses, (rating.max() - rating) / np.ptp(rating))
    assert ranking.contexts.shape == (48, 2)
    assert ranking.queries is not None
    np.testing.assert_array_equal(ranking.queries[1], [3, 4, 5, 6, 7])


def test_a_round_has_one_query_and_masks_missing_arms() -> None:
    env = RankingVectorEnv(RATED, 2, group="query")
    contexts, info = env.reset(seed=0)
    sizes = []
    for _ in range(12):
        mask = info["action_mask"]
        assert (contexts[~mask] == 0).all()
        sizes.append(mask[0].sum())
        contexts, _, _, _, info = env.step(mask.argmax(1))
        assert (info["expected_losses"][~mask] == 1).all()
    assert sorted(sizes) == sorted([3, 5, 4, 2, 6, 3, 3, 4, 5, 2, 6, 5])


def test_without_queries_every_row_is_used_once() -> None:
    env = RankingVectorEnv(RATED.drop(columns="query"), 1, arms=5)
    assert env.horizon == 9
    env.reset(seed=0)
    losses = np.concatenate([env.step(np.array([0]))[4]["expected_losses"][0] for _ in range(9)])
    assert len(np.unique(losses)) == 45


def test_queries_of_svmlight_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rated.svmlight"
    path.write_text("2 qid:1 1:0.5\n0 qid:1 2:1\n1 qid:4 1:0.2 2:3\n0 qid:4 1:1\n2 qid:4 2:7\n")
    ranking = read_ranking(path, group="qid")
    assert ranking.queries is not None
    assert [list(rows) for rows in ranking.queries] == [[0, 1], [2, 3, 4]]
    np.testing.assert_allclose(ranking.losses, [0, 1, 0.5, 1, 0])
    frame = neucb.run("uniform", str(path), seeds=2, group="qid")
    assert frame["round"].max() == 2


PREDICTED = Prediction(
    torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.2, 0.4]], dtype=torch.float64),
    available=torch.tensor([[True, False, True], [True, True, True]]),
)
NOW = Round(1, torch.zeros(2, dtype=torch.float64), 10)


def test_masked_rules_equal_hand_computed_numbers() -> None:
    """K counts the available arms; the others have probability 0."""
    gamma = Power((10.0, 20.0), 0.0)
    p = InverseGap(gamma)(PREDICTED, NOW)
    first = 1 / (2 + 10 * 0.2)
    second = [1 / (3 + 20 * 0.3), 1 / (3 + 20 * 0.2)]
    torch.testing.assert_close(p[0], torch.tensor([1 - first, 0.0, first], dtype=torch.float64))
    torch.testing.assert_close(
        p[1], torch.tensor([second[0], 1 - sum(second), second[1]], dtype=torch.float64)
    )
    p = FastInverseGap(gamma)(PREDICTED, NOW)
    first = 0.1 / (2 * 0.1 + 10 * 0.2)
    torch.testing.assert_close(p[0], torch.tensor([1 - first, 0.0, first], dtype=torch.float64))
    p = EpsilonGreedy(0.3)(PREDICTED, NOW)
    torch.testing.assert_close(p[0], torch.tensor([0.85, 0.0, 0.15], dtype=torch.float64))
    p = InverseGap(Power(0.0))(PREDICTED, NOW)
    torch.testing.assert_close(p[0], torch.tensor([0.5, 0.0, 0.5], dtype=torch.float64))


@pytest.mark.slow
@pytest.mark.parametrize("agent", LEARNERS)
def test_agents_learn_under_masks(agent: str) -> None:
    frame = large()
    last = {
        name: neucb.run(name, frame, seeds=3, group="query").groupby("seed").tail(1)["regret"].mean()
        for name in (agent, "uniform")
    }
    assert last[agent] < 0.7 * last["uniform"]


class Blind:
    """Agent without the argument `available`."""

    def reset(self, spec: neucb.Spec) -> None:
        self.shape = (spec.replicas, spec.arms)

    def distribution(self, context: torch.Tensor) -> torch.Tensor:
        return torch.full(self.shape, 1 / self.shape[1])

    def update(self, context: torch.Tensor, action: torch.Tensor, loss: torch.Tensor) -> None:
        pass


class IgnoresMask(Blind):
    """Agent that has the argument `available` and ignores it."""

    def distribution(self, context: torch.Tensor, available: torch.Tensor | None = None) -> torch.Tensor:
        return torch.full(self.shape, 1 / self.shape[1])


def test_agents_that_ignore_the_mask_are_stopped() -> None:
    with pytest.raises(InputError, match=r"only some arms are available; Blind\.distribution must take them"):
        neucb.run(Blind(), large(), group="query")
    with pytest.raises(neucb.core.errors.DivergedError, match="over the available arms"):
        neucb.run(IgnoresMask(), large(), group="query")


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (RATED.assign(rating="good"), {"group": "query"}, "holds words"),
        (RATED.assign(rating=1.0), {"group": "query"}, "same value"),
        (RATED.assign(rating=np.nan), {"group": "query"}, "missing"),
        (RATED.assign(query=np.nan), {"group": "query"}, "every row needs its query"),
        (RATED[["query", "rating"]], {"group": "query"}, "no feature columns"),
    ],
)
def test_invalid_tables_are_rejected(frame: pd.DataFrame, options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        RankingVectorEnv(frame, **options)  # type: ignore[arg-type]


def test_invalid_arguments_are_rejected() -> None:
    with pytest.raises(InputError, match=r"column of table 'qery'.*query"):
        RankingVectorEnv(RATED, group="qery")
    with pytest.raises(InputError, match="48 rows, fewer than 50 arms"):
        RankingVectorEnv(RATED, arms=50)
    with pytest.raises(InputError, match="rows for 12 rounds, not 13"):
        RankingVectorEnv(RATED, group="query", horizon=13)
    with pytest.raises(InputError, match="no option 'order'"):
        neucb.run("uniform", RATED, group="query", order="stored")
    with pytest.raises(InputError, match="a row per arm"):
        neucb.run("uniform", "iris", arms=4)
    with pytest.raises(InputError, match=r"option 'lable_noise'.*label_noise"):
        neucb.run("uniform", "iris", lable_noise=0.1)  # type: ignore[call-arg]
