"""The loop: R replicas of an agent play R replicas of an environment in lockstep."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from neucb.agents.base import ask, gauges_of, is_foreign
from neucb.agents.propensity import propensities_of
from neucb.core.errors import DivergedError, InputError
from neucb.core.random import stream
from neucb.core.spec import Spec
from neucb.core.threads import one_thread
from neucb.engines.lockstep.arm_losses import arm_losses, expected_losses
from neucb.engines.log import RunLog
from neucb.engines.stalled import Watch, learns_at_once, stuck
from neucb.environments.episodes import Episodes
from neucb.environments.rewards import UNIT

if TYPE_CHECKING:
    import torch
    from gymnasium.vector import VectorEnv

    from neucb.agents.base import Agent
    from neucb.environments.classification import ClassificationVectorEnv

    AnyVectorEnv = VectorEnv[Any, Any, Any]

Progress = Callable[[int], None]


def play(
    agent: Agent,
    env: AnyVectorEnv,
    log: RunLog,
    progress: Progress | None = None,
    reward_range: tuple[float, float] = UNIT,
) -> None:
    """Play `log.spec.horizon` rounds and count them in `log`.

    The agent gives a distribution, the loop samples the arm with the replica's own dice, one
    float64 uniform a round from the stream "action": the same for every agent. `Episodes` makes losses
    of rewards and goes on where episodes end.

    Two methods that no bandit may have make skylines (agents/skylines.py): `foresee(losses)` gets
    every arm's cumulative expected loss [R, K] before the first round, from a play of the same rounds;
    `learn_all(context, losses, available)` gets that of each round [R, K] in the place of `update`.

    Gradients are recorded, as PyTorch does by default, for agents with a part that is not neucb's, see
    `is_foreign`: such an agent may call `backward()`.

    Args:
        agent: is reset with `log.spec`.
        env: num_envs = R; is reset with the seeds of `log.spec`.
        log: takes the figures; complete up to the last round played if this call raises.
        progress: called with the number of rounds played, after every round.
        reward_range: (low, high), between which the environment's rewards lie.

    Raises:
        DivergedError: predictions or probabilities that are not finite or not a distribution, or
            predictions that no longer change, see `neucb.engines.stalled`.
        InputError: the environment gave contexts that are not finite or rewards outside their range, or
            cannot go on after the end of an episode.
    """
    import torch

    from neucb.engines.lockstep.block_loop import Foreseen, foreseeable

    try:
        with one_thread(), torch.set_grad_enabled(is_foreign(agent)):
            if foreseeable(agent, env):
                Foreseen(agent, cast("ClassificationVectorEnv", env), log).play(progress)
            else:
                _rounds(agent, Episodes(env, log.spec, reward_range), log, progress)
    finally:
        log.close()
    assert log.round == log.spec.horizon


def _rounds(agent: Agent, episodes: Episodes, log: RunLog, progress: Progress | None) -> None:
    import torch

    spec = log.spec
    dice = np.stack([stream(seed, "action").random(spec.horizon) for seed in spec.seeds])  # [R, T]
    rows = np.arange(spec.replicas)
    dtype = getattr(torch, spec.dtype)
    watch = Watch(spec.replicas) if learns_at_once(agent) else None
    agent.reset(spec)
    if hasattr(agent, "foresee"):
        agent.foresee(torch.as_tensor(arm_losses(episodes), device=spec.device))
    learn_all = getattr(agent, "learn_all", None)
    episodes.reset()
    for t in range(spec.horizon):
        seen, available = episodes.look()
        context = torch.as_tensor(seen, dtype=dtype, device=spec.device)
        mask = None if available is None else torch.as_tensor(available, device=spec.device)
        given = distribution(ask(agent, context, mask), spec)
        probability: NDArray[np.float64] = given.cpu().numpy()
        predicted = _predicted(agent, spec, t)  # first: it knows why a distribution is none
        _check_distribution(agent, probability, available, spec, t)
        action = sample(probability, dice[:, t])
        told = None if log.trace is None else propensities_of(agent, given)
        shown = None if log.trace is None else episodes.rows()
        loss, info = episodes.step(action)
        if learn_all is not None:
            learn_all(context, torch.as_tensor(expected_losses(info), dtype=dtype, device=spec.device), mask)
        else:
            agent.update(
                context,
                torch.as_tensor(action, device=spec.device),
                torch.as_tensor(loss, dtype=dtype, device=spec.device),
            )
        if log.trace is not None and told is not None:
            known = {**_rows_shown(shown, action), "label": episodes.labels(), "action": action, "loss": loss}
            figures = {name: value[:, None] for name, value in known.items() if value is not None}
            mine = None if predicted is None else predicted[:, None]
            log.trace.write(t, told.kind, told.p.cpu().numpy()[:, None], mine, **figures)
        state = gauges(agent) if log.due else None
        mean = None if predicted is None else predicted[rows, action]
        log.add(loss, info, mean, probability[rows, action], state)
        dead = None if mean is None or watch is None else watch.see(mean, loss, seen)
        if dead is not None and mean is not None:
            raise stuck(t, dead, spec.seeds[dead], mean[dead])
        if progress is not None:
            progress(t + 1)


def _rows_shown(rows: Any, action: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the figures of the trace that name rows, where an environment tells which it shows.

    Args:
        rows: [R], shown to all arms, or [R, K], an arm's each.
        action: [R].
    """
    if isinstance(rows, np.ndarray) and rows.shape == action.shape:
        return {"context": rows}
    if isinstance(rows, np.ndarray) and rows.ndim == 2 and len(rows) == len(action):
        return {"row": rows[np.arange(len(action)), action]}
    return {}


