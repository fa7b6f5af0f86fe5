"""Orders of rows that depend on the arms played, in the kernels."""

from __future__ import annotations

from neucb.environments.orders import REACT_AFTER, REACT_SHARE
from neucb.kernels.jit import exact
from neucb.kernels.types import Reaction, World


@exact
def weakest(reaction: Reaction) -> int:
    """Return the next unused row of the weakest class that was met and has one left, -1 where none has."""
    row, worst = -1, -1.0
    for label in range(len(reaction.last)):
        last = reaction.last[label]
        while last > reaction.first[label] and reaction.used[reaction.queue[last - 1]]:
            last -= 1
        reaction.last[label] = last
        if last > reaction.first[label] and reaction.met[label] > 0.0:
            mean = reaction.loss[label] / reaction.met[label]
            if mean > worst:
                row, worst = reaction.queue[last - 1], mean
    return row


@exact
def show(reaction: Reaction | None, world: World, t: int) -> None:
    """Say which row round t shows, where it was not known beforehand."""
    if reaction is None:
        return
    row = -1
    if t >= REACT_AFTER and reaction.coins[t] < REACT_SHARE:
        row = weakest(reaction)
    if row < 0:
        while reaction.used[reaction.shuffled[reaction.next[0]]]:
            reaction.next[0] += 1
        row = reaction.shuffled[reaction.next[0]]
    reaction.used[row] = True
    label = reaction.relabel[reaction.part[t], reaction.labels[row]]
    world.rows[t] = row
    world.label[t] = label
    world.seen[t] = (label + reaction.shift[t]) % len(world.cost)


@exact
def note(reaction: Reaction | None, world: World, t: int, arm: int) -> None:
    """Count the expected loss of the class just played."""
    if reaction is None:
        return
    label = reaction.labels[world.rows[t]]  # of the table, whatever drift makes of it
    reaction.loss[label] += world.expected[world.label[t], arm]
    reaction.met[label] += 1.0
