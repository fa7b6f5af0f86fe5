"""Fuzzing: damaged specs, manifests and logs end in a result or in one line, and leave nothing half written.

    python -m tests.support.fuzz --inputs 10000

plays through as many inputs, each made of its number alone, and ends with a table; `--first N --inputs 1`
repeats input N and shows its traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from neucb.core.errors import NeucbError
from neucb.core.files import TEMPORARY
from tests.support.targets import TARGETS, Sources

LIMIT = 60  # seconds of an input, from which on it hangs
MEMORY = 4 * 2**30  # bytes that all inputs may take beyond what there was before them


class Hang(BaseException):
    """Raised in an input that takes longer than LIMIT; no `except Exception` keeps it."""


@dataclass
class Tally:
    """What became of the inputs.

    Attributes:
        counts: by target and end: done, refused in one line, or fault.
        faults: target, number of the input, and what went wrong.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def try_input(number: int, sources: Sources, tally: Tally) -> None:
    """Try one input, made of its number; count how it ended."""
    rng = random.Random(number)
    (target,) = rng.choices(list(TARGETS), weights=list(TARGETS.values()))
    wrong = ""
    with tempfile.TemporaryDirectory() as name:
        try:
            with _limited():
                ended = "done" if target(sources, Path(name), rng) else "refused"
        except NeucbError as error:
            ended = "refused"
            wrong = "" if len(str(error).splitlines()) == 1 else f"not one line: {error!r}"
        except (Exception, Hang):
            wrong = traceback.format_exc()
        if any(Path(name).rglob(f"{TEMPORARY}*")):
            wrong += "half a file is left"
    if wrong:
        ended = "fault"
        tally.faults.append(f"{target.__name__}, input {number}: {wrong}")
    tally.counts[target.__name__, ended] += 1


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _limit_memory() -> None:
    """Let what takes far too much memory fail, rather than the machine; on Linux only."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def main() -> int:
    """Try inputs, with rate and time left; return 1 where there are faults."""
    parser = argparse.ArgumentParser(description="Fuzz specs, manifests and logs.")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    given = parser.parse_args()
    tally = Tally()
    warnings.simplefilter("ignore")
    started = shown = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sources = Sources.make(Path(folder))
        _limit_memory()
        for done in range(given.inputs):
            before = len(tally.faults)
            try_input(given.first + done, sources, tally)
            for text in tally.faults[before:]:
                print(text, flush=True)
            now = time.monotonic()
            if now - shown > 10.0:
                shown = now
                rate = (done + 1) / (now - started)
                left = (given.inputs - done - 1) / rate
                faults = len(tally.faults)
                print(
                    f"{done + 1:,} of {given.inputs:,}, {rate:.0f}/s, {left:,.0f} s left, {faults} faults",
                    flush=True,
                )
    for (name, ended), count in sorted(tally.counts.items()):
        print(f"{name:15} {ended:8} {count:6,}")
    print(f"{given.inputs:,} inputs, {len(tally.faults)} faults, {time.monotonic() - started:,.0f} s")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
