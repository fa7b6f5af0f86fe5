"""Compact figures: fewer characters, the same picture, names that lead somewhere."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from neucb.plots.style import write_svg
from neucb.report.compact import TOLERANCE, compact
from neucb.report.figures import Drawings

X = np.linspace(0.0, 100.0, 200)


def figure() -> Figure:
    made = Figure(figsize=(3, 2))
    axes = made.add_axes((0, 0, 1, 1))
    axes.plot(X, np.sin(X / 7) + X / 50, marker="o", markevery=50)
    axes.set(xlim=(0, 100), ylim=(-2, 4))
    made.text(0.1, 0.9, "aab")
    return made


def points(path: str) -> np.ndarray:
    """The corners of "Mx yl dx dy dx dy ..."."""
    first, rest = path[1:].split("l")
    steps = [float(one) for one in re.findall(r"-?\d*\.?\d+", f"{first} {rest}")]
    return np.cumsum(np.array(steps).reshape(-1, 2), axis=0)


def test_a_curve_is_where_it_was() -> None:
    stream = io.BytesIO()
    write_svg(figure(), stream)
    svg = compact(stream.getvalue().decode(), "f1", set())
    assert len(svg) < 0.6 * len(stream.getvalue())
    corners = points(max(re.findall(r'd="(M[^"]*l[^"]*)"', svg), key=len))  # some digits are straight too
    assert 20 < len(corners) < 120
    at = X / 100 * 216  # three inches in points
    height = np.interp(at, *corners.T)
    true = 144 - (np.sin(X / 7) + X / 50 + 2) / 6 * 144
    assert np.abs(height - true).max() < TOLERANCE + 0.1  # and the rounding to tenths


def test_glyphs_are_drawn_once_and_other_names_differ() -> None:
    page = Drawings()
    one, two = (page.make(figure(), "a curve").svg for _ in range(2))
    assert one.count('id="g-') == len(set(re.findall(r'href="#(g-[^"]*)"', one))) > 2
    assert 'id="g-' not in two
    names = [set(re.findall(r' id="([^"]*)"', svg)) for svg in (one, two)]
    assert names[1]
    assert not names[0] & names[1]
    referred = set(re.findall(r'(?:href="#|url\(#)([^")]*)', one + two))
    assert referred <= names[0] | names[1]


@pytest.mark.parametrize("svg", ['<svg><use href="#a" transform="translate(0.5 -0.04)"/></svg>'])
def test_numbers_are_rounded_to_tenths(svg: str) -> None:
    assert compact(svg, "f1", set()) == '<svg><use href="#f1-0" x=".5"/></svg>'
