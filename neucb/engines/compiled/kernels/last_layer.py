"""Bayesian regression on a network's last layer in the kernels, see `neucb.agents.network.last_layer`.

The Cholesky factor L of A^-1 is kept instead of A^-1. A sample phi makes it L M, with M M' =
I - u u' / (1 + u' u), u = L' phi, and M lower triangular: M_kk = sqrt(b_k / b_(k-1)) and M_ik =
-u_i u_k / sqrt(b_k b_(k-1)) for i > k, b_k = 1 + the sum of u_j^2 over j > k. Carlson, "Fast Triangular
Formulation of the Square Root Filter", AIAA Journal 11, 1973.
"""

from __future__ import annotations

from math import sqrt

from neucb.engines.compiled.kernels.network import forward, list_round
from neucb.kernels.blocks import place
from neucb.kernels.jit import exact, fast, kernel
from neucb.kernels.types import (
    Array,
    LastLayer,
    Network,
    NetworkConfig,
    Predictions,
    RoundData,
    RoundRecord,
    Workspace,
)
from neucb.kernels.vectors import add_scaled, copy_to, dot


@fast
def turn(column: Array, along: Array, keep: float, shed: float, u: float) -> None:
    """Replace a column of L by that of L M, and add u times the previous column to `along`."""
    for i in range(len(column)):
        old = column[i]
        column[i] = keep * old - shed * along[i]
        along[i] += u * old


@exact
def judge(
    last: LastLayer | None,
    workspace: Workspace,
    b: int,
    predictions: Predictions,
    row: int,
    record: RoundRecord,
    t: int,
) -> None:
    """Set predicted losses, and deviations drawn jointly with that row of the noise."""
    if last is None:
        return
    m = len(last.mu)
    last.along[:] = 0.0  # L z
    for k in range(m):
        add_scaled(last.along[k:], predictions.noise[row, k], last.root[k, k:])
    for a in range(len(predictions.mean)):
        copy_to(last.phi, workspace.hidden[place(workspace, b), a * m : (a + 1) * m])
        predictions.output[a] = predictions.mean[a] = dot(last.phi, last.mu)
        predictions.std[a] = dot(last.phi, last.along)
        if len(record.factor) > 0:
            for k in range(m):
                record.factor[t % len(record.factor), a, k] = dot(last.phi[k:], last.root[k, k:])


@exact
def regress(last: LastLayer | None, workspace: Workspace, b: int, arm: int, target: float) -> None:
    """Add the played arm's sample to A and mu."""
    if last is None:
        return
    m = len(last.mu)
    copy_to(last.phi, workspace.hidden[place(workspace, b), arm * m : (arm + 1) * m])
    error = target - dot(last.phi, last.mu)
    last.along[:] = 0.0  # A^-1 phi after the loop
    grown = 1.0
    for k in range(m - 1, -1, -1):
        u = dot(last.root[k, k:], last.phi[k:])
        before, grown = grown, grown + u * u
        turn(last.root[k, k:], last.along[k:], sqrt(before / grown), u / sqrt(before * grown), u)
    add_scaled(last.mu, error / grown, last.along)


@exact
def collect(last: LastLayer, workspace: Workspace, arm: int, target: float) -> None:
    """Add the sample at index 0 to the upper part of A, in `root`, and to the sum of phi y, in `along`."""
    m, phi = len(last.mu), last.phi
    copy_to(phi, workspace.hidden[0, arm * m : (arm + 1) * m])
    for k in range(m):
        if phi[k] != 0.0:
            add_scaled(last.root[k, k:], phi[k], phi[k:])
    add_scaled(last.along, target, phi)


@exact
def invert(root: Array, column: Array) -> None:
    """Replace the upper part of A by that of U^-1 = L', U U' = A, U upper triangular."""
    m = len(root)
    for j in range(m - 1, -1, -1):
        pivot = sqrt(root[j, j])
        for i in range(j + 1):
            root[i, j] /= pivot
            column[i] = root[i, j]
        for i in range(j):
            add_scaled(root[i, i:j], -column[i], column[i:j])
    for i in range(m - 1, -1, -1):
        inverse = 1.0 / root[i, i]
        copy_to(column[i:], root[i, i:])
        root[i, i] = inverse
        root[i, i + 1 :] = 0.0
        for k in range(i + 1, m):
            add_scaled(root[i, k:], -inverse * column[k], root[k, k:])


@kernel
def renew(
    world: RoundData,
    config: NetworkConfig,
    network: Network,
    memory: Array,
    record: RoundRecord,
    workspace: Workspace,
    last: LastLayer,
    penalty: float,
    t: int,
) -> None:
    """Refit A and mu on rounds 0..t-1, with the network's current features."""
    m = len(last.mu)
    last.root[:] = 0.0
    last.along[:] = 0.0
    for k in range(m):
        last.root[k, k] = penalty
    for past in range(t):
        arm = record.action[past]
        list_round(world, config, network, workspace, 0, past, 0)
        forward(config, network, memory, workspace, 0, arm, arm + 1)
        collect(last, workspace, arm, world.cost[world.seen[past], arm])
    invert(last.root, last.phi)
    last.mu[:] = 0.0
    for k in range(m):
        add_scaled(last.mu[k:], dot(last.root[k, k:], last.along[k:]), last.root[k, k:])
