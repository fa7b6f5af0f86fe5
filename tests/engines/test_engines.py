"""The compiled engine: equality with the torch engine, choice, cache, and stopping."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import neucb
from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import DivergedError, InputError
from neucb.core.spec import Spec
from neucb.engines.compiled import networks
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.preprocessing import Encoded, encode
from neucb.environments.table import Table
from neucb.runs.api import prepare
from neucb.runs.run import Run
from neucb.runs.summary import why_not_compiled
from tests.support.recipes import one_quick_of_each
from tests.support.settings import several
from tests.support.tables import one_hot, toy

ROUNDS = 600


TABLES = {"dense": toy, "one-hot": one_hot}


def play(name: str, table: Any, engine: str, **arguments: Any) -> pd.DataFrame:
    """Return the frame of a run that logs every round."""
    run = prepare(name, table, ROUNDS, "3,8,5", engine=engine, dtype="float64", **arguments)
    run.log.keep(range(1, ROUNDS + 1))
    run.play()
    assert run.engine == engine
    return run.frame()


def assert_same(name: str, table: Any, **arguments: Any) -> None:
    """Compare losses and predictions of both engines in each of 600 rounds."""
    compiled, defined = (play(name, table, engine, **arguments) for engine in ("compiled", "torch"))
    assert compiled["round"].tolist() == [*range(1, ROUNDS + 1)] * 3
    for column in ("loss", "regret", "L_star", "L_star_realised"):
        np.testing.assert_allclose(compiled[column], defined[column], rtol=0, atol=1e-9)
    pd.testing.assert_frame_equal(compiled, defined, check_exact=False, rtol=1e-7)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", one_quick_of_each())
def test_every_recipe_takes_the_same_actions_on_both_engines(name: str, table: str) -> None:
    """Different hyper-parameters per replica, noise and drift; or torch plays the recipe with a reason."""
    chosen = prepare(name, TABLES[table](), 10, 1)
    if chosen.engine == "torch":
        assert why_not_compiled(chosen)
        return
    settings = several(name)
    assert_same(name, TABLES[table](), settings=settings, label_noise=0.1, drift=(250, 400))


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "radius": ("kl", {"radius": [0.5, 2.0, math.inf]}),
    "radius, squared": ("sq", {"radius": 0.7, "init": "ntk", "lr": 0.05}),
    "expected, radius": ("kl-perturbed", {"radius": [0.5, 2.0, math.inf], "init": "paper"}),
    "expected, strong pull": ("sq-perturbed", {"c_p": 2.5, "lr": 0.3, "width": 8}),
    "one sign vector": ("kl-perturbed", {"perturbations": 1, "c_p": 0.05}),
    "signs": ("sq-perturbed", {"perturbations": 10, "c_p": [0.05, 0.02, 0.0], "init": "ntk", "lr": 0.05}),
    "many signs": ("kl-perturbed", {"perturbations": 23, "c_p": 0.1, "init": "paper", "width": 17}),
    "not normalized": ("kl-perturbed", {"input_scaling": 0.0, "lr": 0.4}),
    "replay, radius": ("sq-perturbed-replay", {"radius": [0.5, 2.0, math.inf], "updates_per_round": 3}),
    "replay, plain": ("kl", {"radius": 1.0, "updates_per_round": 5, "input_scaling": [0.0, 0.5, 0.3]}),
    "replay, signs": ("kl-perturbed-replay", {"perturbations": 4, "c_p": 0.05, "updates_per_round": 2}),
    "loss schedule": ("kl", {"gamma_schedule": "loss", "gamma": 20.0, "intercept": 0.0}),
    "loss schedule, squared": ("squarecb", {"gamma_schedule": "loss", "gamma_power": [0.3, 0.5, 1.0]}),
    "epochs": ("kl", {"gamma_schedule": "epochs", "gamma": [0.5, 3.0, 30.0]}),
    "theory": ("sq", {"gamma_schedule": "theory", "regression_regret": [5.0, 50.0, 500.0]}),
    "theory, FastCB": (
        "fastcb",
        {"gamma_schedule": "theory", "regression_regret": [0.1, 2.0, 9.0], "best_loss": [600.0, 0.0, 1e4]},
    ),
    "uniform gamma": ("sq", {"gamma": 0.0, "lr": 0.5, "lr_power": 0.5, "width": 1}),
    "passes": ("neural-falcon", {"epochs": 3, "input_scaling": [0.0, 0.5, 0.3]}),
    "passes, replay": ("neural-falcon", {"epochs": 2, "updates_per_round": 3, "radius": 2.0}),
    "supervised, replay": ("supervised", {"updates_per_round": 3, "lr_power": 0.1}),
    "gradient": (
        "neural-ucb",
        {"gradient_scaling": "sqrt_width", "init": "ntk", "lr": 0.05, "alpha": [0.5, 1.0, 3.0]},
    ),
    "gradient, ceiling": (
        "neural-ucb",
        {"updates_per_round": 3, "alpha": 0.01, "clip_mean": [0.2, 1.0, math.inf]},
    ),
    "gradient, replay": (
        "neural-ts",
        {"updates_per_round": 3, "radius": 1.0, "regularization": [0.1, 1.0, 5.0]},
    ),
    "last layer": ("neural-linear", {"refresh_every": 70, "width": 30, "nu": [0.0, 0.1, 1.0]}),
    "last layer, replay": (
        "neural-linear",
        {
            "refresh_every": 97,
            "updates_per_round": 3,
            "radius": [0.5, 2.0, math.inf],
            "init": "ntk",
            "lr": 0.05,
        },
    ),
    "diagonal": ("linucb", {"covariance": "diagonal", "regularization": [0.1, 1.0, 5.0]}),
    "diagonal, logistic": ("logistic-ts", {"covariance": "diagonal", "nu": [0.0, 0.3, 1.0]}),
    "quadratic": ("epsilon-greedy", {"feature_map": "quadratic", "covariance": "diagonal"}),
    "quadratic, full": ("glm-ucb", {"feature_map": "quadratic", "covariance": "full"}),
    "fourier": ("lints", {"feature_map": "fourier", "n_components": 40, "bandwidth": [0.3, 0.5, 1.0]}),
    "few fourier features": ("squarecb", {"feature_map": "fourier", "n_components": 2}),
    "bagging, diagonal": ("bagging", {"covariance": "diagonal", "bootstrap": "bernoulli", "members": 3}),
    "bootstrap, replay": ("neural-bootstrap", {"updates_per_round": 3, "members": 3, "bootstrap": "poisson"}),
    "bootstrap, radius": ("neural-bootstrap", {"radius": 0.7, "members": 2, "width": 8}),
    "fourier, epochs": ("falcon", {"feature_map": "fourier", "n_components": 20}),
}


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_settings_have_the_same_effect_on_both_engines(variant: str) -> None:
    name, settings = VARIANTS[variant]
    assert_same(name, one_hot(), settings=settings)


@pytest.fixture
def small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks share one pass, as otherwise only for large networks."""
    monkeypatch.setattr(networks, "CACHE_BYTES", 0)
    monkeypatch.setattr(networks, "DENSE", 0.0)


