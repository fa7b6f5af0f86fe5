"""Episodes of a vector environment, played as one sequence of rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from neucb.core.errors import InputError
from neucb.environments.rewards import UNIT, losses_of
from neucb.environments.step_info import bad_mask, read_figures, read_mask, read_step

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

    from neucb.core.spec import Spec
    from neucb.environments.step_info import Bools, Floats

    AnyVectorEnv = VectorEnv[Any, Any, Any]

CURE = "let sub-environments start anew in the step that ends an episode: autoreset_mode SAME_STEP"


class Episodes:
    """Adapter of a vector environment: R replicas, one per sub-environment, each an endless run of rounds.

    A round shows a context and the available arms (`look`), then takes an arm (`step`). Where an episode
    ends, `terminated` or `truncated`, after any number of rounds, the next round is the first of the
    sub-environment's next episode, drawn from its current generator; a step that merely resets is no round.
    By the environment's `metadata["autoreset_mode"]`:
        SAME_STEP: the step that ends an episode returns the next one's context, and in `final_info` the
            figures of the round.
        DISABLED: `reset(options={"reset_mask": ...})` starts the next episodes.
        NEXT_STEP: as DISABLED for Gymnasium's own vectors of single environments; for other environments
            one step, whose arms they ignore, for which all episodes must have ended in the same round.

    Arm a is the action start + a of `Discrete(K, start=start)`.

    Attributes:
        trusted: whether rewards and figures are used unchecked, see `is_trusted`.

    Args:
        env: vector environment with num_envs = R.
        spec: shape of the run, see `read_spec`.
        reward_range: bounds (low, high) of rewards.

    Raises:
        InputError: an AsyncVectorEnv whose sub-environments would not register their reset.
    """

    def __init__(self, env: AnyVectorEnv, spec: Spec, reward_range: tuple[float, float] = UNIT) -> None:
        self.env = env
        self.spec = spec
        self.reward_range = reward_range
        self._mode = autoreset_mode(env)
        self._start = int(env.single_action_space.start)  # type: ignore[attr-defined]  # it is Discrete
        self.trusted = is_trusted(env)
        self._shape = (spec.replicas, *env.single_observation_space.shape)  # type: ignore[misc]  # it has one
        base, next_step = env.unwrapped, self._mode is AutoresetMode.NEXT_STEP
        gymnasiums = isinstance(base, SyncVectorEnv | AsyncVectorEnv)
        self._masked = self._mode is AutoresetMode.DISABLED or gymnasiums
        if next_step and isinstance(base, AsyncVectorEnv) and not base.shared_memory:
            raise InputError(
                "an AsyncVectorEnv with shared_memory=False resets once more after a reset; leave that out, "
                f"or {CURE}"
            )

    def reset(self) -> None:
        """Begin with the seeds of the run."""
        observation, info = self.env.reset(seed=list(self.spec.seeds))  # type: ignore[arg-type]  # lists too
        self._round = 0
        self._ended: Bools | None = None  # sub-environments whose next episodes are to be started
        self._take(observation, info)

    def _take(self, observation: Any, info: Any) -> None:
        if not isinstance(info, dict):
            raise InputError(
                f"the environment's info must be a dict, not a {type(info).__name__}: leave DictInfoToList "
                "out"
            )
        self._observation = np.array(observation)  # a copy: the environment may reuse its memory
        self._info = info

    def look(self) -> tuple[NDArray[Any], Bools | None]:
        """Return the contexts of the next round, [R, d] or [R, K, d], and the available arms, None for all.

        Raises:
            InputError: contexts or arms contradict the spaces or are not finite; or episodes ended and the
                next ones cannot be started.
        """
        spec, t = self.spec, self._round
        available = read_mask(self._info, spec, t)
        if self._ended is not None:
            available = self._restart(self._ended, available)
            self._ended = None
        context = self._observation
        if context.shape != self._shape or context.dtype.kind not in "biuf":
            raise InputError(
                f"round {t + 1}: contexts must be numbers of shape {self._shape}, as the observation space "
                f"says; they are {context.dtype} of shape {context.shape}"
            )
        if not np.isfinite(context).all():
            finite = np.isfinite(context).reshape(spec.replicas, -1).all(axis=1)
            raise bad_context(t, spec.seeds[int(finite.argmin())])
        if available is not None and not available.any(axis=1).all():
            raise bad_mask(t)
        self._available = available
        return context, available

    def step(self, action: NDArray[np.int64]) -> tuple[Floats, dict[str, Any]]:
        """Play one arm per replica [R]: return its losses [R] in [0, 1] and the figures of the round.

        Raises:
            InputError: a reward outside its range or not finite, or a figure that is no loss.
        """
        sent = action + self._start if self._start else action
        observation, reward, terminated, truncated, info = self.env.step(sent)
        if self.trusted:
            loss, ended = 1.0 - np.asarray(reward, np.float64), np.asarray(truncated)
        else:
            loss = losses_of(reward, self.reward_range, self.spec, self._round)
            ended = np.asarray(terminated) | np.asarray(truncated)
        over = np.broadcast_to(ended, len(loss)).copy() if ended.any() else None
        same_step = self._mode is AutoresetMode.SAME_STEP
        self._take(observation, info)
        self._reset_in_step = over if same_step else None
        figures = info
        if not self.trusted:
            figures = read_figures(info, self.spec, self._reset_in_step, action, self._available, self._round)
        self._ended = None if same_step else over
        self._round += 1
        return loss, figures

    def rows(self) -> NDArray[np.int64] | None:
        """Return the indices of the current rows of the table, None without a table.

        Shape [R], or [R, K] where every arm has a row of its own.
        """
        rows = getattr(self.env.unwrapped, "rows", None)
        shapes = ((self.spec.replicas,), (self.spec.replicas, self.spec.arms))
        if not isinstance(rows, np.ndarray) or rows.shape not in shapes or rows.dtype.kind != "i":
            return None
        return rows.copy()

    def labels(self) -> NDArray[np.int64] | None:
        """Return the clean labels [R] of the round just played, -1 for missing ones; None without labels."""
        found = read_step(self._info, "label", (self.spec.replicas,), self._reset_in_step)
        return None if found is None else np.where(np.isnan(found[0]), -1, found[0]).astype(np.int64)

    def _restart(self, ended: Bools, available: Bools | None) -> Bools | None:
        """Start the next episodes of the sub-environments in `ended` [R]; return the available arms."""
        spec, t = self.spec, self._round
        if self._mode is None:
            raise InputError(
                f"an episode ended in round {t}, and the environment does not say how the next one starts: "
                "set metadata['autoreset_mode'] to a gymnasium.vector.AutoresetMode"
            )
        if not self._masked and not ended.all():
            raise InputError(
                f"episodes of some sub-environments ended in round {t}, and the next step would reset these "
                f"and play the others; {CURE}"
            )
        before = self._observation
        self._take(*self._next_episodes(ended))
        if ended.all():
            return read_mask(self._info, spec, t)
        kept, others = before[~ended], self._observation[~ended]
        wrapped = self.env is not self.env.unwrapped  # by wrappers that may scale by all observations
        if not wrapped and not np.array_equal(kept, others, equal_nan=True):
            raise InputError(
                f"episodes of some sub-environments ended in round {t}, and the environment's reset started "
                f"others anew too: it must heed options['reset_mask']; or {CURE}"
            )
        self._observation[~ended] = kept
        return self._merged(ended, available, read_mask(self._info, spec, t))

    def _next_episodes(self, ended: Bools) -> tuple[Any, Any]:
        """Reset the sub-environments in `ended` [R]; return observations and info."""
        if not self._masked:
            observation, _, _, _, info = self.env.step(np.full(self.spec.replicas, self._start))
            return observation, info
        try:
            return self.env.reset(options={"reset_mask": ended.copy()})
        except ValueError as error:  # from wrappers that reset all or none
            raise InputError(
                f"episodes ended in round {self._round}, and the environment does not reset these alone: "
                f"{' '.join(str(error).split())}"
            ) from error

    def _merged(self, ended: Bools, before: Bools | None, after: Bools | None) -> Bools | None:
        """Return the available arms [R, K], taken after the reset for the sub-environments in `ended` [R]."""
        if before is None and after is None:
            return None
        every = np.ones((self.spec.replicas, self.spec.arms), np.bool_)
        before, after = (every if one is None else one for one in (before, after))
        return np.where(ended[:, None], after, before)


def is_trusted(env: object) -> bool:
    """Return whether an environment's class sets `trusted = True`: its rewards and figures need no check.

    An inherited attribute does not count: a subclass may change rewards.
    """
    return bool(vars(type(env)).get("trusted", False))


def autoreset_mode(env: AnyVectorEnv) -> AutoresetMode | None:
    """Return the autoreset mode of an environment, None where it is undeclared."""
    try:
        return AutoresetMode(env.metadata.get("autoreset_mode"))
    except ValueError:
        return None


def bad_context(t: int, seed: int) -> InputError:
    """Return the error for a context that is not finite; t counts from 0."""
    return InputError(f"round {t + 1}, seed {seed}: the context holds NaN or infinity; clean the data")
