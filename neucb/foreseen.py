"""The loop where every row is known beforehand: blocks of rounds, the environment read, not stepped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.orders import REACTING
from neucb.log import GAUGES
from neucb.loop import (
    Progress,
    bad_context,
    diverged,
    gauges,
    is_distribution,
    no_distribution,
    probabilities,
    sample,
)
from neucb.streams import stream
from neucb.stuck import Floats, Watch, learns_at_once, stuck

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neucb.agents.agent import Agent
    from neucb.log import RunLog

BLOCK = 32  # rounds; longer ones cost more memory and make the replicas' agents no faster


def foreseeable(agent: Agent, env: object) -> bool:
    """Return whether `Foreseen` can play: skylines need what only stepping the environment tells."""
    skyline = hasattr(agent, "foresee") or hasattr(agent, "learn_all")
    return type(env) is ClassificationVectorEnv and env.order not in REACTING and not skyline


class Foreseen:
    """Plays as `neucb.loop.play` does, to the same numbers, with less work between the rounds.

    An agent may have a method `look_ahead(contexts [B, R, d])`: it is told the contexts of the next B
    rounds, whose `distribution` and `update` follow in this order. With B = 0 it is told, where a run
    ends early, that no more of them follow.

    Args:
        agent: no skyline.
        env: the environment; it is read, not stepped.
        log: of the run, empty.
    """

    def __init__(self, agent: Agent, env: ClassificationVectorEnv, log: RunLog) -> None:
        self.agent = agent
        self.env = env
        self.log = log
        spec = log.spec
        scripts = [env.script(seed) for seed in spec.seeds]
        self.rows = np.stack([one.rows for one in scripts], 1)  # [T, R], and below
        self.label = np.stack([one.label for one in scripts], 1)
        self.seen = np.stack([one.seen for one in scripts], 1)
        self.dice = np.stack([stream(seed, "action").random(spec.horizon) for seed in spec.seeds], 1)

        self._watch = Watch(spec.replicas)
        self._last = np.full((1, spec.replicas), np.nan)  # predicted in the round before the block

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds; arguments and errors as for `neucb.loop.play`."""
        spec = self.log.spec
        self.agent.reset(spec)
        rows = np.asarray(~np.isfinite(self.env.encoded.contexts).all(axis=1))
        spoilt = rows[self.rows]  # [T, R]
        stop = int(spoilt.any(1).argmax()) if spoilt.any() else spec.horizon
        for left in range(0, stop, BLOCK):
            self._block(left, min(left + BLOCK, stop), progress)
        if stop < spec.horizon:
            raise bad_context(stop, spec.seeds[int(spoilt[stop].argmax())])

    def _block(self, left: int, right: int, progress: Progress | None) -> None:
        """Play rounds left..right-1 and count them."""
        import torch

        agent, spec = self.agent, self.log.spec
        dtype = getattr(torch, spec.dtype)
        here = self.env.encoded.contexts[self.rows[left:right]]
        contexts = torch.as_tensor(here, dtype=dtype, device=spec.device)  # [B, R, d]
        if hasattr(agent, "look_ahead"):
            agent.look_ahead(contexts)
        cost = self.env.feedback.cost.astype(spec.dtype)
        seen, dice, due = self.seen[left:right], self.dice[left:right], self.log.due_until(right)
        played = Played(right - left, spec.replicas, spec.arms)
        try:
            for j, context in enumerate(contexts):
                p = probabilities(agent.distribution(context), spec)
                action = sample(p, dice[j])
                played.add(p, getattr(agent, "prediction", None), action)
                agent.update(
                    context,
                    torch.from_numpy(action).to(spec.device),
                    torch.from_numpy(cost[seen[j], action]).to(spec.device),
                )
                if left + j + 1 in due:
                    played.tell(gauges(agent))
                played.rounds += 1
                if progress is not None:
                    progress(left + j + 1)
        finally:
            if played.rounds < right - left and hasattr(agent, "look_ahead"):
                agent.look_ahead(contexts[:0])
            self._count(left, played)

    def _count(self, left: int, played: Played) -> None:
        """Bring the rounds of a block into the log, up to the first that went wrong."""
        good = played.good()  # [B, R] twice: predictions, probabilities
        bad = ~(good[0] & good[1]).all(1)
        n = int(bad.argmax()) if bad.any() else played.rounds
        predicted = played.at_action(played.mean, n) if played.predicts else None
        loss = self.env.feedback.cost[self.seen[left : left + n], played.action[:n]]
        dead = None if predicted is None else self._first_stuck(left, predicted, loss)
        if dead is not None:
            n = dead[0] + 1
        if n:
            self._log(left, n, played)
        seeds = self.log.spec.seeds
        if dead is not None and predicted is not None:
            raise stuck(left + dead[0], dead[1], seeds[dead[1]], predicted[dead])
        if not bad.any():
            return
        if not good[0][n].all():
            r = int(good[0][n].argmin())
            raise diverged(left + n, r, seeds[r])
        r = int(good[1][n].argmin())
        raise no_distribution(left + n, seeds[r], played.p[n, r])

    def _log(self, left: int, n: int, played: Played) -> None:
        rows, label, seen = (one[left : left + n].T for one in (self.rows, self.label, self.seen))
        action, propensity = played.action[:n].T, played.at_action(played.p, n).T
        feedback = self.env.feedback
        figures = feedback.outcome(label, seen, action)
        if self.log.trace is not None:
            loss = figures["loss"]
            self.log.trace.write(
                left, context=rows, action=action, propensity=propensity, loss=loss, label=label
            )
        predicted = played.at_action(played.mean, n).T if played.predicts else None
        told = {name: values[:n].T for name, values in played.gauges.items()}
        self.log.extend(label, feedback.expected, figures, predicted, propensity, told)

    def _first_stuck(self, left: int, predicted: Floats, loss: Floats) -> tuple[int, int] | None:
        """Return the first of a block's rounds in which a replica was stuck, and which, or None."""
        if not learns_at_once(self.agent):
            return None
        n = len(predicted)
        values = np.concatenate([self._last, predicted])
        self._last = values[-1:]
        first = 0
        if n and not (values[1:] == values[:-1]).any():  # the usual case; watching every round is slow
            self._watch = Watch(self.log.spec.replicas)
            first = n - 1
        for j in range(first, n):
            dead = self._watch.see(predicted[j], loss[j], self.env.encoded.contexts[self.rows[left + j]])
            if dead is not None:
                return j, dead
        return None


