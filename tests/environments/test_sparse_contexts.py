"""Wide tables keep their contexts in compressed rows: equal to dense ones, from the file to the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import neucb
from neucb.agents.initialisation import draw_input, draw_whole_sparse_network, hash_columns
from neucb.core.errors import DataError, InputError
from neucb.environments.classification import ClassificationVectorEnv, load
from neucb.environments.contexts import (
    dense_rows,
    density,
    differ_from_first,
    finite_rows,
    is_read_only,
    is_sparse,
    size,
)
from neucb.environments.openml.data_file import read_arff
from neucb.environments.preprocessing import Encoded, encode, encode_columns
from neucb.environments.ranking import read_ranking
from neucb.environments.table import Column, Table, sparse_columns
from neucb.environments.tables.table_file import Reading, from_frame, read_file
from neucb.runs.api import prepare
from neucb.theory.best_in_class import class_loss
from neucb.theory.diagnose import diagnose
from neucb.theory.diagnosis import Question
from tests.support.tables import one_hot

N, D = 120, 1100
NOTE = f"{D:,} sparse columns are divided by their largest absolute value, not standardised"

pytestmark = pytest.mark.filterwarnings("ignore:.*linear models of .* features keep the diagonal")


def matrix(seed: int = 0, share: float = 0.02) -> NDArray[np.float64]:
    """Values [N, D], a share of them nonzero, and every column in some row."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((N, D)) < share, rng.normal(size=(N, D)), 0.0)
    values[rng.integers(0, N, D), np.arange(D)] = rng.uniform(0.5, 2.0, D)
    return values


def sparse_table(values: NDArray[np.float64], *columns: Column) -> Table:
    """A table of three classes with sparse columns behind others."""
    labels = np.arange(len(values)) % 3
    names = [f"x{j}" for j in range(values.shape[1])]
    return Table("wide", columns, labels, ("a", "b", "c"), "memory", sparse=sparse_columns(values, names))


def unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norm == 0.0, 1.0, norm)


def test_standard_divides_sparse_columns_by_their_largest_value() -> None:
    values = matrix()
    values[:, 3] = 2.0  # constant
    encoded = encode(sparse_table(values))
    varying = np.delete(values, 3, axis=1)
    expected = unit(varying / np.abs(varying).max(axis=0))
    assert is_sparse(encoded.contexts)
    np.testing.assert_allclose(encoded.contexts.toarray(), expected, atol=1e-6)
    assert encoded.notes == (
        f"{D:,} sparse columns are divided by their largest absolute value, not standardised",
    )


def test_paper_leaves_sparse_columns_unchanged() -> None:
    values = matrix()
    encoded = encode(sparse_table(values), "paper")
    assert is_sparse(encoded.contexts)
    np.testing.assert_allclose(encoded.contexts.toarray(), unit(values), atol=1e-6)
    assert encoded.notes == ()
    assert encode(sparse_table(values), "paper").contexts.data is not encoded.contexts.data


@pytest.mark.parametrize("preprocessing", ["zscore", "centered"])
def test_encodings_that_would_fill_sparse_columns_are_refused(preprocessing: str) -> None:
    with pytest.raises(DataError, match=f"{preprocessing} gives 1,100 sparse columns a mean of 0"):
        encode(sparse_table(matrix()), preprocessing)


def test_other_columns_stand_before_sparse_ones() -> None:
    values, number = matrix(), np.linspace(-1.0, 2.0, N)
    kind = np.arange(N) % 4 - 1  # -1 is missing, a category of its own
    table = sparse_table(
        values, Column("n", number), Column("k", kind, ("u", "v", "w")), Column("two", kind % 2, ("0", "1"))
    )
    encoded = encode(table)
    dense = encode_columns(table.columns, "standard", "wide").astype(np.float64)
    before = np.column_stack(
        [(number - number.mean()) / number.std(), *(kind == code for code in (0, 1, 2, -1))]
    )
    expected = unit(np.column_stack([before, kind % 2, values / np.abs(values).max(axis=0)]))
    np.testing.assert_allclose(dense_rows(encoded.contexts, np.arange(N)), expected, atol=1e-6)
    np.testing.assert_allclose(unit(expected[:, :6]), dense, atol=1e-6)


