"""The encoding of a text file, told from its bytes."""

from __future__ import annotations

import codecs

from neucb.errors import DataError

MARKS = {  # the longer mark first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
GUESSED = "cp1252"  # Latin-1 with printable characters where that has control codes


def text_encoding(data: bytes) -> str:
    """Return the name of the encoding of a text, all of which can be decoded with it.

    A byte order mark decides; without one, a zero among the first two bytes means UTF-16, anything that
    is UTF-8 is UTF-8, and the rest is taken for `GUESSED`, which a caller has to report.

    Raises:
        DataError: the bytes are no text in any of these.
    """
    expected = next((name for mark, name in MARKS.items() if data.startswith(mark)), _without_mark(data))
    for name in (expected, GUESSED) if expected == "utf-8" else (expected,):
        try:
            data.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    if expected == "utf-8":
        raise DataError("is no text in UTF-8, UTF-16 or Latin-1")
    raise DataError(f"begins like text in {expected.removesuffix('-sig').upper()} and is none further on")


def _without_mark(data: bytes) -> str:
    """Return UTF-16 if the text begins with an ASCII character of two bytes, else UTF-8."""
    if len(data) > 1 and (data[0] == 0) != (data[1] == 0):
        return "utf-16-be" if data[0] == 0 else "utf-16-le"
    return "utf-8"
