"""Spec: the shape of a run (replicas, arms, features, horizon)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from neucb.core.errors import InputError

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

AnyVectorEnv: TypeAlias = "VectorEnv[Any, Any, Any]"
SPACE = 80  # maximum characters of a Gymnasium space in a message


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
        density: share of nonzero entries in the data set's contexts, in (0, 1], 1 where unknown. It
            only selects a faster product.
        sparse: whether contexts are wide and kept in compressed rows; each input's weights in a network's
            first layer are then drawn from a stream of their own.

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
    density: float = 1.0
    sparse: bool = False

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
        """R, the number of replicas that run in lockstep."""
        return len(self.seeds)

    @property
    def blocks(self) -> int:
        """Number of parameter blocks B of a model: K for shared contexts, 1 for per-arm contexts."""
        return 1 if self.per_arm else self.arms


def read_spec(
    env: AnyVectorEnv,
    seeds: tuple[int, ...],
    rounds: int | None = None,
    device: str = "cpu",
    dtype: str = "float32",
) -> Spec:
    """Return the shape of a run on an environment with num_envs = R.

    Args:
        env: the environment.
        seeds: R seeds, one per sub-environment.
        rounds: T; the environment's horizon by default.
        device: see `Spec`.
        dtype: see `Spec`.

    Raises:
        InputError: seeds or rounds do not fit the environment, or it is not a contextual bandit.
    """
    if len(seeds) != env.num_envs:
        raise InputError(f"{len(seeds)} seeds for an environment of {env.num_envs} replicas")
    arms, shape = _arms(env), _context_shape(env)
    horizon = attribute(env, "horizon")
    if not isinstance(horizon, int | np.integer):
        horizon = None
    if rounds is None and horizon is None:
        raise InputError("say how many rounds: this environment has no horizon")
    if rounds is not None and horizon is not None and rounds > horizon:
        raise InputError(f"the environment has {horizon} rounds, not {rounds}")
    return Spec(
        seeds,
        arms,
        shape[-1],
        int(rounds or horizon or 0),
        device,
        dtype,
        per_arm=len(shape) == 2,
        sparse=bool(attribute(env, "sparse_contexts")),
    )


def attribute(env: AnyVectorEnv, name: str) -> Any:
    """Return an attribute of the outermost of an environment and its wrapped ones that has it, or None."""
    while not hasattr(env, name):
        if env is env.unwrapped:
            return None
        env = env.env  # type: ignore[attr-defined]  # wrappers have it
    return getattr(env, name)


def _arms(env: AnyVectorEnv) -> int:
    space = env.single_action_space
    if not isinstance(space, Discrete):
        raise InputError(f"the environment's actions must be Discrete(K), one per arm, not {_short(space)}")
    return int(space.n)


def _context_shape(env: AnyVectorEnv) -> tuple[int, ...]:
    space, arms = env.single_observation_space, _arms(env)
    shape = space.shape if isinstance(space, Box | MultiBinary | MultiDiscrete) else None
    if shape is None or not (len(shape) == 1 or (len(shape) == 2 and shape[0] == arms)):
        raise InputError(
            f"the environment's observations must be contexts, [d], or [{arms}, d] with a row per arm, not "
            f"{_short(space)}; gymnasium.wrappers.FlattenObservation makes them [d]"
        )
    return shape


def _short(space: object) -> str:
    text = " ".join(str(space).split())
    return text if len(text) <= SPACE else text[: SPACE - 3] + "..."


def check_device_name(device: str) -> None:
    """Check that a device is "cpu", "cuda" or "cuda:<number>".

    Raises:
        InputError: it is not.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", str(device)):
        raise InputError(f"device must be cpu or cuda, not {device}")


def check_device(device: str) -> None:
    """Check that torch can compute on a device.

    Raises:
        InputError: the device is unknown or unavailable.
    """
    check_device_name(device)
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise InputError("no CUDA device is available to torch; use the cpu")
