"""Cells: distinct texts of a table's column read as numbers, dates or times, by written rules.

Numbers: an optional sign (`+`, `-` or a typographic minus), digits, a decimal point, an exponent; with
one and the same currency sign before, or percent sign or unit behind, in every cell. Decimal commas and
thousands separators are read where one reading alone fits all cells.
Dates: year-month-day; day.month.year; day/month/year or month/day/year where one of them alone fits all
cells; day, English month name, year in either order; each with or without a time of day and an offset from
UTC; year-month.
Times and durations: hours:minutes[:seconds], "3 days 04:05:06".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Marks for a missing value in a column of numbers, dates or booleans, in lower case.
MISSING = frozenset(
    [
        "",
        "?",
        "-",
        "--",
        "---",
        "–",
        "—",
        ".",
        "..",
        "...",
        "*",
        "na",
        "n/a",
        "n.a.",
        "n.a",
        "#n/a",
        "#na",
        "#n/a n/a",
        "nan",
        "-nan",
        "1.#qnan",
        "-1.#ind",
        "1.#ind",
        "nil",
        "none",
        "null",
        "(null)",
        "<na>",
        "nat",
        "\\n",
        "#value!",
        "#div/0!",
        "#ref!",
        "missing",
        "0000-00-00",
        "0000-00-00 00:00:00",
    ]
)
DASHES = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2012": "-", "\ufe63": "-", "\uff0d": "-"})

EXPONENT = r"(?:[eE][+-]?\d+)?"
INFINITE = r"(?:inf|infinity)"
# Readings of a number without sign: name -> pattern of every cell, digits to delete, decimal sign.
READINGS = {
    "point": (rf"(?:\d+\.?\d*|\.\d+){EXPONENT}|{INFINITE}", "", "."),
    "comma": (rf"(?:\d+,?\d*|,\d+){EXPONENT}", "", ","),
    "thousands ,": (rf"[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d*)?|(?:\d+\.?\d*|\.\d+){EXPONENT}", ",", "."),
    "thousands .": (rf"[1-9]\d{{0,2}}(?:\.\d{{3}})+(?:,\d*)?|(?:\d+,?\d*|,\d+){EXPONENT}", ".", ","),
    "thousands blank": (
        rf"[1-9]\d{{0,2}}(?:[ '\u2019]\d{{3}})+(?:\.\d*)?|(?:\d+\.?\d*|\.\d+){EXPONENT}",
        " '\u2019",
        ".",
    ),
    "thousands blank, comma": (
        rf"[1-9]\d{{0,2}}(?:[ '\u2019]\d{{3}})+(?:,\d*)?|(?:\d+,?\d*|,\d+){EXPONENT}",
        " '\u2019",
        ",",
    ),
}
PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, (pattern, _, _) in READINGS.items()}
GROUPED = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")  # 1.234: a thousand and more where commas are decimal

CURRENCY = r"(?:US\$|[$\u20ac\u00a3\u00a5\u20b9]|USD|EUR|GBP|CHF|JPY)"
UNIT = (
    r"(?:%|\u2030|\u00b0[CF]?|[kmc\u00b5\u03bcn]?m[23\u00b2\u00b3]?|[km\u00b5\u03bc]?g|t|lbs?|oz|ft|in|mi|miles?|yd|"
    r"[mcd]?l|sq ?ft|ha|acres?|ms|s|secs?|seconds?|mins?|minutes?|h|hrs?|hours?|d|days?|weeks?|months?|"
    r"yrs?|years?|"
    r"[kMG]?Hz|[kMGT]i?B|bytes?|[kMG]?Wh?|[km]?V|m?A|hp|bhp|PS|cc|rpm|mph|km/h|kmh|kmph|m/s|kn|mpg|"
    r"k?cal|k?J|h?Pa|bar|mbar|psi|px|pt|dB|ppm|x)"
)
AFFIXED = re.compile(
    rf"(?P<a>-?)(?P<before>{CURRENCY}?) ?(?P<b>-?)(?P<digits>[\d.,](?:[\d.,eE '\u2019+-]*[\d.,])?) ?"
    rf"(?P<behind>(?:{UNIT}|{CURRENCY})?)"
)


@dataclass(frozen=True)
class Numbers:
    """Distinct cells read as numbers.

    Attributes:
        values: [n] float64, NaN for missing ones.
        reading: "point" for ordinary numbers, else the decimal sign, thousands separator, or unit.
    """

    values: NDArray[np.float64]
    reading: str


def is_missing(text: str) -> bool:
    """Return whether a cell of a number column is missing."""
    return text.lower() in MISSING


def readings(texts: Sequence[str], decimal: str | None = None) -> dict[str, Numbers]:
    """Return the readings under which every cell that is not missing is a number; {} for none.

    The ordinary reading stands alone where it fits. With `decimal` ("." or ","), readings of another
    decimal sign are left out.
    """
    places = [j for j, text in enumerate(texts) if not is_missing(text)]
    cells = [_plain(texts[j]) for j in places]
    signs, digits = _unsigned(cells)
    affix = ""
    if cells and not all(map(PATTERNS["point"].fullmatch, digits)):
        signs, digits, affix = _without_affix(cells, signs, digits)
    found: dict[str, Numbers] = {}
    for name, (_, delete, sign) in READINGS.items():
        if decimal not in (None, sign) or not cells or not all(map(PATTERNS[name].fullmatch, digits)):
            continue
        table = str.maketrans({**dict.fromkeys(delete, ""), sign: "."})
        values = np.full(len(texts), np.nan)
        values[places] = [s * float(text.translate(table)) for s, text in zip(signs, digits, strict=True)]
        found[name] = Numbers(
            values, ", ".join(filter(None, ["" if name == "point" else name, affix])) or "point"
        )
        if name == "point":
            break
    return found


def most_numbers(texts: Sequence[str], decimal: str | None = None) -> Numbers:
    """Return cells read as numbers under the reading and the unit that most of them have.

    Args:
        texts: n distinct cells.
        decimal: see `readings`.

    Returns:
        NaN for missing cells, and for those that are no numbers under this reading.
    """
    places = [j for j, text in enumerate(texts) if not is_missing(text)]
    found = [(j, AFFIXED.fullmatch(_plain(texts[j]).removeprefix("+"))) for j in places]
    matches = [(j, match, (match["before"], match["behind"])) for j, match in found if match is not None]
    best = Numbers(np.full(len(texts), np.nan), "point")
    if not matches:
        return best
    affix = Counter(one for _, _, one in matches).most_common(1)[0][0]
    alike = [(j, match) for j, match, one in matches if one == affix]
    for name, (_, delete, sign) in READINGS.items():
        fitting = [(j, match) for j, match in alike if PATTERNS[name].fullmatch(match["digits"].strip())]
        if decimal not in (None, sign) or len(fitting) <= np.isfinite(best.values).sum():
            continue
        table = str.maketrans({**dict.fromkeys(delete, ""), sign: "."})
        values = np.full(len(texts), np.nan)
        for j, match in fitting:
            number = float(match["digits"].strip().translate(table))
            values[j] = -number if match["a"] or match["b"] else number
        best = Numbers(values, ", ".join(filter(None, ["" if name == "point" else name, *affix])) or "point")
    return best


def _plain(text: str) -> str:
    """Return a cell with an ordinary minus and ordinary blanks."""
    return text.translate(DASHES).replace("\xa0", " ").replace("\u202f", " ")


def is_number(text: str) -> bool:
    """Return whether a cell is an ordinary number."""
    _, digits = _unsigned([text.translate(DASHES)])
    return PATTERNS["point"].fullmatch(digits[0]) is not None


def grouped(texts: Sequence[str]) -> bool:
    """Return whether some cells have a point, and all of these could have thousands behind it, as 1.234."""
    pointed = [text.translate(DASHES).lstrip("+-") for text in texts if "." in text and not is_missing(text)]
    return bool(pointed) and all(map(GROUPED.fullmatch, pointed))


def _unsigned(cells: Sequence[str]) -> tuple[list[float], list[str]]:
    """Return the signs of numbers, and the rest of their cells."""
    signs = [-1.0 if cell.startswith("-") else 1.0 for cell in cells]
    return signs, [cell[1:].lstrip() if cell.startswith(("-", "+")) else cell for cell in cells]


def _without_affix(
    cells: Sequence[str], signs: list[float], digits: list[str]
) -> tuple[list[float], list[str], str]:
    """Take off the currency or unit that all cells share, if they do."""
    found = [AFFIXED.fullmatch(cell.lstrip("+")) for cell in cells]
    matches = [match for match in found if match is not None]
    affixes = {(match["before"], match["behind"]) for match in matches}
    if len(matches) < len(cells) or len(affixes) != 1 or affixes == {("", "")}:
        return signs, digits, ""
    signs = [-1.0 if match["a"] or match["b"] else 1.0 for match in matches]
    return signs, [match["digits"].strip() for match in matches], "".join(affixes.pop())


MONTHS = {
    name: j
    for j, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
CLOCK = r"(?P<M>[0-5]\d)(?::(?P<S>[0-5]\d(?:[.,]\d*)?|60))?(?: ?(?P<half>[ap])\.?m\.?)?"
TIME = (
    rf"(?P<H>\d{{1,2}}):{CLOCK}"
    r" ?(?:Z|UTC|GMT|(?P<zone>[+-]\d{2}):?(?P<minutes>[0-5]\d)?)?"
)
NAME = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
LATER = rf"(?:(?:T| |, |:){TIME})?"
YEAR = r"(?P<y>\d{4}|\d{2})"
DATES = {
    "year-month-day": rf"(?P<y>\d{{4}})(?P<sep>[-/.])(?P<m>\d{{1,2}})(?P=sep)(?P<d>\d{{1,2}}){LATER}",
    "day.month.year": rf"(?P<d>\d{{1,2}})\.(?P<m>\d{{1,2}})\.{YEAR}{LATER}",
    "day/month/year": rf"(?P<d>\d{{1,2}})(?P<sep>[-/])(?P<m>\d{{1,2}})(?P=sep){YEAR}{LATER}",
    "month/day/year": rf"(?P<m>\d{{1,2}})(?P<sep>[-/])(?P<d>\d{{1,2}})(?P=sep){YEAR}{LATER}",
    "day month year": rf"(?:[a-z]{{3,9}},? )?(?P<d>\d{{1,2}})\.?[-/ ]?{NAME}[-/ ,]*{YEAR}{LATER}",
    "month day, year": rf"(?:[a-z]{{3,9}},? )?{NAME} (?P<d>\d{{1,2}}),? (?P<y>\d{{4}}){LATER}",
    "weekday month day time year": rf"[a-z]{{3}} {NAME} +(?P<d>\d{{1,2}}) (?P<H>\d{{1,2}}):{CLOCK} {YEAR}",
    "year-month": r"(?P<y>\d{4})-(?P<m>\d{1,2})",
    "month/year": r"(?P<m>\d{1,2})/(?P<y>\d{4})",
    "month year": rf"{NAME}[- ](?P<y>\d{{4}})",
    "time": rf"(?P<minus>-)?(?P<H>\d{{1,3}}):{CLOCK}",
    "duration": r"(?P<days>-?\d+) days?(?:,? (?P<H>\d{1,2}):(?P<M>[0-5]\d):(?P<S>[0-5]\d(?:\.\d*)?))?",
}
DATE_PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in DATES.items()}


def dates(texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return the date and time formats that every cell has which is not missing.

    Returns:
        format -> [n] float64 seconds since 1970 (UTC), or of the day or duration; NaN for missing.
    """
    places = [j for j, text in enumerate(texts) if not is_missing(text)]
    found: dict[str, NDArray[np.float64]] = {}
    for name, pattern in DATE_PATTERNS.items():
        if not places or not pattern.fullmatch(texts[places[0]]):
            continue
        seconds = np.full(len(texts), np.nan)
        for j in places:
            match = pattern.fullmatch(texts[j])
            value = None if match is None else _seconds({k: v for k, v in match.groupdict().items() if v})
            if value is None:
                break
            seconds[j] = value
        else:
            found[name] = seconds
    return found


