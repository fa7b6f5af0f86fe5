"""RunRequest: everything that a run is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gymnasium.vector import VectorEnv

from neucb.engines.trace import Wanted
from neucb.environments.make import EnvironmentOptions
from neucb.environments.preprocessing import Encoded
from neucb.environments.ranking import Ranking
from neucb.environments.table import Table
from neucb.environments.tables.table_file import ArrowStream

if TYPE_CHECKING:
    import pandas as pd

    from neucb.agents.base import Agent

    AnyVectorEnv = VectorEnv[Any, Any, Any]
    Dataset = str | Table | Encoded | Ranking | pd.DataFrame | ArrowStream | AnyVectorEnv

Seeds = int | str | Iterable[int] | None


@dataclass(frozen=True)
class RunRequest:
    """The arguments of a run, see `neucb.run`; nothing is checked or read yet.

    Attributes:
        agent: name, reference, agent object or trained agent.
        dataset: name, reference, table or environment.
        rounds: T at most.
        seeds: one per replica.
        settings: hyper-parameters of a named agent.
        delay, feedback_batch: lateness of the losses, in rounds.
        engine: "compiled", "torch" or "auto".
        device, dtype: of networks.
        keep_agent: keep the trained agent.
        trace: keep every round.
        environment: options of the environment.
    """

    agent: str | Agent = "kl-perturbed"
    dataset: Dataset = "covertype"
    rounds: int | None = None
    seeds: Seeds = None
    settings: Mapping[str, Any] | None = None
    delay: int = 0
    feedback_batch: int = 1
    engine: str = "auto"
    device: str = "cpu"
    dtype: str = "float32"
    keep_agent: bool = False
    trace: Wanted = False
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)

    @property
    def late(self) -> bool:
        """Whether losses arrive later than in their round."""
        return self.delay != 0 or self.feedback_batch != 1
