"""RunRequest: the arguments of a run as one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neucb.engines.trace import Wanted
from neucb.environments.make import EnvironmentOptions
from neucb.environments.preprocessing import Encoded
from neucb.environments.ranking import Ranking
from neucb.environments.table import Table
from neucb.environments.tables.table_file import ArrowStream

if TYPE_CHECKING:
    import pandas as pd

    from neucb.agents.base import Agent
    from neucb.core.spec import AnyVectorEnv

    Dataset = str | Table | Encoded | Ranking | pd.DataFrame | ArrowStream | AnyVectorEnv

Seeds = int | str | Iterable[int] | None


@dataclass(frozen=True)
class RunRequest:
    """Arguments of a run, see `neucb.run`, before they are checked and before data are read.

    Attributes:
        agent: name, reference, agent object or trained agent.
        dataset: name, reference, table or environment.
        rounds: greatest horizon T, or None for the default.
        seeds: seeds of the replicas, one each.
        settings: hyper-parameters of a named agent.
        delay, feedback_batch: delay and batch size of feedback, in rounds.
        engine: engine that plays the rounds, "compiled", "torch" or "auto".
        device, dtype: device and number type of networks.
        keep_agent: whether the trained agent is kept.
        trace: whether every round is recorded; "full" with values of all arms.
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
        """Whether feedback is delayed or batched."""
        return self.delay != 0 or self.feedback_batch != 1
