"""The loop where every row is known beforehand: blocks of rounds, the environment read, not stepped."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neucb.agents.base import is_foreign
from neucb.agents.propensity import draws, kind_of, propensities_of
from neucb.core.random import stream
from neucb.engines.lockstep.block_record import Played
from neucb.engines.lockstep.loop import (
    Progress,
    distribution,
    diverged,
    gauges,
    no_distribution,
)
from neucb.engines.stalled import Floats, Watch, learns_at_once, stuck
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.episodes import bad_context
from neucb.environments.orders.order import FixedOrder
from neucb.environments.orders.registry import find_order

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from neucb.agents.base import Agent
    from neucb.engines.log import RunLog
    from neucb.engines.trace import Trace

SAMPLE = 1000  # rows, about, of which entries are counted
BLOCK = 48  # rounds; of 32 to 64 networks are fastest with 48, by 3 to 5 %


def foreseeable(agent: Agent, env: object) -> bool:
    """Return whether `Foreseen` can play: skylines need what only stepping the environment tells."""
    skyline = hasattr(agent, "foresee") or hasattr(agent, "learn_all")
    known = type(env) is ClassificationVectorEnv and issubclass(find_order(env.order), FixedOrder)
    return known and not skyline


def takes_no_gradients(agent: Agent) -> bool:
    """Return whether an agent is made of neucb's own parts, without autograd in any of them."""
    from neucb.agents.base import Reduction
    from neucb.agents.network.oracle import Neural

    if type(agent) is not Reduction or type(agent.oracle) is not Neural:
        return False
    parts = (agent.rule, agent.oracle.loss, agent.oracle.weights)
    return all(type(one).__module__.startswith("neucb.") for one in parts)


