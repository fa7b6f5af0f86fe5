"""Text of figures: user-defined names, drawn literally on one line, and the width of text."""

from __future__ import annotations

import unicodedata

LONGEST = 80  # maximum characters of a drawn name
UNDRAWABLE = ("Cc", "Cs", "Zl", "Zp")  # control characters, surrogates, line and paragraph separators


def one_line(name: object) -> str:
    """Return a name on one line, with an ellipsis for the middle of a long one."""
    characters = (
        " " if unicodedata.category(character) in UNDRAWABLE else character for character in str(name)
    )
    text = " ".join("".join(characters).split()) or "(no name)"
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
    literal = text.replace("$", r"\$")  # two dollar signs would start mathematics
    return float(TextPath((0.0, 0.0), literal, size=size, prop=font).get_extents().width) / 72.0
