"""Updates on past samples, by epochs, and on all arms.

`draws` is None where every round makes one step on its own sample; the compiler then removes this code.
"""

from __future__ import annotations

from neucb.engines.compiled.kernels.network import list_inputs, list_round
from neucb.engines.compiled.kernels.updates import made_before, round_of
from neucb.kernels.jit import exact
from neucb.kernels.types import (
    ALL_ARMS,
    EVERY_ROUND,
    Array,
    Network,
    NetworkConfig,
    RoundData,
    RoundRecord,
    SparseRows,
    UpdateClock,
    Workspace,
)
from neucb.kernels.vectors import copy_to


@exact
def passes_ahead(draws: Array | None, clock: UpdateClock) -> int:
    """Return 1 if the forward pass of the choice precedes the updates, 0 if the first update shares it."""
    if draws is None:
        return 0
    return int(clock.code != EVERY_ROUND)


@exact
def steps_an_update(draws: Array | None) -> int:
    """Return k, the number of steps per update."""
    if draws is None:
        return 1
    return 1 + draws.shape[1]


@exact
def updates_made(draws: Array | None, clock: UpdateClock, t: int, arms: int) -> int:
    """Return the number of updates made before round t = 0, 1, ..."""
    if draws is None:
        return t
    return made_before(clock, t, arms)


@exact
def fetch_past(
    draws: Array | None,
    sparse: SparseRows | None,
    world: RoundData,
    clock: UpdateClock,
    workspace: Workspace,
    update: int,
    row: int,
) -> None:
    """Copy the rows of an update's past samples, if dense, so that reads of distant rows overlap.

    `row` is the update's row in `draws`.
    """
    if draws is None or sparse is not None:
        return
    for s in range(draws.shape[1]):
        past = int(draws[row, s] * (update + 1))
        copy_to(workspace.past[s], world.contexts[world.rows[round_of(clock, past, len(workspace.f))]])


@exact
def recall(
    draws: Array | None,
    world: RoundData,
    config: NetworkConfig,
    network: Network,
    record: RoundRecord,
    workspace: Workspace,
    b: int,
    update: int,
    step: int,
    row: int,
) -> tuple[int, float]:
    """List the inputs of the sample of an update's step at index b; return its arm and loss."""
    if draws is None:
        return 0, 0.0
    clock, arms = config.clock, len(workspace.f)
    past = update if step == 0 else int(draws[row, step - 1] * (update + 1))
    seen = round_of(clock, past, arms)
    if clock.code == ALL_ARMS:
        arm = past % arms
        target = world.expected[world.label[seen], arm]
    else:
        arm = record.action[seen]
        target = world.cost[world.seen[seen], arm]
    if step == 0:
        list_round(world, config, network, workspace, b, seen, update + 1)
    else:
        list_past(world.sparse, world, config, network, workspace, b, seen, step)
    return arm, target


@exact
def list_past(
    sparse: SparseRows | None,
    world: RoundData,
    config: NetworkConfig,
    network: Network,
    workspace: Workspace,
    b: int,
    seen: int,
    step: int,
) -> None:
    """List the inputs of round `seen`, the sample of a further step; dense rows are in `past`."""
    if sparse is None:
        list_inputs(config, network, workspace, b, workspace.past[step - 1])
    else:
        list_round(world, config, network, workspace, b, seen, 0)
