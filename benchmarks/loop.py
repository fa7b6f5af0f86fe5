"""Entrants that measure the loop: runs of a user-defined agent that does nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from neucb.benchmarks.entrants import ROUNDS
from neucb.benchmarks.measure import Clock, Entrant, clock
from neucb.core.spec import Spec
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.preprocessing import Encoded
from neucb.runs.api import prepare


class Idle:
    """Uniform play over tensors, without learning."""

    uses_autograd = False

    def reset(self, spec: Spec) -> None:
        """Fill the distribution [R, K]."""
        import torch

        self.p: Any = torch.full((spec.replicas, spec.arms), 1.0 / spec.arms, dtype=torch.float64)

    def distribution(self, context: Any) -> Any:
        """Return the uniform distribution."""
        return self.p

    def update(self, context: Any, action: Any, loss: Any) -> None:
        """Do nothing."""


class IdleArrays(Idle):
    """Uniform play over NumPy arrays, without learning."""

    uses_autograd = False
    uses_numpy = True

    def reset(self, spec: Spec) -> None:
        """Fill the distribution [R, K]."""
        self.p = np.full((spec.replicas, spec.arms), 1.0 / spec.arms)


def idle(encoded: Encoded, agent: type[Idle], replicas: int, order: str) -> Entrant:
    """Return the entrant of a run of an idle agent; `order` "weakest-class" steps the environment."""

    def play(rounds: int) -> tuple[int, Clock]:
        env = ClassificationVectorEnv(encoded, replicas, horizon=rounds, recycle=True, order=order)
        run = prepare(agent(), env)
        run.load()
        before = clock()
        run.play()
        cpu, wall = clock()
        return rounds * replicas, (cpu - before[0], wall - before[1])

    kind = "arrays" if agent is IdleArrays else "tensors"
    return Entrant(f"{kind} R={replicas}", play, 200, ROUNDS, replicas)
