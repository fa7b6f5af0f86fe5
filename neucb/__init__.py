"""neucb: contextual-bandit simulation and benchmarking.

`neucb.run(agent="kl-perturbed", dataset="covertype", rounds=10_000, seeds=5)` plays and returns a
DataFrame. Importing this package registers the Gymnasium environments; it imports torch, pandas and
the rest only when they are needed.
"""

from __future__ import annotations

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m neucb` would look first where it is started, and take a file copy.py there for Python's own.
    sys.path.append(sys.path.pop(0))

import importlib
from typing import TYPE_CHECKING, Any

from neucb.core.version import __version__
from neucb.environments.registration import register

if TYPE_CHECKING:
    from neucb.agents.base import Agent, Reduction
    from neucb.agents.prediction import Prediction
    from neucb.core.spec import Spec
    from neucb.environments.classification import ClassificationVectorEnv
    from neucb.environments.ranking import RankingVectorEnv
    from neucb.environments.single import SingleEnv
    from neucb.environments.synthetic import SyntheticVectorEnv
    from neucb.runs.api import prepare, run
    from neucb.runs.checkpoint import Trained, load_agent
    from neucb.runs.run import Run
    from neucb.sweeps.api import sweep
    from neucb.sweeps.store.read_results import load_results

__all__ = [
    "Agent",
    "ClassificationVectorEnv",
    "Prediction",
    "RankingVectorEnv",
    "Reduction",
    "Run",
    "SingleEnv",
    "Spec",
    "SyntheticVectorEnv",
    "Trained",
    "__version__",
    "load_agent",
    "load_results",
    "prepare",
    "run",
    "sweep",
]

_HOMES = {
    "Agent": "neucb.agents.base",
    "ClassificationVectorEnv": "neucb.environments.classification",
    "Prediction": "neucb.agents.prediction",
    "RankingVectorEnv": "neucb.environments.ranking",
    "Reduction": "neucb.agents.base",
    "SingleEnv": "neucb.environments.single",
    "Spec": "neucb.core.spec",
    "SyntheticVectorEnv": "neucb.environments.synthetic",
    "load_results": "neucb.sweeps.store.read_results",
    "Trained": "neucb.runs.checkpoint",
    "load_agent": "neucb.runs.checkpoint",
    "Run": "neucb.runs.run",
    "prepare": "neucb.runs.api",
    "run": "neucb.runs.api",
    "sweep": "neucb.sweeps.api",
}

register()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neucb' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
