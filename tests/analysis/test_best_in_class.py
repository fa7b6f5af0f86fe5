"""Hindsight: fits on worlds whose best policy is known, played pairs only, regression regret by hand."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from neucb import cli
from neucb.agents.recipes.registry import find_recipe
from neucb.core.errors import InputError
from neucb.environments.classification import ClassificationVectorEnv, load
from neucb.plots import draw
from neucb.report.bounds import best_in_class_table
from neucb.runs.api import prepare
from neucb.runs.run import Run
from neucb.sweeps.store.read_results import read_results
from neucb.theory import best_in_class
from neucb.theory.best_in_class import check_best_in_class, class_loss, class_regression_regret, fit_class
from neucb.theory.fitting import Training

QUICK = Training(epochs=40, restarts=2, batch=64)


@pytest.fixture(scope="module")
def circles() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of the unit circle; arm 0 is right where x y > 0: a network can say so, a line cannot."""
    angle = np.random.default_rng(0).uniform(0, 2 * math.pi, 600)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    label = (x[:, 0] * x[:, 1] <= 0).astype(int)
    return x, 1.0 - np.eye(2)[label]


@pytest.mark.parametrize("agent", ["kl", "sq"])
def test_a_network_finds_what_its_class_can_do(
    agent: str, circles: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> None:
    x, losses = circles
    found = fit_class(find_recipe(agent), x, losses, training=QUICK)
    assert found.policy_losses(losses).mean() < 0.04
    assert found.trained < 0.12
    assert found.held_out < 0.15
    assert found.epochs <= 40
    assert found.spread >= 0.0


def test_a_linear_class_cannot(circles: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
    x, losses = circles
    found = fit_class(find_recipe("squarecb"), x, losses, training=QUICK)
    assert 0.35 < found.policy_losses(losses).mean() < 0.65
    assert found.trained == pytest.approx(0.25, abs=0.01)  # 1/2 everywhere is the best line


def test_a_linear_fit_finds_losses_that_are_linear() -> None:
    x = np.random.default_rng(0).standard_normal((300, 4)) / 4
    losses = 0.5 + x @ np.array([[0.4, -0.2], [0.0, 0.3], [0.1, 0.1], [-0.5, 0.0]])
    training = Training(epochs=200, patience=50, restarts=1, batch=50)
    found = fit_class(find_recipe("squarecb"), x, losses, training=training)
    np.testing.assert_allclose(found.predicted, losses, atol=0.01)


def test_played_pairs_alone_decide() -> None:
    """Arm 1's losses are never played: what they are does not change the fit."""
    encoded = load("iris")
    losses = 1.0 - np.eye(3)[encoded.labels]
    played = 2 * (np.arange(150) % 2)
    other = losses.copy()
    other[:, 1] = 0.5
    fits = [
        fit_class(find_recipe("sq"), encoded.contexts, table, played, training=QUICK)
        for table in (losses, other)
    ]
    np.testing.assert_array_equal(fits[0].predicted, fits[1].predicted)
    at = np.arange(150)
    assert np.square(fits[0].predicted[at, played] - losses[at, played]).mean() < 0.1


@pytest.fixture(scope="module")
def job() -> Run:
    """Two replicas with different networks."""
    found = prepare("sq", "iris", 150, "3,5", settings={"intercept": (0.1, 0.5)}, label_noise=0.1, trace=True)
    found.play()
    return found


def test_the_class_of_a_run_is_fitted_to_its_rows(job: Run) -> None:
    found = class_loss(job, QUICK)
    last = job.log.frame({}).groupby("seed").tail(1)
    assert found.rounds[-1] == 150
    # no policy loses less than L*, and iris is easy; a clean label's arm loses 0.1, others 0.95
    best = last["L_star"].to_numpy()
    np.testing.assert_allclose(best, 15.0)
    assert (found.best_loss[:, -1] >= best).all()
    assert (found.best_loss[:, -1] < last["loss"].to_numpy()).all()
    assert (np.diff(found.best_loss, axis=1) > 0).all()
    env = job.env
    assert isinstance(env, ClassificationVectorEnv)
    script = env.script(5)
    expected = env.feedback.expected[script.label]
    alone = fit_class(
        find_recipe("sq"), env.encoded.contexts[script.rows], expected, intercept=0.5, training=QUICK
    )
    assert alone.policy_losses(expected).sum() == pytest.approx(found.best_loss[1, -1])


def test_regression_regret_against_the_class_is_what_the_oracle_lost_more(job: Run) -> None:
    rounds, regret = class_regression_regret(job, QUICK)
    table = job.log.frame({}).pivot(index="round", columns="seed", values="regression_loss")
    assert rounds.tolist() == table.index.tolist()
    best = table.to_numpy().T - regret  # what the class loses
    assert (best >= 0).all()
    assert (np.diff(best, axis=1) >= 0).all()
    assert (regret[:, -1] > 0).all()


def test_what_is_known_in_hindsight_is_saved_drawn_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "run",
        "--agent",
        "kl",
        "--dataset",
        "iris",
        "--best-in-class",
        "--seeds",
        "2",
        "--out",
        str(tmp_path),
    ]
    monkeypatch.setattr(sys, "argv", ["neucb", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    frame = read_results([tmp_path], pytest.fail).frame  # the trace is no log
    assert (frame["L_star"] == 0.0).all()
    last = frame.groupby("seed").tail(1)
    assert (last["L_star_class"] < last["regret"]).all()
    assert frame.groupby("seed")["L_star_class"].is_monotonic_increasing.all()
    frame["L_star_class"] += 0.05 * frame["round"]  # iris is too easy for a class to lose anything
    figure = draw(frame, "lstar", bounds=True)
    (title,) = (axes.get_title(loc="left") for axes in figure.axes)
    assert title == "iris, L* of the class"
    (curve,) = (one for one in figure.axes[0].get_lines() if one.get_label() == "kl")
    means = frame.groupby("round")[["L_star_class", "regret"]].mean()
    np.testing.assert_allclose(np.asarray(curve.get_xdata(), dtype=float), means["L_star_class"])
    against = means["regret"] - means["L_star_class"]
    np.testing.assert_allclose(np.asarray(curve.get_ydata(), dtype=float), against)
    (row,) = best_in_class_table(frame).rows
    assert row[7].key == pytest.approx(against.iloc[-1], rel=1e-5)
    assert row[10].key == pytest.approx(
        frame.groupby("seed").tail(1)["class_regression_regret"].mean(), rel=1e-5
    )
    monkeypatch.setattr(
        sys, "argv", ["neucb", "run", "--agent", "uniform", "--dataset", "iris", "--best-in-class"]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "no class of its own" in capsys.readouterr().err


def test_only_traced_runs_have_a_class_in_hindsight() -> None:
    found = prepare("sq", "iris", 20, 1)
    found.play()
    with pytest.raises(InputError, match="and a trace"):
        class_loss(found)


@pytest.mark.parametrize(("agent", "rows"), [("uniform", 50), ("kl", 2)])
def test_what_cannot_be_fitted_is_refused(agent: str, rows: int) -> None:
    with pytest.raises(InputError, match=r"no class of its own|more than 2 rows"):
        fit_class(find_recipe(agent), np.ones((rows, 3)), np.ones((rows, 2)))


@pytest.mark.parametrize(
    ("agent", "name", "value"), [("kl", "depth", 2), ("squarecb", "feature_map", "quadratic")]
)
def test_other_classes_are_refused_before_anything_is_played(agent: str, name: str, value: object) -> None:
    job = prepare(agent, "iris", 20, 1, settings={name: value}, trace=True)
    with pytest.raises(InputError, match=f"not of {name}={value}"):
        check_best_in_class(job)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted during the best-in-class fit; the run is saved without it"),
        (InputError("too few"), 2, "too few; the run is saved without it"),
    ],
)
def test_a_fit_that_ends_early_does_not_lose_the_run(
    error: BaseException,
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: Run) -> None:
        raise error

    monkeypatch.setattr(best_in_class, "add_best_in_class", fail)
    command = ["neucb", "run", "--agent", "kl", "--dataset", "iris", "--rounds", "30", "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", [*command, "--best-in-class", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert capsys.readouterr().err.splitlines()[-1] == f"neucb: error: {words}"
    frame = read_results([tmp_path], pytest.fail).frame
    assert frame["round"].max() == 30
    assert "L_star_class" not in frame
