"""Groups: runs whose replicas differ in whole numbers, the width for example, so that no one agent plays all.

Replicas with the same whole numbers are a group, which one agent plays as if it were alone; the groups play
one after the other.
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
    """Replicas of the same whole numbers.

    Attributes:
        replicas: their places in the run, ascending.
        settings: all their hyper-parameters; a tuple has one number per replica of the group.
    """

    replicas: tuple[int, ...]
    settings: dict[str, Any]


def uneven(recipe: Recipe | None, settings: Mapping[str, Any]) -> list[str]:
    """Return the names of the whole numbers that are given one by one for the replicas."""
    known = recipe.parameters if recipe is not None else ()
    return [one.name for one in known if one.whole and isinstance(settings[one.name], tuple)]


def groups_of(recipe: Recipe | None, settings: Mapping[str, Any], replicas: int) -> list[Group]:
    """Return the groups of R replicas, in the order of their first ones; usually a single group."""
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
    """Check that a run may have several groups.

    Args:
        names: of the whole numbers that differ, see `uneven`.
        keep_agent: whether the trained agent is to be kept.
        own_environment: whether the user gave an environment, which has all R replicas.

    Raises:
        InputError: it may not.
    """
    differ = f"{' and '.join(names)} differ{'s' if len(names) == 1 else ''} between the seeds"
    if keep_agent:
        raise InputError(f"{differ}, so that there is no one agent to keep; give one value")
    if own_environment:
        raise InputError(f"{differ}, and an environment object plays all seeds together; give one value")


@dataclass(frozen=True)
class Part:
    """What plays a group.

    Attributes:
        replicas: see `Group`.
        player: of the group, on an environment of as many replicas.
        log: of the group.
    """

    replicas: tuple[int, ...]
    player: Engine
    log: RunLog


class Groups:
    """Plays a run group by group.

    Args:
        parts: of all groups, not played.
        log: of the whole run, empty; filled once all groups have played, so that it stays empty if one
            of them fails.
    """

    def __init__(self, parts: Sequence[Part], log: RunLog) -> None:
        self.parts = parts
        self.log = log

    def load(self) -> None:
        """Do for all groups what is not playing."""
        for part in self.parts:
            part.player.load()

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds.

        Args:
            progress: called with the mean number of rounds that a replica has played.

        Raises:
            DivergedError, InputError: as the engine of a group.
        """
        spec = self.log.spec
        before = 0  # rounds of the groups that are done
        for part in self.parts:
            size = len(part.replicas)

            def told(played: int, before: int = before, size: int = size) -> None:
                if progress is not None:
                    progress((before + size * played) // spec.replicas)

            part.log.keep(self.log.due_until(spec.horizon))
            try:
                part.player.play(told)
            except DivergedError as error:
                replica = None if error.replica is None else part.replicas[error.replica]
                raise DivergedError(str(error), error.round, replica) from error
            before += size * spec.horizon
        self.log.gather([(part.replicas, part.log) for part in self.parts])