def most_dates(texts: Sequence[str]) -> tuple[str, NDArray[np.float64]] | None:
    """Return the format of `dates` that most cells have and their seconds, NaN for others; None for no dates.

    Raises:
        ValueError: two formats fit as many cells and give different days.
    """
    best: list[tuple[str, NDArray[np.float64]]] = []
    for name in DATE_PATTERNS:
        seconds = np.array([_seconds_of(name, text) for text in texts])
        count = np.isfinite(seconds).sum()
        most = np.isfinite(best[0][1]).sum() if best else 0
        if count > most:
            best = [(name, seconds)]
        elif best and count == most and not np.array_equal(best[0][1], seconds, equal_nan=True):
            best.append((name, seconds))
    if len(best) > 1:
        raise ValueError(" or ".join(name for name, _ in best))
    return best[0] if best else None


def _seconds_of(name: str, text: str) -> float:
    match = None if is_missing(text) else DATE_PATTERNS[name].fullmatch(text)
    value = None if match is None else _seconds({k: v for k, v in match.groupdict().items() if v})
    return np.nan if value is None else value


def _seconds(part: dict[str, str]) -> float | None:
    """Return the seconds of a date or time from its parts, None where there is no such day or hour."""
    total = 86400.0 * int(part.get("days", 0))
    if "y" in part:
        month = MONTHS[part["name"].lower()] if "name" in part else int(part["m"])
        day = int(part.get("d", 1))
        if not (1 <= month <= 12 and day >= 1):
            return None
        year = int(part["y"])
        if len(part["y"]) == 2:
            year += 1900 if year >= 69 else 2000  # as POSIX has it
        first = np.datetime64(year - 1970, "Y").astype("datetime64[M]") + (month - 1)
        date = first.astype("datetime64[D]") + (day - 1)
        if date.astype("datetime64[M]") != first:
            return None
        total += 86400.0 * int(date.astype(np.int64))
    hour = int(part.get("H", 0))
    if "half" in part:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (part["half"].lower() == "p")
    if "y" in part and hour > 24:
        return None
    zone = int(part.get("zone", 0))
    offset = 3600 * zone + (-1 if part.get("zone", "").startswith("-") else 1) * 60 * int(
        part.get("minutes", 0)
    )
    clock = 3600 * hour + 60 * int(part.get("M", 0)) + float(part.get("S", "0").replace(",", ".")) - offset
    return -clock if "minus" in part else total + clock
