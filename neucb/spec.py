"""Spec: the shape of a run."""

from __future__ import annotations

from dataclasses import dataclass

from neucb.errors import InputError


@dataclass(frozen=True)
class Spec:
    """The shape of a run, given to `Agent.reset`.

    Attributes:
        seeds: one seed per replica; R = len(seeds). A seed may occur several times, once per
            hyper-parameter setting.
        arms: number of arms K >= 2.
        features: context dimension d >= 1.
        horizon: number of rounds T >= 1.
        device: torch device, "cpu" or "cuda".
        per_arm: whether contexts are [R, K, d], features of every arm, instead of [R, d], shared by
            the arms.
        dtype: "float32" or "float64", the precision of networks. Probabilities are always float64.

    Raises:
        InputError: a value is out of its range.
    """

    seeds: tuple[int, ...]
    arms: int
    features: int
    horizon: int
    device: str = "cpu"
    dtype: str = "float32"
    per_arm: bool = False

    def __post_init__(self) -> None:
        if not self.seeds or min(self.seeds) < 0:
            raise InputError("seeds must be a non-empty sequence of numbers >= 0")
        if self.arms < 2:
            raise InputError(f"a bandit needs at least 2 arms, not {self.arms}")
        if self.features < 1 or self.horizon < 1:
            raise InputError("features and horizon must be at least 1")
        if self.dtype not in ("float32", "float64"):
            raise InputError(f"dtype must be float32 or float64, not {self.dtype}")

    @property
    def replicas(self) -> int:
        """R, the number of replicas that walk together."""
        return len(self.seeds)

    @property
    def blocks(self) -> int:
        """Parameter blocks of a model: one per arm under shared contexts, one for all under own ones."""
        return 1 if self.per_arm else self.arms
