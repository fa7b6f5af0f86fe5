"""Entry of the torch engine: R replicas of an agent play R replicas of an environment in lockstep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neucb.agents.protocols import uses_autograd
from neucb.core.threads import one_thread
from neucb.engines.lockstep.block_loop import BlockLoop
from neucb.engines.lockstep.rounds import SteppedRounds, make_rounds
from neucb.environments.episodes import Episodes
from neucb.environments.rewards import UNIT

if TYPE_CHECKING:
    from neucb.agents.base import Agent
    from neucb.core.spec import AnyVectorEnv
    from neucb.engines.log import Progress, RunLog


def play(
    agent: Agent,
    env: AnyVectorEnv,
    log: RunLog,
    progress: Progress | None = None,
    reward_range: tuple[float, float] = UNIT,
) -> None:
    """Play `log.spec.horizon` rounds and log them.

    The agent gives a distribution; the loop samples the arm with the replica's own random number, one
    float64 uniform a round from the stream "action": the same for every agent. `Episodes` converts rewards
    to losses and continues where episodes end. Rows of a table that do not depend on the arms played, and
    rounds of a synthetic world, are read without stepping the environment.

    Optional methods of agents are in `neucb.agents.protocols`. Gradients are recorded, as PyTorch does by
    default, for agents that use autograd: these may call `backward()`.

    Args:
        agent: agent of R replicas, which is reset with `log.spec`.
        env: environment, num_envs = R, which is reset with the seeds of `log.spec`.
        log: log of the run, empty; complete up to the last round played if this call raises.
        progress: callback with the number of rounds played, after every round.
        reward_range: bounds (low, high) of the environment's rewards.

    Raises:
        DivergedError: predictions or probabilities that are not finite or not a distribution, or
            predictions that no longer change, see `neucb.engines.stalled`.
        InputError: the environment gave contexts that are not finite or rewards outside their range, or
            cannot go on after the end of an episode.
    """
    try:
        with one_thread(), torch.set_grad_enabled(uses_autograd(agent)):
            rounds = make_rounds(agent, env, log.spec)
            if rounds is None:
                rounds = SteppedRounds(Episodes(env, log.spec, reward_range), traced=log.trace is not None)
            BlockLoop(agent, rounds, log).play(progress)
    finally:
        log.close()
    assert log.round == log.spec.horizon
