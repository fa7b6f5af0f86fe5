"""Trained agents: checkpoints of a run, to query, to continue and to save to a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from neucb.agents.base import Agent, AgentWrapper, Reduction, ask
from neucb.agents.protocols import autograd_of
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.state import give_state, take_state
from neucb.core.errors import DataError, InputError
from neucb.core.files import atomic_write, explained
from neucb.core.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor

HEAD = "neucb"  # key of the file's JSON head
VERSION = 1


class Trained(AgentWrapper):
    """A trained agent, which continues from its last round when played again.

    `Run.agent` of a run prepared with `keep_agent=True` is one; `neucb.run(trained, ...)` plays a copy of
    it, with as many replicas, arms and features. Its round number continues, and with it its schedules of
    step sizes and of exploration.

    Attributes:
        agent: R replicas, in their state after the last round.
        name: name of the agent.
        settings: all hyper-parameters of a named agent.
        spec: shape of the last run.
        rounds: number of rounds played, in all runs.
        data: description of the data of the last run.
    """

    uses_autograd = autograd_of("agent")

    def __init__(
        self,
        agent: Agent,
        name: str,
        settings: Mapping[str, Any],
        spec: Spec,
        rounds: int,
        data: Mapping[str, Any],
    ) -> None:
        self.agent = agent
        self.name = name
        self.settings = settings
        self.spec = spec
        self.rounds = rounds
        self.data = data

    def reset(self, spec: Spec) -> None:
        """Keep the learnt state and prepare for `spec.horizon` more rounds.

        Raises:
            InputError: the run has another shape.
        """
        for what in ("replicas", "arms", "features", "per_arm", "device", "dtype"):
            ours, theirs = getattr(self.spec, what), getattr(spec, what)
            if ours != theirs:
                raise InputError(f"{self.name} was trained with {what} = {ours}; it cannot play {theirs}")
        if isinstance(self.agent, Reduction):
            self.agent.extend(spec.horizon)

    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        """Return the probability of each arm [R, K] for contexts [R, d] or [R, K, d]."""
        return ask(self.agent, context, available)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Learn from contexts, the arms played [R] and their losses [R] in [0, 1]."""
        self.agent.update(context, action, loss)

    @property
    def checksum(self) -> str:
        """The SHA-256 of the learnt state."""
        state, tensors = take_state(self.agent)
        digest = hashlib.sha256(json.dumps(state).encode())
        for name in sorted(tensors):
            digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())  # of any dtype
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: the tensors, and a JSON head that describes them.

        Raises:
            InputError: the agent's state holds an object that cannot be saved, see `take_state`.
            NeucbError: the file cannot be written.
        """
        from safetensors.torch import save_file

        state, tensors = take_state(self.agent)
        head = {
            "version": VERSION,
            "name": self.name,
            "settings": self.settings,
            "spec": asdict(self.spec),
            "rounds": self.rounds,
            "data": self.data,
            "state": state,
        }
        path = Path(path)
        words = {HEAD: json.dumps(head, default=str)}
        with explained(path.parent, "save_agent=..."):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, lambda part: save_file(tensors, part, words))


def load_agent(path: str | Path, agent: Agent | None = None) -> Trained:
    """Return the agent from a file of `Trained.save`.

    Args:
        path: path of the file.
        agent: new agent of the same kind, for files of agents that are not named recipes.

    Raises:
        DataError: the file is missing, or is not a checkpoint.
        InputError: the file's agent is no named recipe, and `agent` is missing or of another kind.
    """
    head, tensors = _read(Path(path))
    spec = Spec(**{**head["spec"], "seeds": tuple(head["spec"]["seeds"])})
    name, settings = head["name"], head["settings"]
    if agent is None:
        if name not in RECIPES:
            raise InputError(f"{path} holds {name}, no named agent: give a new one, load_agent(path, agent)")
        settings = RECIPES[name].settings(settings)
        agent = make_agent(RECIPES[name], settings)
    with torch.no_grad():
        agent.reset(spec)
        give_state(agent, head["state"], tensors)
    return Trained(agent, name, settings, spec, head["rounds"], head["data"])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no mapping
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is no safetensors file: {error}") from None
    if HEAD not in metadata:
        raise DataError(f"{path} holds no agent that neucb saved")
    head: dict[str, Any] = json.loads(metadata[HEAD])
    if head.get("version") != VERSION:
        raise DataError(f"{path} is of version {head.get('version')}, this neucb reads {VERSION}")
    return head, tensors