class Foreseen:
    """Plays as `neucb.engines.lockstep.loop.play` does, to the same numbers, with less work a round.

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

        self._asks = log.trace is not None and draws(agent)  # for propensities, in every round
        self._watch = Watch(spec.replicas)
        self._last = np.full((1, spec.replicas), np.nan)  # predicted in the round before the block

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds; arguments and errors as for `neucb.engines.lockstep.loop.play`.

        Agents without autograd play in torch's inference mode, which makes operations on small tensors
        cheaper; afterwards they hold no tensor of it.
        """
        import torch

        from neucb.agents.state import leave_inference

        self.agent.reset(replace(self.log.spec, density=_density(self.env.encoded.contexts)))
        quick = takes_no_gradients(self.agent)
        try:
            with torch.inference_mode() if quick else nullcontext():
                self._blocks(progress)
        finally:
            if quick:
                leave_inference(self.agent)

    def _blocks(self, progress: Progress | None) -> None:
        spec = self.log.spec
        rows = np.asarray(~np.isfinite(self.env.encoded.contexts).all(axis=1))
        spoilt = rows[self.rows]  # [T, R]
        stop = int(spoilt.any(1).argmax()) if spoilt.any() else spec.horizon
        left = 0
        while left < stop:
            right = self._end(left, stop)
            self._block(left, right, progress)
            left = right
        if stop < spec.horizon:
            raise bad_context(stop, spec.seeds[int(spoilt[stop].argmax())])

    def _end(self, left: int, stop: int) -> int:
        """Return where the block from round `left` on ends.

        With a round to be kept, if its second half has one: what an agent tells of its state then comes
        when it brings its steps together anyway.
        """
        right = min(left + BLOCK, stop)
        due = self.log.due_until(right)
        return due[-1] if due and due[-1] - left > BLOCK // 2 else right

    def _block(self, left: int, right: int, progress: Progress | None) -> None:
        """Play rounds left..right-1 and count them."""
        played = Played(right - left, self.log.spec)
        try:
            self._play(left, right, played, progress)
        finally:
            self._count(left, played)

    def _play(self, left: int, right: int, played: Played, progress: Progress | None) -> None:
        """Play rounds left..right-1 and record them in `played`."""
        import torch

        agent, spec = self.agent, self.log.spec
        to: Any = {"dtype": getattr(torch, spec.dtype), "device": spec.device}
        contexts = torch.as_tensor(self.env.encoded.contexts[self.rows[left:right]], **to)  # [B, R, d]
        losses = torch.as_tensor(self.env.feedback.cost[self.seen[left:right]], **to)  # [B, R, K]
        dice = torch.as_tensor(self.dice[left:right], device=spec.device).unsqueeze(2)
        if hasattr(agent, "look_ahead"):
            agent.look_ahead(contexts)
        due = self.log.due_until(right)
        rounds = zip(contexts.unbind(), losses.unbind(), dice.unbind(), strict=True)
        try:
            for t, (context, loss, die) in enumerate(rounds, left + 1):
                p = distribution(agent.distribution(context), spec)
                action = draw(p, die)
                played.add(p, getattr(agent, "prediction", None), action)
                if self._asks:
                    played.told.append(propensities_of(agent, p))
                agent.update(context, action.squeeze(1), loss.gather(1, action).squeeze(1))
                if t in due:
                    played.tell(gauges(agent))
                played.rounds += 1
                if progress is not None:
                    progress(t)
        finally:
            if played.rounds < right - left and hasattr(agent, "look_ahead"):
                agent.look_ahead(contexts[:0])

    def _count(self, left: int, played: Played) -> None:
        """Bring the rounds of a block into the log, up to the first that went wrong."""
        good = played.good()  # [asked, R] twice: predictions, probabilities
        bad = ~(good[0] & good[1]).all(1)
        n = int(bad.argmax()) if bad.any() else played.rounds
        action = played.action[:n, :, 0].cpu().numpy()
        predicted = played.at_action(played.mean, n) if played.predicts else None
        loss = self.env.feedback.cost[self.seen[left : left + n], action]
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
        p = played.p[n, r].cpu().numpy()
        raise no_distribution(left + n, r, seeds[r], p, ours=not is_foreign(self.agent))

    def _log(self, left: int, n: int, played: Played) -> None:
        rows, label, seen = (one[left : left + n].T for one in (self.rows, self.label, self.seen))
        action, propensity = played.action[:n, :, 0].cpu().numpy().T, played.at_action(played.p, n).T
        feedback = self.env.feedback
        figures = feedback.outcome(label, seen, action)
        if self.log.trace is not None:
            known = {"context": rows, "action": action, "loss": figures["loss"], "label": label}
            self._trace(self.log.trace, left, n, played, known)
        predicted = played.at_action(played.mean, n).T if played.predicts else None
        told = {name: values[:n].T for name, values in played.gauges.items()}
        self.log.extend(label, feedback.expected, figures, predicted, propensity, told)

    def _trace(self, trace: Trace, left: int, n: int, played: Played, known: dict[str, Any]) -> None:
        """Write rounds left..left+n-1 into the trace, `known` of which are known already."""
        mean = played.mean[:n].transpose(0, 1).cpu().numpy() if trace.full and played.predicts else None
        if not self._asks:
            p = played.p[:n].transpose(0, 1).cpu().numpy()
            trace.write(left, kind_of(self.agent), p, mean, **known)
            return
        for j, told in enumerate(played.told[:n]):
            mine = None if mean is None else mean[:, j : j + 1]
            now = {name: values[:, j : j + 1] for name, values in known.items()}
            trace.write(left + j, told.kind, told.p.cpu().numpy()[:, None], mine, **now)

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


def _density(contexts: NDArray[np.float32]) -> float:
    """Return the share of the entries that are not 0, of some of the rows."""
    some = contexts[:: max(1, len(contexts) // SAMPLE)]
    return np.count_nonzero(some) / some.size


def draw(p: Tensor, dice: Tensor) -> Tensor:
    """Return the arm that `neucb.engines.lockstep.loop.sample` returns, without a word to the host: [R, 1].

    Args:
        p: [R, K] probabilities, float64.
        dice: [R, 1] in [0, 1).
    """
    end = p.cumsum(1)
    return (end <= dice).logical_and_(end < end[:, -1:]).sum(1, keepdim=True)
