"""The errors that neucb raises, and the nearest-name hint that they carry.

Every one is meant to be read by a person: one line, what is wrong and what to do. The command line
prints that line and exits with the error's `exit_code`; it shows no traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NeucbError(Exception):
    """Base class: a mistake or a failure that one line explains."""

    exit_code = 1

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())  # names from users may have line breaks


class InputError(NeucbError, ValueError):
    """What the user asked for cannot be done: unknown name, bad value, unusable table."""

    exit_code = 2


class DataError(InputError):
    """A data set could not be loaded: not in the cache, no network, corrupt file."""


class DivergedError(NeucbError):
    """An agent produced NaN or infinity, probabilities that are none, or learns no more.

    Attributes:
        round: in which it did, from 0, or None where that is not known.
        replica: the first that did.
    """

    def __init__(self, message: str, round: int | None = None, replica: int | None = None) -> None:
        super().__init__(message)
        self.round = round
        self.replica = replica


class StoppedError(NeucbError):
    """Ctrl-C ended something early, and the message says what is left of it."""

    exit_code = 130


def unknown_name(kind: str, name: str, known: Iterable[str], listing: str = "") -> InputError:
    """Return the error for a `name` that is not among `known`, with the nearest one as a hint.

    Args:
        kind: the noun of the message, for example "agent".
        name: what was asked for.
        known: the names there are.
        listing: the command that lists them, where they are too many for the message.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    others = f"see `{listing}`" if listing else f"known: {', '.join(names)}"
    hint = f"did you mean '{near[0]}'?" if near else others
    return InputError(f"unknown {kind} '{name}': {hint}")


def in_one_line(error: BaseException) -> str:
    """Return the message of an error in one line, after its kind where it is not an error of neucb."""
    words = " ".join(str(error).split())
    if isinstance(error, NeucbError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
