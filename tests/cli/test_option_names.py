"""Options have one spelling in Python, command line and specs; errors map former spellings to it."""

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

# Plural in a spec; callbacks exist only in Python.
IN_SPEC = {"agent": "agents", "dataset": "datasets", "seeds": "reporting_seeds"}
IN_SPEC |= {"settings": "settings", "best_in_class": "best_in_class_seeds"}
PYTHON_ONLY = {"progress"}
# Only on the command line: output, and lists of data sets.
COMMAND_ONLY = {"suite", "trace", "save_agent", "out", "as_json", "quiet"}
SHORT_FORMS = {"settings": "--set", "as_json": "--json"}


def python_options() -> set[str]:
    arguments = inspect.signature(neucb.run).parameters.keys() - {"environment"}
    return {*arguments, *EnvironmentOptions.__annotations__} - PYTHON_ONLY


def commands(command: Any, name: str = "neucb") -> dict[str, Any]:
    tree = {name: command}
    for inner_name, inner in getattr(command, "commands", {}).items():
        tree |= commands(inner, f"{name} {inner_name}")
    return tree


COMMANDS = commands(typer.main.get_command(app))


def test_python_and_the_command_line_have_the_same_options() -> None:
    names = {parameter.name for parameter in COMMANDS["neucb run"].params}
    assert names - COMMAND_ONLY == python_options()


def test_specs_have_the_options_of_python() -> None:
    keys = {*reading.EXPERIMENT, *reading.AGENT, *datasets.OPTIONS, "agents"}
    assert {IN_SPEC.get(name, name) for name in python_options()} <= keys
    spec_only = {"name", "label", "grid", "tuning_seeds", "select"}
    assert keys - {IN_SPEC.get(name, name) for name in python_options()} == spec_only


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_is_spelled_as_its_argument(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option":
            spelled = SHORT_FORMS.get(parameter.name, f"--{parameter.name.replace('_', '-')}")
            assert spelled in parameter.opts


def test_help_of_run_groups_options_in_panels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "run", "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    panels = ["Agent:", "Data:", "Feedback:", "Engine:", "Output:", "Options:"]
    assert [line for line in lines if line in panels] == panels
    assert lines.index("Data:") < next(i for i, line in enumerate(lines) if "--order" in line)
    assert next(i for i, line in enumerate(lines) if "--order" in line) < lines.index("Feedback:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--batch", "3"), "no such option '--batch': it is '--feedback-batch' now"),
        (("run", "--preprocess", "paper"), "no such option '--preprocess': it is '--preprocessing' now"),
        (("run", "--hindsight"), "no such option '--hindsight': it is '--best-in-class' now"),
        (("run", "--agent", "kl", "--set", "replay=3"), "it is 'updates_per_round' now"),
        (("run", "--agent", "neural-ucb", "--set", "ceiling=1"), "it is 'clip_mean' now"),
        (("run", "--agent", "squarecb", "--set", "features=fourier"), "it is 'feature_map' now"),
    ],
)
def test_an_error_maps_a_former_option_to_the_current_one(
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "current"),
    [
        ({"batch": 3}, "feedback_batch"),
        ({"cache": "x"}, "openml_cache"),
        ({"hindsight": True}, "best_in_class"),
    ],
)
def test_an_error_maps_a_former_argument_to_the_current_one(options: dict[str, Any], current: str) -> None:
    with pytest.raises(InputError, match=f"it is '{current}' now"):
        neucb.run("uniform", "iris", **options)


@pytest.mark.parametrize("options", [{"return_agent": True}, {"trace": True}])
def test_run_returns_a_frame_and_refers_to_prepare_for_more(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"take run = neucb\.prepare"):
        neucb.run("uniform", "iris", 10, 1, **options)
    run = prepare("squarecb", "iris", 20, 2, trace=True, keep_agent=True)
    run.play()
    assert len(run.trace()) == 40
    assert run.frame()["round"].max() == run.agent.rounds == 20
    bare = prepare("squarecb", "iris", 20, 2, engine="compiled")
    with pytest.raises(InputError, match="keeps no trace"):
        bare.trace()
    with pytest.raises(InputError, match="keeps no trained agent"):
        _ = bare.agent


def test_no_former_setting_name_is_in_use() -> None:
    """A former name that is in use again would get a wrong error message."""
    names = {parameter.name for recipe in RECIPES.values() for parameter in recipe.parameters}
    assert not names & FORMER.keys()


@pytest.mark.parametrize(("alias", "name"), [("neufastcb", "kl-perturbed"), ("neusquarecb", "sq-perturbed")])
def test_an_alias_plays_its_recipe(alias: str, name: str) -> None:
    assert find_recipe(alias) is RECIPES[name]
    frame = neucb.run(alias, "iris", 30, 2)
    assert set(frame["agent"]) == {name}
    assert frame.equals(neucb.run(name, "iris", 30, 2))


def test_an_alias_of_a_setting_equals_it() -> None:
    """NeuralUCB's nu is alpha."""
    recipe = RECIPES["neural-ucb"]
    assert recipe.settings({"nu": 0.3}) == recipe.settings({"alpha": 0.3})
    with pytest.raises(InputError, match="'nu' and 'alpha' of neural-ucb are the same setting"):
        recipe.settings({"alpha": 0.3, "nu": 0.3})


def test_the_command_line_spells_arguments_in_messages_as_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("header", "columns", "target", "decimal", "strict", "reward_range", "openml_cache"):
        monkeypatch.setitem(options, name, f"--{name.replace('_', '-')}")
    message = as_options(
        "read it with header=False or header=True, columns={'it\\'s': 'skip'}, target=..., decimal=',', "
        "strict=True, reward_range=(low, high); matrix=full stays"
    )
    assert message == (
        "read it with --no-header or --header, --columns 'it'\"'\"'s=skip', --target, --decimal ,, "
        "--strict, --reward-range LOW,HIGH; matrix=full stays"
    )


def test_all_lists_the_public_interface() -> None:
    """A change of the public interface must be made here too."""
    classes = {"Agent", "ClassificationVectorEnv", "Prediction", "RankingVectorEnv", "Reduction", "Run"}
    classes |= {"SingleEnv", "Spec", "SyntheticVectorEnv", "Trained"}
    functions = {"load_agent", "load_results", "prepare", "run", "sweep"}
    assert set(neucb.__all__) == classes | functions | {"__version__"}
    assert all(inspect.isclass(getattr(neucb, name)) for name in classes)
    assert all(inspect.isfunction(getattr(neucb, name)) for name in functions)
    assert len(neucb.__all__) == len(set(neucb.__all__))
    assert set(neucb.__all__) <= set(dir(neucb))


def test_text_of_the_command_line_is_not_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, "run", "--dataset", "seeds=3.csv") == 2
    assert "there is no file seeds=3.csv" in capsys.readouterr().err


def test_arguments_without_an_option_of_the_command_are_not_translated(
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
