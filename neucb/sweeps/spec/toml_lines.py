"""Line numbers of keys and values in a TOML text, for error messages; tomllib gives none."""

from __future__ import annotations

import re

HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(#.*)?$")


def find_line(text: str, *path: str | int, value: object = None) -> int:
    """Return the line number, from 1, of a key.

    Args:
        text: content of the file.
        path: keys and positions from the top, for example "agents", 1, "grid", "lr".
        value: element of the key's value, whose line is returned if it can be found.
    """
    lines = text.splitlines()
    first, last, rest = _section(lines, path)
    at = first
    for key in rest:
        if isinstance(key, str):
            at = _find(rf"(?:^|[\s{{,.])[\"']?{re.escape(key)}[\"']?\s*[=.]", lines, at, last, at)
    if value is not None:
        at = _find(rf"(?<![\w.-]){re.escape(str(value))}(?![\w-])", lines, at, last, at)
    return at + 1


def _section(lines: list[str], path: tuple[str | int, ...]) -> tuple[int, int, tuple[str | int, ...]]:
    """Return first and last line of the deepest table of a path, and the keys that remain."""
    spans: dict[tuple[str | int, ...], tuple[int, int]] = {(): (0, len(lines))}
    counts: dict[tuple[str | int, ...], int] = {}
    open_table: tuple[str | int, ...] = ()
    for number, line in enumerate(lines):
        found = HEADER.match(line)
        if not found:
            continue
        spans[open_table] = (spans[open_table][0], number)
        place: tuple[str | int, ...] = ()
        keys = found[2].split(".")
        for depth, key in enumerate(keys):
            place = (*place, key)
            if found[1] == "[[" and depth == len(keys) - 1:
                counts[place] = counts.get(place, -1) + 1
            if place in counts:
                place = (*place, counts[place])
        open_table = place
        spans[place] = (number, len(lines))
    for depth in range(len(path), 0, -1):
        if path[:depth] in spans:
            return (*spans[path[:depth]], path[depth:])
    return (*spans[()], path)


def _find(pattern: str, lines: list[str], first: int, last: int, default: int) -> int:
    for number in range(first, last):
        if re.search(pattern, lines[number].split("#")[0]):
            return number
    return default
