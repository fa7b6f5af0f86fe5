"""Figures inside a page: SVG without what a page cannot use."""

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
    """A figure ready for a page.

    Attributes:
        title: for those who do not see it.
        svg: its markup.
    """

    title: str
    svg: str


class Drawings:
    """Makes the drawings of one page, which share glyphs, words and styles and no other name."""

    def __init__(self) -> None:
        self._count = 0
        self._shared = Shared()

    @drawing()
    def make(self, figure: Figure, title: str) -> Drawing:
        """Return a figure as SVG; `title` says in words what it shows.

        Raises:
            NeucbError: it cannot be drawn; the page has then nothing of it.
        """
        stream = io.BytesIO()
        write_svg(figure, stream)
        shared = deepcopy(self._shared)
        svg = compact(stream.getvalue().decode("utf-8"), f"f{self._count + 1}", shared)
        self._shared, self._count = shared, self._count + 1
        return Drawing(title, svg)
