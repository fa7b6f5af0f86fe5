"""Registration of the environments with Gymnasium."""

from __future__ import annotations

import gymnasium

# id -> (entry point of the single form, entry point of the vector form)
ENVIRONMENTS = {
    "neucb/Classification-v0": (
        "neucb.environments.single:classification",
        "neucb.environments.classification:ClassificationVectorEnv",
    ),
    "neucb/Ranking-v0": (
        "neucb.environments.single:ranking",
        "neucb.environments.ranking:RankingVectorEnv",
    ),
    "neucb/Synthetic-v0": (
        "neucb.environments.single:synthetic",
        "neucb.environments.synthetic:SyntheticVectorEnv",
    ),
}


def register() -> None:
    """Register every environment; a second call does nothing."""
    for name, (single, vector) in ENVIRONMENTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(id=name, entry_point=single, vector_entry_point=vector)
