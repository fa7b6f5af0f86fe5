"""Best-in-class fits of a sweep: one per class, world and seed; stored, resumed and shown."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

import neucb
from neucb.core.errors import InputError
from neucb.plots import draw
from neucb.report.bounds import best_in_class_table
from neucb.runs.api import prepare
from neucb.runs.run import Run
from neucb.sweeps.play.data import Data
from neucb.sweeps.play.execute import local
from neucb.sweeps.play.progress import Report
from neucb.sweeps.spec.reading import parse_spec
from neucb.sweeps.store.load_sweep import FITS as FOLDER
from neucb.sweeps.store.read_results import read_results
from neucb.sweeps.sweep import sweep
from neucb.theory.best_in_class import COLUMNS, SWEPT, class_loss
from neucb.theory.bounds import kl_star_shape
from tests.support.command import neucb as command

SPEC = """
[experiment]
name = "best-in-class"
rounds = 120
tuning_seeds = "100:101"
reporting_seeds = 3
datasets = ["iris"]
label_noise = [0.0, 0.1]
order = ["shuffled", "weakest-class"]

[[agents]]
name = "kl"
settings = { width = 8 }
grid = { lr = [0.5, 1.0] }
best_in_class_seeds = 2

[[agents]]
name = "kl-perturbed"
settings = { width = 8 }
best_in_class_seeds = 3

[[agents]]
name = "linucb"
best_in_class_seeds = 1

