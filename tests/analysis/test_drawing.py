"""Figures: names are drawn as they are, settings of the user change nothing, a failure costs no results."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from neucb.core.errors import InputError, NeucbError
from neucb.engines.log import GAUGES
from neucb.plots import KINDS, draw, save_figure
from neucb.plots.text import LONGEST, one_line
from neucb.report import render_report
from neucb.sweeps.store.read_results import Results
from tests.support.command import neucb
from tests.support.figures import synthetic_log
from tests.support.paths import ROOT

NAMES = [
    r"$a$ \frac{",
    r"$\nonsense$ and $",
    r"\$x\$",
    "_private",
    "^_\\{}%#&~",
    "<b>&amp;-->",
    "日本 😀",
    "שלום",
    "[red]x[/red]",
]
ERRORS = [
    MemoryError(),
    ValueError("two\nlines"),
    RuntimeError("latex was not found"),
    KeyError("glyph"),
    OSError(errno.ENOSPC, "No space left on device"),
]


@pytest.fixture(autouse=True)
def _without_warnings_of_glyphs() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the font of figures lacks")
        yield


def log_of(names: list[str], datasets: list[str]) -> Any:
    frame = synthetic_log(names, datasets, noise=0.1)
    return frame.assign(perturbation_rms=0.01 * frame["regret"])


def texts(figure: Figure) -> list[str]:
    """Return every text of a figure; none is taken for mathematics but those of the axes' own numbers."""
    found = [one for one in figure.findobj(Text) if isinstance(one, Text) and one.get_text().strip()]
    for one in found:
        axis = one.get_text().startswith(r"$\mathdefault{")
        assert axis or not (one.get_parse_math() and one.get_text().count("$") > 1), one
    return [one.get_text() for one in found]


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_names_are_drawn_as_they_are(kind: str, tmp_path: Path) -> None:
    bounds = kind in ("regret", "lstar", "regression")
    figure = draw(log_of(NAMES, [NAMES[1], NAMES[3]]), kind, bounds=bounds)
    for suffix in (".png", ".pdf", ".svg"):
        save_figure(figure, tmp_path / f"figure{suffix}")
    for name in NAMES:
        assert any(name in text for text in texts(figure)), name


def test_a_legend_has_the_names_that_begin_with_an_underscore() -> None:
    legend = draw(log_of(["kl", "sq"], ["_first", "$b$ $"]), "normalized").axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["_first", "$b$ $"]


def test_names_that_no_line_holds() -> None:
    assert one_line("a\nb\r\n\tc\x00\x1b[0m\u2028d\ud800") == "a b c [0m d"
    assert one_line("") == one_line(" \n") == "(no name)"
    long = "a" * 300 + "b" * 300
    assert len(one_line(long)) == LONGEST
    assert one_line(long) == "a" * 53 + "…" + "b" * 26
    assert one_line("a" * LONGEST) == "a" * LONGEST
    figure = draw(log_of([long, "a\nb"], [long, ""]), "regret")
    assert figure.get_size_inches()[0] < 20.0
    assert {"a b", "(no name)", one_line(long)} <= set(texts(figure))