def test_wide_one_hot_contexts_equal_dense_ones() -> None:
    rng = np.random.default_rng(1)
    words = tuple(f"w{j}" for j in range(1500))
    codes = np.concatenate([np.arange(1500), rng.integers(-1, 1500, 300)])
    columns = (Column("word", codes, words), Column("x", rng.normal(size=1800)))
    table = Table("cities", columns, np.arange(1800) % 2, ("a", "b"), "memory")
    encoded = encode(table)
    assert is_sparse(encoded.contexts)
    dense = encode_columns(columns, "standard", "cities")
    np.testing.assert_allclose(encoded.contexts.toarray(), dense, atol=1e-7)
    assert size(encoded.contexts) < dense.nbytes / 100


def test_narrow_or_dense_contexts_stay_dense() -> None:
    assert not is_sparse(encode(one_hot()).contexts)
    rng = np.random.default_rng(2)
    columns = tuple(Column(f"x{j}", rng.normal(size=30)) for j in range(1200))
    assert not is_sparse(encode(Table("d", columns, np.arange(30) % 2, ("a", "b"), "memory")).contexts)


def write_libsvm(path: Path, values: NDArray[np.float64], labels: NDArray[Any]) -> None:
    lines = (
        f"{label} " + " ".join(f"{j + 1}:{row[j]:.17g}" for j in np.flatnonzero(row))
        for label, row in zip(labels, values, strict=True)
    )
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def test_wide_libsvm_file_stays_sparse(tmp_path: Path) -> None:
    values, labels = matrix(), np.arange(N) % 3
    write_libsvm(tmp_path / "wide.libsvm", values, labels)
    lines: list[str] = []
    encoded = load(str(tmp_path / "wide.libsvm"), notify=lines.append)
    assert is_sparse(encoded.contexts)
    np.testing.assert_allclose(
        encoded.contexts.toarray(), unit(values / np.abs(values).max(axis=0)), atol=1e-6
    )
    assert encoded.table.sparse is not None
    assert list(encoded.table.sparse.names[:2]) == ["x0", "x1"]
    assert lines == [
        "wide: 1,100 sparse columns are divided by their largest absolute value, not standardised"
    ]
    described = ClassificationVectorEnv(encoded).describe()
    assert described["sparse"] is True
    assert described["notes"] == list(encoded.notes)


