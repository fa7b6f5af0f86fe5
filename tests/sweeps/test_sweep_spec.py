"""Specs of sweeps: parsing, and errors with their line and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from neucb.core.errors import InputError
from neucb.sweeps.plan import RUNS, reporting_batches, runs, tuning_batches
from neucb.sweeps.spec.builtin import shipped_spec
from neucb.sweeps.spec.reading import parse_spec, read_spec
from neucb.sweeps.spec.toml_lines import find_line

GOOD = """\
[experiment]
name = "good"
rounds = 500
tuning_seeds = "100:102"
reporting_seeds = [3, 5]
order = ["shuffled", "sorted"]
datasets = [
    "iris",  # small
    "win?",
    { name = "synthetic:cosine", arms = 4 },
]

[[agents]]
name = "kl"
settings = { width = 8 }
grid = { lr = [0.5, 1.0], gamma = [10, 100] }

[[agents]]
name = "squarecb"
label = "ridge"
[agents.grid]
gamma = [10.0, 30]
covariance = ["full", "diagonal"]
"""


def test_a_spec_is_parsed() -> None:
    experiment = parse_spec(GOOD)
    assert [dataset.name for dataset in experiment.datasets] == ["iris", "wine", "synthetic:cosine"]
    assert experiment.datasets[2].options == {"arms": 4}
    assert (experiment.tuning_seeds, experiment.reporting_seeds) == ((100, 101), (3, 5))
    kl, ridge = experiment.agents
    assert [(cell["width"], cell["lr"], cell["gamma"]) for cell in kl.cells()] == [
        (8, 0.5, 10.0),
        (8, 0.5, 100.0),
        (8, 1.0, 10.0),
        (8, 1.0, 100.0),
    ]
    assert ridge.label == "ridge"
    # Numbers share a batch, choices do not: 1 + 2 batches in each of 3 x 2 worlds.
    batches = tuning_batches(experiment)
    assert len(batches) == 3 * 6
    assert runs(batches) == 6 * 2 * (4 + 4)
    assert batches[0].settings["lr"] == (0.5, 0.5, 1.0, 1.0) * 2
    assert batches[0].seeds == (100,) * 4 + (101,) * 4
    assert reporting_batches(experiment, {}) == []  # no settings were chosen yet


def test_batches_are_cut_to_size() -> None:
    experiment = parse_spec(GOOD.replace('"100:102"', "[" + ", ".join(map(str, range(100, 130))) + "]"))
    batches = [batch for batch in tuning_batches(experiment) if batch.agent_label == "kl"]
    assert max(len(batch.seeds) for batch in batches) == RUNS
    played = [
        (batch.world.key, batch.seeds[run], str(batch.cell(run)))
        for batch in batches
        for run in range(len(batch.seeds))
    ]
    assert len(set(played)) == len(played) == 6 * 30 * 4


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('name = "kl"', 'name = "kll"', 14, "unknown agent 'kll': did you mean 'kl'?"),
        ('"iris"', '"irsi"', 8, "unknown data set 'irsi': did you mean 'iris'?"),
        ('"win?"', '"mfeet-*"', 9, "no data set of the catalogue matches 'mfeet-*'"),
        ('"win?"', '"suite:cc81"', 9, "unknown suite 'cc81': did you mean 'cc18'?"),
        ('"win?"', '"nowhere.csv"', 9, "there is no file"),
        ('"win?"', '"iris"', 8, "data set 'iris' occurs twice"),
        ("synthetic:cosine", "synthetic:cosin", 10, "did you mean 'synthetic:cosine'?"),
        ("arms = 4", "arm = 4", 10, "unknown key 'arm': did you mean 'arms'?"),
        ('"sorted"', '"sort"', 6, "unknown order 'sort': did you mean 'sorted'?"),
        ('"sorted"', '"shuffled"', 6, "occurs twice in order"),
        ("rounds = 500", "rounds = 0", 3, "rounds must be a whole number, at least 1"),
        ("rounds = 500", "round = 500", 3, "unknown key 'round': did you mean 'rounds'?"),
        ("rounds = 500", "label_noise = [0.1, 1.5]", 3, "label_noise must be numbers in [0, 1)"),
        ("rounds = 500", 'engine = "fast"', 3, "unknown engine 'fast'"),
        ("rounds = 500", 'select = "per data set"', 3, "it is 'per_dataset' now"),
        ("rounds = 500", "recycle = 1", 3, "recycle must be true or false"),
        ("rounds = 500", "drift = [0]", 3, "drift must be a list of rounds, at least 1"),
        ('"100:102"', '"100:x"', 4, "no valid seeds"),
        ('"100:102"', "[3, 4]", 4, "seed 3 is a tuning seed and a reporting seed"),
        ("[3, 5]", "[3, 3]", 5, "seed 3 occurs twice"),
        ("[3, 5]", "-1", 5, "no valid seeds"),
        ("width = 8", "widht = 8", 15, "unknown key 'widht': did you mean 'width'?"),
        ("width = 8", "width = 8.5", 15, "width must be a whole number"),
        ("lr = [0.5, 1.0]", "lr = [0.5, -1.0]", 16, "lr must be a number above 0, not -1.0"),
        ("lr = [0.5, 1.0]", "lr = [0.5, 0.5]", 16, "0.5 occurs twice in lr"),
        ("lr = [0.5, 1.0]", "width = [4, 8]", 16, "width is among the settings and in the grid"),
        ("gamma = [10.0, 30]", "gama = [10.0, 30]", 22, "unknown key 'gama': did you mean 'gamma'?"),
        (
            '["full", "diagonal"]',
            '["full", "diag"]',
            23,
            "unknown covariance 'diag': did you mean 'diagonal'?",
        ),
        ('label = "ridge"', 'label = "kl"', 18, "two agents are called 'kl'"),
        ('name = "good"', 'name = "go/od"', 2, "name must be letters"),
        ("reporting_seeds = [3, 5]", "", 1, "[experiment] has no reporting_seeds"),
    ],
)
def test_spec_errors_name_line_and_nearest_name(old: str, new: str, line: int, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        parse_spec(GOOD.replace(old, new, 1), "mine.toml")
    message = str(caught.value)
    assert message.startswith(f"mine.toml, line {line}: ")
    assert reason in message
    assert "\n" not in message


def test_toml_errors_name_the_line() -> None:
    with pytest.raises(InputError, match=r"mine\.toml: .*at line 3"):
        parse_spec(GOOD.replace("rounds = 500", "rounds 500"), "mine.toml")
    with pytest.raises(InputError, match="there is no agent"):
        parse_spec(GOOD[: GOOD.index("[[agents]]")])


def test_files_are_relative_to_the_spec(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a,b\n1,x\n2,y\n")
    (tmp_path / "spec.toml").write_text(GOOD.replace('"win?"', '{ name = "mine.csv", target = "b" }'))
    dataset = read_spec(tmp_path / "spec.toml").datasets[1]
    assert (dataset.name, dataset.options) == (str(tmp_path / "mine.csv"), {"target": "b"})


def test_lines_of_keys_ignore_comments_and_other_tables() -> None:
    text = '# name = "x"\n[experiment]\nname = "y"\n[[agents]]\nname = "kl"\n[[agents]]\nname = "sq"\n'
    assert find_line(text, "experiment", "name") == 3
    assert [find_line(text, "agents", number, "name") for number in (0, 1)] == [5, 7]


@pytest.mark.parametrize(
    "name", ["quick", "defaults", "paper", "ablation", "bakeoff", "encodings", "tuned", "published"]
)
def test_shipped_specs_are_valid(name: str) -> None:
    assert read_spec(shipped_spec(name)).name == name


def test_an_unknown_shipped_spec_is_rejected() -> None:
    with pytest.raises(InputError, match=r"unknown experiment 'qick': did you mean 'quick'\?"):
        shipped_spec("qick")
