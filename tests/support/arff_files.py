"""ARFF files for tests: random files with their expected content, and random damage."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from neucb.core.errors import DataError
from neucb.environments.arff.reader import parse_arff

VALID = b"""% a comment
@RELATION "all kinds"
@ATTRIBUTE size NUMERIC % in metres
@attribute 'the colour' {red, "dark blue", 'o\\'clock' ,50%}
@attribute\twhen DATE "dd.MM.yyyy HH:mm"
@attribute note STRING
@DATA
1.5,red,'01.02.1970 00:00',"a, b"
?,'dark blue',?,? % missing
-2e3,50%,02.02.1970 12:30,plain text,{0.5}
{0 3, 1 'o\\'clock', 3 last}
"""
PIECES = [
    *b"@{}'\"%\\,? \t\r\n\0\xff",
    b"@data",
    b"date",
    b"relational",
    b"\xff\xfe",
    b"\\u00e9",
    b"1e999",
    b"9" * 20,
]


def rejection(data: bytes) -> str | None:
    """Return the error message of a rejected file, or None for a readable one; raise any other error."""
    try:
        parse_arff(data)
    except DataError as error:
        message = str(error)
        assert "\n" not in message
        message.encode()  # printable
        return message
    return None


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to five random edits: insertion, deletion, repetition or replacement."""
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 2, 10, 100)))
        piece = chance.choice(PIECES)
        source = chance.randrange(len(data) + 1)
        data = chance.choice(
            (
                data[:start] + (bytes([piece]) if isinstance(piece, int) else piece) + data[start:],
                data[:start] + data[end:],
                data[:end] + data[start:end] * chance.randint(1, 50) + data[end:],
                data[:start] + data[source : source + 5] + data[end:],
                data[:start] + chance.randbytes(end - start) + data[end:],
            )
        )
    return data


def quoted(text: str, chance: random.Random) -> str:
    """Return a name or value quoted at random, without quotes only if that is unambiguous."""
    if text.isalnum() and chance.random() < 0.5:
        return text
    mark = chance.choice("'\"")
    for character, escape in (("\\", "\\\\"), (mark, "\\" + mark), ("\t", "\\t"), ("\n", "\\n")):
        text = text.replace(character, escape)
    return mark + text + mark


def write(columns: dict[str, tuple[tuple[str, ...] | None, list[Any]]], seed: int) -> str:
    """Return an ARFF file of columns with a random layout.

    Args:
        columns: name -> (levels of a nominal column, or None; values, None for missing).
        seed: seed of blanks, quotes, comments, capitals and empty lines.
    """
    chance = random.Random(seed)

    def blank() -> str:
        return chance.choice(("", "", " ", "\t", "  "))

    def any_case(text: str) -> str:
        return chance.choice((text, text.upper(), text.capitalize()))

    def comment() -> str:
        return chance.choice(("", "", " % comment", "\t%'{,", "\n", "\n% {a, 'b\n"))

    lines = [any_case("@relation") + " r" + comment()]
    for name, (levels, _) in columns.items():
        attribute_type = chance.choice(("numeric", "real", "integer"))
        if levels is not None:
            listed = ",".join(blank() + quoted(level, chance) + blank() for level in levels)
            attribute_type = f"{{{listed}}}"
        lines.append(f"{blank()}{any_case('@attribute')}{blank()}\t{quoted(name, chance)} {blank()}")
        lines[-1] += (attribute_type if levels else any_case(attribute_type)) + comment()
    lines.append(any_case("@data") + comment())
    for row in zip(*(values for _, values in columns.values()), strict=True):
        cells = ("?" if cell is None else quoted(str(cell), chance) for cell in row)
        lines.append(",".join(blank() + cell + blank() for cell in cells) + comment())
    return chance.choice(("\n", "\r\n", "\r")).join("\n".join(lines).split("\n"))


def fuzz(inputs: int, seed: int = 0) -> int:
    """Read damaged files; return the number of rejected ones."""
    chance = random.Random(seed)
    return sum(rejection(mutate(VALID, chance)) is not None for _ in range(inputs))


def save(folder: Path, text: str | bytes, name: str = "t.arff") -> Path:
    """Write a file into a folder and return its path."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def truth(levels: tuple[str, ...] | None, values: list[Any]) -> Any:
    """Return the values as stored in `Attribute`."""
    if levels is None:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array([-1 if value is None else levels.index(value) for value in values])
