"""Performance targets of the project, compared with a full benchmark run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Results = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A performance target.

    Attributes:
        metric: description of the metric.
        wanted: target value.
        value: function that returns the metric of results of `run_bench`; raises KeyError if unmeasured.
        most: whether the target is an upper bound; by default a lower one.
        unit: unit printed after both numbers.
    """

    metric: str
    wanted: float
    value: Callable[[Results], float]
    most: bool = False
    unit: str = "x"

    def met(self, value: float) -> bool:
        """Return whether a value meets the target."""
        return value <= self.wanted if self.most else value >= self.wanted


def measured(results: Results) -> Iterator[tuple[Target, float]]:
    """Yield every target whose metric was measured, with its value."""
    for target in TARGETS:
        try:
            yield target, target.value(results)
        except KeyError:
            continue


def row(results: Results, table: str, task: str, contender: str) -> dict[str, Any]:
    """Return one measurement.

    Raises:
        KeyError: the measurement is missing.
    """
    for entry in results["rows"]:
        if (entry["table"], entry["task"], entry["contender"]) == (table, task, contender):
            return dict(entry)
    raise KeyError(contender)


def peer(results: Results, name: str) -> dict[str, Any]:
    """Return the measurement of a peer or of our agent on the same rows.

    Raises:
        KeyError: the measurement is missing.
    """
    for entry in results["peers"]:
        if entry["peer"].endswith(f": {name}") and "note" not in entry:
            return dict(entry)
    raise KeyError(name)


def _ratio(table: str, task: str, contender: str) -> Callable[[Results], float]:
    return lambda results: float(row(results, table, task, contender)["ratio"])


def _slower(task: str, than: str) -> Callable[[Results], float]:
    def value(results: Results) -> float:
        first, second = (row(results, "variants", name, "compiled")["cpu_us"] for name in (task, than))
        return float(first / second)

    return value


def _against(name: str, ours: str, metric: str) -> Callable[[Results], float]:
    return lambda results: float(peer(results, name)[metric] / peer(results, ours)[metric])


TARGETS = (
    *(
        Target(f"compiled on {task}, against the plain loop", wanted, _ratio("speed", task, "compiled"))
        for task, wanted in (
            ("covertype", 180),
            ("mushroom", 180),
            ("magic", 700),
            ("plants", 80),
            ("fashion", 30),
        )
    ),
    Target("torch, 32 replicas, covertype", 25, _ratio("speed", "covertype", "torch R=32")),
    Target("torch, 128 replicas, covertype", 60, _ratio("speed", "covertype", "torch R=128")),
    Target("squared loss, S = inf, time over unperturbed", 1.7, _slower("sq, S = inf", "sq"), most=True),
    Target("KL loss, S = inf, time over unperturbed", 2.5, _slower("kl, S = inf", "kl"), most=True),
    Target("squared loss, S = 10, time over unperturbed", 8, _slower("sq, S = 10", "sq"), most=True),
    Target("KL loss, S = 10, time over unperturbed", 8, _slower("kl, S = 10", "kl"), most=True),
    Target("neural-ucb compiled, against its plain loop", 150, _ratio("variants", "neural-ucb", "compiled")),
    Target("16 steps a round, against its plain loop", 60, _ratio("variants", "kl, 16 steps", "compiled")),
    Target(
        "16 steps a round, rounds per CPU second",
        15_000,
        lambda results: 1e6 / row(results, "variants", "kl, 16 steps", "compiled")["cpu_us"],
        unit="",
    ),
    Target("kl, CPU time of vw-squarecb over ours", 4, _against("vw-squarecb", "kl", "cpu_us")),
    Target("kl, mistakes of vw-squarecb over ours", 1, _against("vw-squarecb", "kl", "mistakes")),
    Target(
        "kl-perturbed-replay, CPU time of coba-squarecb over ours",
        8,
        _against("coba-squarecb", "kl-perturbed-replay", "cpu_us"),
    ),
    Target(
        "kl-perturbed-replay, mistakes of coba-squarecb over ours",
        1,
        _against("coba-squarecb", "kl-perturbed-replay", "mistakes"),
    ),
)
