"""What matters is in the name of a result: nothing that changed returns an old row."""

from __future__ import annotations

import ast
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import neucb
from neucb.agents.losses import KL
from neucb.agents.recipes.registry import RECIPES, find_recipe
from neucb.environments.sources.fingerprint import fingerprint
from neucb.runs.log_table import schema
from neucb.sweeps import identity
from neucb.sweeps.identity import code_hash
from neucb.sweeps.plan import reporting_batches, worlds
from neucb.sweeps.play.batch import play_batch
from neucb.sweeps.play.data import Data
from neucb.sweeps.play.estimate import memory
from neucb.sweeps.play.execute import local
from neucb.sweeps.spec.reading import parse_spec
from neucb.sweeps.spec.sweep_spec import Experiment
from neucb.sweeps.sweep import sweep
from tests.support.sweeps import play

SPEC = """
[experiment]
name = "trust"
rounds = 40
datasets = ["iris"]
reporting_seeds = 2

[[agents]]
name = "squarecb"
"""


def change(**values: object) -> Callable[[Experiment], Experiment]:
    return lambda experiment: dataclasses.replace(experiment, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        change(rounds=41),
        change(orders=("sorted",)),
        change(label_noise=(0.1,)),
        change(preprocessing=("paper",)),
        change(engine="torch"),
        change(dtype="float64"),
        change(reporting_seeds=(1, 2)),
        change(options={"delay": 3}),
        lambda one: change(agents=(dataclasses.replace(one.agents[0], settings={"gamma": 11.0}),))(one),
        lambda one: change(agents=(dataclasses.replace(one.agents[0], name="fastcb"),))(one),
    ],
)
def test_a_changed_experiment_returns_no_old_row(
    changed: Callable[[Experiment], Experiment], tmp_path: Path
) -> None:
    experiment = parse_spec(SPEC)
    play(experiment, tmp_path / "one")
    report = play(changed(experiment), tmp_path / "one")
    assert (report.found, report.played) == (0, 2)
    play(changed(experiment), tmp_path / "fresh")
    left, right = (neucb.load_results(tmp_path / name) for name in ("one", "fresh"))
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_changed_code_returns_no_old_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert play(SPEC, tmp_path).played == 2
    monkeypatch.setattr("neucb.sweeps.plan.code_version", lambda: "another")
    assert play(SPEC, tmp_path).played == 2


def test_which_code_matters() -> None:
    source = 'def f(x):\n    """Double."""\n    return 2 * x  # twice\n'
    assert code_hash([source]) == code_hash(['def f(x):\n    """Twice."""\n\n    return 2*x\n'])
    assert code_hash([source]) != code_hash([source.replace("2 *", "3 *")])
    assert code_hash([source, ""]) != code_hash([source.replace("f(", "g("), ""])
    assert all(neucb.core.provenance.library_version(name) for name in identity.LIBRARIES)


# Imported where runs are played or classes fitted, without any say in their numbers.
WITHOUT_SAY = {
    "disk.py": "writes files",
    "errors.py": "words",
    "plugins.py": "finds the user's code, which the batch names by its checksums",
    "provenance.py": "versions, which the hash holds",
    "seeds.py": "reads seeds, which the batch names",
    "sources.py": "checksums of the user's code",
    "statistics/intervals.py": "of summaries",
    "summary.py": "JSON, and figures of the command line",
    "sweeps/cost.py": "the order in which batches are played, and in what parts",
    "sweeps/identity.py": "the hash itself",
    "sweeps/spec.py": "values, which the batch names",
    "sweeps/warned.py": "warnings",
    "trace.py": "of runs that are kept round by round, which sweeps do not",
    "trained.py": "agents from files, which sweeps do not play",
}
PLAYED = {"engines", "agents", "candidate.py", "foreseen.py", "hindsight.py", "loop.py", "stuck.py"}
CONSTANTS = "agents/constants.py"  # which fits take too, of agents nothing else
FITTED = {"sweeps/hindsight.py", "theory/fitting.py", "theory/hindsight.py"}


