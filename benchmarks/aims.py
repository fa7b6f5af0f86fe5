"""Aims: what the project wants of its speed, and whether a full benchmark run shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Found = dict[str, Any]


@dataclass(frozen=True)
class Aim:
    """One figure.

    Attributes:
        what: in words.
        wanted: the bound.
        value: reads the figure from what `run_bench` returned; KeyError where it was not measured.
        most: whether the bound is an upper one.
        unit: after both numbers.
    """

    what: str
    wanted: float
    value: Callable[[Found], float]
    most: bool = False
    unit: str = "x"

    def met(self, value: float) -> bool:
        """Return whether a figure is as wanted."""
        return value <= self.wanted if self.most else value >= self.wanted


def measured(found: Found) -> Iterator[tuple[Aim, float]]:
    """Yield every aim whose figure was measured, with it."""
    for aim in AIMS:
        try:
            yield aim, aim.value(found)
        except KeyError:
            continue


def row(found: Found, table: str, task: str, contender: str) -> dict[str, Any]:
    """Return one measurement.

    Raises:
        KeyError: there is none.
    """
    for one in found["rows"]:
        if (one["table"], one["task"], one["contender"]) == (table, task, contender):
            return dict(one)
    raise KeyError(contender)


def peer(found: Found, name: str) -> dict[str, Any]:
    """Return the measurement of a peer or of our agent beside it.

    Raises:
        KeyError: there is none.
    """
    for one in found["peers"]:
        if one["peer"].endswith(f": {name}") and "note" not in one:
            return dict(one)
    raise KeyError(name)


def _ratio(table: str, task: str, contender: str) -> Callable[[Found], float]:
    return lambda found: float(row(found, table, task, contender)["ratio"])


def _slower(task: str, than: str) -> Callable[[Found], float]:
    def value(found: Found) -> float:
        own, other = (row(found, "variants", one, "compiled")["cpu_us"] for one in (task, than))
        return float(own / other)

    return value


def _against(name: str, own: str, figure: str) -> Callable[[Found], float]:
    return lambda found: float(peer(found, name)[figure] / peer(found, own)[figure])


AIMS = (
    *(
        Aim(f"compiled on {task}, against the plain loop", wanted, _ratio("speed", task, "compiled"))
        for task, wanted in (
            ("covertype", 180),
            ("mushroom", 180),
            ("magic", 700),
            ("plants", 80),
            ("fashion", 30),
        )
    ),
    Aim("torch, 32 replicas, covertype", 25, _ratio("speed", "covertype", "torch R=32")),
    Aim("torch, 128 replicas, covertype", 60, _ratio("speed", "covertype", "torch R=128")),
    Aim("squared loss, S = inf, time over unperturbed", 1.7, _slower("sq, S = inf", "sq"), most=True),
    Aim("KL loss, S = inf, time over unperturbed", 2.5, _slower("kl, S = inf", "kl"), most=True),
    Aim("squared loss, S = 10, time over unperturbed", 8, _slower("sq, S = 10", "sq"), most=True),
    Aim("KL loss, S = 10, time over unperturbed", 8, _slower("kl, S = 10", "kl"), most=True),
    Aim("neural-ucb compiled, against its plain loop", 150, _ratio("variants", "neural-ucb", "compiled")),
    Aim("16 steps a round, against its plain loop", 60, _ratio("variants", "kl, 16 steps", "compiled")),
    Aim(
        "16 steps a round, rounds per CPU second",
        15_000,
        lambda found: 1e6 / row(found, "variants", "kl, 16 steps", "compiled")["cpu_us"],
        unit="",
    ),
    Aim("kl, CPU time of vw-squarecb over ours", 4, _against("vw-squarecb", "kl", "cpu_us")),
    Aim("kl, mistakes of vw-squarecb over ours", 1, _against("vw-squarecb", "kl", "mistakes")),
    Aim(
        "kl-perturbed-replay, CPU time of coba-squarecb over ours",
        8,
        _against("coba-squarecb", "kl-perturbed-replay", "cpu_us"),
    ),
    Aim(
        "kl-perturbed-replay, mistakes of coba-squarecb over ours",
        1,
        _against("coba-squarecb", "kl-perturbed-replay", "mistakes"),
    ),
)
