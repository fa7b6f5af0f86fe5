"""Kill a sweep a hundred times at random moments, and check that no finished batch is lost.

    python -m neucb.benchmarks.maintenance.kills [KILLS [SEED]]

Runs a sweep in a child process, kills it with SIGKILL after a random time, and resumes it in the same
folder, repeatedly. A completed sweep is compared with an uninterrupted one, and the next one starts in a new
folder. After every kill all complete batches must be unchanged, and every readable row must be correct.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from neucb.core.errors import NeucbError
from neucb.sweeps.store.batch_store import PLAN, BatchStore
from neucb.sweeps.store.load_sweep import load_sweep

if TYPE_CHECKING:
    import pandas as pd

SPEC = """
[experiment]
name = "kills"
rounds = 1500
recycle = true
datasets = ["iris", "wine", "breast_cancer"]
label_noise = [0.0, 0.1]
tuning_seeds = "100:110"
reporting_seeds = 40

[[agents]]
name = "kl"
grid = { lr = [0.5, 1.0, 1.5, 2.0] }

[[agents]]
name = "squarecb"
grid = { gamma = [10, 100] }
"""
RUN = ["agent_label", "dataset", "label_noise", "split", "config_id", "seed", "round"]
LONGEST = 12.0  # maximum seconds until a kill
STORING = 0.8  # share of kills while batches are stored


def main(kills: int = 100, seed: int = 0) -> None:
    """Kill sweeps `kills` times.

    Raises:
        NeucbError: a finished batch is lost or a row is wrong.
    """
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="neucb-kills-") as name:
        root = Path(name)
        spec = root / "spec.toml"
        spec.write_text(SPEC)
        started = time.monotonic()
        subprocess.run(command(spec, root / "alone"), check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - started
        expected = load_sweep(root / "alone" / "kills")
        done, sweeps, early = 0, 0, 0
        while done < kills:
            folder = root / f"sweep-{sweeps}"
            ended, count, count_early = until_it_ends(
                spec, folder, kills - done, min(LONGEST, seconds), rng, expected
            )
            done += count
            early += count_early
            sweeps += ended
            print(f"{done} kills, {sweeps} sweeps completed and were correct", flush=True)
    print(f"no batch was lost; {early} of {done} kills came before the first batch was stored")


def command(spec: Path, folder: Path) -> list[str]:
    """Return the command line of a sweep."""
    arguments = ["sweep", str(spec), "--jobs", "2", "--quiet", "--out", str(folder)]
    return [sys.executable, "-m", "neucb", *arguments]


def until_it_ends(
    spec: Path, folder: Path, most: int, longest: float, rng: random.Random, expected: pd.DataFrame
) -> tuple[bool, int, int]:
    """Kill one sweep until it completes; return whether it did, the kills, and those before any batch."""
    kills = early = 0
    complete: dict[str, bytes] = {}
    while kills < most:
        process = subprocess.Popen(command(spec, folder), stdout=subprocess.DEVNULL)
        if rng.random() < STORING:
            wait_for_more(folder / "kills", process)
            delay = rng.uniform(0.0, 0.5)
        else:
            delay = rng.uniform(0.0, longest)
        try:
            code = process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            complete = check(folder / "kills", complete, expected)
            early += not complete
            continue
        if code != 0:
            raise NeucbError(f"the sweep ended with exit code {code}")
        check(folder / "kills", complete, expected)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an incomplete sweep warns
            rows = load_sweep(folder / "kills")
        if not rows.equals(expected):
            raise NeucbError("the rows of a killed sweep differ from those of an uninterrupted one")
        return True, kills, early
    return False, kills, early


def wait_for_more(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a sweep has stored a new batch, or has ended."""
    before = len(list(folder.glob("*.parquet")))
    while process.poll() is None and len(list(folder.glob("*.parquet"))) == before:
        time.sleep(0.005)


def check(folder: Path, before: dict[str, bytes], expected: pd.DataFrame) -> dict[str, bytes]:
    """Return the complete batches after a check of those of `before` and of all readable rows."""
    store = BatchStore(folder)
    complete = {name: store.log(name).read_bytes() for name in store.names() if store.find(name) is not None}
    for name, content in before.items():
        if complete.get(name) != content:
            raise NeucbError(f"{name} was stored and is missing or changed")
    if (folder / PLAN).exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an incomplete sweep warns
            rows = load_sweep(folder)
        if len(rows):
            keys = expected.set_index(RUN).index
            matching = expected[keys.isin(rows.set_index(RUN).index)]
            if len(matching) != len(rows) or matching["regret"].sum() != rows["regret"].sum():
                raise NeucbError("a stored row is wrong")
    return complete


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
