"""Lists of whole numbers: a run of seeds that no one agent can play equals separate runs."""

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
    """Return an environment, for a run that names this function."""
    return ClassificationVectorEnv(toy(200), num_envs, order="sorted")


def assert_equals_separate_runs(settings: dict[str, Any], *arguments: Any, **options: Any) -> None:
    """Compare the frames and the traces, bit by bit; the seeds must have stayed in their order."""
    agent, dataset, rounds = arguments
    together = traced(agent, dataset, rounds, SEEDS, settings=settings, trace="full", **options)
    assert list(dict.fromkeys(together[0]["seed"])) == [*SEEDS]
    for r, seed in enumerate(SEEDS):
        own = {key: value[r] if isinstance(value, tuple) else value for key, value in settings.items()}
        alone = traced(agent, dataset, rounds, [seed], settings=own, trace="full", **options)
        for both, one in zip(together, alone, strict=True):
            mine = both[both["seed"] == seed].reset_index(drop=True)
            pd.testing.assert_frame_equal(mine, one, check_exact=True, check_dtype=False)


@pytest.mark.parametrize(
    ("agent", "settings", "engine"),
    [
        *((*one, engine) for one in LISTS for engine in ("compiled", "torch")),
        *((*one, "torch") for one in TORCH),
    ],
)
def test_lists_of_whole_numbers_equal_separate_runs(
    agent: str, settings: dict[str, Any], engine: str
) -> None:
    assert_equals_separate_runs(settings, agent, toy(150), 120, engine=engine, label_noise=0.1)


@pytest.mark.parametrize("dataset", ["synthetic:cosine", f"{__file__}:world", "frame"])
def test_whatever_the_data_are_and_with_late_losses(dataset: str) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.random(90), "z": rng.random(90), "y": rng.integers(0, 3, 90)})
    options: dict[str, Any] = {"delay": 3, "feedback_batch": 2}
    if dataset == "frame":
        options["target"] = "y"
    assert_equals_separate_runs(SIZES, "kl", frame if dataset == "frame" else dataset, 60, **options)


def played(settings: dict[str, Any], **options: Any) -> Run:
    job = prepare("kl", toy(150), 100, 3, settings=settings, **options)
    job.play()
    return job


def test_one_engine_plays_all_seeds() -> None:
    """One of them has an agent that the compiled engine does not know."""
    job = played({"depth": (1, 2, 1), "width": 8})
    assert job.engine == "torch"
    assert summary(job)["not_compiled"] == "it supports one hidden layer"
    assert played({"width": (8, 12, 8), "batch_size": (1, 1, 1)}).engine == "compiled"
    with pytest.raises(InputError, match="it supports one hidden layer; use the torch engine"):
        played({"depth": (1, 2, 1)}, engine="compiled")


def test_progress_is_that_of_all_seeds() -> None:
    job, heard = prepare("kl", toy(150), 90, 3, settings={"width": (8, 12, 8)}, engine="torch"), [0]
    job.log.keep([30, 60])
    job.play(heard.append)
    assert heard == sorted(heard)
    assert {60, 90} <= set(heard)
    assert max(heard) == 90
    assert job.frame()["round"].tolist() == [30, 60, 90] * 3


def test_figures_of_the_whole_run() -> None:
    figures = summary(played({"width": (8, 12, 8)}))
    assert figures["settings"]["width"] == (8, 12, 8)
    assert figures["uniform"] == pytest.approx(summary(played({"width": 8}))["uniform"])
    assert len(figures["regret"]) == 3


def test_the_one_that_diverges_is_named_with_its_own_step_size() -> None:
    settings = {"lr": (0.1, 50.0, 0.1), "width": (8, 12, 8), "lr_power": 0.0}
    for engine in ("compiled", "torch"):
        job = prepare("sq", toy(150), 120, SEEDS, settings=settings, engine=engine)
        with pytest.raises(DivergedError, match=r"^sq, round .*, seed 9: .*\(lr = 50, 50 in this") as caught:
            job.play()
        assert caught.value.replica == 1
        assert job.log.round == 0


def test_equal_numbers_are_one_agent() -> None:
    frame, agent = with_agent("kl", toy(60), seeds=2, settings={"width": [8, 8]})
    assert set(frame["width"]) == {8}
    assert agent.settings["width"] == 8


def test_where_there_can_be_one_agent_only_a_line_says_so() -> None:
    settings = {"width": [8, 12], "updates_per_round": [1, 2]}
    differ = "width and updates_per_round differ between the seeds"
    with pytest.raises(InputError, match=f"{differ}, so that there is no one agent to keep; give one value"):
        with_agent("kl", toy(60), seeds=2, settings=settings)
    with pytest.raises(InputError, match=f"{differ}, and an environment object plays all seeds together"):
        neucb.run("kl", world(2), settings=settings)
    with pytest.raises(InputError, match="width must be a whole number at least 1, one for all replicas of"):
        make_agent(RECIPES["kl"], {"width": [8, 12]})
    with pytest.raises(InputError, match=r"width has 2 values \(8, 12\) for 3 seeds; give one value, or one"):
        neucb.run("kl", toy(60), seeds=3, settings={"width": [8, 12]})


def test_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
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
        command(monkeypatch, *words, "--set", "width=8,12", "updates_per_round=2,1", "--out", str(tmp_path))
        == 0
    )
    (path,) = (one for one in tmp_path.glob("*.parquet") if "trace" not in one.name)
    last = pd.read_parquet(path).groupby("seed").tail(1)
    assert last["width"].tolist() == [8, 12]
    assert last["updates_per_round"].tolist() == [2, 1]
    assert last["L_star_class"].notna().all()
    assert "2 seeds" in capsys.readouterr().out
