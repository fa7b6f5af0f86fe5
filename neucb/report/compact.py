"""Compact: the markup of figures, several times shorter and with the same look.

A page holds a dozen figures. Their glyphs are the same, so that each is drawn once in the page; what
matplotlib writes to a millionth of a point is rounded to a tenth; points of curves that are nearer than
that to the line between their neighbours are left out; a style is written once a figure; names that
nothing refers to go.
"""

from __future__ import annotations

import re

Match = re.Match[str]

GLYPH = "DejaVuSans-"  # what the names of glyphs begin with
TOLERANCE = 0.1  # points, between a curve and what is drawn of it
SHAPE = 8  # lines of so many points are markers and boxes, and are drawn as they are


def compact(svg: str, name: str, drawn: set[str]) -> str:
    """Return shorter markup.

    Args:
        svg: as matplotlib writes it, with text as glyphs.
        name: of letters and digits, unique in the page; all identifiers but those of glyphs begin with it.
        drawn: glyphs that the page has; those that the figure adds are added to it.
    """
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"\s+", " ", svg).replace("> <", "><").replace("xlink:href", "href")
    svg = svg.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    svg = re.sub(rf'<path id="({GLYPH}[^"]*)"[^>]*/>', lambda found: _once(found, drawn), svg)
    svg = re.sub(r' d="([^"]*)"', lambda found: f' d="{_path(found[1])}"', svg)
    svg = re.sub(r'(<use [^>]*) transform="translate\((\S+) (\S+)\)"', r'\1 x="\2" y="\3"', svg)
    svg = re.sub(r' ([xy])="([^"]*)"', _place, svg)
    return _styled(_named(svg, name), name).replace("<defs></defs>", "").replace(GLYPH, "g-")


def _once(found: Match, drawn: set[str]) -> str:
    """Return a glyph that the page does not have yet, and nothing for one that it has."""
    if found[1] in drawn:
        return ""
    drawn.add(found[1])
    return found[0]


def _place(found: Match) -> str:
    """Return a coordinate, rounded; nothing for 0, which is the default."""
    value = _round(float(found[2]))
    return "" if value == "0" else f' {found[1]}="{value}"'


def _named(svg: str, name: str) -> str:
    """Give what is referred to short names, and take the others' away; glyphs keep theirs."""
    used = dict.fromkeys(re.findall(r'(?:href="#|url\(#)([^")]*)', svg))
    short = {old: old if old.startswith(GLYPH) else f"{name}-{i}" for i, old in enumerate(used)}
    svg = re.sub(r' id="([^"]*)"', lambda found: f' id="{short[found[1]]}"' if found[1] in short else "", svg)
    return re.sub(r'(href="#|url\(#)([^")]*)', lambda found: found[1] + short[found[2]], svg)


def _styled(svg: str, name: str) -> str:
    """Write every style once, as a class."""
    styles = dict.fromkeys(re.findall(r' style="([^"]*)"', svg))
    classes = {style: f"{name}-{i}" for i, style in enumerate(styles)}
    svg = re.sub(r' style="([^"]*)"', lambda found: f' class="{classes[found[1]]}"', svg)
    rules = "".join(f".{one}{{{style.replace(': ', ':')}}}" for style, one in classes.items())
    return svg.replace("</style>", f"{rules}</style>", 1)


def _path(data: str) -> str:
    """Return path data, rounded; of straight lines only the points that can be seen."""
    parts = re.findall(r"([A-Za-z])([^A-Za-z]*)", data)
    if any(letter in "CQ" for letter, _ in parts):  # glyphs, of whole numbers, and round markers
        return "".join(
            letter + " ".join(f"{float(n):.4g}" for n in numbers.split()) for letter, numbers in parts
        )
    lines: list[list[tuple[float, float]]] = []
    closed = set()
    for letter, numbers in parts:
        if letter in "Zz":
            closed.add(len(lines) - 1)
            continue
        if letter == "M":
            lines.append([])
        x, y = map(float, numbers.split())
        lines[-1].append((x, y))
    return "".join(f"{_line(points)}{'z' if i in closed else ''}" for i, points in enumerate(lines))


def _line(points: list[tuple[float, float]]) -> str:
    """Return path data of a line through points, of long ones each relative to the one before."""
    import numpy as np
    from matplotlib import rc_context
    from matplotlib.path import Path

    if len(points) <= SHAPE:
        return "M" + " ".join(f"{x:.5g} {y:.5g}" for x, y in points)
    with rc_context({"path.simplify_threshold": TOLERANCE}):
        seen = np.asarray(Path(points).cleaned(simplify=True).vertices)[:-1]  # the last stands for the end
    steps = np.diff(np.round(10.0 * seen), axis=0, prepend=0.0) / 10.0
    first, *rest = (f"{_round(x)} {_round(y)}" for x, y in steps.tolist())
    return f"M{first}l{' '.join(rest)}".replace(" -", "-")


def _round(number: float) -> str:
    """Return a number to a tenth, without what does not count."""
    text = f"{number:.1f}".removesuffix(".0")
    return "0" if text == "-0" else re.sub(r"^(-?)0\.", r"\1.", text)
