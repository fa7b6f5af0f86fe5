"""Blocks of rounds with one shared forward pass through the first layer, see `Shared`."""

from __future__ import annotations

from neucb.kernels.jit import exact, fast
from neucb.kernels.types import Array, Network, NetworkConfig, Shared, Workspace
from neucb.kernels.vectors import (
    add_outer,
    add_outer_seen,
    add_products,
    add_scaled,
    combine,
    copy_to,
    dot,
    multiply,
    scale_by,
)


@fast
def products(scaled: Array, x: Array, gram: Array, n: int) -> None:
    """Fill gram [n, n] above its diagonal: gram[b, c] = <scaled_b, x_c> for b < c."""
    for b in range(n):
        for c in range(b + 1, n):
            gram[b, c] = dot(scaled[b], x[c])


@exact
def keep_row(shared: Shared | None, workspace: Workspace, b: int, row: Array, intercept: float) -> None:
    """Copy the row of round b into the buffers of the block."""
    if shared is None:
        return
    copy_to(shared.x[b], row)
    shared.x[b, len(row)] = intercept
    for j in range(len(row) + 1):
        shared.scaled[b, j] = shared.x[b, j] * workspace.size[b, j]


@exact
def share_pass(shared: Shared | None, network: Network, workspace: Workspace, n: int) -> None:
    """Compute the first-layer products of a block of n rounds."""
    if shared is None:
        return
    products(shared.scaled, shared.x, shared.gram, n)
    multiply(shared.x, network.first, workspace.moved, n)
    if len(network.start):
        multiply(shared.x, network.start, workspace.hidden, n)


@exact
def pass_alone(
    shared: Shared | None, w: Array, index: Array, value: Array, n: int, left: int, z: Array
) -> None:
    """Set z = x' w where the rounds of a block share no forward pass."""
    if shared is None:
        combine(w, index, value, n, left, z)


@exact
def add_step(shared: Shared | None, network: Network, workspace: Workspace, b: int, n: int, arm: int) -> None:
    """Add the step of round b to the first layer, or to the products of the later rounds of its block."""
    m, delta = len(workspace.head), workspace.delta[b]
    left, right = arm * m, (arm + 1) * m
    if shared is None:
        add_outer(network.first, workspace.inputs[b], workspace.step[b], workspace.filled[b], left, delta)
    else:
        shared.arm[b] = arm
        for later in range(b + 1, n):
            add_scaled(workspace.moved[later, left:right], shared.gram[b, later], delta)


@exact
def along_step(
    shared: Shared | None,
    config: NetworkConfig,
    network: Network,
    workspace: Workspace,
    b: int,
    n: int,
    arm: int,
) -> float:
    """Do `add_step`; return the inner product of the step and the first layer before it."""
    m, delta = len(workspace.head), workspace.delta[b]
    index, step, left = workspace.inputs[b], workspace.step[b], arm * m
    if shared is None:
        return add_outer_seen(network.first, index, step, workspace.filled[b], left, delta)
    if config.normalize == 0.0:
        total = dot(delta, workspace.moved[b, left : left + m])
    else:
        combine(network.first, index, step, workspace.filled[b], left, workspace.again)
        add_waiting(shared, workspace, b, arm)
        total = dot(delta, workspace.again)
    add_step(shared, network, workspace, b, n, arm)
    return total


@exact
def place(workspace: Workspace, b: int) -> int:
    """Return the index of round b's row in the hidden layer."""
    return b % len(workspace.hidden)


@exact
def add_waiting(shared: Shared | None, workspace: Workspace, b: int, arm: int) -> None:
    """Add the block's pending steps, which the first layer lacks, to `again`."""
    if shared is None:
        return
    for before in range(b):
        if shared.arm[before] == arm:
            add_scaled(workspace.again, dot(shared.scaled[before], shared.scaled[b]), workspace.delta[before])


@exact
def fold(shared: Shared | None, network: Network, workspace: Workspace, scale: float, b: int, n: int) -> None:
    """Multiply the scale s into G and into the block's pending steps."""
    for j in range(len(network.first)):
        scale_by(network.first[j], scale)
    scale_by(network.head, scale)
    if shared is not None:
        for before in range(b):
            scale_by(workspace.delta[before], scale)
        for after in range(b + 1, n):
            scale_by(workspace.moved[after], scale)


@exact
def flush(shared: Shared | None, network: Network, workspace: Workspace, n: int) -> None:
    """Add the pending steps of a block of n rounds to the first layer."""
    if shared is None:
        return
    m, same = len(workspace.head), shared.same
    for arm in range(len(workspace.f)):
        count = 0
        for b in range(n):
            same[count] = b
            count += shared.arm[b] == arm
        add_products(network.first, shared.scaled, workspace.delta, same[:count], arm * m, (arm + 1) * m)