def write_arff(path: Path, rows: list[str], label: str = "{a,b,c}", columns: int = D) -> None:
    head = [f"@attribute x{j} numeric" for j in range(columns)]
    lines = ["@relation w", *head, "@attribute colour {red,blue}", f"@attribute y {label}", "@data", *rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def sparse_rows(values: NDArray[np.float64]) -> list[str]:
    """Rows of a sparse ARFF file, with a colour in every second row and labels in turn."""
    rows = []
    for i, row in enumerate(values):
        entries = [f"{j} {row[j]:.17g}" for j in np.flatnonzero(row)]
        entries += [f"{D} blue"] * (i % 2) + [f"{D + 1} {'abc'[i % 3]}"]
        rows.append("{" + ", ".join(entries) + "}")
    return rows


def test_wide_sparse_arff_file_stays_sparse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neucb.environments.arff.entries.BLOCK", 500)  # several blocks
    values = matrix()
    rows = sparse_rows(values)
    dense = [f"{value:.17g}" for value in values[7]]
    rows[7] = ",".join([*dense, "blue", "b"])  # a dense row among sparse ones
    write_arff(tmp_path / "wide.arff", rows)
    table = read_file(tmp_path / "wide.arff")
    assert table.sparse is not None
    np.testing.assert_allclose(table.sparse.values.toarray(), values, rtol=1e-6)
    assert [column.name for column in table.columns] == ["colour"]
    np.testing.assert_array_equal(table.columns[0].values, np.arange(N) % 2)
    np.testing.assert_array_equal(table.labels, np.arange(N) % 3)
    content = read_arff(tmp_path / "wide.arff")  # reader of OpenML's files
    assert content.sparse is not None
    assert (len(content.columns), len(content.sparse.names)) == (2, D)
    named = read_file(tmp_path / "wide.arff", Reading("y", {"x5": "number"}))
    assert named.sparse is not None
    assert [column.name for column in named.columns] == ["x5", "colour"]
    np.testing.assert_allclose(named.columns[0].values, values[:, 5], rtol=1e-6)
    assert "x5" not in named.sparse.names


def test_missing_values_of_a_sparse_arff_file_are_kept(tmp_path: Path) -> None:
    rows = sparse_rows(matrix())
    rows[3] = "{2 ?, 4 7, 1101 b}"
    write_arff(tmp_path / "wide.arff", rows)
    table = read_file(tmp_path / "wide.arff")
    assert table.sparse is not None
    assert [column.name for column in table.columns] == ["x2", "colour"]
    assert table.columns[0].missing == 1
    assert len(table.sparse.names) == D - 1
    np.testing.assert_allclose(
        np.nan_to_num(table.columns[0].values), np.where(np.arange(N) == 3, 0, matrix()[:, 2])
    )


def test_label_of_numbers_in_a_sparse_arff_file(tmp_path: Path) -> None:
    """The last column is the label, a number too."""
    rows = [
        row.replace(" a}", " 1}").replace(" b}", " 2}").replace(" c}", " 3}") for row in sparse_rows(matrix())
    ]
    write_arff(tmp_path / "wide.arff", rows, "numeric")
    table = read_file(tmp_path / "wide.arff")
    assert table.classes == ("1", "2", "3")
    assert table.sparse is not None
    assert len(table.sparse.names) == D


def test_bad_number_of_a_sparse_arff_file_names_its_line(tmp_path: Path) -> None:
    rows = sparse_rows(matrix())
    rows[9] = "{2 7, 4 seven, 1101 b}"
    write_arff(tmp_path / "wide.arff", rows)
    with pytest.raises(DataError, match=rf"line {D + 14}: 'seven' is no number \(attribute 'x4'\)"):
        read_file(tmp_path / "wide.arff")


def test_dense_values_in_sparse_rows_stay_dense(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = sparse_rows(rng.uniform(1.0, 2.0, (20, D)))
    write_arff(tmp_path / "wide.arff", rows)
    table = read_file(tmp_path / "wide.arff")
    assert table.sparse is None
    assert len(table.columns) == D + 1


def test_ranking_reads_sparse_columns_as_dense(tmp_path: Path) -> None:
    values = matrix()
    write_libsvm(tmp_path / "wide.libsvm", values, np.linspace(0.0, 1.0, N))
    ranking = read_ranking(tmp_path / "wide.libsvm")
    assert ranking.contexts.shape == (N, D)


def test_text_column_is_hashed_on_request() -> None:
    import pandas as pd

    rng = np.random.default_rng(3)
    body = [" ".join(f"word{j}" for j in rng.integers(0, 400, 12)) for _ in range(60)]
    body[0] = ""
    frame = pd.DataFrame({"stars": rng.integers(1, 6, 60), "body": body, "label": np.arange(60) % 2})
    left_out = from_frame(frame)
    assert left_out.sparse is None
    assert any("columns=body=text" in note or "body" in note for note in left_out.notes)
    table = from_frame(frame, reading=Reading(columns={"body": "text"}))
    assert table.sparse is not None
    counts = table.sparse.values.toarray()
    assert counts[0].sum() == 0
    assert set(counts[1:].sum(axis=1)) == {12 + 11}  # words and pairs
    assert [one.kind for one in table.summaries] == ["number", "hashed text", "label"]
    assert "columns_left_out" not in table.provenance
    assert encode(table).contexts.shape == (60, 1 + counts.shape[1])


def test_text_without_words_is_refused() -> None:
    import pandas as pd

    frame = pd.DataFrame({"body": ["a", "b", "c", "d"], "label": [0, 1, 0, 1]})
    with pytest.raises(DataError, match="column 'body' holds no words"):
        from_frame(frame, reading=Reading(columns={"body": "text"}))


def test_rows_of_sparse_contexts_equal_those_of_dense_ones() -> None:
    contexts = encode(sparse_table(matrix())).contexts
    assert is_sparse(contexts)
    dense = contexts.toarray()
    rows = np.array([[3, 5], [0, 3]])
    np.testing.assert_array_equal(dense_rows(contexts, rows), dense[rows])
    assert density(contexts) == pytest.approx(np.count_nonzero(dense) / dense.size)
    some = np.array([7, 7, 2, 7])
    np.testing.assert_array_equal(differ_from_first(contexts, some), [False, False, True, False])
    np.testing.assert_array_equal(differ_from_first(dense, some), [False, False, True, False])
    assert not is_read_only(contexts)
    contexts.data[contexts.indptr[4]] = np.nan
    np.testing.assert_array_equal(np.flatnonzero(~finite_rows(contexts)), [4])
    contexts.data.setflags(write=False)
    assert is_read_only(contexts)


def test_bad_context_of_a_sparse_row_ends_the_run() -> None:
    encoded = encode(sparse_table(matrix()))
    assert is_sparse(encoded.contexts)
    encoded.contexts.data[encoded.contexts.indptr[4]] = np.nan
    for engine in ("compiled", "torch"):
        with pytest.raises(InputError, match="the context holds NaN or infinity"):
            neucb.run("squarecb", encoded, seeds=2, engine=engine, rounds=N)


def test_input_weights_depend_on_seed_and_input_alone() -> None:
    narrow, head = draw_whole_sparse_network(5, 2, 4, 3, "he")
    wide, same_head = draw_whole_sparse_network(5, 2, 9, 3, "he")
    np.testing.assert_array_equal(narrow[:, :, :3], wide[:, :, :3])
    np.testing.assert_array_equal(narrow[:, :, -1], wide[:, :, -1])  # the constant input
    np.testing.assert_array_equal(head, same_head)
    np.testing.assert_array_equal(wide[:, :, 6], draw_input(5, 6, 2, 3, "he"))
    columns = np.stack([draw_input(5, j, 20, 50, "he").ravel() for j in range(100)])
    assert columns.std() == pytest.approx(np.sqrt(2.0 / 50), rel=0.02)
    assert np.abs(np.corrcoef(columns[:5]) - np.eye(5)).max() < 0.15


@pytest.mark.parametrize("bits", [1, 9, 12])
def test_hashed_columns_are_spread_evenly(bits: int) -> None:
    column = hash_columns(2**14, bits)
    counts = np.bincount(column, minlength=2**bits)
    assert len(counts) == 2**bits
    assert counts.min() >= 2 ** (14 - bits) - 2
    assert counts.max() <= 2 ** (14 - bits) + 2
    assert hash_columns(1, 30)[0] < 2**30


SETTINGS: dict[str, dict[str, Any]] = {
    "squarecb": {},
    "linucb": {"regularization": [0.1, 0.3]},
    "falcon": {},
    "bagging": {},
    "lints": {"hash_bits": 9},
    "fastcb": {"hash_bits": 10, "gamma": [30.0, 100.0]},
    "kl": {},
    "kl-perturbed": {"width": 9, "lr": [0.1, 0.5]},
    "sq-perturbed": {"input_scaling": 0.0},
    "kl-perturbed-replay": {"width": 16},
    "sq": {"radius": 0.5},
    "neural-ucb": {"width": 16},
    "neural-linear": {"width": 16},
    "neural-falcon": {"width": 16},
    "neural-bootstrap": {"width": 16},
    "kl-perturbed-squarecb": {"perturbations": 5, "width": 9},
    "exp4": {},
    "supervised": {},
    "uniform": {},
}


@pytest.mark.parametrize("agent", SETTINGS)
def test_engines_agree_on_sparse_contexts(agent: str) -> None:
    """In float64; a fixed and a reacting order, fewer rounds than columns so that some stay undrawn."""
    encoded = encode(sparse_table(matrix()))
    for order in ("shuffled", "weakest-class"):
        logs = [
            neucb.run(
                agent,
                ClassificationVectorEnv(encoded, 2, order=order, horizon=100),
                seeds=(3, 8),
                settings=SETTINGS[agent],
                engine=engine,
                dtype="float64",
            )
            for engine in ("compiled", "torch")
        ]
        assert [log.attrs["engine"] for log in logs] == ["compiled", "torch"]
        for name in ("loss", "regret", "regression_loss", "propensity", "parameter_distance"):
            if name in logs[0]:
                np.testing.assert_allclose(logs[0][name], logs[1][name], rtol=1e-7, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("agent", ["squarecb", "epsilon-greedy"])
def test_linear_agents_play_sparse_contexts_as_dense_ones(agent: str) -> None:
    sparse = encode(sparse_table(matrix()))
    dense = replace(sparse, contexts=dense_rows(sparse.contexts, np.arange(N)))
    for settings in ({}, {"hash_bits": 8}):
        logs = [neucb.run(agent, data, seeds=2, settings=settings, rounds=N) for data in (sparse, dense)]
        np.testing.assert_allclose(logs[0]["regression_loss"], logs[1]["regression_loss"], rtol=1e-9)


def test_hashing_leaves_the_contexts_unchanged() -> None:
    encoded: Encoded = encode(sparse_table(matrix()))
    assert is_sparse(encoded.contexts)
    before = [
        part.copy() for part in (encoded.contexts.indptr, encoded.contexts.indices, encoded.contexts.data)
    ]
    neucb.run("squarecb", encoded, seeds=2, settings={"hash_bits": 4}, rounds=50)
    after = [encoded.contexts.indptr, encoded.contexts.indices, encoded.contexts.data]
    for first, second in zip(before, after, strict=True):
        np.testing.assert_array_equal(first, second)


def test_hashing_and_a_feature_map_exclude_each_other() -> None:
    encoded = encode(sparse_table(matrix()))
    settings = {"hash_bits": 4, "feature_map": "fourier"}
    for engine in ("compiled", "torch"):
        with pytest.raises(InputError, match="hash_bits is for feature_map=linear, not fourier"):
            neucb.run("squarecb", encoded, seeds=1, settings=settings, rounds=20, engine=engine)


def test_wide_file_is_read_from_the_sweep_and_in_workers(tmp_path: Path) -> None:
    write_libsvm(tmp_path / "wide.libsvm", matrix(), np.arange(N) % 3)
    spec = tmp_path / "s.toml"
    spec.write_text(
        f"""
[experiment]
name = "s"
rounds = 60
datasets = ["{tmp_path / "wide.libsvm"}"]
reporting_seeds = 2

[[agents]]
name = "squarecb"

[[agents]]
name = "kl"
settings = {{ width = 8 }}
"""
    )
    with pytest.warns(UserWarning, match=NOTE):
        frame = neucb.sweep(spec, out=tmp_path / "out", jobs=2)
    with pytest.warns(UserWarning, match=NOTE):
        alone = neucb.run("squarecb", str(tmp_path / "wide.libsvm"), seeds=range(2), rounds=60)
    found = frame[(frame["agent"] == "squarecb") & (frame["round"] == 60)]
    np.testing.assert_allclose(sorted(found["regret"]), sorted(alone[alone["round"] == 60]["regret"]))


def test_file_of_few_columns_is_read_as_before(tmp_path: Path) -> None:
    values = matrix()[:, :30]
    write_libsvm(tmp_path / "narrow.libsvm", values, np.arange(N) % 3)
    table = read_file(tmp_path / "narrow.libsvm")
    assert table.sparse is None
    assert not is_sparse(encode(table).contexts)


@pytest.mark.parametrize(("value", "words"), [("nan", "a missing number"), ("inf", "an infinite number")])
def test_flawed_numbers_of_sparse_columns_are_named(tmp_path: Path, value: str, words: str) -> None:
    write_libsvm(tmp_path / "wide.libsvm", matrix(), np.arange(N) % 3)
    lines = (tmp_path / "wide.libsvm").read_text().splitlines()
    lines[6] += f" 1101:{value}"
    (tmp_path / "wide.libsvm").write_text("\n".join(lines))
    with pytest.raises(DataError, match=f"column 'x1100' holds {words} in row 7"):
        read_file(tmp_path / "wide.libsvm")


def test_huge_numbers_of_sparse_columns_are_cut_off() -> None:
    values = matrix()
    values[5, 7] = 1e300
    encoded = encode(sparse_table(values), "paper")
    assert is_sparse(encoded.contexts)
    assert np.isfinite(encoded.contexts.data).all()
    assert encoded.contexts.toarray()[5, 7] == pytest.approx(1.0)


def test_ranking_names_sparse_columns_and_the_query(tmp_path: Path) -> None:
    values = matrix()
    write_libsvm(tmp_path / "wide.libsvm", values, np.linspace(0.0, 1.0, N))
    text = (tmp_path / "wide.libsvm").read_text().splitlines()
    lines = [line.replace(" ", f" qid:{i // 10} ", 1) for i, line in enumerate(text)]
    (tmp_path / "wide.libsvm").write_text("\n".join(lines))
    ranking = read_ranking(tmp_path / "wide.libsvm", Reading(columns={"x5": "skip"}), "qid")
    assert ranking.contexts.shape == (N, D - 1)
    assert ranking.queries is not None
    assert [len(rows) for rows in ranking.queries] == [10] * 12
    with pytest.raises(InputError, match="foo"):
        read_ranking(tmp_path / "wide.libsvm", group="foo")


def test_theory_reads_sparse_contexts() -> None:
    encoded = encode(sparse_table(matrix()))
    run = prepare("squarecb", encoded, rounds=40, seeds=1, trace=True)
    run.play()
    assert class_loss(run).best_loss.shape[0] == 1
    assert diagnose(encoded, Question(rounds=32), prepare).arms == 3
