"""Styles that distinguish competitors, also for the colour-blind and in greyscale; saving of figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neucb.plots.drawing import drawing

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

GREY = "#555555"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")  # Okabe and Ito
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (2, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "p")
FORMATS = (".pdf", ".png", ".svg")
DPI, PIXELS = 200.0, 60_000  # resolution of a PNG, and the maximum pixels of a side


@dataclass(frozen=True)
class Style:
    """Style of a competitor's curve."""

    color: str
    linestyle: Any
    marker: str

    @property
    def ink(self) -> tuple[float, ...]:
        """Colour of text, darker: thin strokes on white need more contrast than lines."""
        from matplotlib.colors import to_rgb

        return tuple(0.7 * part for part in to_rgb(self.color))


def styles(labels: Iterable[str]) -> dict[str, Style]:
    """Return a style per label, by alphabetical position, distinct for up to 300 labels."""
    return {
        label: Style(COLORS[i % 7], DASHES[i % 4], MARKERS[i % 11])
        for i, label in enumerate(sorted(set(labels)))
    }


@drawing({"svg.hashsalt": "neucb"}, writing=True)
def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PDF, PNG or SVG, by the path's suffix; the same figure gives the same bytes.

    Raises:
        NeucbError: the figure cannot be drawn.
        OSError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(suffix)
    dpi = min(DPI, PIXELS / max(figure.get_size_inches()))
    figure.savefig(path, format=suffix[1:], dpi=dpi, metadata=undated)
