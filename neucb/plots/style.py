"""Style: what tells competitors apart, in colour, to the colour-blind and in grey print; and saving."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

GREY = "#555555"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")  # Okabe and Ito
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (2, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "p")
FORMATS = (".pdf", ".png", ".svg")
SMALL, NORMAL = 7.0, 8.0  # font sizes in points

SETTINGS: Any = {  # for rc_context, whose annotation wants every key as a literal
    "pdf.fonttype": 42,  # fonts are embedded as TrueType, so that text stays text
    "ps.fonttype": 42,
    "svg.fonttype": "path",  # a reader without our font sees the same figure
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}


@dataclass(frozen=True)
class Style:
    """How the curve of a competitor looks."""

    color: str
    linestyle: Any
    marker: str

    @property
    def ink(self) -> tuple[float, ...]:
        """The colour of its text, darker: thin strokes on white need more contrast than lines."""
        from matplotlib.colors import to_rgb

        return tuple(0.7 * part for part in to_rgb(self.color))


def styles(labels: Iterable[str]) -> dict[str, Style]:
    """Return a style per label, by place in the alphabet; no two of 300 are the same."""
    return {
        label: Style(COLORS[i % 7], DASHES[i % 4], MARKERS[i % 11])
        for i, label in enumerate(sorted(set(labels)))
    }


def text_width(text: str, size: float) -> float:
    """Return the width of a line of text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans")
    return float(TextPath((0.0, 0.0), text, size=size, prop=font).get_extents().width) / 72.0


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PDF, PNG or SVG, by the path's suffix; the same figure gives the same bytes."""
    from matplotlib import rc_context

    suffix = path.suffix.lower()
    if suffix == ".svg":
        write_svg(figure, path)
        return
    undated = {"CreationDate": None} if suffix == ".pdf" else None
    with rc_context(SETTINGS):
        figure.savefig(path, format=suffix[1:], dpi=200, metadata=undated)


def write_svg(figure: Figure, target: Path | IO[bytes]) -> None:
    """Write a figure as SVG into a file or stream."""
    from matplotlib import rc_context

    with rc_context({**SETTINGS, "svg.hashsalt": "neucb"}):
        figure.savefig(target, format="svg", metadata={"Date": None})
