"""Rounds: the contexts and losses of a run, from a table or from a stepped environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from neucb.agents.protocols import Foresees, LearnsAll, has
from neucb.engines.lockstep.arm_losses import arm_losses, expected_losses
from neucb.engines.log import RoundLabels
from neucb.engines.trace import UNKNOWN
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.contexts import dense_rows, density, finite_rows
from neucb.environments.episodes import bad_context
from neucb.environments.orders.order import FixedOrder
from neucb.environments.orders.registry import find_order
from neucb.environments.synthetic import SyntheticVectorEnv, WorldSequence

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv
    from torch import Tensor

    from neucb.agents.base import Agent
    from neucb.core.errors import InputError
    from neucb.core.spec import Spec
    from neucb.engines.log import Figures
    from neucb.environments.episodes import Episodes

    Ints = NDArray[np.int64]


class Rounds(Protocol):
    """Source of a run's rounds, read block by block.

    Attributes:
        known: whether contexts are independent of the arms played, so that no environment is stepped.
        stop: number of playable rounds.
        error: error of round `stop`, None where it is the end of the run.
    """

    known: bool
    stop: int
    error: InputError | None

    def begin(self, agent: Agent) -> None:
        """Reset the agent, and the environment of stepped rounds."""

    def open(self, left: int, right: int) -> Tensor | None:
        """Prepare rounds left..right-1; return their contexts [B, R, d] if known, else None."""

    def look(self) -> tuple[Tensor, Tensor | None]:
        """Return contexts [R, ...] of the block's next round and the arms available [R, K], None for all."""

    def learn(self, agent: Agent, action: Tensor) -> None:
        """Play the arms [R] in the round that `look` returned, and update the agent with their losses."""

    def outcome(self, action: Ints) -> tuple[Figures, RoundLabels | NDArray[np.float64]]:
        """Return metrics [R, n] and arm losses of the block's first n rounds, see `RunLog.add`."""

    def shown(self, action: Ints) -> dict[str, Ints]:
        """Return the trace's columns [R, n] of rows and labels, for the arms [R, n] of the first n rounds."""

    def context(self, place: int) -> NDArray[Any]:
        """Return the contexts [R, ...] of a round of the block."""


def make_rounds(agent: Agent, env: VectorEnv[Any, Any, Any], spec: Spec) -> Rounds | None:
    """Return the rounds of an environment that need no stepping, None where the environment is stepped.

    No round depends on the arms played before, and the agent is no skyline.
    """
    if has(agent, Foresees) or has(agent, LearnsAll):
        return None
    if type(env) is ClassificationVectorEnv and issubclass(find_order(env.order), FixedOrder):
        return TableRounds(env, spec)
    return WorldRounds(env, spec) if type(env) is SyntheticVectorEnv else None


class KnownRounds:
    """Rounds that are known block by block, so that the environment is not stepped.

    Attributes:
        blocks: contexts [R, ...] and losses [R, K] of the rounds of the block that are left, set by `open`.
    """

    known = True
    error: InputError | None = None
    blocks: Iterator[tuple[Tensor, Tensor]]

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self.stop = spec.horizon

    def begin(self, agent: Agent) -> None:
        """Reset the agent."""
        agent.reset(self._spec)

    def look(self) -> tuple[Tensor, None]:
        """Return the contexts [R, ...] of the block's next round."""
        self._now = next(self.blocks)
        return self._now[0], None

    def learn(self, agent: Agent, action: Tensor) -> None:
        """Update the agent with the losses of the arms [R]."""
        context, losses = self._now
        agent.update(context, action, losses.gather(1, action.unsqueeze(1)).squeeze(1))

    def _ready(self, contexts: NDArray[Any], losses: NDArray[Any]) -> Tensor:
        """Set the block's contexts [B, R, ...] and losses [B, R, K]; return the former as a tensor."""
        to: Any = {"dtype": getattr(torch, self._spec.dtype), "device": self._spec.device}
        shown, heard = torch.as_tensor(contexts, **to), torch.as_tensor(losses, **to)
        self.blocks = zip(shown.unbind(), heard.unbind(), strict=True)
        return shown