@pytest.mark.slow
@pytest.mark.usefixtures("small_cache")
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("kl", {"input_scaling": 0.0}),
        ("sq", {"radius": 0.7}),
        ("kl", {"radius": 0.7, "input_scaling": 0.3}),
        ("kl-perturbed", {"c_p": 0.5}),
        ("sq-perturbed", {"c_p": 2.5, "lr": 0.3}),
    ],
)
def test_blocks_that_share_a_pass_take_the_same_actions(name: str, settings: dict[str, Any]) -> None:
    for table in TABLES.values():
        assert_same(name, table(), settings={"width": 8, **settings})


def test_graded_costs_and_orders_are_the_same_on_both_engines() -> None:
    rng = np.random.default_rng(2)
    cost = rng.random((3, 3)) * (1 - np.eye(3))
    for order in ("stored", "sorted", "shuffled"):
        assert_same("kl", toy(400), cost=cost, order=order, recycle=True, label_noise=0.2)


@pytest.mark.parametrize("name", one_quick_of_each())
def test_adaptive_orders_are_the_same_on_both_engines(name: str) -> None:
    """Rows are equal under graded costs, noise and drift; or torch plays the recipe."""
    table = one_hot(650)
    chosen = prepare(name, table, 10, 1, order="weakest-class")
    if chosen.engine == "torch":
        assert why_not_compiled(chosen)
        return
    cost = np.random.default_rng(2).random((4, 4)) * (1 - np.eye(4))
    assert_same(name, table, cost=cost, order="weakest-class", label_noise=0.2, drift=(100, 550))


def frame_of(name: str, table: Table, seeds: Any, **arguments: Any) -> pd.DataFrame:
    frame: pd.DataFrame = neucb.run(name, table, 1000, seeds, engine="compiled", **arguments)
    return frame


