"""Compressed SVG figures of an HTML page, a document each, so that identifiers cannot collide."""

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
    """A figure of a page.

    Attributes:
        title: text alternative of the figure.
        data: SVG markup, gzip and base64, decompressed by the script of the page.
    """

    title: str
    data: str


@drawing({"svg.hashsalt": "neucb", "svg.fonttype": "none"})  # text stays text: a third shorter
def make_drawing(figure: Figure, title: str) -> Drawing:
    """Return a figure as SVG with the text alternative `title`.

    Raises:
        NeucbError: the figure cannot be drawn.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return Drawing(title, base64.b64encode(gzip.compress(stream.getvalue(), mtime=0)).decode("ascii"))
