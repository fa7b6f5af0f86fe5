"""Dates in the patterns of Java's SimpleDateFormat, which ARFF files declare, as seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from neucb.core.errors import DataError

DEFAULT = "yyyy-MM-dd'T'HH:mm:ss"  # ARFF's, for a date declared without a pattern
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOKEN = re.compile(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)")
FIELDS = {
    "d": "%d",
    "H": "%H",
    "h": "%I",
    "m": "%M",
    "s": "%S",
    "S": "%f",
    "a": "%p",
    "Z": "%z",
    "X": "%z",
}


class DatePattern:
    """Date pattern: parses text to seconds since 1970-01-01, in UTC where no zone is given.

    The letters y M L d E a H h m s S Z X are supported, and English names of months and days, short or long.
    Two-digit years mean 1969 to 2068, as in POSIX. A pattern without a year counts from 1970.

    Attributes:
        pattern: pattern as declared.
        epoch: first second of 1970 in this pattern.

    Raises:
        DataError: an unsupported letter, a letter in two places, or an unclosed quote.
    """

    def __init__(self, pattern: str = DEFAULT) -> None:
        self.pattern = pattern
        pairs = _formats(pattern)
        first, second = ("".join(pair[i] for pair in pairs) for i in (0, 1))
        self._yearless = "%Y" not in (pair[1] for pair in pairs)
        self._formats = list(dict.fromkeys((first, second)))
        self.epoch = EPOCH.strftime(first)

    def seconds(self, text: str) -> float:
        """Return the seconds since 1970 of a date.

        Raises:
            ValueError: the text does not follow the pattern.
        """
        for form in self._formats:
            try:
                if self._yearless:  # strptime would count from 1900
                    date = datetime.strptime(f"1970 {text}", f"%Y {form}")
                else:
                    date = datetime.strptime(text, form)
            except ValueError:
                continue
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        raise ValueError(f"{text!r} does not follow the date pattern {self.pattern}")


def _formats(pattern: str) -> list[tuple[str, str]]:
    """Return each part of a pattern in strptime's notation: in its own length, and in the other one."""
    parts: list[tuple[str, str]] = []
    position = 0
    while position < len(pattern):
        token = TOKEN.match(pattern, position)
        if token is None:
            raise DataError(f"the date pattern {pattern} has a quote that is not closed")
        quoted, run, letter, other = token.groups()
        if run is None:
            literal = (quoted.replace("''", "'") or "'") if other is None else other
            parts.append((literal.replace("%", "%%"),) * 2)
        else:
            field = _field(letter, len(run), pattern)
            if any(set(field) & set(part) for part in parts):
                raise DataError(f"the date pattern {pattern} has the letter {letter} in two places")
            parts.append(field)
        position = token.end()
    return parts


def _field(letter: str, length: int, pattern: str) -> tuple[str, str]:
    if letter == "y":
        return ("%y", "%Y") if length == 2 else ("%Y", "%Y")
    if letter in "ML":
        return ("%m", "%m") if length < 3 else ("%b", "%B") if length == 3 else ("%B", "%b")
    if letter == "E":
        return ("%a", "%A") if length < 4 else ("%A", "%a")
    if letter not in FIELDS:
        raise DataError(f"the date pattern {pattern} has the letter {letter}, which is not supported")
    return (FIELDS[letter],) * 2