class TableRounds(KnownRounds):
    """Rounds of a table in an order independent of the arms played; the environment is not stepped.

    Args:
        env: environment of the table.
        spec: shape of the run.
    """

    def __init__(self, env: ClassificationVectorEnv, spec: Spec) -> None:
        self._contexts = env.encoded.contexts
        self._feedback = env.feedback
        super().__init__(replace(spec, density=density(self._contexts)))
        scripts = [env.script(seed) for seed in spec.seeds]
        self._rows = np.stack([script.rows for script in scripts], 1)  # [T, R], and below
        self._label = np.stack([script.label for script in scripts], 1)
        self._seen = np.stack([script.seen for script in scripts], 1)
        spoilt = ~finite_rows(self._contexts)[self._rows]  # [T, R]
        if spoilt.any():
            self.stop = int(spoilt.any(1).argmax())
            self.error = bad_context(self.stop, spec.seeds[int(spoilt[self.stop].argmax())])

    def open(self, left: int, right: int) -> Tensor:
        """Read rounds left..right-1; return their contexts [B, R, d]."""
        self._left = left
        contexts = dense_rows(self._contexts, self._rows[left:right])
        return self._ready(contexts, self._feedback.cost[self._seen[left:right]])

    def outcome(self, action: Ints) -> tuple[Figures, RoundLabels]:
        """Return metrics and labels [R, n] of the block's first n rounds."""
        label, seen = self._of(self._label, action), self._of(self._seen, action)
        return self._feedback.outcome(label, seen, action), RoundLabels(label, self._feedback.expected)

    def shown(self, action: Ints) -> dict[str, Ints]:
        """Return rows and labels [R, n]."""
        return {"row": self._of(self._rows, action), "class_label": self._of(self._label, action)}

    def context(self, place: int) -> NDArray[Any]:
        """Return the contexts [R, d] of a round of the block."""
        return dense_rows(self._contexts, self._rows[self._left + place])

    def _of(self, values: Ints, action: Ints) -> Ints:
        """Return values [R, n] of the rounds of `action` [R, n]."""
        return values[self._left : self._left + action.shape[1]].T


class WorldRounds(KnownRounds):
    """Rounds of a synthetic world, drawn block by block; the environment is not stepped.

    Args:
        env: environment of the world.
        spec: shape of the run.
    """

    def __init__(self, env: SyntheticVectorEnv, spec: Spec) -> None:
        super().__init__(spec)
        self._sequences = [WorldSequence(env, seed) for seed in spec.seeds]

    def open(self, left: int, right: int) -> None:
        """Draw rounds left..right-1; return None, since no agent looks ahead at contexts per arm."""
        drawn = [sequence.draw(right - left) for sequence in self._sequences]
        self._contexts = np.stack([contexts for contexts, _ in drawn], 1)  # [B, R, K, d]
        self._mean = np.stack([means for _, means in drawn], 1)  # [B, R, K], and below
        coins = np.stack([sequence.coins[left:right] for sequence in self._sequences], 1)
        self._loss = (coins[:, :, None] < self._mean).astype(np.float64)
        self._ready(self._contexts, self._loss)

    def outcome(self, action: Ints) -> tuple[Figures, NDArray[np.float64]]:
        """Return metrics [R, n] and expected losses [R, n, K] of the block's first n rounds."""
        n = action.shape[1]
        mean, loss = self._mean[:n].transpose(1, 0, 2), self._loss[:n].transpose(1, 0, 2)
        played, best = action[:, :, None], mean.argmin(2)[:, :, None]
        expected, least = _at(mean, played), _at(mean, best)
        figures = {
            "loss": _at(loss, played),
            "expected_loss": expected,
            "regret": expected - least,
            "best_loss": least,
            "best_realised_loss": _at(loss, best),
        }
        return figures, mean

    def shown(self, action: Ints) -> dict[str, Ints]:
        """Return no columns: a world has no rows and no labels."""
        return {}

    def context(self, place: int) -> NDArray[Any]:
        """Return the contexts [R, K, d] of a round of the block."""
        context: NDArray[Any] = self._contexts[place]
        return context


def _at(values: NDArray[np.float64], arm: Ints) -> NDArray[np.float64]:
    """Return values [R, n, K] at arms [R, n, 1] as [R, n]."""
    return np.take_along_axis(values, arm, 2)[:, :, 0]


