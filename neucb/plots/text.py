"""Text of figures: names from users, drawn literally on one line, and its width."""

from __future__ import annotations

import unicodedata

LONGEST = 80  # characters of a name that are drawn
UNDRAWABLE = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of surrogate pairs, line and paragraph separators


def one_line(name: object) -> str:
    """Return a name as it is drawn: on one line, its middle left out where it is very long."""
    signs = (" " if unicodedata.category(sign) in UNDRAWABLE else sign for sign in str(name))
    text = " ".join("".join(signs).split()) or "(no name)"
    if len(text) <= LONGEST:
        return text
    end = LONGEST // 3
    return f"{text[: LONGEST - end - 1]}\N{HORIZONTAL ELLIPSIS}{text[-end:]}"


def text_width(text: str, size: float) -> float:
    """Return the width of a line of text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans")
    literal = text.replace("$", r"\$")  # two dollar signs are no mathematics
    return float(TextPath((0.0, 0.0), literal, size=size, prop=font).get_extents().width) / 72.0
