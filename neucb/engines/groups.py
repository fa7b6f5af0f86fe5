"""Groups: runs whose replicas differ in integer hyper-parameters, such as the width.

One agent has a single value of each integer hyper-parameter. Replicas with equal values are a group, which
one agent plays independently of the others; the groups are played one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neucb.core.errors import DivergedError, InputError

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe
    from neucb.engines.engine import Engine
    from neucb.engines.log import Progress, RunLog


@dataclass(frozen=True)
class Group:
    """Replicas with equal integer hyper-parameters.

    Attributes:
        replicas: indices of the replicas in the run, ascending.
        settings: all hyper-parameters of the replicas; a tuple has one number per replica of the group.
    """

    replicas: tuple[int, ...]
    settings: dict[str, Any]


def uneven(recipe: Recipe | None, settings: Mapping[str, Any]) -> list[str]:
    """Return the names of the integer hyper-parameters with one value per replica."""
    known = recipe.parameters if recipe is not None else ()
    return [one.name for one in known if one.whole and isinstance(settings[one.name], tuple)]


def groups_of(recipe: Recipe | None, settings: Mapping[str, Any], replicas: int) -> list[Group]:
    """Return the groups of R replicas, ordered by their first replica; usually a single group."""
    names = uneven(recipe, settings)
    members: dict[tuple[Any, ...], list[int]] = {}
    for r in range(replicas):
        members.setdefault(tuple(settings[name][r] for name in names), []).append(r)
    groups = []
    for whole, some in members.items():
        own = {
            name: tuple(value[r] for r in some) if isinstance(value, tuple) else value
            for name, value in settings.items()
        }
        groups.append(Group(tuple(some), own | dict(zip(names, whole, strict=True))))
    return groups


def check_several(names: Sequence[str], *, keep_agent: bool, own_environment: bool) -> None:
    """Check that a run supports several groups.

    Args:
        names: names of the integer hyper-parameters that differ between replicas, see `uneven`.
        keep_agent: whether the trained agent is to be kept.
        own_environment: whether the environment is a user's object, which plays all R replicas together.

    Raises:
        InputError: the agent is to be kept, or the environment is a user's object.
    """
    differ = f"{' and '.join(names)} differ{'s' if len(names) == 1 else ''} between the seeds"
    if keep_agent:
        raise InputError(f"{differ}, so that there is no one agent to keep; give one value")
    if own_environment:
        raise InputError(f"{differ}, and an environment object plays all seeds together; give one value")


@dataclass(frozen=True)
class Part:
    """A group with its engine and log.

    Attributes:
        replicas: see `Group`.
        player: engine of the group, with an environment of as many replicas.
        log: log of the group.
    """

    replicas: tuple[int, ...]
    player: Engine
    log: RunLog


class Groups:
    """An engine that plays a run group by group.

    Args:
        parts: engines and logs of all groups, not played yet.
        log: log of the whole run, empty; filled once all groups have been played, so that it stays empty if
            one of them fails.
    """

    def __init__(self, parts: Sequence[Part], log: RunLog) -> None:
        self.parts = parts
        self.log = log

    def load(self) -> None:
        """Import modules and compile kernels for all groups."""
        for part in self.parts:
            part.player.load()

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds.

        Args:
            progress: callback with the mean number of rounds played per replica.

        Raises:
            DivergedError, InputError: as for the engine of a group.
        """
        spec = self.log.spec
        before = 0  # rounds of the groups already played, over all their replicas
        for part in self.parts:
            size = len(part.replicas)

            def report(played: int, before: int = before, size: int = size) -> None:
                if progress is not None:
                    progress((before + size * played) // spec.replicas)

            part.log.keep(self.log.due_until(spec.horizon))
            try:
                part.player.play(report)
            except DivergedError as error:
                replica = None if error.replica is None else part.replicas[error.replica]
                raise DivergedError(str(error), error.round, replica) from error
            before += size * spec.horizon
        self.log.gather([(part.replicas, part.log) for part in self.parts])
