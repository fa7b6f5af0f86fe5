"""Compact: the markup of figures, many times shorter and with the same look.

A page holds a dozen figures. Their glyphs, words and styles are the same, so that each is written once in
the page; what matplotlib writes to a millionth of a point is rounded to a tenth; points of curves that
are nearer than a seventh of a point to the line that is drawn are left out; groups and names that nothing
depends on go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from neucb.report.simplify import simplify

Match = re.Match[str]

GLYPH = "DejaVuSans-"  # what the names of glyphs begin with
TOLERANCE = 0.15  # points, between a curve and what is drawn of it: a fifth of a pixel on a screen
SHAPE = 8  # lines of so many points are markers and boxes, and are drawn as they are
WORD = 60  # characters of markup from which on a word is written once


@dataclass
class Shared:
    """What the figures of a page have in common.

    Attributes:
        glyphs: names of those that the page has.
        words: markup of the glyphs of a word -> its name.
        styles: style -> its class.
    """

    glyphs: set[str] = field(default_factory=set)
    words: dict[str, str] = field(default_factory=dict)
    styles: dict[str, str] = field(default_factory=dict)


def compact(svg: str, name: str, shared: Shared) -> str:
    """Return shorter markup.

    Args:
        svg: as matplotlib writes it, with text as glyphs.
        name: of letters and digits, unique in the page; all identifiers but the shared ones begin with it.
        shared: what the page has; what the figure adds is added to it.
    """
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"\s+", " ", svg).replace("> <", "><").replace("xlink:href", "href")
    svg = svg.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    svg = re.sub(rf'<path id="({GLYPH}[^"]*)"[^>]*/>', lambda found: _once(found, shared.glyphs), svg)
    svg = re.sub(r' d="([^"]*)"', lambda found: f' d="{_path(found[1])}"', svg)
    svg = re.sub(r'(<use [^>]*) transform="translate\((\S+) (\S+)\)"', r'\1 x="\2" y="\3"', svg)
    svg = re.sub(r' ([xy])="([^"]*)"', _place, svg)
    svg = re.sub(r"translate\((\S+) (\S+)\)", _shift, svg)
    svg = _named(_clipped(_worded(_unwrapped(_defined(svg)), shared.words)), name)
    return _styled(svg, shared.styles).replace(GLYPH, "g-")


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


def _shift(found: Match) -> str:
    return f"translate({_round(float(found[1]))} {_round(float(found[2]))})"


def _defined(svg: str) -> str:
    """Put all definitions into one place, where they are not between what is drawn."""
    pattern = r"<defs>(.*?)</defs>"
    all_of_them = "".join(re.findall(pattern, svg))
    drawn = re.sub(pattern, "", svg)
    return drawn.replace(">", f"><defs>{all_of_them}</defs>", 1) if all_of_them else drawn


def _unwrapped(svg: str) -> str:
    """Take groups away that are empty or say nothing of what is in them."""
    svg = re.sub(r"<g( [^>]*)?/>", "", svg)
    kept: list[str] = []
    says: list[bool] = []
    for part in re.split(r"(<g>|<g [^>]*>|</g>)", re.sub(r'<g id="[^"]*">', "<g>", svg)):
        if part.startswith("<g"):
            says.append(part != "<g>")
        if (part != "</g>" or says.pop()) and part != "<g>":
            kept.append(part)
    return "".join(kept)


def _worded(svg: str, words: dict[str, str]) -> str:
    """Draw a word once in the page, and refer to it where it comes again."""

    def once(found: Match) -> str:
        how, glyphs = found.groups()
        if len(glyphs) < WORD:
            return found[0]
        if glyphs in words:
            return f'<use href="#{words[glyphs]}"{how}/>'
        words[glyphs] = f"{GLYPH}w{len(words)}"  # numbers of glyphs have no w
        return f'<g{how}><g id="{words[glyphs]}">{glyphs}</g></g>'

    return re.sub(rf'<g( [^>]*)>((?:<use href="#{GLYPH}[^>]*/>)+)</g>', once, svg)


def _clipped(svg: str) -> str:
    """Say once what is the same of elements that follow each other: their clipping, the style of markers."""
    clip = r' clip-path="\1"'
    element = rf"<path[^>]*{clip}[^>]*/>|<g{clip}>(?:<use [^>]*/>)*</g>"
    pattern = rf'(?=<(?:path|g)[^>]* clip-path="([^"]*)")(?:{element}){{2,}}'

    def together(found: Match) -> str:
        own = f' clip-path="{found[1]}"'
        return f"<g{own}>{found[0].replace(f'<g{own}>', '').replace('</g>', '').replace(own, '')}</g>"

    def styled(found: Match) -> str:
        own = f' style="{found[1]}"'
        return f"<g{own}>{found[0].replace(own, '')}</g>"

    svg = re.sub(pattern, together, svg)
    return re.sub(r'<use [^>]*style="([^"]*)"[^>]*/>(?:<use [^>]*style="\1"[^>]*/>)+', styled, svg)


def _named(svg: str, name: str) -> str:
    """Give what is referred to short names, and take the others' away; glyphs and words keep theirs."""
    used = dict.fromkeys(re.findall(r'(?:href="#|url\(#)([^")]*)', svg))
    short = {old: old if old.startswith(GLYPH) else f"{name}-{i}" for i, old in enumerate(used)}
    svg = re.sub(
        r' id="([^"]*)"',
        lambda found: (
            f' id="{short.get(found[1], found[1])}"' if found[1] in short or GLYPH in found[1] else ""
        ),
        svg,
    )
    return re.sub(r'(href="#|url\(#)([^")]*)', lambda found: found[1] + short[found[2]], svg)


def _styled(svg: str, classes: dict[str, str]) -> str:
    """Write every style once in the page, as a class."""
    styles = dict.fromkeys(re.findall(r' style="([^"]*)"', svg))
    new = [style for style in styles if style not in classes]
    classes |= {style: f"s{len(classes) + i}" for i, style in enumerate(new)}
    svg = re.sub(r' style="([^"]*)"', lambda found: f' class="{classes[found[1]]}"', svg)
    rules = "".join(f".{classes[style]}{{{style.replace(': ', ':').replace('; ', ';')}}}" for style in new)
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

    if len(points) <= SHAPE:
        return "M" + " ".join(f"{x:.5g} {y:.5g}" for x, y in points)
    seen = simplify(np.asarray(points), TOLERANCE)
    steps = np.diff(np.round(10.0 * seen), axis=0, prepend=0.0) / 10.0
    first, *rest = (f"{_round(x)} {_round(y)}" for x, y in steps.tolist())
    return f"M{first}l{' '.join(rest)}".replace(" -", "-")


def _round(number: float) -> str:
    """Return a number to a tenth, without what does not count."""
    text = f"{number:.1f}".removesuffix(".0")
    return "0" if text == "-0" else re.sub(r"^(-?)0\.", r"\1.", text)