@pytest.mark.parametrize("recipe", ["kl", "kl-perturbed", "squarecb"])
def test_a_replica_does_not_depend_on_its_neighbours(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal to the bit alone and in a batch, and for chunks of any length."""
    together = frame_of(recipe, one_hot(), "3,4,5,6")
    for name, value in (("FIRST_ROUNDS", 32), ("MOST_ROUNDS", 32), ("SECONDS", 0.0)):
        monkeypatch.setattr(f"neucb.engines.compiled.engine.{name}", value)
    alone = frame_of(recipe, one_hot(), [5])
    part = together[together["seed"] == 5].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, alone, check_exact=True)


def test_float32_approximates_float64() -> None:
    single, double = (
        neucb.run("kl-perturbed", one_hot(), 300, 3, engine="compiled", dtype=dtype)
        for dtype in ("float32", "float64")
    )
    np.testing.assert_allclose(single["regression_log_loss"], double["regression_log_loss"], rtol=1e-3)


def test_auto_selects_the_compiled_engine_where_supported() -> None:
    class Thirds:
        def reset(self, spec: Spec) -> None:
            self.shape = (spec.replicas, spec.arms)

        def distribution(self, context: torch.Tensor) -> torch.Tensor:
            return torch.full(self.shape, 1 / 3)

        def update(self, context: torch.Tensor, action: torch.Tensor, loss: torch.Tensor) -> None:
            return

    for name in RECIPES:
        run = prepare(name, toy(), 10, 1)
        assert (run.engine == "compiled") == (why_not_compiled(run) is None)
    assert prepare("kl", toy(), 10, 1, engine="torch").engine == "torch"
    signs = {"perturbations": 3, "radius": 1.0}
    cases: list[tuple[Any, Any, dict[str, Any], str]] = [
        (Thirds(), toy(), {}, "not agents of your own"),
        ("kl", toy(), {"delay": 3}, "delayed"),
        ("kl", "synthetic:linear", {}, "not environments of SyntheticVectorEnv"),
        ("kl-perturbed", toy(), {"settings": signs}, "radius"),
        ("neural-ucb", toy(), {"settings": {"covariance": "full", "width": 4}}, "diagonal"),
    ]
    for agent, data, arguments, message in cases:
        assert prepare(agent, data, 10, 1, **arguments).engine == "torch"
        with pytest.raises(InputError, match=message):
            prepare(agent, data, 10, 1, engine="compiled", **arguments)
    with pytest.raises(InputError, match="did you mean 'compiled'"):
        prepare("kl", toy(), 10, 1, engine="compield")


def failure(run: Run) -> str:
    with pytest.raises((DivergedError, InputError)) as caught:
        run.play()
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize(
    ("agent", "settings"),
    [
        ("sq", {"lr": [0.5, 50.0, 40.0]}),
        ("squarecb", {"gamma": [1.0, 1.0, 1e308], "gamma_power": 2.0, "regularization": 1e300}),
    ],
)
def test_both_engines_stop_in_the_same_round_with_the_same_message(
    agent: str, settings: dict[str, Any]
) -> None:
    runs = [
        prepare(agent, toy(), 500, "7,8,9", settings=settings, engine=engine, dtype="float64")
        for engine in ("compiled", "torch")
    ]
    first, second = (failure(run) for run in runs)
    assert first == second
    assert first.startswith("DivergedError")
    assert runs[0].log.round == runs[1].log.round < 499
    if runs[0].log.round:
        pd.testing.assert_frame_equal(runs[0].frame(), runs[1].frame(), check_exact=False, rtol=1e-6)


def test_both_engines_reject_non_finite_contexts_alike() -> None:
    encoded = encode(toy())
    contexts = encoded.contexts.copy()
    contexts[17, 2] = np.nan
    invalid = Encoded(contexts, encoded.labels, encoded.table, encoded.preprocessing)
    messages = [
        failure(prepare("kl", ClassificationVectorEnv(invalid, 2, horizon=1500), engine=engine))
        for engine in ("compiled", "torch")
    ]
    assert messages[0] == messages[1]
    assert "the context holds NaN" in messages[0]


def test_an_interrupted_run_keeps_its_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neucb.engines.compiled.engine.FIRST_ROUNDS", 64)
    monkeypatch.setattr("neucb.engines.compiled.engine.SECONDS", 0.0)
    run = prepare("kl", toy(), 1000, 2, engine="compiled")
    reports = []

    def stop(played: int) -> None:
        reports.append(played)
        if len(reports) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.play(stop)
    assert reports[0] == 64
    assert run.log.round == reports[1] == run.frame()["round"].max()


def test_both_engines_reject_invalid_settings_alike() -> None:
    for settings in ({"perturbations": 2, "c_p": 5.0}, {"c_p": 20.0}):
        messages = []
        for engine in ("compiled", "torch"):
            with pytest.raises(InputError) as caught:
                neucb.run("sq-perturbed", toy(), 10, 1, settings=settings, engine=engine)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


CODE = """
import json, sys
import neucb
from neucb.engines.compiled.kernels.linear import linear
from neucb.engines.compiled.kernels.neural import neural
from neucb.runs.api import prepare
for agent in ("kl", "squarecb", "uniform"):
    run = prepare(agent, "covertype", 200, 2, source="bundled")
    run.play()
    assert run.engine == "compiled"
print(json.dumps({
    "misses": sum(sum(k.stats.cache_misses.values()) for k in (neural, linear)),
    "hits": sum(sum(k.stats.cache_hits.values()) for k in (neural, linear)),
    "imported": sorted({"torch", "openml", "sklearn"} & set(sys.modules)),
}))
"""


@pytest.mark.slow
def test_a_second_process_compiles_nothing_and_needs_no_torch(tmp_path: Path) -> None:
    root = Path(neucb.__file__).parent.parent
    outputs = []
    for _ in range(2):
        completed = subprocess.run(
            [sys.executable, "-c", CODE], cwd=root, capture_output=True, text=True, check=False
        )
        assert completed.returncode == 0, completed.stderr
        outputs.append((json.loads(completed.stdout), completed.stderr))
    counts, errors = outputs[1]
    assert counts == {"misses": 0, "hits": 2, "imported": []}
    assert "compil" not in errors
