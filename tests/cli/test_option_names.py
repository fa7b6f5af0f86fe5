"""One spelling of every option in Python, on the command line and in specs; former spellings are answered."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import typer.main

import neucb
from neucb.agents.recipes.registry import RECIPES, find_recipe
from neucb.cli.app import app
from neucb.cli.messages import as_options, options
from neucb.core.errors import InputError
from neucb.core.former_names import FORMER
from neucb.environments.make import EnvironmentOptions
from neucb.runs.api import prepare
from neucb.sweeps.spec import datasets, reading
from tests.support.command import neucb as command

# Named otherwise in a spec, where there are several of each; a callback has no place on a command line.
SEVERAL = {"agent": "agents", "dataset": "datasets", "seeds": "reporting_seeds"}
SEVERAL |= {"settings": "settings", "best_in_class": "best_in_class_seeds"}
PYTHON_ONLY = {"progress"}
RESULTS = {
    "suite",
    "trace",
    "save_agent",
    "out",
    "as_json",
    "quiet",
}  # output of the command, and lists of sets
SHORTER = {"settings": "--set", "as_json": "--json"}


def python_options() -> set[str]:
    own = inspect.signature(neucb.run).parameters.keys() - {"environment"}
    return {*own, *EnvironmentOptions.__annotations__} - PYTHON_ONLY


def commands(command: Any, name: str = "neucb") -> dict[str, Any]:
    found = {name: command}
    for inner, one in getattr(command, "commands", {}).items():
        found |= commands(one, f"{name} {inner}")
    return found


COMMANDS = commands(typer.main.get_command(app))


def test_python_and_the_command_line_have_the_same_options() -> None:
    names = {parameter.name for parameter in COMMANDS["neucb run"].params}
    assert names - RESULTS == python_options()


def test_specs_have_the_options_of_python() -> None:
    keys = {*reading.EXPERIMENT, *reading.AGENT, *datasets.OPTIONS, "agents"}
    assert {SEVERAL.get(name, name) for name in python_options()} <= keys
    own = {"name", "label", "grid", "tuning_seeds", "select"}  # of an experiment and its agents
    assert keys - {SEVERAL.get(name, name) for name in python_options()} == own


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_is_spelled_as_its_argument(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option":
            spelled = SHORTER.get(parameter.name, f"--{parameter.name.replace('_', '-')}")
            assert spelled in parameter.opts


def test_options_of_run_come_in_panels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "run", "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    panels = ["Agent:", "Data:", "Feedback:", "Engine:", "Output:", "Options:"]
    assert [line for line in lines if line in panels] == panels
    assert lines.index("Data:") < next(i for i, line in enumerate(lines) if "--order" in line)
    assert next(i for i, line in enumerate(lines) if "--order" in line) < lines.index("Feedback:")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("run", "--batch", "3"), "no such option '--batch': it is '--feedback-batch' now"),
        (("run", "--preprocess", "paper"), "no such option '--preprocess': it is '--preprocessing' now"),
        (("run", "--hindsight"), "no such option '--hindsight': it is '--best-in-class' now"),
        (("run", "--agent", "kl", "--set", "replay=3"), "it is 'updates_per_round' now"),
        (("run", "--agent", "neural-ucb", "--set", "ceiling=1"), "it is 'clip_mean' now"),
        (("run", "--agent", "squarecb", "--set", "features=fourier"), "it is 'feature_map' now"),
    ],
)
def test_a_former_spelling_is_answered_by_the_present_one(
    words: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, *words) == 2
    assert line in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "today"),
    [
        ({"batch": 3}, "feedback_batch"),
        ({"cache": "x"}, "openml_cache"),
        ({"hindsight": True}, "best_in_class"),
    ],
)
def test_former_arguments_are_answered(given: dict[str, Any], today: str) -> None:
    with pytest.raises(InputError, match=f"it is '{today}' now"):
        neucb.run("uniform", "iris", **given)


@pytest.mark.parametrize("given", [{"return_agent": True}, {"trace": True}])
def test_run_gives_a_frame_and_names_what_gives_more(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"take run = neucb\.prepare"):
        neucb.run("uniform", "iris", 10, 1, **given)
    run = prepare("squarecb", "iris", 20, 2, trace=True, keep_agent=True)
    run.play()
    assert len(run.trace()) == 40
    assert run.frame()["round"].max() == run.agent.rounds == 20
    bare = prepare("squarecb", "iris", 20, 2, engine="compiled")
    with pytest.raises(InputError, match="keeps no trace"):
        bare.trace()
    with pytest.raises(InputError, match="keeps no trained agent"):
        _ = bare.agent


def test_no_former_name_is_in_use() -> None:
    """A name of today that is a former one of something else would be answered wrongly."""
    names = {parameter.name for recipe in RECIPES.values() for parameter in recipe.parameters}
    assert not names & FORMER.keys()


@pytest.mark.parametrize(("alias", "name"), [("neufastcb", "kl-perturbed"), ("neusquarecb", "sq-perturbed")])
def test_an_alias_plays_its_recipe(alias: str, name: str) -> None:
    assert find_recipe(alias) is RECIPES[name]
    frame = neucb.run(alias, "iris", 30, 2)
    assert set(frame["agent"]) == {name}
    assert frame.equals(neucb.run(name, "iris", 30, 2))


def test_an_alias_of_a_setting_is_that_setting() -> None:
    """NeuralUCB calls alpha nu."""
    recipe = RECIPES["neural-ucb"]
    assert recipe.settings({"nu": 0.3}) == recipe.settings({"alpha": 0.3})
    with pytest.raises(InputError, match="'nu' and 'alpha' of neural-ucb are the same setting"):
        recipe.settings({"alpha": 0.3, "nu": 0.3})


def test_the_library_names_arguments_and_the_command_line_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("header", "columns", "target", "decimal", "strict", "reward_range", "openml_cache"):
        monkeypatch.setitem(options, name, f"--{name.replace('_', '-')}")
    said = as_options(
        "read it with header=False or header=True, columns={'it\\'s': 'skip'}, target=..., decimal=',', "
        "strict=True, reward_range=(low, high); matrix=full stays"
    )
    assert said == (
        "read it with --no-header or --header, --columns 'it'\"'\"'s=skip', --target, --decimal ,, "
        "--strict, --reward-range LOW,HIGH; matrix=full stays"
    )


def test_all_names_what_the_package_offers() -> None:
    """A name more or less is a change of the interface, to be made here too."""
    classes = {"Agent", "ClassificationVectorEnv", "Prediction", "RankingVectorEnv", "Reduction", "Run"}
    classes |= {"SingleEnv", "Spec", "SyntheticVectorEnv", "Trained"}
    functions = {"load_agent", "load_results", "prepare", "run", "sweep"}
    assert set(neucb.__all__) == classes | functions | {"__version__"}
    assert all(inspect.isclass(getattr(neucb, name)) for name in classes)
    assert all(inspect.isfunction(getattr(neucb, name)) for name in functions)
    assert len(neucb.__all__) == len(set(neucb.__all__))
    assert set(neucb.__all__) <= set(dir(neucb))


def test_words_of_the_user_are_not_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, "run", "--dataset", "seeds=3.csv") == 2
    assert "there is no file seeds=3.csv" in capsys.readouterr().err


def test_only_options_of_the_command_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`neucb sweep` has no --no-header: its spec has the key `header`."""
    (tmp_path / "rows.csv").write_text("1,2,a\n3,4,b\n5,6,a\n")
    (tmp_path / "spec.toml").write_text(
        '[experiment]\nname = "x"\nrounds = 9\nreporting_seeds = 1\ndatasets = ["rows.csv"]\n'
        '[[agents]]\nname = "uniform"\n'
    )
    command(monkeypatch, "sweep", str(tmp_path / "spec.toml"), "--out", str(tmp_path))
    captured = capsys.readouterr()
    assert "header=False" in captured.out + captured.err
    assert "--no-header" not in captured.out + captured.err
