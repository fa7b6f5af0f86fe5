"""What every command says: lines on stderr, rows of names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def fail(message: str, code: int) -> int:
    """Say on stderr what failed; return the exit code."""
    print(f"neucb: error: {message}", file=sys.stderr)
    return code


def note(message: object) -> None:
    """Say one line on stderr."""
    print(f"neucb: {message}", file=sys.stderr)


def warning_printer() -> Callable[..., None]:
    """Return what stands in for `warnings.showwarning`: one line without its source, each text once."""
    printed: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = str(message)
        if text not in printed:
            printed.add(text)
            note(f"warning: {text}")

    return show


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Print names and what they are, in two columns."""
    width = max(len(name) for name, _ in rows)
    for name, summary in rows:
        print(f"{name:{width}}  {summary}")


def terminal(*, stderr: bool = False) -> Console:
    """Return the console for tables and bars, which prints names as they are: no [markup], no :emoji:."""
    from rich.console import Console

    return Console(markup=False, emoji=False, stderr=stderr)
