"""Stored results and the plot: complete files or none, and the content of the figure."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neucb.core.errors import NeucbError
from neucb.plots.kinds.regret import regret_figure
from neucb.runs.api import prepare
from neucb.runs.run import Run
from neucb.runs.save import save, stem


@pytest.fixture(scope="module")
def run() -> Run:
    run = prepare("kl", "iris", 80, 3, label_noise=0.2)
    run.play()
    return run


def test_a_saved_log_reads_back(run: Run, tmp_path: Path) -> None:
    saved = save(run, tmp_path / "new" / "folder")
    assert_holds(saved.log, run.frame())
    assert saved.frame().equals(pd.read_parquet(saved.log))


def assert_holds(log: Path, frame: pd.DataFrame) -> None:
    """Assert that a log has all columns of a frame, and those of a sweep's logs."""
    stored = pd.read_parquet(log)
    assert {"agent_label", "split", "preprocessing", "order", "label_noise", "config_id", "engine"} <= set(
        stored
    )
    pd.testing.assert_frame_equal(stored[[*frame]], frame, check_exact=True, check_dtype=False)


def test_playing_again_keeps_best_in_class_columns(tmp_path: Path) -> None:
    def play(**settings: float) -> Run:
        run = prepare("kl", "iris", 60, 2, settings=settings)
        run.play()
        return run

    first = play()
    first.extra = {"L_star_class": np.arange(float(len(first.frame())))}
    log = save(first, tmp_path).log
    assert save(play(), tmp_path).log == log
    assert_holds(log, first.frame())
    changed = play()  # changed numbers, as after a change of code
    frame_of = changed.frame

    def other(columns: Mapping[str, Any] | None = None) -> pd.DataFrame:
        return frame_of(columns).assign(regret=lambda rows: rows["regret"] + 1.0)

    changed.frame = other  # type: ignore[method-assign]
    save(changed, tmp_path)
    assert_holds(log, changed.frame())
    assert "L_star_class" not in pd.read_parquet(log)
    log.write_bytes(b"damaged")
    save(play(), tmp_path)
    assert_holds(log, play().frame())


def test_the_file_name_depends_on_the_configuration(run: Run) -> None:
    same = prepare("kl", "iris", 80, 3, label_noise=0.2)
    same.play()
    assert stem(same) == stem(run)
    other = prepare("kl", "iris", 80, 3, label_noise=0.1)
    other.play()
    assert stem(other) != stem(run)


def test_a_full_disk_leaves_no_partial_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(run, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NeucbError, match=r"No space left on device; name another folder with out=..."):
        save(run, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_regret_figure_shows_the_frame(run: Run) -> None:
    frame = run.frame()
    figure = regret_figure(frame)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    curve, fixed, shape = axes.get_lines()[:3]  # the other lines lead to labels
    table = frame.pivot(index="round", columns="seed", values="regret")
    np.testing.assert_allclose(np.asarray(curve.get_ydata(), dtype=float), table.mean(axis=1))
    np.testing.assert_allclose(np.asarray(curve.get_xdata(), dtype=float), table.index)
    assert fixed.get_label() == "best fixed arm"
    assert shape.get_linestyle() == "--"
    assert "fitted to kl" in str(shape.get_label())
    assert len(axes.collections) == 1  # one band
    (caption,) = figure.texts
    assert "3 seeds" in caption.get_text()


def test_without_noise_the_label_states_l_star_0() -> None:
    run = prepare("kl", "iris", 50, 1)
    run.play()
    (axes,) = regret_figure(run.frame()).axes
    assert any("L* = 0" in str(line.get_label()) for line in axes.get_lines())
    assert len(axes.collections) == 0  # one seed has no band
