"""Results on disk and the plot: whole files or none, and what the figure shows."""

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
def job() -> Run:
    made = prepare("kl", "iris", 80, 3, label_noise=0.2)
    made.play()
    return made


def test_the_log_reads_back_as_it_was(job: Run, tmp_path: Path) -> None:
    saved = save(job, tmp_path / "new" / "folder")
    assert_holds(saved.log, job.frame())
    assert saved.frame().equals(pd.read_parquet(saved.log))


def assert_holds(log: Path, frame: pd.DataFrame) -> None:
    """Assert that a log has all columns of a frame; it has further ones that a sweep's has too."""
    stored = pd.read_parquet(log)
    assert {"agent_label", "split", "preprocessing", "order", "label_noise", "config_id", "engine"} <= set(
        stored
    )
    pd.testing.assert_frame_equal(stored[[*frame]], frame, check_exact=True, check_dtype=False)


def test_playing_again_keeps_what_was_known_in_hindsight(tmp_path: Path) -> None:
    def play(**settings: float) -> Run:
        made = prepare("kl", "iris", 60, 2, settings=settings)
        made.play()
        return made

    first = play()
    first.extra = {"L_star_class": np.arange(float(len(first.frame())))}
    log = save(first, tmp_path).log
    assert save(play(), tmp_path).log == log
    assert_holds(log, first.frame())
    changed = play()  # as by code that has changed since: what was known is of other numbers
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


def test_the_name_follows_the_configuration(job: Run) -> None:
    again = prepare("kl", "iris", 80, 3, label_noise=0.2)
    again.play()
    assert stem(again) == stem(job)
    other = prepare("kl", "iris", 80, 3, label_noise=0.1)
    other.play()
    assert stem(other) != stem(job)


def test_a_full_disk_leaves_no_half_file(job: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(job, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NeucbError, match=r"No space left on device; name another folder with out=..."):
        save(job, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_figure_shows_the_frame(job: Run) -> None:
    frame = job.frame()
    figure = regret_figure(frame)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    curve, fixed, shape = axes.get_lines()[:3]  # the others lead to labels
    table = frame.pivot(index="round", columns="seed", values="regret")
    np.testing.assert_allclose(np.asarray(curve.get_ydata(), dtype=float), table.mean(axis=1))
    np.testing.assert_allclose(np.asarray(curve.get_xdata(), dtype=float), table.index)
    assert fixed.get_label() == "best fixed arm"
    assert shape.get_linestyle() == "--"
    assert "fitted to kl" in str(shape.get_label())
    assert len(axes.collections) == 1  # one band
    (caption,) = figure.texts
    assert "3 seeds" in caption.get_text()


def test_without_noise_the_shape_says_that_l_star_is_nought() -> None:
    job = prepare("kl", "iris", 50, 1)
    job.play()
    (axes,) = regret_figure(job.frame()).axes
    assert any("L* = 0" in str(line.get_label()) for line in axes.get_lines())
    assert len(axes.collections) == 0  # one seed has no band