def imported(starts: set[str], skipped: set[str]) -> set[str]:
    """Return modules of neucb, those they import, and so on; `skipped` modules and packages are left out."""
    root = Path(neucb.__file__).parent
    found: set[str] = set()
    waiting = set(starts)
    while waiting:
        name = waiting.pop()
        part = name.split("/")[0]
        left_out = part in skipped and name != CONSTANTS
        if left_out or name in skipped or name in found:
            continue
        found.add(name)
        tree = ast.parse((root / name).read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "neucb":
                module = str(node.module).replace(".", "/").removeprefix("neucb").lstrip("/")
                names = (module, *(f"{module}/{alias.name}" for alias in node.names))
                waiting |= {f"{one}.py" for one in names if (root / f"{one}.py").is_file()}
    return found


def in_packages(names: set[str]) -> set[str]:
    """Return names, one for all modules of agents, engines and environments."""
    return {name.split("/")[0] if name.split("/")[0] in identity.PACKAGES else name for name in names}


def test_the_hash_of_a_run_is_of_all_code_that_playing_imports() -> None:
    """What is neither in the hash nor said to have no say must be put into one of them."""
    found = in_packages(imported({"sweeps/play.py", "sweeps/data.py"}, FITTED))
    named = {*identity.MODULES, *identity.PACKAGES}
    assert found - named == set(WITHOUT_SAY)
    assert named <= found


def test_the_hash_of_a_fit_is_of_all_code_that_fitting_imports() -> None:
    starts = {"sweeps/hindsight.py", "sweeps/play.py", "sweeps/data.py"}
    found = in_packages(imported(starts, {*PLAYED, "sweeps/plan.py"}))
    named = in_packages({*identity.FITTING}) | {"environments"}
    assert found - named <= set(WITHOUT_SAY)
    assert named <= found


def test_a_fit_is_named_by_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that stands for another class one day does not return its old fits."""
    (batch,) = reporting_batches(parse_spec(SPEC), {})
    fit = dataclasses.replace(batch, purpose="hindsight")
    before = fit.name({})
    recipe = dataclasses.replace(find_recipe("squarecb"), loss=KL)
    monkeypatch.setitem(RECIPES, "squarecb", recipe)
    assert fit.name({}) != before


def test_a_changed_file_returns_no_old_row(tmp_path: Path) -> None:
    """Same name, same size, same time of change: one value differs."""
    import os

    path = tmp_path / "mine.csv"
    rows = [f"{i % 7},{i % 5},{'xy'[i % 2]}" for i in range(60)]
    path.write_text("\n".join(["a,b,label", *rows]))
    spec = SPEC.replace('"iris"', f'"{path}"')
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    play(spec, tmp_path / "out")
    before = neucb.load_results(tmp_path / "out")
    path.write_text("\n".join(["a,b,label", rows[0].replace("x", "y"), *rows[1:]]))
    os.utime(path, ns=times)
    report = play(spec, tmp_path / "out")
    assert (report.found, report.played) == (0, 2)
    after = neucb.load_results(tmp_path / "out")
    assert len(after) == len(before)
    assert before["loss"].tolist() != after["loss"].tolist()


def test_the_fingerprint_knows_what_is_played(tmp_path: Path) -> None:
    assert fingerprint("iris") != fingerprint("covertype", source="bundled")
    assert fingerprint("iris")["version"]
    assert len(fingerprint("covertype", source="bundled")["sha256"]) == 64


def test_a_table_in_memory_is_read_completely_every_time(tmp_path: Path) -> None:
    """Every batch sees all its rows; the same table is found again, a changed one is not."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=90), "b": rng.normal(size=90)})
    frame["label"] = (frame["a"] > 0).map({True: "yes", False: "no"})
    text = SPEC.replace('"iris"', '"mine"').replace("rounds = 40", "")
    text += '[[agents]]\nname = "uniform"\n[[agents]]\nname = "fastcb"\n'
    (tmp_path / "spec.toml").write_text(text)

    def once(table: pd.DataFrame) -> pd.DataFrame:
        return neucb.sweep(tmp_path / "spec.toml", tmp_path / "out", jobs=1, tables={"mine": table})

    first = once(frame)
    assert first.groupby("label")["round"].max().tolist() == [90, 90, 90]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    pd.testing.assert_frame_equal(once(frame.copy()), first, check_exact=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == times
    changed = frame.copy()
    changed.loc[89, "label"] = "no" if frame.loc[89, "label"] == "yes" else "yes"  # the very last value
    assert once(changed)["loss"].tolist() != first["loss"].tolist()


def test_no_two_seeds_are_one_run(tmp_path: Path) -> None:
    play(SPEC.replace("reporting_seeds = 2", "reporting_seeds = 60"), tmp_path)  # two batches
    frame = neucb.load_results(tmp_path)
    curves = frame.groupby("seed")["loss"].agg(tuple)
    assert len(curves) == 60
    assert curves.nunique() > 50  # short runs may lose as much by chance


def test_an_agent_of_the_users_own(tmp_path: Path) -> None:
    """Its code is part of the name."""
    source = (
        "import torch\n"
        "class Mine:\n"
        "    def reset(self, spec): self.p = torch.full((spec.replicas, spec.arms), 1 / spec.arms)\n"
        "    def distribution(self, context): return self.p\n"
        "    def update(self, context, action, loss): pass\n"
    )
    (tmp_path / "mine.py").write_text(source)
    text = SPEC.replace('name = "squarecb"', f'name = "{tmp_path / "mine.py"}:Mine"')
    assert play(text, tmp_path / "out").failures == []
    assert play(text, tmp_path / "out").found == 2
    assert set(neucb.load_results(tmp_path / "out")["label"]) == {"Mine"}
    (tmp_path / "mine.py").write_text(source.replace("1 / spec.arms)", "1 / spec.arms) * 1.0"))
    assert play(text, tmp_path / "out").played == 2


def test_every_hyper_parameter_has_one_type() -> None:
    """Numbers in one recipe are numbers in all, so that all files have one schema."""
    from neucb.agents.recipes.registry import RECIPES

    kinds: dict[str, set[bool]] = {}
    for recipe in RECIPES.values():
        for parameter in recipe.parameters:
            kinds.setdefault(parameter.name, set()).add(bool(parameter.choices))
    assert all(len(kind) == 1 for kind in kinds.values())
    assert len(schema().names) == len(set(schema().names))


def test_tables_are_mapped_and_shared(tmp_path: Path) -> None:
    """A large table is one file's pages, not a copy, and gives the same rows; a small one stays as it is."""
    experiment = parse_spec(SPEC.replace('["iris"]', '["digits", "iris"]'))
    (digits, iris) = worlds(experiment)
    data = Data(shared=tmp_path)
    contexts = data.load(digits).contexts  # type: ignore[union-attr]
    assert contexts.nbytes < 1_000_000
    assert contexts.base is None or not isinstance(contexts.base, np.memmap)
    covertype = parse_spec(
        SPEC.replace('"iris"', '"covertype"').replace("rounds", 'source = "bundled"\nrounds')
    )
    (world,) = worlds(covertype)
    mapped, plain = Data("bundled", shared=tmp_path).load(world), Data("bundled").load(world)
    assert not isinstance(mapped, str)
    assert isinstance(mapped.contexts.base, np.memmap)
    assert mapped.contexts.flags.writeable
    (batch,) = reporting_batches(covertype, {})
    one, two = play_batch(batch, mapped), play_batch(batch, plain)
    assert one.tables[0].equals(two.tables[0])
    assert iris.key != digits.key


def test_duckdb_reads_the_folder(tmp_path: Path) -> None:
    play(SPEC + '[[agents]]\nname = "uniform"\n[[agents]]\nname = "kl"\n', tmp_path)
    frame = neucb.load_results(tmp_path)
    query = f"select label, count(*), sum(loss) from '{tmp_path}/*.parquet' group by label order by label"
    found = duckdb.sql(query)
    assert found is not None
    rows = found.fetchall()
    expected = frame.groupby("label")["loss"].agg(["size", "sum"])
    assert rows == [(label, size, pytest.approx(total)) for label, (size, total) in expected.iterrows()]


def test_a_finished_sweep_of_many_batches_is_found_fast(tmp_path: Path) -> None:
    """120 batches; measured for 1,000 batches, a new process each time: 1.4 to 2.0 s."""
    text = SPEC.replace("rounds = 40", "rounds = 2\nlabel_noise = " + str([i / 200 for i in range(120)]))
    experiment = parse_spec(text)
    sweep(experiment, tmp_path, lambda tasks: local(tasks, 1), Data())
    started = time.process_time()
    report = sweep(experiment, tmp_path, lambda tasks: local(tasks, 1), Data())
    assert report.found == 240
    assert time.process_time() - started < 1.0  # measured: 0.1 s


def test_a_batch_that_takes_too_much_memory_is_played_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are the same; a full matrix, many arms and members of an ensemble take more memory."""
    experiment = parse_spec(SPEC.replace("reporting_seeds = 2", "reporting_seeds = 5\nlabel_noise = 0.1"))
    (batch,) = reporting_batches(experiment, {})
    encoded = Data().load(batch.world)
    whole = play_batch(batch, encoded)
    assert len(whole.tables) == 1
    monkeypatch.setattr("neucb.sweeps.play.batch.MEMORY", 2.5 * memory(batch, encoded))
    parts = play_batch(batch, encoded)
    assert [table.num_rows for table in parts.tables] == [len(whole.tables[0]) * n // 5 for n in (2, 2, 1)]
    assert pa.concat_tables(parts.tables).equals(whole.tables[0].combine_chunks())
    kept = [
        memory(dataclasses.replace(batch, settings=find_recipe(name).settings(settings)), encoded)
        for name, settings in (
            ("neural-ucb", {}),
            ("neural-ucb", {"matrix": "full", "width": 10}),
            ("neural-bootstrap", {"members": 50}),
            ("neural-ucb", {"depth": 3}),
        )
    ]
    assert kept[0] < kept[1] < 1e9
    assert kept[0] < kept[2]
    assert kept[3] - kept[0] == 4 * 4 * 2 * 100**2  # two further layers, and three copies
    assert memory(batch, encoded) == 8 * 3 * 4**2 * 2  # iris: K = 3, d = 4
