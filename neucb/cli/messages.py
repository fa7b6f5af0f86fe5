"""Messages of all commands: lines on stderr and two-column lists."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


ARGUMENT = re.compile(
    r"""\b(\w+)=(\.\.\.|True|False|\{'((?:[^'\\]|\\.)*)':\s'(\w+)'\}|'([^']*)'|\(low,\ high\)|[\w.,-]*\w)""",
    re.VERBOSE,
)
options: dict[str, str] = {}  # argument -> option of the running command; filled by `main`


def as_options(message: object) -> str:
    """Return a message of the library with its arguments, such as `header=False`, spelled as options.

    Text from the command line itself, such as a file `seeds=3.csv`, is unchanged.
    """
    return ARGUMENT.sub(_as_option, str(message))


def _as_option(match: re.Match[str]) -> str:
    whole, name, value, column, column_type, text = match.group(0, 1, 2, 3, 4, 5)
    option = options.get(name)
    if option is None or any(whole in argument for argument in sys.argv[1:]):
        return whole
    if value in ("...", "True"):
        return option
    if value == "False":
        return option.replace("--", "--no-", 1)
    if column is not None:
        value = shlex.quote(ast.literal_eval(f"'{column}'") + f"={column_type}")
    elif text is not None:
        value = text
    elif value.startswith("("):
        value = "LOW,HIGH"
    return f"{option} {value}"


def fail(message: str, code: int) -> int:
    """Print an error on stderr; return the exit code."""
    print(f"neucb: error: {as_options(message)}", file=sys.stderr)
    return code


def note(message: object) -> None:
    """Print a line on stderr."""
    print(f"neucb: {as_options(message)}", file=sys.stderr)


def warning_printer() -> Callable[..., None]:
    """Return a replacement of `warnings.showwarning` that prints each text once, without source line."""
    printed: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = str(message)
        if text not in printed:
            printed.add(text)
            note(f"warning: {text}")

    return show


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Print names and descriptions in two columns."""
    width = max(len(name) for name, _ in rows)
    for name, summary in rows:
        print(f"{name:{width}}  {summary}")


def terminal(*, stderr: bool = False) -> Console:
    """Return a console for tables and progress bars that prints [markup] and :emoji: in names literally."""
    from rich.console import Console

    return Console(markup=False, emoji=False, stderr=stderr)
