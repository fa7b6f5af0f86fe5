"""Exceptions of neucb, and the nearest-name hint in their messages.

Every message is one line that states the cause and the cure. The command line prints it and exits with
the error's `exit_code`; it shows no traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from neucb.core.former_names import FORMER


class NeucbError(Exception):
    """Base class of all errors of neucb, with a message of one line."""

    exit_code = 1

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())  # names from users may have line breaks


class InputError(NeucbError, ValueError):
    """Invalid input: unknown name, bad value, unusable table."""

    exit_code = 2


class DataError(InputError):
    """Failure to load a data set: not in the cache, no network, corrupt file."""


class DivergedError(NeucbError):
    """Divergence of an agent: NaN or infinity, invalid probabilities, or stopped learning.

    Attributes:
        round: round of the divergence, counted from 0; None where unknown.
        replica: index of the first replica that diverged; None where unknown.
    """

    def __init__(self, message: str, round: int | None = None, replica: int | None = None) -> None:
        super().__init__(message)
        self.round = round
        self.replica = replica


class StoppedError(NeucbError):
    """Interruption by Ctrl-C; the message names the results that are left."""

    exit_code = 130


def unknown_name(kind: str, name: str, known: Iterable[str], listing: str = "") -> InputError:
    """Return the error for a `name` that is not among `known`, with the nearest one as a hint.

    Args:
        kind: the noun of the message, for example "agent".
        name: the unknown name.
        known: the valid names.
        listing: command that lists the valid names, where they are too many for the message.
    """
    names = sorted(known)
    for today in FORMER.get(name, ()):
        if today in names:
            return InputError(f"unknown {kind} '{name}': it is '{today}' now")
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    others = f"see `{listing}`" if listing else f"known: {', '.join(names)}"
    hint = f"did you mean '{near[0]}'?" if near else others
    return InputError(f"unknown {kind} '{name}': {hint}")


def in_one_line(error: BaseException) -> str:
    """Return the message of an error in one line, with the class name first unless it is a `NeucbError`."""
    message = " ".join(str(error).split())
    if isinstance(error, NeucbError):
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
