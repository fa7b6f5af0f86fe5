"""Fuzzing: damaged specs, manifests and logs give a result or a one-line error, and no partial file.

    python -m tests.support.fuzz --inputs 10000

tries inputs, each determined by its number, and prints a table; `--first N --inputs 1` repeats input N and
shows its traceback.
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

LIMIT = 60  # maximum seconds of an input
MEMORY = 4 * 2**30  # maximum bytes allocated by the inputs


class Hang(BaseException):
    """Raised in an input that takes longer than LIMIT; `except Exception` does not catch it."""


@dataclass
class Tally:
    """Outcomes of the inputs.

    Attributes:
        counts: number of inputs by target and outcome: done, rejected in one line, or fault.
        faults: target, number of the input, and description of each fault.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def try_input(number: int, sources: Sources, tally: Tally) -> None:
    """Try the input of a number; count its outcome."""
    rng = random.Random(number)
    (target,) = rng.choices(list(TARGETS), weights=list(TARGETS.values()))
    fault = ""
    with tempfile.TemporaryDirectory() as name:
        try:
            with _limited():
                outcome = "done" if target(sources, Path(name), rng) else "rejected"
        except NeucbError as error:
            outcome = "rejected"
            fault = "" if len(str(error).splitlines()) == 1 else f"not one line: {error!r}"
        except (Exception, Hang):
            fault = traceback.format_exc()
        if any(Path(name).rglob(f"{TEMPORARY}*")):
            fault += "a partial file is left"
    if fault:
        outcome = "fault"
        tally.faults.append(f"{target.__name__}, input {number}: {fault}")
    tally.counts[target.__name__, outcome] += 1


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
    """Make excessive allocations fail instead of exhausting the machine; on Linux only."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def main() -> int:
    """Try inputs, printing rate and time left; return 1 if there are faults."""
    parser = argparse.ArgumentParser(description="Fuzz specs, manifests and logs.")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    arguments = parser.parse_args()
    tally = Tally()
    warnings.simplefilter("ignore")
    started = printed = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sources = Sources.make(Path(folder))
        _limit_memory()
        for index in range(arguments.inputs):
            before = len(tally.faults)
            try_input(arguments.first + index, sources, tally)
            for text in tally.faults[before:]:
                print(text, flush=True)
            now = time.monotonic()
            if now - printed > 10.0:
                printed = now
                rate = (index + 1) / (now - started)
                left = (arguments.inputs - index - 1) / rate
                faults = len(tally.faults)
                print(
                    f"{index + 1:,} of {arguments.inputs:,}, {rate:.0f}/s, {left:,.0f} s left, "
                    f"{faults} faults",
                    flush=True,
                )
    for (name, outcome), count in sorted(tally.counts.items()):
        print(f"{name:15} {outcome:8} {count:6,}")
    print(f"{arguments.inputs:,} inputs, {len(tally.faults)} faults, {time.monotonic() - started:,.0f} s")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
