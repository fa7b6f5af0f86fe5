"""Record: everything that a run predicted, played and could have lost, round by round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import VectorWrapper
from numpy.typing import NDArray

from neucb.hindsight import expected_losses
from neucb.log import RunLog
from neucb.loop import Progress, play

if TYPE_CHECKING:
    import torch

    from neucb.agents.agent import Reduction
    from neucb.runner import AnyVectorEnv
    from neucb.spec import Spec

    Wrapper = VectorWrapper[Any, Any, Any, Any]
else:
    Wrapper = VectorWrapper  # not generic before Gymnasium 1.4

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Played:
    """What R replicas did in T rounds.

    Attributes:
        context: [R, T, d] contexts that the arms shared, or [R, T, K, d], a context of every arm's own.
        p: [R, T, K] probabilities; predicted: [R, T, K] predicted losses that they were made of.
        h: [R, T, K] expected losses.
        gamma: [R, T] exploration parameter of the rule.
        action: [R, T] arms played; loss: [R, T] their realised losses.
        log: the figures of the same run.
    """

    context: NDArray[np.float32]
    p: Array
    predicted: Array
    h: Array
    gamma: Array
    action: NDArray[np.int64]
    loss: Array
    log: RunLog

    def at_action(self, values: Array) -> Array:
        """Return the played arms' entries [R, T] of `values` [R, T, K]."""
        return np.take_along_axis(values, self.action[:, :, None], axis=2)[:, :, 0]


def record(agent: Reduction, env: AnyVectorEnv, spec: Spec, progress: Progress | None = None) -> Played:
    """Play a run with the torch engine and keep every round: 24 K + 4 d bytes a replica and round.

    Args:
        agent: an oracle and a rule that has a schedule `gamma`.
        env: an environment that tells the expected losses of all arms.
        spec: the shape of the run.
        progress: as for `play`.

    Raises:
        InputError, DivergedError: as for `play`.
    """
    log = RunLog(spec)
    watched, told = _Watched(agent), _Told(env)
    play(watched, told, log, progress)
    return Played(
        context=np.stack(watched.context, axis=1),
        p=np.stack(watched.p, axis=1),
        predicted=np.stack(watched.predicted, axis=1),
        h=np.stack(told.losses, axis=1),
        gamma=np.stack(watched.gamma, axis=1),
        action=np.stack(watched.action, axis=1),
        loss=np.stack(watched.loss, axis=1),
        log=log,
    )


class _Watched:
    """An agent that notes what it does."""

    def __init__(self, agent: Reduction) -> None:
        self.agent = agent
        self.context: list[NDArray[np.float32]] = []
        self.p: list[Array] = []
        self.predicted: list[Array] = []
        self.gamma: list[Array] = []
        self.action: list[NDArray[np.int64]] = []
        self.loss: list[Array] = []

    @property
    def prediction(self) -> Any:
        return self.agent.prediction

    def reset(self, spec: Spec) -> None:
        self.agent.reset(spec)
        self._arms = spec.arms

    def distribution(self, context: torch.Tensor) -> torch.Tensor:
        gamma = self.agent.rule.gamma(self.agent.now, self._arms)  # type: ignore[attr-defined]
        p = self.agent.distribution(context)
        assert self.agent.prediction is not None
        self.context.append(context.float().cpu().numpy().copy())
        self.gamma.append(gamma.cpu().numpy().copy())
        self.p.append(p.double().cpu().numpy().copy())
        self.predicted.append(self.agent.prediction.mean.double().cpu().numpy().copy())
        return p

    def update(self, context: torch.Tensor, action: torch.Tensor, loss: torch.Tensor) -> None:
        self.action.append(action.cpu().numpy().copy())
        self.loss.append(loss.double().cpu().numpy().copy())
        self.agent.update(context, action, loss)


class _Told(Wrapper):
    """An environment that notes the expected losses of every round [R, K]."""

    def __init__(self, env: AnyVectorEnv) -> None:
        super().__init__(env)
        self.losses: list[Array] = []

    def step(self, actions: Any) -> Any:
        outcome = self.env.step(actions)
        self.losses.append(expected_losses(outcome[4]).copy())
        return outcome
