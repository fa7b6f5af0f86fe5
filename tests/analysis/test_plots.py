"""Plots: each kind shows its data, in its file format, without text over text."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

import neucb
from neucb.core.errors import InputError
from neucb.plots import KINDS, draw, save_figure
from neucb.plots.drawing import SETTINGS
from neucb.plots.labels import spread
from neucb.plots.style import styles
from neucb.report.bounds import bounds_table
from neucb.runs.api import prepare
from neucb.statistics import compare_over_seeds, final_scores, win_loss
from neucb.theory.bounds import squarecb_bound
from tests.support.figures import ROUNDS, synthetic_log
from tests.support.paths import DATA

BASELINES = DATA / "plots"
LOGS = {"lstar": synthetic_log(noise=0.1)}
TWELVE = [*(f"agent-{i:02d}" for i in range(11)), "uniform"]


def figure_of(kind: str) -> Figure:
    return draw(LOGS.get(kind, synthetic_log()), kind, bounds=kind in ("regret", "lstar"))


def caption(figure: Figure) -> str:
    (text,) = figure.texts
    return " ".join(text.get_text().replace("\N{NO-BREAK SPACE}", " ").split())


def drawn(figure: Figure, panel: int, label: str) -> tuple[np.ndarray, np.ndarray]:
    (line,) = (one for one in figure.axes[panel].get_lines() if one.get_label() == label)
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_figure_is_the_stored_one(kind: str, tmp_path: Path) -> None:
    path, stored = tmp_path / f"{kind}.png", BASELINES / f"{kind}.png"
    with rc_context(SETTINGS):
        figure_of(kind).savefig(path, dpi=60)
    renew = f"look at {path}; if it is right, copy it to {stored}"
    assert stored.exists(), renew
    difference = compare_images(str(stored), str(path), tol=3.0)
    assert difference is None, f"{difference}\n{renew}"


def test_regret_shows_means_bands_and_what_stands_beside() -> None:
    figure = figure_of("regret")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["first", "second"]
    x, y = drawn(figure, 1, "linucb")
    np.testing.assert_allclose(x, ROUNDS)
    np.testing.assert_allclose(y, 3.65 * np.sqrt(ROUNDS))  # 3 + 1/2 + mean of 0, .1, .2, .3
    band = figure.axes[0].collections[0].get_paths()[0].get_extents()
    # sd of 0, .1, .2, .3 is .1291; t(3; .975) = 3.1824
    top = (1.15 + 3.1824 * 0.12910 / 2.0) * np.sqrt(1000)
    assert band.y1 == pytest.approx(top, rel=1e-4)
    np.testing.assert_allclose(drawn(figure, 0, "best fixed arm")[1], 0.25 * ROUNDS)
    words = caption(figure)
    assert "95 % Student t intervals" in words
    assert "4 seeds" in words
    assert "fitted" in words


def test_bounds_are_fitted_by_least_squares_and_dashed() -> None:
    figure = figure_of("regret")
    shape = 3 * np.log(ROUNDS)
    curve = 1.15 * np.sqrt(ROUNDS)
    _, y = drawn(figure, 0, "K log t (L* = 0), fitted to kl-perturbed")
    np.testing.assert_allclose(y, shape * (shape @ curve) / (shape @ shape))
    dashes = {str(one.get_label()): one.get_linestyle() for one in figure.axes[0].get_lines()}
    assert dashes["K log t (L* = 0), fitted to kl-perturbed"] == "--"
    assert dashes["√(K t log t), fitted to sq-perturbed"] == "-."
    plain = draw(synthetic_log(), "regret")
    assert not any("fitted" in str(one.get_label()) for one in plain.axes[0].get_lines())


def test_without_regret_the_loss_is_drawn() -> None:
    frame = synthetic_log().assign(regret=np.nan, best_fixed_arm_regret=np.nan, L_star=np.nan)
    figure = draw(frame, bounds=True)
    np.testing.assert_allclose(drawn(figure, 0, "linucb")[1], 3.15 * np.sqrt(ROUNDS))
    assert figure.axes[0].get_ylabel() == "cumulative loss"
    assert "means of the cumulative loss" in caption(figure)


def test_far_curves_do_not_squeeze_the_others() -> None:
    frame = synthetic_log(datasets=["first"])
    frame.loc[frame["agent"] == "uniform", "regret"] *= 100.0
    axes = draw(frame).axes[0]
    assert axes.get_ylim()[1] == pytest.approx(1.05 * 250.0)  # the best fixed arm, just below 3 medians
    assert any(re.fullmatch(r"uniform ↑ 13,123", text.get_text()) for text in axes.texts)


@pytest.mark.parametrize("scale", ["linear", "log", "sqrt"])
def test_horizontal_scale(scale: str) -> None:
    axes = draw(synthetic_log(), x=scale).axes[0]
    at = axes.transData.transform([[1.0, 0.0], [100.0, 0.0], [1000.0, 0.0]])[:, 0]
    share = (at[1] - at[0]) / (at[2] - at[0])
    expected = {"linear": 99 / 999, "log": 2 / 3, "sqrt": 9 / (np.sqrt(1000) - 1)}[scale]
    assert share == pytest.approx(expected, abs=1e-6)


def test_regression_leaves_out_who_predicts_nothing() -> None:
    figure = figure_of("regression")
    labels = {str(line.get_label()) for line in figure.axes[0].get_lines()}
    assert "uniform" not in labels
    np.testing.assert_allclose(drawn(figure, 0, "linucb")[1], 3.15 * np.sqrt(ROUNDS) / 2)


def test_regression_regret_is_drawn_where_it_is_logged_and_log_t_beside_it() -> None:
    frame = synthetic_log().assign(squared_regression_regret=lambda rows: rows["regret"] / 5)
    figure = draw(frame, "regression", bounds=True)
    y = drawn(figure, 0, "kl-perturbed")[1]
    np.testing.assert_allclose(y, 1.15 * np.sqrt(ROUNDS) / 5)
    shape = np.log(ROUNDS)
    fitted = drawn(figure, 0, "log t, fitted to kl-perturbed")[1]
    np.testing.assert_allclose(fitted, shape * (shape @ y) / (shape @ shape))
    assert figure.axes[0].get_ylabel() == "cumulative regression regret"
    assert not any("fitted" in str(one.get_label()) for one in draw(frame, "regression").axes[0].get_lines())


def test_guarantees_of_real_runs_are_drawn_with_the_bounds() -> None:
    frames = []
    for name, own in (("usual", {}), ("theory", {"gamma_schedule": "theory", "regression_regret": 60.0})):
        job = prepare("squarecb", "iris", 60, 2, settings=own, label_noise=0.2)
        job.play()
        frames.append(job.frame().assign(agent_label=name, arms=3))
    both = pd.concat(frames)
    figure = draw(both, bounds=True)
    np.testing.assert_allclose(drawn(figure, 0, "theorem, theory")[1], squarecb_bound(3, 60, 60.0, 0.05))
    assert "theorem, theory ↑" in "".join(text.get_text() for text in figure.axes[0].texts)
    assert not any("y, usual" in str(one.get_label()) for one in figure.axes[0].get_lines())
    assert "nothing fitted" in caption(figure)
    (row,) = (one for one in bounds_table(both.assign(dataset="d")).rows if one[1].text == "theory")
    assert row[4].text == "theorem of SquareCB"
    assert row[5].key == pytest.approx(squarecb_bound(3, 60, 60.0, 0.05), rel=1e-5)
    last = both[(both["round"] == 60) & (both["agent_label"] == "theory")]
    assert row[2].key == pytest.approx(last["regret"].mean(), rel=1e-5)
    assert row[3].key == pytest.approx(last["squared_regression_regret"].mean(), rel=1e-5)


def test_normalized_marks_are_the_statistics() -> None:
    axes = figure_of("normalized").axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "kl-perturbed", "sq-perturbed", "linucb", "uniform",
    ]  # fmt: skip
    (first,) = (line for line in axes.get_lines() if line.get_label() == "first")
    mean = axes.get_lines()[-1]
    wanted = [(i + 1.15) * np.sqrt(1000) / 250 for i in range(4)]
    np.testing.assert_allclose(np.asarray(first.get_xdata(), dtype=float), wanted)
    np.testing.assert_allclose(
        np.asarray(mean.get_xdata(), dtype=float), np.array(wanted) + 0.25 * np.sqrt(1000) / 250
    )
    assert "0 is the best policy" in caption(figure_of("normalized"))


def test_ranks_are_written_and_joined() -> None:
    figure = figure_of("ranks")
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"kl-perturbed  1.00", "sq-perturbed  2.00", "3.00  linucb", "4.00  uniform"} <= words
    bars = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 2.6]
    assert [tuple(np.round(np.asarray(bar.get_xdata(), dtype=float), 2)) for bar in bars] == [(0.96, 4.04)]
    assert "CD = 3.32" in caption(figure)  # 2.569 sqrt(4 * 5 / (6 * 2))
    assert "Friedman: chi square 6.00, p = 0.11" in caption(figure)


def test_winloss_cells_are_the_matrix() -> None:
    axes = figure_of("winloss").axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    matrix = win_loss(compare_over_seeds(final_scores(synthetic_log()))).loc[names, names].to_numpy()
    shown = [text.get_text() for text in axes.texts]
    assert shown == [
        "" if i == j else "0" if value == 0 else f"{value:+d}" for (i, j), value in np.ndenumerate(matrix)
    ]
    assert shown[1] == "+2"


def test_lstar_is_the_horizontal_axis() -> None:
    figure = figure_of("lstar")
    x, y = drawn(figure, 0, "kl-perturbed")
    np.testing.assert_allclose(x, 0.1 * ROUNDS)
    np.testing.assert_allclose(y, 1.15 * np.sqrt(ROUNDS))
    shape = np.sqrt(3 * x * np.log(ROUNDS)) + 3 * np.log(ROUNDS)
    x, fitted = drawn(figure, 0, "√(K L* log t) + K log t, fitted to kl-perturbed")
    np.testing.assert_allclose(fitted, shape * (shape @ y) / (shape @ shape))
    with pytest.raises(InputError, match="L\\* is 0"):
        draw(synthetic_log(), "lstar")


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of texts that overlap, and those that leave the figure paired with ''."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    figure.draw(renderer)
    texts = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    texts += [axes._left_title for axes in figure.axes if axes._left_title.get_text()]  # type: ignore[attr-defined]
    texts += [label for axes in figure.axes if axes.axison for label in axes.get_yticklabels()]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in [*texts, *figure.texts]]
    page = figure.bbox
    out = [(name, "") for name, box in boxes if box.x0 < page.x0 or box.x1 > page.x1 or box.y0 < 0]
    pairs = itertools.combinations(boxes, 2)
    return out + [(a, b) for (a, one), (b, two) in pairs if one.overlaps(two)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_text_overlaps_for_twelve_agents(kind: str) -> None:
    """Also where most curves end at the same point."""
    frame = synthetic_log(TWELVE, ["first", "second", "third", "fourth"], noise=0.1)
    frame["perturbation_rms"] = 0.01 * frame["regret"]
    near = frame["agent"] < "agent-08"
    frame.loc[near, "regret"] = np.sqrt(frame.loc[near, "round"]) * (1 + 1e-3 * frame.loc[near, "seed"])
    with rc_context(SETTINGS):
        assert overlapping(draw(frame, kind, bounds=kind in ("regret", "lstar"))) == []


def test_that_the_overlap_test_can_fail() -> None:
    figure = draw(synthetic_log())
    figure.axes[0].texts[0].set_position(figure.axes[0].texts[1].get_position())
    assert len(overlapping(figure)) == 1


@given(st.lists(st.floats(-0.5, 1.5, allow_subnormal=False), min_size=1, max_size=14), st.floats(0.001, 0.06))
@settings(max_examples=60, deadline=None)
def test_spread_keeps_order_distance_and_limits(wanted: list[float], gap: float) -> None:
    places = spread(np.array(wanted), gap, 0.0, 1.0)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(places[order]) >= gap - 1e-9).all()
    assert places.min() >= -1e-9
    assert places.max() <= 1.0 + 1e-9


def test_spread_by_hand() -> None:
    np.testing.assert_allclose(spread(np.array([0.5, 0.5, 0.9]), 0.1, 0.0, 1.0), [0.45, 0.55, 0.9])
    np.testing.assert_allclose(spread(np.array([0.0, 0.0]), 0.1, 0.0, 1.0), [0.0, 0.1])
    np.testing.assert_allclose(spread(np.zeros(3), 9.0, 0.0, 1.0), [0.0, 0.5, 1.0])


def test_competitors_differ_without_colour() -> None:
    looks = styles(f"agent {i:02d}" for i in range(44))
    assert len({(str(one.linestyle), one.marker) for one in looks.values()}) == 44
    assert len({tuple(vars(one).items()) for one in styles(map(str, range(300))).values()}) == 300


@pytest.mark.slow
def test_files_are_vector_with_fonts_embedded_and_the_same_again(tmp_path: Path) -> None:
    figure = figure_of("regret")
    for suffix in (".pdf", ".svg", ".png"):
        one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
        save_figure(figure, one)
        save_figure(figure_of("regret"), two)
        assert one.read_bytes() == two.read_bytes()
    pdf = (tmp_path / "one.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    svg = (tmp_path / "one.svg").read_text()
    assert "<text" not in svg
    assert "<image" not in svg
    save_figure(figure_of("winloss"), tmp_path / "cells.svg")
    assert "<image" not in (tmp_path / "cells.svg").read_text()


@pytest.mark.parametrize(
    ("kind", "x", "words"),
    [
        ("rank", None, "unknown kind of plot 'rank': did you mean 'ranks'?"),
        ("regret", "lin", "unknown scale 'lin'"),
        ("ranks", "log", "x=... is for curves, not for kind=ranks"),
    ],
)
def test_what_cannot_be_drawn_is_said(kind: str, x: str | None, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        draw(synthetic_log(), kind, x)


def test_bounds_are_for_regret() -> None:
    for kind in set(KINDS) - {"regret", "regression", "lstar"}:
        with pytest.raises(InputError, match="bounds=True is for kind=regret, regression, lstar"):
            draw(synthetic_log(), kind, bounds=True)


def test_gauges_are_those_logged() -> None:
    np.testing.assert_allclose(drawn(figure_of("propensity"), 1, "linucb")[1], 0.515)
    near = synthetic_log(["a"], ["d"])
    near["propensity"] = 1.0 - 0.2 * (near["seed"] == 0)  # mean .95, sd .1, half the interval .159
    band = draw(near, "propensity").axes[0].collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == (pytest.approx(0.95 - 3.1824 * 0.05, abs=1e-4), 1.0)
    spread = figure_of("spread")
    np.testing.assert_allclose(drawn(spread, 0, "sq-perturbed")[1], 0.0215 * np.sqrt(ROUNDS))
    assert "linucb" not in {str(line.get_label()) for line in spread.axes[0].get_lines()}
    np.testing.assert_allclose(drawn(figure_of("distance"), 0, "linucb")[1], 0.315 * np.sqrt(ROUNDS))
    none = synthetic_log()
    none.loc[none["agent"] == "sq-perturbed", "perturbation_rms"] = 0.0
    assert "sq-perturbed" not in {str(line.get_label()) for line in draw(none, "spread").axes[0].get_lines()}
    with pytest.raises(InputError, match="'perturbation_rms' is 0 in all these runs"):
        draw(none.assign(perturbation_rms=0.0), "spread")
    with pytest.raises(InputError, match="no run here has logged 'perturbation_rms'"):
        draw(synthetic_log().drop(columns="perturbation_rms"), "spread")


def test_too_little_data_is_said() -> None:
    with pytest.raises(InputError, match="at least two agents"):
        draw(synthetic_log(["kl"]), "ranks")
    with pytest.raises(InputError, match="at least two seeds"):
        draw(synthetic_log(seeds=1), "winloss")
    with pytest.raises(InputError, match="only skylines"):
        draw(synthetic_log(["best-fixed"]), "ranks")
    with pytest.raises(InputError, match="no run here has logged 'regression_loss'"):
        draw(synthetic_log(["uniform"]), "regression")
    assert not draw(synthetic_log(seeds=1)).axes[0].collections  # one seed has no band


def test_names_are_not_taken_for_mathematics() -> None:
    figure = draw(synthetic_log(["a_b$", "c$^2$"], ["d$x$", "<e>"]))
    assert overlapping(figure) == []
    assert {"a_b$", "c$^2$"} <= {text.get_text() for text in figure.axes[0].texts}


def test_two_settings_under_one_name_are_refused() -> None:
    frame = pd.concat([neucb.run("uniform", "iris", 20, 2)] * 2)
    with pytest.raises(
        InputError, match="uniform on iris with seed 0 occurs twice; give competitors different names"
    ):
        draw(frame)
