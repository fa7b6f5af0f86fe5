"""SVG figures of an HTML page."""

from __future__ import annotations

import io
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neucb.plots.drawing import drawing
from neucb.plots.style import write_svg
from neucb.report.compact import Shared, compact

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure of a page.

    Attributes:
        title: text alternative of the figure.
        svg: SVG markup.
    """

    title: str
    svg: str


class Drawings:
    """Factory of the drawings of one page, which share the ids of glyphs, text and styles only."""

    def __init__(self) -> None:
        self._count = 0
        self._shared = Shared()

    @drawing()
    def make(self, figure: Figure, title: str) -> Drawing:
        """Return a figure as SVG with the text alternative `title`.

        Raises:
            NeucbError: the figure cannot be drawn; the page is then unchanged.
        """
        stream = io.BytesIO()
        write_svg(figure, stream)
        shared = deepcopy(self._shared)
        svg = compact(stream.getvalue().decode("utf-8"), f"f{self._count + 1}", shared)
        self._shared, self._count = shared, self._count + 1
        return Drawing(title, svg)
