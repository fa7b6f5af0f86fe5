"""The declarations at the head of an ARFF file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from neucb.core.errors import DataError
from neucb.environments.arff.java_dates import DEFAULT, DatePattern
from neucb.environments.arff.values import (
    QUOTED,
    REST,
    WHITE,
    WORD,
    ArffSyntaxError,
    W,
    shown,
    split_levels,
    unquote,
)

Kind = Literal["numeric", "nominal", "string", "date"]
NUMERIC = ("numeric", "real", "integer")
NAME = re.compile(rf"@attribute(?=[\x00-\x20'\"]){W}*({QUOTED}|{WORD}){W}*", re.I)
TYPE = re.compile(r"[A-Za-z]+")
RANGE = re.compile(rf"{W}*(?:\[[^\]]*\]{W}*)?(?:%.*)?")  # integer [0, 10], which some tools write
COMMENT = re.compile(rf"{W}%")


@dataclass(frozen=True)
class Declaration:
    """A declared attribute.

    Attributes:
        name: name without quotes.
        kind: declared type.
        levels: levels of a nominal attribute, in declared order, each once; else None.
        pattern: pattern of a date; else None.
        left_out: value where a sparse row omits the attribute, None for missing.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] | None = None
    pattern: DatePattern | None = None
    left_out: str | None = None


def declaration(line: str) -> Declaration:
    """Return the declaration of a line that begins with "@attribute", in any case.

    Raises:
        ArffSyntaxError: the line is no declaration, or an incomplete one.
        DataError: a relational attribute, or a date in an unsupported pattern.
    """
    match = NAME.match(line)
    if match is None:
        raise ArffSyntaxError(f"{shown(line)} does not name an attribute; odd names need quotes")
    name, text = unquote(match[1]), line[match.end() :]
    if text.startswith("{"):
        levels, rest = split_levels(text[1:])
        if not REST.fullmatch(rest):
            raise ArffSyntaxError(f"{shown(rest.strip(WHITE))} stands behind the values of {shown(name)}")
        return Declaration(name, "nominal", tuple(levels), left_out=levels[0] if levels else None)
    word = TYPE.match(text)
    kind, rest = (word[0].lower(), text[word.end() :]) if word else ("", text)
    if kind in NUMERIC and RANGE.fullmatch(rest):
        return Declaration(name, "numeric", left_out="0")
    if kind == "string" and REST.fullmatch(rest):
        return Declaration(name, "string")
    if kind == "date":
        return _date(name, rest)
    if kind == "relational":
        raise DataError(f"attribute {shown(name)} is relational, a table within the table, and is not read")
    raise ArffSyntaxError(f"attribute {shown(name)} has the unknown type {shown(text)}")


def _date(name: str, rest: str) -> Declaration:
    rest = rest.strip(WHITE)
    quoted = re.match(QUOTED, rest)
    if quoted is None:
        text = COMMENT.split(f" {rest}", maxsplit=1)[0].strip(WHITE)
    elif REST.fullmatch(rest, quoted.end()):
        text = unquote(quoted[0])
    else:
        raise ArffSyntaxError(f"{shown(rest)} is no date pattern (attribute {shown(name)})")
    pattern = DatePattern(text or DEFAULT)
    return Declaration(name, "date", pattern=pattern, left_out=pattern.epoch)
