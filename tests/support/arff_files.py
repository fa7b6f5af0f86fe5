"""ARFF files for tests: written at random together with the truth, and damaged at random."""

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


def refused(data: bytes) -> str | None:
    """Return the message with which a file is refused, None if it is read; anything else is raised."""
    try:
        parse_arff(data)
    except DataError as error:
        message = str(error)
        assert "\n" not in message
        message.encode()  # can be printed
        return message
    return None


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to five random edits: pieces put in, cut out, repeated or swapped."""
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 2, 10, 100)))
        piece = chance.choice(PIECES)
        other = chance.randrange(len(data) + 1)
        data = chance.choice(
            (
                data[:start] + (bytes([piece]) if isinstance(piece, int) else piece) + data[start:],
                data[:start] + data[end:],
                data[:end] + data[start:end] * chance.randint(1, 50) + data[end:],
                data[:start] + data[other : other + 5] + data[end:],
                data[:start] + chance.randbytes(end - start) + data[end:],
            )
        )
    return data


def quoted(text: str, chance: random.Random) -> str:
    """Return a name or value as a file may have it; without quotes only where that is unmistakable."""
    if text.isalnum() and chance.random() < 0.5:
        return text
    mark = chance.choice("'\"")
    for sign, code in (("\\", "\\\\"), (mark, "\\" + mark), ("\t", "\\t"), ("\n", "\\n")):
        text = text.replace(sign, code)
    return mark + text + mark


def write(columns: dict[str, tuple[tuple[str, ...] | None, list[Any]]], seed: int) -> str:
    """Return an ARFF file of columns, their layout drawn by the seed.

    Args:
        columns: name -> (levels of a nominal column, or None; values, None for missing).
        seed: of blanks, quotes, comments, capitals and empty lines.
    """
    chance = random.Random(seed)

    def blank() -> str:
        return chance.choice(("", "", " ", "\t", "  "))

    def word(text: str) -> str:
        return chance.choice((text, text.upper(), text.capitalize()))

    def comment() -> str:
        return chance.choice(("", "", " % comment", "\t%'{,", "\n", "\n% {a, 'b\n"))

    lines = [word("@relation") + " r" + comment()]
    for name, (levels, _) in columns.items():
        kind = chance.choice(("numeric", "real", "integer"))
        if levels is not None:
            listed = ",".join(blank() + quoted(level, chance) + blank() for level in levels)
            kind = f"{{{listed}}}"
        lines.append(f"{blank()}{word('@attribute')}{blank()}\t{quoted(name, chance)} {blank()}")
        lines[-1] += (kind if levels else word(kind)) + comment()
    lines.append(word("@data") + comment())
    for row in zip(*(values for _, values in columns.values()), strict=True):
        cells = ("?" if cell is None else quoted(str(cell), chance) for cell in row)
        lines.append(",".join(blank() + cell + blank() for cell in cells) + comment())
    return chance.choice(("\n", "\r\n", "\r")).join("\n".join(lines).split("\n"))


def fuzz(inputs: int, seed: int = 0) -> int:
    """Read so many damaged files; return how many were refused."""
    chance = random.Random(seed)
    return sum(refused(mutate(VALID, chance)) is not None for _ in range(inputs))


def save(folder: Path, text: str | bytes, name: str = "t.arff") -> Path:
    """Write a file into a folder and return its path."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def truth(levels: tuple[str, ...] | None, values: list[Any]) -> Any:
    """Return the values as `Attribute` has them."""
    if levels is None:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array([-1 if value is None else levels.index(value) for value in values])
