"""BlockLoop: the loop that plays a run block by block, R replicas of an agent in lockstep."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neucb.agents.base import ask
from neucb.agents.propensity import draws, kind_of, propensities_of
from neucb.agents.protocols import HasGauges, LooksAhead, has, uses_autograd
from neucb.agents.state import leave_inference
from neucb.core.random import stream
from neucb.engines.checks import distribution, diverged, no_distribution
from neucb.engines.lockstep.block_record import BlockRecord
from neucb.engines.stalled import StallDetector, learns_at_once, stuck

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neucb.agents.base import Agent
    from neucb.core.errors import DivergedError
    from neucb.engines.lockstep.rounds import Rounds
    from neucb.engines.log import Progress, RunLog
    from neucb.engines.trace import Trace

    Floats = NDArray[np.float64]

BLOCK = 48  # rounds; networks are fastest with 48 among 32 to 64, by 3 to 5 %


class BlockLoop:
    """Loop that plays the rounds of a run and logs them block by block.

    Rounds known beforehand are checked at the end of a block. An environment is stepped with checked arms
    only.

    Args:
        agent: agent of R replicas.
        rounds: source of contexts and losses.
        log: log of the run, empty.
    """

    def __init__(self, agent: Agent, rounds: Rounds, log: RunLog) -> None:
        self.agent = agent
        self.rounds = rounds
        self.log = log
        spec = log.spec
        self.dice = np.stack([stream(seed, "action").random(spec.horizon) for seed in spec.seeds], 1)
        self._draws = log.trace is not None and draws(agent)  # propensities are traced in every round
        self._stalls = StallDetector(spec.replicas, spec.arms)
        self._last = np.full((1, spec.replicas), np.nan)  # predicted losses in the round before the block

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds; arguments and errors as for `neucb.engines.lockstep.loop.play`.

        Agents without autograd play known rounds in torch's inference mode, which makes operations on
        small tensors cheaper; afterwards they hold no inference tensor.
        """
        self.rounds.begin(self.agent)
        quick = self.rounds.known and not uses_autograd(self.agent)
        mode: AbstractContextManager[object] = torch.inference_mode() if quick else nullcontext()
        try:
            with mode:
                self._blocks(progress)
        finally:
            if quick:
                leave_inference(self.agent)

    def _blocks(self, progress: Progress | None) -> None:
        left = 0
        while left < self.rounds.stop:
            right = self._end(left)
            self._block(left, right, progress)
            left = right
        if self.rounds.error is not None:
            raise self.rounds.error

    def _end(self, left: int) -> int:
        """Return the end of the block from round `left` on.

        The end is at a logged round if the block's second half has one: the agent applies its pending steps
        there anyway, which gauges require.
        """
        right = min(left + BLOCK, self.rounds.stop)
        due = self.log.due_until(right)
        return due[-1] if due and due[-1] - left > BLOCK // 2 else right

    def _block(self, left: int, right: int, progress: Progress | None) -> None:
        """Play rounds left..right-1 and log the rounds played."""
        record = BlockRecord(self.dice[left:right], self.log.spec)
        try:
            self._play(left, right, record, progress)
        finally:
            self._count(left, record)

    def _play(self, left: int, right: int, record: BlockRecord, progress: Progress | None) -> None:
        """Play rounds left..right-1 and add them to `record`."""
        agent, rounds, spec = self.agent, self.rounds, self.log.spec
        contexts = rounds.open(left, right)
        ahead = agent if contexts is not None and has(agent, LooksAhead) else None
        due = self.log.due_until(right)
        if ahead is not None and contexts is not None:
            ahead.look_ahead(contexts)
        try:
            for t in range(left + 1, right + 1):
                context, available = rounds.look()
                p = distribution(ask(agent, context, available), spec)
                action = record.add(p, getattr(agent, "prediction", None), available)
                if not rounds.known and not record.is_valid():
                    return
                if self._draws:
                    record.propensities.append(propensities_of(agent, p))
                rounds.learn(agent, action)
                if t in due and has(agent, HasGauges):
                    record.add_gauges(agent.gauges())
                record.rounds += 1
                if progress is not None:
                    progress(t)
        finally:
            if ahead is not None and contexts is not None and record.rounds < right - left:
                ahead.look_ahead(contexts[:0])

    def _count(self, left: int, record: BlockRecord) -> None:
        """Log the rounds of a block up to the first invalid one, and raise the error of that round."""
        finite, good = record.checked()
        bad = ~(finite & good).all(1)
        n = int(bad.argmax()) if bad.any() else record.rounds
        stalled = self._log(left, n, record)
        if stalled is not None:
            raise stalled
        if bad.any():
            raise self._failure(left, n, record, finite[n], good[n])

    def _log(self, left: int, n: int, record: BlockRecord) -> DivergedError | None:
        """Log n rounds, or those up to the first with a stalled replica; return the error of that round."""
        action = record.action[:n, :, 0].cpu().numpy().T
        if not n:
            return None
        figures, arms = self.rounds.outcome(action)
        predicted = record.at_action(record.mean, n).T if record.predicts else None
        error = None
        stalled = None if predicted is None else self._first_stalled(predicted.T, figures["loss"].T)
        if stalled is not None and predicted is not None:
            t, r = stalled
            error = stuck(left + t, r, self.log.spec.seeds[r], predicted[r, t], self.log.spec.arms)
            n = t + 1
            action, predicted = action[:, :n], predicted[:, :n]
            figures, arms = self.rounds.outcome(action)
        if self.log.trace is not None:
            known = {**self.rounds.shown(action), "action": action, "loss": figures["loss"]}
            self._trace(self.log.trace, left, n, record, known)
        gauges = {name: values[:n].T for name, values in record.gauges.items()}
        self.log.add(figures, arms, predicted, record.at_action(record.p, n).T, gauges)
        return error

    def _failure(
        self, left: int, n: int, record: BlockRecord, finite: NDArray[np.bool_], good: NDArray[np.bool_]
    ) -> DivergedError:
        """Return the error of the n-th round of a block, from masks [R] of finite and of valid replicas."""
        seeds, t = self.log.spec.seeds, left + n
        if not finite.all():
            r = int(finite.argmin())
            return diverged(t, r, seeds[r])
        r = int(good.argmin())
        over = " over the available arms" if n in record.masks else ""
        p = record.p[n, r].cpu().numpy()
        return no_distribution(t, r, seeds[r], p, overflow=not uses_autograd(self.agent), over=over)

    def _trace(
        self, trace: Trace, left: int, n: int, record: BlockRecord, known: dict[str, NDArray[Any]]
    ) -> None:
        """Write n rounds into the trace; `known` holds some of its columns [R, n]."""
        mean = record.mean[:n].transpose(0, 1).cpu().numpy() if trace.full and record.predicts else None
        if not self._draws:
            p = record.p[:n].transpose(0, 1).cpu().numpy()
            trace.write(left, kind_of(self.agent), p, mean, **known)
            return
        for j, before in enumerate(record.propensities[:n]):
            own_mean = None if mean is None else mean[:, j : j + 1]
            now = {name: values[:, j : j + 1] for name, values in known.items()}
            trace.write(left + j, before.kind, before.p.cpu().numpy()[:, None], own_mean, **now)

    def _first_stalled(self, predicted: Floats, loss: Floats) -> tuple[int, int] | None:
        """Return the first round of a block in which a replica stalled, and the replica's index, or None.

        Args:
            predicted: predicted losses [n, R] of the arms played.
            loss: realised losses [n, R] of the arms played.
        """
        if not learns_at_once(self.agent):
            return None
        n = len(predicted)
        values = np.concatenate([self._last, predicted])
        self._last = values[-1:]
        first = 0
        if not (values[1:] == values[:-1]).any():  # the usual case; a check of every round is slow
            self._stalls = StallDetector(self.log.spec.replicas, self.log.spec.arms)
            first = n - 1
        for j in range(first, n):
            r = self._stalls.first_stalled(predicted[j], loss[j], self.rounds.context(j))
            if r is not None:
                return j, r
        return None