[[agents]]
name = "uniform"
"""
FITS = 2 * (3 + 1)  # per label noise: both networks share three fits, linucb has one


def play(folder: Path, spec: str = SPEC, jobs: int = 1) -> tuple[Report, Report]:
    report = sweep(parse_spec(spec), folder, lambda tasks: local(tasks, jobs), Data())
    assert report.fits is not None
    assert report.failures == report.fits.failures == []
    return report, report.fits


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    report, fits = play(folder)
    assert report.played == report.runs == 2 * 2 * (2 + 3 * 4)
    assert (fits.runs, fits.played, fits.found) == (FITS, FITS, 0)
    return folder


def test_a_fit_equals_that_of_a_single_run(played: Path) -> None:
    """The fit equals that of `neucb run --best-in-class`, which uses a trace."""
    frame = neucb.load_results(played)
    own = frame[(frame["agent_label"] == "kl-perturbed") & (frame["label_noise"] == 0.1)]
    own = own[own["order"] == "shuffled"]
    run = prepare("kl-perturbed", "iris", 120, 3, settings={"width": 8}, label_noise=0.1, trace=True)
    run.play()
    expected = class_loss(run, SWEPT)
    for r in range(3):
        rows = own[own["seed"] == r]
        assert rows["round"].tolist() == expected.rounds.tolist()
        np.testing.assert_allclose(rows["L_star_class"], expected.best_loss[r])
        assert (rows["class_spread"] == expected.fits[r].spread).all()
        assert (rows["class_held_out"] == expected.fits[r].held_out).all()
    assert own["L_star_class"].max() < own["loss"].max()


def test_agents_of_a_class_share_fits_on_the_requested_seeds(played: Path) -> None:
    frame = neucb.load_results(played)
    last = frame[(frame["split"] == "reporting") & (frame["round"] == 120)]
    assert last.loc[last["order"] != "shuffled", "L_star_class"].isna().all()
    table = last[last["order"] == "shuffled"].pivot(
        index=["label_noise", "seed"], columns="agent_label", values="L_star_class"
    )
    assert table["kl-perturbed"].notna().all()
    first = table.index.get_level_values("seed") < 2
    np.testing.assert_array_equal(table.loc[first, "kl"], table.loc[first, "kl-perturbed"])
    assert table.loc[~first, "kl"].isna().all()
    assert table["linucb"].notna().tolist() == [True, False, False] * 2
    assert (table["linucb"] != table["kl"]).all()
    assert table["uniform"].isna().all()
    assert frame.loc[frame["split"] == "tuning", list(COLUMNS)].isna().all(axis=None)


@pytest.mark.slow
def test_missing_fits_are_made_again(played: Path, tmp_path: Path) -> None:
    before = neucb.load_results(played)
    folder = tmp_path / "copy"
    shutil.copytree(played, folder)
    assert play(folder)[1].found == FITS
    lost = sorted((folder / FOLDER).glob("*.parquet"))[:2]
    lost[0].unlink()
    lost[1].write_bytes(b"half")
    with pytest.warns(UserWarning, match="2 best-in-class fits are missing"):
        assert len(neucb.load_results(folder)) == len(before)
    report, fits = play(folder, jobs=2)
    assert (report.played, fits.found, fits.played) == (0, FITS - 2, 2)
    assert neucb.load_results(folder).equals(before)


def test_a_failed_fit_is_reported_by_every_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Run) -> None:
        raise InputError("nothing to fit")

    monkeypatch.setattr("neucb.sweeps.play.batch.class_table", fail)
    spec = SPEC.replace("label_noise = [0.0, 0.1]\n", "").replace(', "weakest-class"', "")
    report = sweep(parse_spec(spec), tmp_path, lambda tasks: local(tasks, 1), Data())
    assert report.fits is not None
    assert len(report.fits.failures) == FITS // 2
    message = (
        "4 best-in-class fits failed, their L_star_class is missing (class of kl on iris, seed 0: nothing"
    )
    with pytest.warns(UserWarning, match=re.escape(message)) as caught:
        frame = neucb.load_results(tmp_path)
    assert len(caught) == 1
    assert frame["L_star_class"].isna().all()
    lines: list[str] = []
    read_results([tmp_path], lines.append)
    assert [message in line for line in lines] == [True]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert command(monkeypatch, "results", str(tmp_path)) == 0
    assert [message in line for line in capsys.readouterr().err.splitlines()] == [True]


def test_a_spec_without_fits_keeps_stored_fits(played: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(played, folder)
    without = "\n".join(line for line in SPEC.splitlines() if not line.startswith("best_in_class_seeds"))
    report, fits = play(folder, without)
    assert (report.played, fits.runs) == (0, 0)
    assert "L_star_class" not in neucb.load_results(folder)
    report, fits = play(folder)
    assert (report.played, fits.found, fits.played) == (0, FITS, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert neucb.load_results(folder).equals(neucb.load_results(played))


def test_report_and_plot_show_regret_against_the_class(played: Path) -> None:
    frame = read_results([played], pytest.fail).frame
    rows = {(row[0].text, row[1].text): row for row in best_in_class_table(frame).rows}
    assert len(rows) == 2 * 3
    row = rows["iris, label noise 0.1", "kl"]
    own = frame[(frame["dataset"] == "iris, label noise 0.1") & (frame["agent_label"] == "kl")]
    last = own[(own["round"] == 120) & (own["seed"] < 2)]
    best = last["L_star_class"].to_numpy()
    shape = np.mean([kl_star_shape(np.array([120]), np.array([value]), 3)[0] for value in best])
    regret = (last["regret"] + last["L_star"]).mean() - best.mean()
    metrics = [best.mean(), last["class_trained"].mean(), last["class_held_out"].mean()]
    assert [cell.key for cell in (row[2], row[4], row[5])] == pytest.approx(metrics, rel=1e-5)
    metrics = [last["class_spread"].max(), regret, shape, regret / shape]
    assert [cell.key for cell in row[6:10]] == pytest.approx(metrics, rel=1e-5)
    assert [cell.text for cell in row[10:]] == ["2"]  # only single runs have a regression regret
    figure = draw(frame, "lstar", bounds=True)
    assert "regret is against that policy" in " ".join(text.get_text() for text in figure.texts)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    lines = panels["iris, label noise 0.1, L* of the class"].get_lines()
    labels = [str(line.get_label()) for line in lines]
    assert labels[:3] == ["kl", "kl-perturbed", "linucb"]
    assert any("fitted to kl-perturbed" in label for label in labels[3:])
    np.testing.assert_allclose(np.asarray(lines[0].get_xdata(), dtype=float)[-1], best.mean())
    np.testing.assert_allclose(np.asarray(lines[0].get_ydata(), dtype=float)[-1], regret)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("best_in_class_seeds = 3", "best_in_class_seeds = 4", "line 20: best_in_class_seeds is at most 3"),
        (
            "best_in_class_seeds = 3",
            "best_in_class_seeds = true",
            "line 20: best_in_class_seeds must be a number of reporting seeds",
        ),
        (
            'name = "uniform"',
            'name = "uniform"\nbest_in_class_seeds = 1',
            "line 28: uniform has no class of its own",
        ),
        (
            'name = "linucb"',
            'name = "linucb"\nsettings = { feature_map = "fourier" }',
            "not of feature_map=fourier",
        ),
        ('"shuffled", ', "", "rows of order weakest-class depend on the agent"),
        ('["iris"]', '["iris", "synthetic:cosine"]', "synthetic:cosine is no classification data"),
    ],
)
def test_specs_without_a_best_policy_are_rejected(old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_spec(SPEC.replace(old, new, 1))