class SteppedRounds:
    """Rounds of a stepped environment.

    Args:
        episodes: environment, with its episodes joined.
        traced: whether rows and labels are recorded for `shown`.
    """

    known = False
    error: InputError | None = None

    def __init__(self, episodes: Episodes, *, traced: bool) -> None:
        self._episodes = episodes
        self._traced = traced
        self.stop = episodes.spec.horizon

    def begin(self, agent: Agent) -> None:
        """Reset the agent and the environment; play the latter once first for an agent that is `Foresees`."""
        spec = self._episodes.spec
        agent.reset(spec)
        if has(agent, Foresees):
            agent.foresee(torch.as_tensor(arm_losses(self._episodes), device=spec.device))
        self._learns_all = has(agent, LearnsAll)
        self._dtype, self._device = spec.dtype, spec.device
        self._episodes.reset()

    def open(self, left: int, right: int) -> None:
        """Allocate the buffers of a block; return None, since its contexts are unknown."""
        spec, shape = self._episodes.spec, (self._episodes.spec.replicas, right - left)
        names = ("loss", "expected_loss", "regret", "best_loss", "best_realised_loss")
        self._figures = {name: np.empty(shape) for name in names}
        self._losses = np.empty((*shape, spec.arms))
        self._contexts: list[NDArray[Any]] = []
        self._shown: list[dict[str, Ints]] = []
        self._unknown = np.full(spec.replicas, np.nan)

    def look(self) -> tuple[Tensor, Tensor | None]:
        """Return contexts [R, ...] and the arms available [R, K], None for all."""
        seen, available = self._episodes.look()
        self._contexts.append(seen)
        mask = None if available is None else torch.as_tensor(available, device=self._device)
        self._now = self._tensor(seen), mask
        return self._now

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        """Return numbers on the device of the run; conversion by numpy is the cheaper one for few numbers."""
        made = torch.from_numpy(np.ascontiguousarray(values, self._dtype))
        return made if self._device == "cpu" else made.to(self._device)

    def learn(self, agent: Agent, action: Tensor) -> None:
        """Step the environment and update the agent."""
        place = len(self._contexts) - 1
        chosen = action.cpu().numpy()
        rows = self._episodes.rows() if self._traced else None
        loss, info = self._episodes.step(chosen)
        context, mask = self._now
        if self._learns_all:
            agent.learn_all(context, self._tensor(expected_losses(info)), mask)  # type: ignore[attr-defined]  # see `LearnsAll`
        else:
            agent.update(context, action, self._tensor(loss))
        if self._traced:
            self._shown.append(self._rows_and_labels(rows, chosen))
        self._keep(place, loss, info)

    def _keep(self, place: int, loss: NDArray[np.float64], info: dict[str, Any]) -> None:
        figures, unknown = self._figures, self._unknown
        best = info.get("best_loss", unknown)
        figures["loss"][:, place] = loss
        figures["expected_loss"][:, place] = info.get("expected_loss", unknown)
        figures["regret"][:, place] = info.get("expected_loss", loss) - best
        figures["best_loss"][:, place] = best
        figures["best_realised_loss"][:, place] = info.get("best_realised_loss", unknown)
        self._losses[:, place] = info.get("expected_losses", np.nan)

    def _rows_and_labels(self, rows: NDArray[np.int64] | None, action: Ints) -> dict[str, Ints]:
        """Return row and label [R] of a round, those that the environment gives.

        Args:
            rows: row of the context that all arms share [R], or one row per arm [R, K].
            action: arms played [R].
        """
        labels = self._episodes.labels()
        found = {} if labels is None else {"class_label": labels}
        if rows is not None and rows.ndim == 1:
            found["row"] = rows
        elif rows is not None:
            found["action_row"] = rows[np.arange(len(action)), action]
        return found

    def outcome(self, action: Ints) -> tuple[Figures, NDArray[np.float64]]:
        """Return metrics [R, n] and expected losses [R, n, K] of the block's first n rounds."""
        n = action.shape[1]
        return {name: values[:, :n] for name, values in self._figures.items()}, self._losses[:, :n]

    def shown(self, action: Ints) -> dict[str, Ints]:
        """Return rows and labels [R, n], UNKNOWN where the environment does not give them."""
        rounds = self._shown[: action.shape[1]]
        unknown = np.full(len(action), UNKNOWN)
        names = {name for found in rounds for name in found}
        return {name: np.stack([found.get(name, unknown) for found in rounds], 1) for name in names}

    def context(self, place: int) -> NDArray[Any]:
        """Return the contexts [R, ...] of a round of the block."""
        return self._contexts[place]