class Played:
    """What came of a block: p, mean [B, R, K], action, gauges [B, R]; `rounds` that are complete."""

    def __init__(self, rounds: int, replicas: int, arms: int) -> None:
        self.p = np.empty((rounds, replicas, arms))
        self.mean = np.zeros((rounds, replicas, arms))
        self.action = np.empty((rounds, replicas), np.int64)
        self.gauges = {name: np.full((rounds, replicas), np.nan) for name in GAUGES}
        self.asked = 0
        self.rounds = 0
        self.predicts = True

    def add(self, p: NDArray[np.float64], prediction: Any, action: NDArray[np.int64]) -> None:
        """Keep what was asked in a round."""
        self.p[self.asked] = p
        self.action[self.asked] = action
        if prediction is None:
            self.predicts = False
        else:
            self.mean[self.asked] = prediction.mean.detach().cpu().numpy()
        self.asked += 1

    def tell(self, told: dict[str, NDArray[np.float64]]) -> None:
        """Keep what the agent tells of its state [R] after a round."""
        for name, kept in self.gauges.items():
            kept[self.rounds] = told.get(name, np.nan)

    def at_action(self, values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        """Return the entries [n, R] of values [B, R, K] that belong to the arms of the first n rounds."""
        picked: NDArray[np.float64] = np.take_along_axis(values[:n], self.action[:n, :, None], 2)
        return picked[:, :, 0]

    def good(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return whether predictions are finite, and whether p is a distribution, [asked, R] each."""
        mean, p = self.mean[: self.asked], self.p[: self.asked]
        return np.asarray(np.isfinite(mean).all(axis=2)), is_distribution(p)
