"""Cost matrices from files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from neucb.core.errors import DataError
from neucb.environments.encoding import decode_text


def read_costs(path: Path) -> list[list[Any]]:
    """Return the rows of a CSV file of costs, labels down and arms across.

    The first row and the first column hold names where the first cell of the file is no number, see
    `neucb.environments.feedback.cost_matrix`.

    Raises:
        DataError: the file is missing, or holds cells that are no numbers, or rows of different lengths.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path} with a cost matrix")
    notes: list[str] = []
    expected = "the cost matrix must be numbers with commas between, or these with the names of the classes"
    try:
        lines = decode_text(path.read_bytes(), notes).split("\n")
        separator = max(",;\t", key=lines[0].count)
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator) if any(row)]
    except (DataError, csv.Error) as error:
        raise DataError(f"{path}: {expected}: {error}") from None
    if rows and all(row[-1] == "" for row in rows):
        rows = [row[:-1] for row in rows]
    if separator == ";":
        rows = [
            [cell.replace(",", ".") if _is_number(cell.replace(",", ".")) else cell for cell in row]
            for row in rows
        ]
    if not rows:
        raise DataError(f"{path} is empty; {expected}")
    named = not _is_number(rows[0][0])
    costs: list[list[Any]] = [["", *rows[0][1:]]] if named else []
    for number, row in enumerate(rows[1:] if named else rows, 2 if named else 1):
        if len(row) != len(rows[0]):
            raise DataError(
                f"{path}: row {number} has {len(row)} cells, the first row {len(rows[0])}; {expected}"
            )
        bad = next((cell for cell in row[named:] if not _is_number(cell)), None)
        if bad is not None:
            raise DataError(f"{path}: row {number} holds '{bad}'; {expected}")
        costs.append([*row[:named], *map(float, row[named:])])
    return costs


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
