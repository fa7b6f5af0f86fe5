"""Decoder of text of unknown encoding, possibly compressed by gzip."""

from __future__ import annotations

import codecs
import gzip
import zlib

from neucb.core.errors import DataError

GZIP = b"\x1f\x8b"
MARKS = (  # the longer mark first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode_text(raw: bytes, notes: list[str]) -> str:
    """Return the text of a file, line ends as line feeds; a guess at the encoding is added to `notes`.

    The text is UTF-8, UTF-16 or UTF-32 with a byte order mark, UTF-16 without one, or Windows-1252 (Latin-1).

    Raises:
        DataError: a damaged gzip file, or no text; the caller adds the name of the file.
    """
    if raw.startswith(GZIP):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"is a damaged gzip file: {error}") from error
    text = _decoded(raw, notes)
    if "\0" in text:
        raise DataError("is not text: it holds NUL characters")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decoded(raw: bytes, notes: list[str]) -> str:
    for mark, encoding in MARKS:
        if raw.startswith(mark):
            return _unless_damaged(raw[len(mark) :], encoding)
    head = raw[:4000]
    if len(head) > 3 and head.count(0) > len(head) // 4:  # every other byte of Latin letters
        notes.append("the encoding is taken to be UTF-16")
        return _unless_damaged(raw, "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = len((raw[: error.start] + b".").splitlines())
    notes.append(f"the encoding is taken to be Windows-1252, since line {line:,} is not UTF-8")
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unless_damaged(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"begins like {encoding.upper()} but is not: {error.reason}") from None
