"""Compact figures: fewer characters, the same picture, names that lead somewhere."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from neucb.plots.style import write_svg
from neucb.report.compact import TOLERANCE, Shared, compact
from neucb.report.figures import Drawings
from neucb.report.simplify import simplify

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


def away(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Distances of points from a line through corners, each to the nearest of its segments."""
    start, along = corners[:-1], np.diff(corners, axis=0)
    offset = points[:, None] - start
    share = np.clip((offset * along).sum(2) / (along**2).sum(1), 0, 1)
    return np.asarray(np.linalg.norm(offset - share[:, :, None] * along, axis=2).min(1))


def test_a_curve_is_where_it_was() -> None:
    stream = io.BytesIO()
    write_svg(figure(), stream)
    svg = compact(stream.getvalue().decode(), "f1", Shared())
    assert len(svg) < 0.6 * len(stream.getvalue())
    corners = points(max(re.findall(r'd="(M[^"]*l[^"]*)"', svg), key=len))  # some digits are straight too
    assert 20 < len(corners) < 60
    at = X / 100 * 216  # three inches in points
    true = 144 - (np.sin(X / 7) + X / 50 + 2) / 6 * 144
    written = 1 / 9  # points that matplotlib is off, which leaves out some of them itself
    assert away(np.stack([at, true], 1), corners).max() < TOLERANCE + written + 0.05 * 2**0.5


def test_simplified_lines_pass_near_all_points() -> None:
    rng = np.random.default_rng(0)
    walk = np.stack([np.arange(300.0), rng.normal(size=300).cumsum()], axis=1)
    shape = np.concatenate([walk, walk[::-1] + np.array([0, 5]), walk[:1]])  # closed, as a band is
    for line in (walk, shape):
        for tolerance in (0.0, 0.5, 3.0):
            kept = simplify(line, tolerance)
            assert away(line, kept).max() <= tolerance + 1e-9
            assert (kept[0] == line[0]).all()
            assert (kept[-1] == line[-1]).all()
    assert len(simplify(walk, 3.0)) < 60 < len(simplify(walk, 0.5)) < 300
    straight = np.stack([X, 2 * X], axis=1)
    assert simplify(straight, 1e-9).tolist() == [[0, 0], [100, 200]]
    assert simplify(np.zeros((5, 2)), 0.1).tolist() == [[0, 0], [0, 0]]


def test_glyphs_words_and_styles_are_written_once_and_other_names_differ() -> None:
    page = Drawings()
    one, two = (page.make(figure(), "a curve").svg for _ in range(2))
    assert len(two) < 0.5 * len(one)
    assert set(re.findall(r'href="#(g-[^"w]*)"', one)) == set(re.findall(r'<path id="(g-[^"]*)"', one))
    words = re.findall(r'<g id="(g-w[^"]*)">', one)
    assert words == [f"g-w{i}" for i in range(len(words))]
    assert set(words) <= set(re.findall(r'href="#([^"]*)"', two))
    assert ' id="g-' not in two
    names = [set(re.findall(r' id="([^"]*)"', svg)) for svg in (one, two)]
    assert names[1]
    assert not names[0] & names[1]
    referred = set(re.findall(r'(?:href="#|url\(#)([^")]*)', one + two))
    assert referred <= names[0] | names[1]
    ruled = [set(re.findall(r"[}>]\.(s\d+){|}\.(s\d+){", svg)) for svg in (one, two)]
    assert ruled[0]
    assert not ruled[1]
    assert set(re.findall(r'class="([^"]*)"', one + two)) <= set(re.findall(r"\.(s\d+){", one))


@pytest.mark.parametrize(
    ("svg", "shorter"),
    [
        (
            '<svg><use href="#a" transform="translate(0.5 -0.04)"/></svg>',
            '<svg><use href="#f1-0" x=".5"/></svg>',
        ),
        (
            '<svg><g id="x"><g><g class="b"><a/></g></g><g id="y"/></g></svg>',
            '<svg><g class="b"><a/></g></svg>',
        ),
        (
            '<svg><g><defs><path id="m" d="M 0 0 L 0 2"/></defs><use href="#m"/></g></svg>',
            '<svg><defs><path id="f1-0" d="M0 0 0 2"/></defs><use href="#f1-0"/></svg>',
        ),
        (
            '<svg><path d="M 1 2 L 3 4" clip-path="url(#c)"/><g clip-path="url(#c)">'
            '<use href="#m" x="1"/></g><path d="M 5 6 L 7 8" clip-path="url(#d)"/></svg>',
            '<svg><g clip-path="url(#f1-0)"><path d="M1 2 3 4"/><use href="#f1-1" x="1"/></g>'
            '<path d="M5 6 7 8" clip-path="url(#f1-2)"/></svg>',
        ),
        (
            '<svg><style></style><use href="#m" x="1" style="fill: red"/>'
            '<use href="#m" x="2" style="fill: red"/><use href="#m" style="fill: blue"/></svg>',
            '<svg><style>.s0{fill:red}.s1{fill:blue}</style><g class="s0"><use href="#f1-0" x="1"/>'
            '<use href="#f1-0" x="2"/></g><use href="#f1-0" class="s1"/></svg>',
        ),
    ],
)
def test_what_is_written(svg: str, shorter: str) -> None:
    assert compact(svg, "f1", Shared()) == shorter
