"""Synthetic worlds as a data source: environments without a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neucb.core.errors import InputError, unknown_name
from neucb.environments.sources.source import DataSource, Loading
from neucb.environments.synthetic import WORLDS, SyntheticVectorEnv
from neucb.environments.table import Table

PREFIX = "synthetic:"


class Synthetic(DataSource):
    """Source of the worlds of `SyntheticVectorEnv`, "synthetic:<world>"."""

    patterns = (f"{PREFIX}<world>",)
    options = ("arms", "features")
    has_tables = False

    def matches(self, name: str) -> bool:
        """Return whether the name has the prefix "synthetic:"."""
        return name.startswith(PREFIX)

    def resolve(self, name: str, folder: Path) -> str:
        """Return the name; raise an InputError for an unknown world."""
        if name.removeprefix(PREFIX) not in WORLDS:
            raise unknown_name("data set", name, [PREFIX + world for world in WORLDS])
        return name

    def load(self, name: str, loading: Loading) -> Table:
        """Refuse: a world has no table."""
        raise InputError(f"{name} is a world without a table; `neucb run` plays it")

    def fingerprint(self, name: str, loading: Loading) -> dict[str, Any]:
        """Return the source alone: the seeds decide the rest."""
        return {"source": "synthetic"}

    def make(self, name: str, replicas: int, rounds: int, options: Mapping[str, Any]) -> SyntheticVectorEnv:
        """Return the environment of a world."""
        world = self.resolve(name, Path()).removeprefix(PREFIX)
        for option in options:
            if option not in self.options:
                raise InputError(
                    f"a synthetic world has no option '{option}'; it has {', '.join(self.options)}"
                )
        return SyntheticVectorEnv(world, replicas, horizon=rounds, **options)
