"""Names of batches cover code, data and settings: after a change no old row is returned."""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import neucb
from neucb.agents.losses import KL
from neucb.agents.recipes.registry import RECIPES, find_recipe
from neucb.environments.sources.catalogue import fingerprint
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
SPEC_OF_ONE = """
[experiment]
name = "one"
rounds = 40
datasets = ["iris"]
label_noise = 0.1
reporting_seeds = 2
engine = "{engine}"

[[agents]]
name = "{agent}"
"""


def change(**values: object) -> Callable[[Experiment], Experiment]:
    return lambda experiment: dataclasses.replace(experiment, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        change(rounds=41),
        change(order=("sorted",)),
        change(label_noise=(0.1,)),
        change(preprocessing=("paper",)),
        change(engine="torch"),
        change(dtype="float64"),
        change(reporting_seeds=(1, 2)),
        change(options={"delay": 3}),
        lambda spec: change(agents=(dataclasses.replace(spec.agents[0], settings={"gamma": 11.0}),))(spec),
        lambda spec: change(agents=(dataclasses.replace(spec.agents[0], name="fastcb"),))(spec),
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


def test_changed_code_returns_no_old_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play(SPEC, tmp_path).played == 2
    assert "set aside" not in capsys.readouterr().out
    for module in ("plan", "sweep"):
        monkeypatch.setattr(f"neucb.sweeps.{module}.code_version", lambda *_: "another")
    assert play(SPEC, tmp_path).played == 2
    assert capsys.readouterr().out.count("was played by other code") == 1
    assert play(SPEC, tmp_path).played == 0
    assert "set aside" not in capsys.readouterr().out


def test_the_code_hash_ignores_docstrings_and_layout() -> None:
    source = 'def f(x):\n    """Double."""\n    return 2 * x  # twice\n'
    assert code_hash([source]) == code_hash(['def f(x):\n    """Twice."""\n\n    return 2*x\n'])
    assert code_hash([source]) != code_hash([source.replace("2 *", "3 *")])
    assert code_hash([source, ""]) != code_hash([source.replace("f(", "g("), ""])
    assert all(neucb.core.provenance.library_version(name) for name in identity.LIBRARIES)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("agent", RECIPES)
def test_the_hash_covers_every_executed_file(agent: str, engine: str) -> None:
    """Except the registry, which only looks up the recipe: the hash covers the agent's own row."""
    text = SPEC_OF_ONE.format(agent=agent, engine=engine)
    (batch,) = reporting_batches(parse_spec(text), {})
    encoded = Data(source="bundled").load(batch.world)
    entered: set[Path] = set()

    def enter(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            entered.add(Path(frame.f_code.co_filename))

    threading.setprofile(enter)
    sys.setprofile(enter)
    try:
        outcome = play_batch(batch, encoded)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert outcome.tables or "compiled engine" in outcome.failures[0].reason
    hashed = identity.files_of(find_recipe(agent))
    inside = {path for path in entered if path.is_relative_to(identity.PACKAGE)}
    inside -= {identity.PACKAGE / "agents" / "recipes" / "registry.py"}
    assert len(inside) > 10
    assert inside <= hashed


def test_an_added_recipe_renames_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed row of another recipe renames no batch either; the own recipe's row does."""
    (batch,) = reporting_batches(parse_spec(SPEC), {})
    before = batch.name({})
    recipe = find_recipe(batch.agent)
    other = dataclasses.replace(find_recipe("kl"), name="another", defaults=(("lr", 0.3),))
    monkeypatch.setitem(RECIPES, "another", other)
    assert batch.name({}) == before
    monkeypatch.setitem(RECIPES, "kl", other)
    assert batch.name({}) == before
    monkeypatch.setitem(RECIPES, batch.agent, dataclasses.replace(recipe, summary="in other words"))
    assert batch.name({}) == before
    monkeypatch.setitem(
        RECIPES, batch.agent, dataclasses.replace(recipe, defaults=(("regularization", 7.0),))
    )
    assert batch.name({}) != before


def test_registry_files_are_in_no_hash() -> None:
    rows = {"registry.py", "network.py", "linear.py"}
    for recipe in RECIPES.values():
        files = {path.relative_to(identity.PACKAGE) for path in identity.files_of(recipe)}
        assert not files & {Path("agents/recipes") / name for name in rows}
        assert Path("engines/lockstep/block_loop.py") in files  # imported within a function
        assert not any(path.parts[0] in ("cli", "plots", "report") for path in files)


def test_the_hash_of_a_fit_covers_no_agent() -> None:
    files = identity.closure(identity.FITTING, identity.ROWS, skipped=("neucb.agents", "neucb.engines"))
    names = {path.relative_to(identity.PACKAGE).as_posix() for path in files}
    assert {"theory/fitting.py", "theory/best_in_class.py", "environments/classification.py"} <= names
    assert not any(name.startswith(("agents/", "engines/")) for name in names)


def test_a_fit_is_named_by_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of an agent's class its old fits are not returned."""
    (batch,) = reporting_batches(parse_spec(SPEC), {})
    fit = dataclasses.replace(batch, split="hindsight")
    before = fit.name({})
    recipe = dataclasses.replace(find_recipe("squarecb"), loss=KL)
    monkeypatch.setitem(RECIPES, "squarecb", recipe)
    assert fit.name({}) != before


def test_a_changed_file_returns_no_old_row(tmp_path: Path) -> None:
    """One value differs, with the same name, size and modification time."""
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


def test_the_fingerprint_depends_on_the_data(tmp_path: Path) -> None:
    assert fingerprint("iris") != fingerprint("covertype", source="bundled")
    assert fingerprint("iris")["version"]
    assert len(fingerprint("covertype", source="bundled")["sha256"]) == 64


def test_a_table_in_memory_is_hashed_completely(tmp_path: Path) -> None:
    """Every batch sees all rows; an equal table is found again, a changed one is not."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=90), "b": rng.normal(size=90)})
    frame["label"] = (frame["a"] > 0).map({True: "yes", False: "no"})
    text = SPEC.replace('"iris"', '"mine"').replace("rounds = 40", "")
    text += '[[agents]]\nname = "uniform"\n[[agents]]\nname = "fastcb"\n'
    (tmp_path / "spec.toml").write_text(text)

    def once(table: pd.DataFrame) -> pd.DataFrame:
        return neucb.sweep(tmp_path / "spec.toml", tmp_path / "out", jobs=1, tables={"mine": table})

    first = once(frame)
    assert first.groupby("agent_label")["round"].max().tolist() == [90, 90, 90]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    pd.testing.assert_frame_equal(once(frame.copy()), first, check_exact=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == times
    changed = frame.copy()
    changed.loc[89, "label"] = "no" if frame.loc[89, "label"] == "yes" else "yes"  # the last value
    assert once(changed)["loss"].tolist() != first["loss"].tolist()


def test_seeds_give_different_runs(tmp_path: Path) -> None:
    play(SPEC.replace("reporting_seeds = 2", "reporting_seeds = 60"), tmp_path)  # two batches
    frame = neucb.load_results(tmp_path)
    curves = frame.groupby("seed")["loss"].agg(tuple)
    assert len(curves) == 60
    assert curves.nunique() > 50  # short runs may lose as much by chance


def test_the_code_of_a_user_agent_names_its_batches(tmp_path: Path) -> None:
    """The code of the agent is part of the name."""
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
    assert set(neucb.load_results(tmp_path / "out")["agent_label"]) == {"Mine"}
    (tmp_path / "mine.py").write_text(source.replace("1 / spec.arms)", "1 / spec.arms) * 1.0"))
    assert play(text, tmp_path / "out").played == 2


def test_every_hyper_parameter_has_one_type() -> None:
    """Equal types in all recipes, so that all files have one schema."""
    from neucb.agents.recipes.registry import RECIPES

    kinds: dict[str, set[bool]] = {}
    for recipe in RECIPES.values():
        for parameter in recipe.parameters:
            kinds.setdefault(parameter.name, set()).add(bool(parameter.choices))
    assert all(len(kind) == 1 for kind in kinds.values())
    assert len(schema().names) == len(set(schema().names))


def test_large_tables_are_memory_mapped(tmp_path: Path) -> None:
    """A large table is memory-mapped with the same rows; a small one is not."""
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
    first, second = play_batch(batch, mapped), play_batch(batch, plain)
    assert first.tables[0].equals(second.tables[0])
    assert iris.key != digits.key


def test_duckdb_reads_the_results(tmp_path: Path) -> None:
    play(SPEC + '[[agents]]\nname = "uniform"\n[[agents]]\nname = "kl"\n', tmp_path)
    frame = neucb.load_results(tmp_path)
    logs = f"'{tmp_path}/*.parquet' group by agent_label order by agent_label"
    query = f"select agent_label, count(*), sum(loss) from {logs}"
    relation = duckdb.sql(query)
    assert relation is not None
    rows = relation.fetchall()
    expected = frame.groupby("agent_label")["loss"].agg(["size", "sum"])
    assert rows == [(label, size, pytest.approx(total)) for label, (size, total) in expected.iterrows()]


def test_a_finished_sweep_is_resumed_fast(tmp_path: Path) -> None:
    """120 batches; 1,000 batches in a new process took 1.4 to 2.0 s."""
    text = SPEC.replace("rounds = 40", "rounds = 2\nlabel_noise = " + str([i / 200 for i in range(120)]))
    experiment = parse_spec(text)
    sweep(experiment, tmp_path, lambda tasks: local(tasks, 1), Data())
    started = time.process_time()
    report = sweep(experiment, tmp_path, lambda tasks: local(tasks, 1), Data())
    assert report.found == 240
    assert time.process_time() - started < 1.0  # measured: 0.1 s


def test_a_large_batch_is_played_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are unchanged; a full covariance, depth and ensembles need more memory."""
    experiment = parse_spec(SPEC.replace("reporting_seeds = 2", "reporting_seeds = 5\nlabel_noise = 0.1"))
    (batch,) = reporting_batches(experiment, {})
    encoded = Data().load(batch.world)
    whole = play_batch(batch, encoded)
    assert len(whole.tables) == 1
    monkeypatch.setattr("neucb.sweeps.play.batch.MEMORY", 2.5 * memory(batch, encoded))
    parts = play_batch(batch, encoded)
    assert [table.num_rows for table in parts.tables] == [len(whole.tables[0]) * n // 5 for n in (2, 2, 1)]
    assert pa.concat_tables(parts.tables).equals(whole.tables[0].combine_chunks())
    sizes = [
        memory(dataclasses.replace(batch, settings=find_recipe(name).settings(settings)), encoded)
        for name, settings in (
            ("neural-ucb", {}),
            ("neural-ucb", {"covariance": "full", "width": 10}),
            ("neural-bootstrap", {"members": 50}),
            ("neural-ucb", {"depth": 3}),
        )
    ]
    assert sizes[0] < sizes[1] < 1e9
    assert sizes[0] < sizes[2]
    assert sizes[3] - sizes[0] == 4 * 4 * 2 * 100**2  # two more layers, three copies each
    assert memory(batch, encoded) == 8 * 3 * 4**2 * 2  # iris: K = 3, d = 4
