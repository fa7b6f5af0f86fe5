"""Registration: the ids under which Gymnasium makes our environments."""

from __future__ import annotations

import gymnasium

CLASSIFICATION = "neucb/Classification-v0"


def register() -> None:
    """Register every environment; a second call does nothing."""
    if CLASSIFICATION not in gymnasium.registry:
        gymnasium.register(
            id=CLASSIFICATION,
            entry_point="neucb.environments.single:ClassificationEnv",
            vector_entry_point="neucb.environments.classification:ClassificationVectorEnv",
        )