def test_characters_that_the_font_lacks_are_named_once(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="^the font of figures lacks 日 本: drawn as boxes$") as caught:
        save_figure(draw(log_of(["日本", "本日"], ["d"]), "ranks"), tmp_path / "ranks.pdf")
    assert len({str(one.message) for one in caught}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_settings_of_the_user_change_no_figure(suffix: str, tmp_path: Path) -> None:
    usual, other = tmp_path / f"usual{suffix}", tmp_path / f"other{suffix}"
    save_figure(draw(synthetic_log(), bounds=True), usual)
    odd: Any = {
        "text.usetex": True,
        "font.size": -1.0,
        "savefig.format": "tiff",
        "savefig.bbox": "tight",
        "axes.xmargin": 3.0,
        "lines.linewidth": 9.0,
        "axes.formatter.use_mathtext": True,
        "svg.fonttype": "none",
        "path.sketch": (1.0, 100.0, 2.0),
    }
    with mpl.rc_context(odd):
        save_figure(draw(synthetic_log(), bounds=True), other)
        assert mpl.rcParams["text.usetex"]  # the user's own figures are as the user wants them
    assert other.read_bytes() == usual.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "content", "plots", "words"),
    [
        ({"MPLBACKEND": "nonsense"}, b"", 2, "matplotlib is used with its default settings"),
        ({"MPLBACKEND": "TkAgg", "DISPLAY": ""}, b"", 2, ""),
        ({}, b"text.usetex: True\nbackend: nonsense\nfont.size: -1\nsavefig.format: x\n", 2, ""),
        ({}, b"font.family: caf\xe9\n", 0, "no plot: matplotlib cannot be imported"),
    ],
    ids=["unknown backend", "no display", "odd settings", "unreadable settings"],
)
def test_matplotlib_set_up_oddly(
    variables: dict[str, str], content: bytes, plots: int, words: str, tmp_path: Path
) -> None:
    """A matplotlibrc in the working directory comes before all others."""
    if content:
        (tmp_path / "matplotlibrc").write_bytes(content)
    options = ("--dataset", "iris,wine", "--agent", "uniform", "--rounds", "20", "--seeds", "1", "--json")
    command = [sys.executable, "-m", "neucb", "run", *options, "--out", "runs"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [one["dataset"] for one in json.loads(done.stdout)] == ["iris", "wine"]
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    for suffix, count in ((".parquet", 2), (".json", 2), (".png", plots)):
        assert len(list((tmp_path / "runs").glob(f"*{suffix}"))) == count


def failing(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_figure_that_fails_costs_no_results(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--dataset", "iris,wine", "--agent", "uniform", "--rounds", "20", "--seeds", "2", "--json")
    assert neucb(monkeypatch, "run", *options, "--out", str(tmp_path)) == 0
    capsys.readouterr()
    monkeypatch.setattr("neucb.plots.kinds.regret.draw_panels", failing(error))
    monkeypatch.setattr(
        "neucb.core.provenance.source_hash", lambda: "changed"
    )  # so that they are played again
    assert neucb(monkeypatch, "run", *options, "--out", str(tmp_path)) == 0
    captured = capsys.readouterr()
    assert [one["dataset"] for one in json.loads(captured.out)] == ["iris", "wine"]
    lines = captured.err.splitlines()
    assert len(lines) == 2
    assert all("are saved, but no plot: " in line and type(error).__name__ in line for line in lines)
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet", ".json"}  # no old plot by a new log

    figure = tmp_path / "figure.pdf"
    assert neucb(monkeypatch, "plot", str(tmp_path), "-o", str(figure)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("neucb: error: ")

    page = tmp_path / "page.html"
    assert neucb(monkeypatch, "report", str(tmp_path), "-o", str(page)) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("Not shown: ") > 2
    assert type(error).__name__ in text
    assert "<table>" in text
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet", ".json", ".html"}


def test_a_plot_for_which_there_is_no_room_costs_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("neucb.plots.save_figure", failing(ERRORS[-1]))
    words = ("--agent", "uniform", "--dataset", "iris", "--rounds", "20", "--seeds", "2")
    assert neucb(monkeypatch, "run", *words, "--quiet", "--out", str(tmp_path)) == 0
    captured = capsys.readouterr()
    assert re.search("are saved, but no plot: OSError: .*No space left on device", captured.err)
    assert len(captured.out.splitlines()) == 2
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet", ".json"}


FLAT = ("regret", "loss", "best_fixed_arm_regret", "L_star", "propensity", *GAUGES, "regression_loss")
LOGS = {
    "unknown regret": lambda frame: frame.assign(regret=np.nan, best_fixed_arm_regret=np.nan, L_star=np.nan),
    "nothing known": lambda frame: frame.assign(**dict.fromkeys(FLAT, np.nan)),
    "nothing lost": lambda frame: frame.assign(**dict.fromkeys(FLAT, 0.0)),
    "one round": lambda frame: frame[frame["round"] == 1],
    "one seed": lambda frame: frame[frame["seed"] == 0],
    "one agent": lambda frame: frame[frame["agent"] == "linucb"],
    "skylines only": lambda frame: frame[frame["agent"] == "linucb"].assign(agent="best-fixed"),
    "infinite": lambda frame: frame.assign(regret=np.inf),
    "negative": lambda frame: frame.assign(regret=-frame["regret"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LOGS))
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of infinite regret, which no agent of ours has
def test_logs_of_which_little_can_be_drawn(kind: str, name: str, tmp_path: Path) -> None:
    frame = LOGS[name](log_of(["kl-perturbed", "linucb"], ["first", "second"]))
    scales = [None] if kind in ("normalized", "ranks", "winloss") else ["log", "linear", "sqrt"]
    for x in scales:
        figure, reason = drawn(frame, kind, x)
        if figure is None:
            assert isinstance(reason, InputError) or name == "infinite"
        else:
            save_figure(figure, tmp_path / "figure.svg")


def drawn(frame: Any, kind: str, x: str | None) -> tuple[Figure | None, NeucbError | None]:
    """Return a figure, or the one line that says why there is none."""
    try:
        return draw(frame, kind, x, bounds=kind in ("regret", "lstar")), None
    except NeucbError as error:
        return None, error


def test_sets_left_out_of_a_figure_are_named() -> None:
    frame = log_of(["kl-perturbed", "linucb"], ["first", "$sec$ond"])
    second = frame["dataset"] == "$sec$ond"
    frame.loc[second, ["regret", "L_star", "regression_loss", "perturbation_rms"]] = np.nan
    for kind in ("regret", "regression", "lstar", "spread"):
        assert any(text.startswith("Lines are") and "$sec$ond" in text for text in texts(draw(frame, kind)))
        assert not any("Left out" in text for text in texts(draw(frame[~second], kind)))


def test_a_very_large_figure_is_written_with_fewer_pixels(tmp_path: Path) -> None:
    figure = Figure(figsize=(1.0, 700.0))
    save_figure(figure, tmp_path / "tall.png")
    assert (tmp_path / "tall.png").stat().st_size > 0


def test_a_report_holds_names_literally() -> None:
    frame = log_of([r"$a$ \frac{", "kl"], ["$b$ $", "_c"])
    page = render_report(Results(frame.assign(agent_label=frame["agent"]), ()), "$t$", [])
    assert "cannot be drawn" not in page
    assert r"$a$ \frac{" in page
