"""Figures inside a page: SVG without what a page cannot use."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neucb.plots.style import write_svg

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


def drawing(figure: Figure, title: str, name: str) -> Drawing:
    """Return a figure as SVG for a page.

    Args:
        figure: to draw.
        title: in words.
        name: of letters, unique in the page; all identifiers of the figure begin with it.
    """
    stream = io.BytesIO()
    write_svg(figure, stream)
    text = stream.getvalue().decode("utf-8")
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    return Drawing(title, text)
