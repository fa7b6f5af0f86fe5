"""The runner: frames, logs, sampling, repeatability, stopping and invalid arguments."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import neucb
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import DivergedError, InputError
from neucb.core.json_values import plain
from neucb.core.metrics import log_spaced
from neucb.core.spec import Spec
from neucb.core.threads import one_thread
from neucb.engines.lockstep.block_record import draw
from neucb.engines.lockstep.loop import play
from neucb.engines.log import GAUGES, RoundLabels, RunLog
from neucb.engines.stalled import long_runs
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.feedback import Feedback
from neucb.environments.table import Column, Table
from neucb.runs.api import prepare
from neucb.runs.summary import confidence_interval, summary
from tests.support.tables import toy


def test_uniform_has_the_expected_regret() -> None:
    last = neucb.run("uniform", toy(), seeds=3).groupby("seed").tail(1)
    np.testing.assert_allclose(last["regret"], 1000, atol=4 * np.sqrt(1500 * 2 / 9))


def test_the_frame_has_columns_seeds_and_settings() -> None:
    frame = neucb.run("kl", toy(), rounds=300, seeds="3,7", settings={"gamma": [10.0, 50.0]})
    assert list(frame.columns[:8]) == [
        "agent",
        "dataset",
        "seed",
        "round",
        "loss",
        "regret",
        "L_star",
        "L_star_realised",
    ]
    assert {"regression_loss", "regression_log_loss", "best_fixed_arm_regret", "lr", "gamma"} <= set(
        frame.columns
    )
    assert set(frame["seed"]) == {3, 7}
    assert frame.groupby("seed")["round"].max().tolist() == [300, 300]
    assert frame.groupby("seed")["gamma"].first().tolist() == [10.0, 50.0]
    for _, rows in frame.groupby("seed"):
        assert rows["round"].is_monotonic_increasing
        for column in ("loss", "regret", "regression_loss", "regression_log_loss"):
            assert rows[column].is_monotonic_increasing
    assert frame.attrs["source"] == "memory"
    assert (
        not frame.drop(columns="parameter_distance").isna().any().any()
    )  # the compiled engine has no distances here


@pytest.mark.parametrize("name", ["kl-perturbed", "fastcb"])
def test_settings_per_replica_equal_separate_runs(name: str) -> None:
    """Two seeds with two settings in one batch equal two separate runs."""
    settings = {"gamma": [10.0, 50.0], "gamma_power": [0.5, 0.4]}
    together = neucb.run(name, toy(), 200, "4,9", settings=settings)
    for r, seed in enumerate((4, 9)):
        own = {key: values[r] for key, values in settings.items()}
        alone = neucb.run(name, toy(), 200, [seed], settings=own)
        part = together[together["seed"] == seed].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, alone, check_exact=True)


def test_runs_are_repeatable_and_seeds_differ() -> None:
    first, second = (neucb.run("kl-perturbed", toy(), 300, 2) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    curves = first.pivot(index="round", columns="seed", values="loss")
    assert (curves[0] != curves[1]).any()


def test_agents_share_rows_and_action_draws() -> None:
    """A recipe and an object with the same policy lose in the same rounds."""

    class Thirds:
        def reset(self, spec: Spec) -> None:
            self.shape = (spec.replicas, spec.arms)

        def distribution(self, context: torch.Tensor) -> torch.Tensor:
            return torch.full(self.shape, 1 / 3)

        def update(self, context: torch.Tensor, action: torch.Tensor, loss: torch.Tensor) -> None:
            return

    recipe_frame, object_frame = neucb.run("uniform", toy(), 500, 3), neucb.run(Thirds(), toy(), 500, 3)
    assert recipe_frame["loss"].tolist() == object_frame["loss"].tolist()
    assert set(object_frame["agent"]) == {"Thirds"}
    assert object_frame["regression_loss"].isna().all()


def test_a_vector_environment_is_played() -> None:
    env = ClassificationVectorEnv(toy(), 2, horizon=100)
    frame = neucb.run("kl", env)
    assert frame["round"].max() == 100
    assert set(frame["seed"]) == {0, 1}
    with pytest.raises(InputError, match="100 rounds"):
        neucb.run("kl", env, rounds=101)
    with pytest.raises(InputError, match="3 seeds"):
        neucb.run("kl", env, seeds=3)


def test_actions_are_drawn_by_cumulative_sums() -> None:
    p = np.array([[0.2, 0.3, 0.5]] * 6 + [[0.0, 1.0, 0.0]])
    uniforms = np.array([0.0, 0.19, 0.2, 0.49, 0.5, 0.999, 0.0])
    drawn = draw(torch.from_numpy(p), torch.from_numpy(uniforms).unsqueeze(1))
    assert drawn.squeeze(1).tolist() == [0, 0, 1, 1, 2, 2, 1]


def test_logged_rounds_are_log_spaced() -> None:
    assert log_spaced(1).tolist() == [1]
    rounds = log_spaced(10_000)
    assert rounds[0] == 1
    assert rounds[-1] == 10_000
    assert (np.diff(rounds) > 0).all()
    assert 60 <= len(rounds) <= 81
    assert {10, 100, 1000} <= set(rounds.tolist())


def test_the_log_equals_hand_computed_sums() -> None:
    """Two replicas, three rounds, by hand."""
    log = RunLog(Spec((0, 1), 2, 1, 3))
    arms = np.array([[0.2, 0.8], [0.6, 0.4]])
    values = {"expected_loss": [0.8, 0.6], "best_loss": arms.min(1), "best_realised_loss": [0.0, 1.0]}
    metrics = {name: np.repeat(np.array(value)[:, None], 3, 1) for name, value in values.items()}
    metrics["loss"] = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    predicted = np.array([[0.5] * 3, [2.0] * 3])
    unknown = np.full((2, 3), np.nan)
    all_arms = np.repeat(arms[:, None], 3, 1)
    log.add(metrics, all_arms, predicted, unknown, dict.fromkeys(GAUGES, unknown))
    last = log.frame({}).groupby("seed").tail(1)
    assert last["loss"].tolist() == [2.0, 2.0]
    assert last["regret"].tolist() == pytest.approx([1.8, 0.6])
    assert last["L_star"].tolist() == pytest.approx([0.6, 1.2])
    assert last["L_star_realised"].tolist() == [0.0, 3.0]
    assert last["regression_loss"].tolist() == [0.75, 1.0]
    assert last["squared_regression_regret"].tolist() == pytest.approx([-0.39 + 2 * 0.21, 2 * 0.84 + 3.64])
    assert last["log_regression_regret"].iloc[0] == pytest.approx(
        3 * np.log(2) + np.log(0.2) + 2 * np.log(0.8)
    )
    assert last["squared_error"].tolist() == pytest.approx([3 * 0.09, 3 * 1.96])
    assert last["triangular_error"].tolist() == pytest.approx([3 * 0.09 / 1.3, 3 * 1.96 / 2.6])
    assert last["best_fixed_arm_regret"].tolist() == pytest.approx([0.0, 0.0])


def test_sums_of_the_log_do_not_depend_on_chunks_or_batch() -> None:
    """Sums do not depend on how rounds are divided among calls, or on R."""
    rng = np.random.default_rng(0)
    R, K, T = 7, 5, 90
    expected = np.full((K, K), 0.9)
    np.fill_diagonal(expected, 0.1)
    label = rng.integers(0, K, (R, T))
    metrics = {
        name: rng.random((R, T)) for name in ("loss", "expected_loss", "best_loss", "best_realised_loss")
    }
    predicted, propensity = rng.random((2, R, T))
    gauges = {name: rng.random((R, T)) for name in GAUGES}

    def frame(rows: slice, cuts: list[int]) -> pd.DataFrame:
        log = RunLog(Spec(tuple(range(R))[rows], K, 3, T))
        for start, stop in itertools.pairwise([0, *cuts, T]):
            part = (rows, slice(start, stop))
            log.add(
                {name: values[part] for name, values in metrics.items()},
                RoundLabels(label[part], expected),
                predicted[part],
                propensity[part],
                {name: values[part] for name, values in gauges.items()},
            )
        return log.frame({})

    whole = frame(slice(None), [])
    pd.testing.assert_frame_equal(frame(slice(None), [1, 13, 14, 50]), whole, check_exact=True)
    alone = pd.concat([frame(slice(r, r + 1), [31]) for r in range(R)], ignore_index=True)
    pd.testing.assert_frame_equal(alone, whole, check_exact=True)


def test_shared_arrays_are_summed_like_copies() -> None:
    """Without noise losses are expected losses; earlier sums may differ."""
    rng = np.random.default_rng(0)
    R, K, T = 3, 4, 60
    noisy, clean = Feedback.make(K, 0.2), Feedback.make(K)
    label, seen, action = rng.integers(0, K, (3, R, T))
    predicted, propensity = rng.random((2, R, T))
    gauges = {name: rng.random((R, T)) for name in GAUGES}
    shared = clean.outcome(label, label, action)
    assert shared["loss"] is shared["expected_loss"]
    assert shared["best_loss"] is shared["best_realised_loss"]
    frames = []
    for second in (shared, {name: values.copy() for name, values in shared.items()}):
        log = RunLog(Spec(tuple(range(R)), K, 3, 2 * T))
        for metrics in (noisy.outcome(label, seen, action), second):
            log.add(metrics, RoundLabels(label, clean.expected), predicted, propensity, gauges)
        frames.append(log.frame({}))
    pd.testing.assert_frame_equal(frames[0], frames[1], check_exact=True)


@pytest.mark.parametrize("length", [199, 200, 201, 450])
def test_long_constant_runs_are_found_at_any_start(length: int) -> None:
    for first in range(0, 250):
        values = np.arange(700.0)
        values[first : first + length] = -1.0
        expected = [(first, first + length)] if length >= 200 else []
        assert long_runs(values, 0) == expected
        assert long_runs(values[: first + length], 0) == expected


def test_l_star_under_noise_is_q_t() -> None:
    frame = neucb.run("uniform", toy(), 1000, 2, label_noise=0.2)
    last = frame.groupby("seed").tail(1)
    np.testing.assert_allclose(last["L_star"], 200.0)
    np.testing.assert_allclose(last["L_star_realised"], 200, atol=60)
    # Uniform: (1/K) q + (1 - 1/K) (1 - q / (K - 1)) - q a round = 2/3 - q.
    np.testing.assert_allclose(last["regret"], 1000 * (2 / 3 - 0.2), atol=60)


def test_the_summary_has_means_and_intervals() -> None:
    run = prepare("kl", toy(), 200, 3)
    run.play()
    metrics = summary(run)
    assert metrics["mean_regret"] == pytest.approx(np.mean(metrics["regret"]))
    assert metrics["ci95"][0] < metrics["mean_regret"] < metrics["ci95"][1]
    assert len(metrics["best_fixed_arm_regret"]["per_seed"]) == 3
    assert metrics["uniform"] == pytest.approx(200 * 2 / 3)
    assert confidence_interval(np.array([1.0])) is None
    low, high = confidence_interval(np.array([1.0, 2.0, 3.0])) or [0.0, 0.0]
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))
    assert plain({"a": [float("inf"), float("nan"), 1]}) == {"a": ["inf", None, 1]}


def test_the_best_fixed_arm_is_that_of_the_played_rows() -> None:
    run = prepare("uniform", toy(), 100, 2)
    run.play()
    run.env.reset(seed=[0, 1])  # type: ignore[arg-type]
    labels = [run.env.step(np.zeros(2, dtype=np.int64))[4]["label"] for _ in range(100)]
    best = [100 - np.bincount(column).max() for column in np.stack(labels).T]
    assert summary(run)["best_fixed_arm_regret"]["per_seed"] == best


@pytest.mark.parametrize(
    ("engine", "depth", "step"), [("torch", 1, 50), ("compiled", 1, 50), ("torch", 2, 50 * 12 / 13)]
)
def test_an_agent_that_diverges_is_stopped_in_that_round(engine: str, depth: int, step: float) -> None:
    """The error names the agent, the round, the seed and the step size of its replica."""
    message = r"sq, round (\d+), seed 9: .*diverged; lower its step size \(lr = 50, (.*) in this round\)"
    settings = {"lr": [0.1, 50.0], "lr_power": 0.5, "depth": depth}
    with pytest.raises(DivergedError, match=message) as caught:
        neucb.run("sq", toy(), 500, "4,9", settings=settings, engine=engine)
    assert caught.value.round is not None
    assert f"{step / (caught.value.round + 1) ** 0.5:.3g} in this round" in str(caught.value)
    assert caught.value.replica == 1


@pytest.mark.parametrize("agent", ["neural-greedy", "kl"])
@pytest.mark.parametrize("order", ["shuffled", "weakest-class"])
def test_a_dead_network_is_stopped_by_both_engines(agent: str, order: str) -> None:
    """One hidden unit and large steps: all units stay inactive, without NaN."""
    settings = {"lr": 1.0, "input_scaling": 0.0, "lr_power": 0.0, "width": 1}
    messages, rounds = [], []
    for engine in ("torch", "compiled"):
        options = {"settings": settings, "engine": engine, "dtype": "float64", "order": order}
        run = prepare(agent, toy(), 1500, "4,9,11,12", **options)  # type: ignore[arg-type]
        with pytest.raises(DivergedError, match=f"{agent}, round .* the network is dead") as caught:
            run.play()
        messages.append(str(caught.value))
        rounds.append(run.log.round)
        assert rounds[-1] == int(caught.value.round or 0) + 1 >= 200
    assert messages[0] == messages[1]
    assert rounds[0] == rounds[1]


def test_an_agent_with_constant_predictions_is_not_stopped() -> None:
    """Constant contexts with losses as predicted: predictions do not change."""
    x = np.ones(1500)
    labels = np.arange(1500) % 3
    constant = Table("constant", (Column("x", x),), labels.astype(np.int64), ("a", "b", "c"), "memory")
    for agent in ("kl", "squarecb", "neural-falcon"):
        for engine in ("torch", "compiled"):
            neucb.run(agent, constant, 600, 1, engine=engine, preprocessing="paper")


def test_an_untrained_agent_is_not_stopped() -> None:
    """An untrained model predicts 0 for every context until a loss arrives."""
    assert neucb.run("squarecb", toy(), 400, 1, delay=300)["round"].max() == 400
    rng = np.random.default_rng(0)
    many = Table(
        "many",
        tuple(Column(f"x{j}", rng.standard_normal(1600)) for j in range(3)),
        np.arange(1600, dtype=np.int64) % 100,
        tuple(str(label) for label in range(100)),
        "memory",
    )
    for engine in ("torch", "compiled"):
        played = neucb.run("falcon", many, 1600, 3, settings={"gamma": 1000.0}, engine=engine)
        assert played["round"].max() == 1600


@pytest.mark.parametrize(
    ("distribution_value", "error"),
    [
        (torch.full((1, 3), float("nan")), DivergedError),
        (torch.tensor([[0.5, 0.6, -0.1]]), DivergedError),
        (torch.tensor([[0.2, 0.2, 0.2]]), DivergedError),
        (torch.tensor([0.5, 0.5]), InputError),
    ],
)
def test_an_invalid_distribution_is_an_error(
    distribution_value: torch.Tensor, error: type[Exception]
) -> None:
    class Broken:
        def reset(self, spec: Spec) -> None:
            return

        def distribution(self, context: torch.Tensor) -> torch.Tensor:
            return distribution_value

        def update(self, context: torch.Tensor, action: torch.Tensor, loss: torch.Tensor) -> None:
            return

    with pytest.raises(error, match=r"round 1|shape"):
        neucb.run(Broken(), toy(), 5, 1)


def test_non_finite_contexts_are_rejected() -> None:
    class Spoilt(ClassificationVectorEnv):
        def _contexts(self) -> Any:
            contexts = super()._contexts().copy()
            contexts[1, 0] = np.nan
            return contexts

    with pytest.raises(InputError, match="round 1, seed 1: the context holds NaN"):
        neucb.run("kl", Spoilt(toy(), 2, horizon=5))


def test_an_interrupted_run_keeps_its_rounds() -> None:
    run = prepare("uniform", toy(), 100, 2, engine="torch")

    def stop(played: int) -> None:
        if played == 37:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.play(stop)
    assert run.log.round == 37
    assert run.frame()["round"].max() == 37


def test_rounds_are_limited_by_the_rows_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="playing 1500 rounds instead of 2000"):
        frame = neucb.run("uniform", toy(), 2000, 1)
    assert frame["round"].max() == 1500


def test_the_number_of_torch_threads_is_restored() -> None:
    torch.set_num_threads(2)
    play(make_agent(RECIPES["uniform"]), ClassificationVectorEnv(toy(), 1), RunLog(Spec((0,), 3, 4, 3)))
    assert torch.get_num_threads() == 2
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agent": "kl-pertubed"}, "did you mean 'kl-perturbed'"),
        ({"settings": {"gama": 3}}, "did you mean 'gamma'"),
        ({"settings": {"gamma": -3}}, "gamma must be a number at least 0"),
        ({"settings": {"gamma": "x"}}, "gamma must be a number"),
        ({"settings": {"width": 2.5}}, "width must be a whole number"),
        ({"settings": {"init": "hee"}}, "did you mean 'he'"),
        (
            {"settings": {"lr": [0.1, 0.2]}},
            r"lr has 2 values \(0.1, 0.2\) for 1 seed; give one value, or one",
        ),
        ({"settings": {"lr": "inf"}}, "lr must be finite, a number above 0, not inf"),
        ({"settings": {"width": "inf"}}, "width must be finite, a whole number at least 1, not inf"),
        ({"rounds": 0}, "rounds"),
        ({"preprocessing": "papr"}, "did you mean 'paper'"),
        ({"lr": 0.1}, r"'lr' is a hyper-parameter of kl-perturbed: settings="),
        ({"label_noise": 0.9}, "label noise"),
        ({"device": "tpu"}, "device must be cpu or cuda"),
        ({"dtype": "float16"}, "dtype"),
    ],
)
def test_invalid_arguments_name_the_cure(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        neucb.run(dataset=toy(), seeds=1, **arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": [1.9, 2.5]}, "no valid seeds"),
        ({"seeds": True}, "no valid seeds"),
        ({"seeds": 2.5}, "no valid seeds"),
        ({"drift": (50.5,)}, "drift must be a list of whole numbers"),
        ({"drift": 5}, "drift must be a list of whole numbers"),
        ({"recycle": "no"}, "recycle must be True or False"),
        ({"settings": {"gamma": True}}, "gamma must be"),
    ],
)
def test_values_of_a_wrong_type_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        neucb.run("squarecb", "iris", rounds=100, **options)


def test_numpy_scalars_are_numbers() -> None:
    plain = neucb.run("kl", "iris", rounds=20, seeds=2, settings={"width": 5, "lr": [0.1, 0.2]})
    seeds: Any = np.int64(2)
    settings = {"width": np.int64(5), "lr": np.array([0.1, 0.2])}
    pd.testing.assert_frame_equal(neucb.run("kl", "iris", rounds=20, seeds=seeds, settings=settings), plain)
    with pytest.raises(InputError, match="width must be a whole number"):
        neucb.run("kl", "iris", rounds=20, settings={"width": 10**20})
