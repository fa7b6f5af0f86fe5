"""Different whole numbers per seed: the run equals separate runs, one per group of equal numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neucb
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import DivergedError, InputError
from neucb.environments.classification import ClassificationVectorEnv
from neucb.runs.api import prepare
from neucb.runs.run import Run
from neucb.runs.summary import summary
from tests.support.command import neucb as command
from tests.support.runs import traced, with_agent
from tests.support.tables import cyclic as toy

SEEDS = (4, 9, 2)
SIZES = {"updates_per_round": (1, 3, 1), "width": (8, 12, 8), "lr": (0.3, 0.5, 0.9)}
LISTS: list[tuple[str, dict[str, Any]]] = [
    ("kl-perturbed", SIZES),
    ("kl-perturbed", {"perturbations": (float("inf"), 4, 5), "width": 8}),
    ("neural-bootstrap", {"members": (2, 3, 2), "width": 8}),
    ("neural-linear", {"refresh_every": (50, 60, 50), "width": (8, 8, 12), "nu": (0.1, 0.2, 0.3)}),
    ("neural-falcon", {"width": (8, 12, 8), "lr": (0.1, 0.1, 0.2)}),
    ("squarecb", {"n_components": (10, 10, 20), "feature_map": "fourier"}),
]
TORCH: list[tuple[str, dict[str, Any]]] = [
    ("kl", {"depth": (1, 2, 1), "width": 8}),
    ("sq", {"batch_size": (1, 2, 1), "updates_per_round": 2, "width": 8, "lr": 0.1}),
]


def world(num_envs: int) -> ClassificationVectorEnv:
    """Return an environment for runs that name this function."""
    return ClassificationVectorEnv(toy(200), num_envs, order="sorted")


def assert_equals_separate_runs(settings: dict[str, Any], *arguments: Any, **options: Any) -> None:
    """Compare frames and traces exactly; the seeds must keep their order."""
    agent, dataset, rounds = arguments
    together = traced(agent, dataset, rounds, SEEDS, settings=settings, trace="full", **options)
    assert list(dict.fromkeys(together[0]["seed"])) == [*SEEDS]
    for r, seed in enumerate(SEEDS):
        own = {key: value[r] if isinstance(value, tuple) else value for key, value in settings.items()}
        alone = traced(agent, dataset, rounds, [seed], settings=own, trace="full", **options)
        for joint, single in zip(together, alone, strict=True):
            part = joint[joint["seed"] == seed].reset_index(drop=True)
            pd.testing.assert_frame_equal(part, single, check_exact=True, check_dtype=False)


@pytest.mark.parametrize(
    ("agent", "settings", "engine"),
    [
        *((*case, engine) for case in LISTS for engine in ("compiled", "torch")),
        *((*case, "torch") for case in TORCH),
    ],
)
def test_whole_numbers_per_seed_equal_separate_runs(
    agent: str, settings: dict[str, Any], engine: str
) -> None:
    assert_equals_separate_runs(settings, agent, toy(150), 120, engine=engine, label_noise=0.1)


@pytest.mark.parametrize("dataset", ["synthetic:cosine", f"{__file__}:world", "frame"])
def test_whole_numbers_per_seed_work_on_all_data_with_delay(dataset: str) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.random(90), "z": rng.random(90), "y": rng.integers(0, 3, 90)})
    options: dict[str, Any] = {"delay": 3, "feedback_batch": 2}
    if dataset == "frame":
        options["target"] = "y"
    assert_equals_separate_runs(SIZES, "kl", frame if dataset == "frame" else dataset, 60, **options)


def played(settings: dict[str, Any], **options: Any) -> Run:
    run = prepare("kl", toy(150), 100, 3, settings=settings, **options)
    run.play()
    return run


def test_one_engine_plays_all_seeds() -> None:
    """The compiled engine does not support the agent of one seed."""
    run = played({"depth": (1, 2, 1), "width": 8})
    assert run.engine == "torch"
    assert summary(run)["not_compiled"] == "it supports one hidden layer"
    assert played({"width": (8, 12, 8), "batch_size": (1, 1, 1)}).engine == "compiled"
    with pytest.raises(InputError, match="it supports one hidden layer; use the torch engine"):
        played({"depth": (1, 2, 1)}, engine="compiled")


def test_progress_counts_all_seeds() -> None:
    run, reports = prepare("kl", toy(150), 90, 3, settings={"width": (8, 12, 8)}, engine="torch"), [0]
    run.log.keep([30, 60])
    run.play(reports.append)
    assert reports == sorted(reports)
    assert {60, 90} <= set(reports)
    assert max(reports) == 90
    assert run.frame()["round"].tolist() == [30, 60, 90] * 3


def test_the_summary_covers_all_seeds() -> None:
    metrics = summary(played({"width": (8, 12, 8)}))
    assert metrics["settings"]["width"] == (8, 12, 8)
    assert metrics["uniform"] == pytest.approx(summary(played({"width": 8}))["uniform"])
    assert len(metrics["regret"]) == 3


def test_a_diverging_seed_is_named_with_its_step_size() -> None:
    settings = {"lr": (0.1, 50.0, 0.1), "width": (8, 12, 8), "lr_power": 0.0}
    for engine in ("compiled", "torch"):
        run = prepare("sq", toy(150), 120, SEEDS, settings=settings, engine=engine)
        with pytest.raises(DivergedError, match=r"^sq, round .*, seed 9: .*\(lr = 50, 50 in this") as caught:
            run.play()
        assert caught.value.replica == 1
        assert run.log.round == 0


def test_equal_whole_numbers_need_one_agent() -> None:
    frame, agent = with_agent("kl", toy(60), seeds=2, settings={"width": [8, 8]})
    assert set(frame["width"]) == {8}
    assert agent.settings["width"] == 8


def test_whole_numbers_per_seed_are_rejected_where_one_agent_is_needed() -> None:
    settings = {"width": [8, 12], "updates_per_round": [1, 2]}
    reason = "width and updates_per_round differ between the seeds"
    with pytest.raises(InputError, match=f"{reason}, so that there is no one agent to keep; give one value"):
        with_agent("kl", toy(60), seeds=2, settings=settings)
    with pytest.raises(InputError, match=f"{reason}, and an environment object plays all seeds together"):
        neucb.run("kl", world(2), settings=settings)
    with pytest.raises(InputError, match="width must be a whole number at least 1, one for all replicas of"):
        make_agent(RECIPES["kl"], {"width": [8, 12]})
    with pytest.raises(InputError, match=r"width has 2 values \(8, 12\) for 3 seeds; give one value, or one"):
        neucb.run("kl", toy(60), seeds=3, settings={"width": [8, 12]})


def test_the_command_line_accepts_whole_numbers_per_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (
        "run",
        "--agent",
        "kl",
        "--dataset",
        "digits",
        "--rounds",
        "50",
        "--seeds",
        "2",
        "--best-in-class",
    )
    assert (
        command(
            monkeypatch, *arguments, "--set", "width=8,12", "updates_per_round=2,1", "--out", str(tmp_path)
        )
        == 0
    )
    (path,) = (path for path in tmp_path.glob("*.parquet") if "trace" not in path.name)
    last = pd.read_parquet(path).groupby("seed").tail(1)
    assert last["width"].tolist() == [8, 12]
    assert last["updates_per_round"].tolist() == [2, 1]
    assert last["L_star_class"].notna().all()
    assert "2 seeds" in capsys.readouterr().out