def sample(probability: NDArray[np.float64], dice: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the arm [R] in whose part of the unit interval the dice [R] in [0, 1) fall.

    The cumulative sums of `probability` [R, K] are taken from left to right in float64, so that
    the same numbers give the same arm on any machine and in any batch. An arm of probability 0 is
    never returned.
    """
    below = np.add.accumulate(probability, 1) <= dice[:, None]
    action: NDArray[np.int64] = np.add.reduce(below, 1, np.int64)
    arms = probability.shape[1]
    if action.max() == arms:  # the sum is below 1 and the dice
        action = np.minimum(action, arms - 1 - (probability[:, ::-1] > 0.0).argmax(1))
    return action


def diverged(t: int, replica: int, seed: int) -> DivergedError:
    """Return the error for predictions that are not finite."""
    return DivergedError(
        f"round {t + 1}, seed {seed}: the predictions are no longer finite, "
        "the network diverged; lower its step size (lr)",
        t,
        replica,
    )


def no_distribution(
    t: int, replica: int, seed: int, p: NDArray[np.float64], *, ours: bool, over: str = ""
) -> DivergedError:
    """Return the error for probabilities [K] that are not a distribution.

    Where an agent of ours gives none that is a number, squares of gradients were no longer finite, which
    come to that before predictions do.
    """
    if ours and np.isnan(p).all():
        return diverged(t, replica, seed)
    return DivergedError(
        f"round {t + 1}, seed {seed}: the agent's probabilities are not a distribution{over}: "
        f"{np.array2string(p, precision=3)}"
    )


def distribution(given: Any, spec: Spec) -> torch.Tensor:
    """Return an agent's distribution [R, K], float64; whether it is one is not checked.

    Raises:
        InputError: it is no array of numbers, or has another shape.
    """
    import torch

    if not isinstance(given, torch.Tensor):
        try:
            given = torch.as_tensor(given, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            kind = type(given).__name__
            raise InputError(
                f"the agent's distribution must be numbers [R, K], a tensor or an array; it is a {kind}"
            ) from None
    probability: torch.Tensor = given.detach().to(spec.device, torch.float64)  # whose errors are the device's
    if probability.shape != (spec.replicas, spec.arms):
        raise InputError(
            f"the agent's distribution has shape {tuple(probability.shape)}, not {(spec.replicas, spec.arms)}"
        )
    return probability


def is_distribution(probability: torch.Tensor) -> torch.Tensor:
    """Return whether probabilities [..., K] are distributions [...]; NaN are none."""
    return (probability.amin(-1) >= -1e-9) & ((probability.sum(-1) - 1.0).abs() <= 1e-6)


def _check_distribution(
    agent: object, probability: NDArray[np.float64], available: NDArray[np.bool_] | None, spec: Spec, t: int
) -> None:
    import torch

    good = is_distribution(torch.from_numpy(probability)).numpy()
    if available is not None:
        good &= ~((probability > 0.0) & ~available).any(axis=1)
    if not good.all():
        over = "" if available is None else " over the available arms"
        r = int(good.argmin())
        raise no_distribution(t, r, spec.seeds[r], probability[r], ours=not is_foreign(agent), over=over)


def gauges(agent: Agent) -> dict[str, NDArray[np.float64]]:
    """Return what the agent tells of its state, name -> [R]."""
    import torch

    told = gauges_of(agent).items()
    return {name: value.detach().to("cpu", torch.float64).numpy() for name, value in told}


def _predicted(agent: Agent, spec: Spec, t: int) -> NDArray[np.float64] | None:
    """Return the agent's last predicted losses [R, K], or None where it keeps none."""
    import torch

    prediction = getattr(agent, "prediction", None)
    if prediction is None:
        return None
    mean: NDArray[np.float64] = prediction.mean.detach().to("cpu", torch.float64).numpy()
    finite = np.asarray(np.isfinite(mean).all(axis=1))
    if not finite.all():
        r = int(np.flatnonzero(~finite)[0])
        raise diverged(t, r, spec.seeds[r])
    return mean
