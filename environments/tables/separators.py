"""The separator of delimited text, and the csv reader that all modules share."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neucb.core.errors import DataError

if TYPE_CHECKING:
    import _csv

SEPARATORS = (",", ";", "\t", "|")
HEAD = 200  # records that the separator is found from
LARGE = 1 << 20  # characters after which fewer records do
RIVAL = 0.9  # share of even records from which a separator is considered where another is better
STRAY = 0.1  # share of records that may hold another separator by chance
SOFT = re.compile(r"(?<=\d),(?=\d)|, ")  # commas that are more likely decimal signs or prose


@dataclass(frozen=True)
class _Fit:
    """How evenly a separator splits the first records.

    Attributes:
        width: number of fields of most records, 2 at least.
        share: of the records of that width, the first of which may differ by one.
        named: whether the first record is one of these.
    """

    width: int
    share: float
    named: bool


def find_separator(text: str, usual: str) -> str:
    """Return the separator of a text: the one of `SEPARATORS` that splits its first records evenly.

    Records at the minority of lengths, such as a title or a footer, are passed over. Of several that split
    evenly the one counts whose cells, quoted ones apart, hold none of the others.

    Args:
        text: of the file.
        usual: the separator where none splits the text.

    Raises:
        DataError: several separators fit; the name of the file is for the caller to add.
    """
    head, cut = _head(text)
    fits: dict[str, _Fit] = {}
    for separator in dict.fromkeys((usual, *SEPARATORS)):
        fit = _fit(head, separator, cut=cut)
        if fit is not None:
            fits[separator] = fit
    best = max((fit.share for fit in fits.values()), default=0.0)
    rivals = [separator for separator, fit in fits.items() if fit.share == best]
    if best < 1 or usual not in rivals:
        near = {one for one, fit in fits.items() if fit.share >= RIVAL * best and (fit.named or best < 1)}
        rivals = [separator for separator in fits if separator in near]
    if len(rivals) < 2:
        return rivals[0] if rivals else usual
    pure = [one for one in rivals if not _holds_rivals(head, one, fits[one].width, rivals)]
    if not pure:
        listed = " or ".join(f"'{spelled(one)}'" for one in rivals)
        raise DataError(f"could be separated by {listed}, which split its lines evenly; say separator=...")
    return pure[0]


def spelled(separator: str) -> str:
    """Return a separator as it is written in messages and options."""
    return "\\t" if separator == "\t" else separator


def csv_reader(text: str, separator: str, *, strict: bool = False) -> _csv.Reader:
    """Return Python's reader of delimited text; blanks before a cell do not count."""
    return csv.reader(lines(text), delimiter=separator, skipinitialspace=True, strict=strict)


def lines(text: str) -> Iterator[str]:
    """Yield the lines of a text one at a time, since most readers want the first ones only."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _head(text: str) -> tuple[str, bool]:
    """Return the first whole lines, and whether others follow."""
    taken: list[str] = []
    size = 0
    for line in lines(text):
        if len(taken) > HEAD or (size > LARGE and len(taken) > 3):
            return "".join(taken), True
        taken.append(line)
        size += len(line)
    return "".join(taken), False


def _fit(head: str, separator: str, *, cut: bool) -> _Fit | None:
    """Return how evenly a separator splits, None where most records are not split, or not alike."""
    try:
        lengths = [len(record) for record in csv_reader(head, separator) if record]
    except csv.Error:
        return None
    if cut:  # the last record may have lines that follow
        lengths = lengths[:-1]
    if not lengths:
        return None
    width = Counter(lengths[1:] or lengths).most_common(1)[0][0]
    named = lengths[0] >= 2 and abs(lengths[0] - width) <= 1
    share = (named + lengths[1:].count(width)) / len(lengths)
    return _Fit(width, share, named) if width >= 2 and share > 0.5 else None


def _holds_rivals(head: str, separator: str, width: int, rivals: list[str]) -> bool:
    """Return whether many records hold one of `rivals` in cells that are not quoted."""
    sign = re.escape(separator)
    bare = re.sub(rf'(?:^|(?<=\n)|(?<={sign}))[ \t]*"(?:[^"]|"")*"[ \t]*(?={sign}|\n|$)', "", head)
    records = bare.split("\n")
    records = [record for record in records[1:] or records if record.count(separator) == width - 1]
    if separator != ",":
        records = [SOFT.sub("", record) for record in records]
    others = [rival for rival in rivals if rival != separator]
    holding = sum(any(other in record for other in others) for record in records)
    return holding > STRAY * len(records)


csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
