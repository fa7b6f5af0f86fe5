"""Figures inside a page: compressed SVG, each a document of its own whose identifiers meet no other's."""

from __future__ import annotations

import base64
import gzip
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neucb.plots.drawing import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure ready for a page.

    Attributes:
        title: alternative text.
        data: its SVG, gzip and base64; the page's script unpacks it.
    """

    title: str
    data: str


@drawing({"svg.hashsalt": "neucb", "svg.fonttype": "none"})  # text as text: a third shorter
def make_drawing(figure: Figure, title: str) -> Drawing:
    """Return a figure as SVG; `title` says in words what it shows.

    Raises:
        NeucbError: it cannot be drawn.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return Drawing(title, base64.b64encode(gzip.compress(stream.getvalue(), mtime=0)).decode("ascii"))
