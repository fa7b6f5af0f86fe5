"""Seeds as text: a count `5`, a range `10:20`, a list `3,7`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from numbers import Integral
from typing import TypeGuard

from neucb.core.errors import InputError

HELP = "write a count (5: seeds 0 to 4), a range (10:20: 10 to 19) or a list (3,7)"
MOST = 1_000_000  # maximum number of seeds of a run
LARGEST = 2**63 - 1  # largest seed: logs hold int64


def parse_seeds(seeds: int | str | Iterable[int]) -> tuple[int, ...]:
    """Return the seeds of a count, a range "10:20" (end excluded), a list "3,7" or an iterable.

    Raises:
        InputError: the text has another form, or the seeds are negative, repeated, none, or more than MOST.
    """
    if isinstance(seeds, str):
        numbers = _from_text(seeds)
    else:
        numbers = range(int(seeds)) if is_whole(seeds) else _from_iterable(seeds)
    if not numbers or numbers[0] < 0:
        raise _no_seeds(seeds)
    # No len() of a range: it fails from 2^63 on.
    if isinstance(numbers, range) and numbers[-1] - numbers[0] >= MOST:
        raise InputError(f"no valid seeds in '{seeds}': there may be {MOST:,} at most")
    numbers = tuple(numbers)
    if min(numbers) < 0 or max(numbers) > LARGEST:
        raise _no_seeds(seeds)
    if len(set(numbers)) < len(numbers):
        (seed, _), *_ = Counter(numbers).most_common(1)
        raise InputError(f"seed {seed} occurs twice: its runs would be one and the same")
    return numbers


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number, of Python or NumPy, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _from_iterable(seeds: object) -> tuple[int, ...]:
    if isinstance(seeds, Iterable):
        numbers = tuple(seeds)
        if all(map(is_whole, numbers)):
            return tuple(map(int, numbers))
    raise _no_seeds(seeds)


def _from_text(text: str) -> range | tuple[int, ...]:
    try:
        if ":" in text:
            first, last = text.split(":")
            return range(int(first), int(last))
        if "," in text:
            return tuple(int(part) for part in text.split(",") if part.strip())
        return range(int(text))
    except ValueError:
        raise _no_seeds(text) from None


def _no_seeds(seeds: object) -> InputError:
    return InputError(f"no valid seeds in '{seeds}': {HELP}")
