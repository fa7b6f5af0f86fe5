"""Seeds as the user writes them: `5`, `10:20`, `3,7`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from neucb.errors import InputError

HELP = "write a count (5: seeds 0 to 4), a range (10:20: 10 to 19) or a list (3,7)"


def parse_seeds(seeds: int | str | Iterable[int]) -> tuple[int, ...]:
    """Return the seeds meant by a count, a range "10:20" (end excluded), a list "3,7" or an iterable.

    Raises:
        InputError: none of these, negative, or empty.
    """
    if isinstance(seeds, str):
        numbers = _from_text(seeds)
    else:
        numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(int(seed) for seed in seeds)
    if not numbers or min(numbers) < 0:
        raise InputError(f"no valid seeds in '{seeds}': {HELP}")
    if len(set(numbers)) < len(numbers):
        (twice, _), *_ = Counter(numbers).most_common(1)
        raise InputError(f"seed {twice} occurs twice: its runs would be one and the same")
    return numbers


def _from_text(text: str) -> tuple[int, ...]:
    try:
        if ":" in text:
            first, last = text.split(":")
            return tuple(range(int(first), int(last)))
        if "," in text:
            return tuple(int(part) for part in text.split(",") if part.strip())
        return tuple(range(int(text)))
    except (ValueError, OverflowError, MemoryError):
        raise InputError(f"no valid seeds in '{text}': {HELP}") from None
