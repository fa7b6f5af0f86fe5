"""Gradient norms of a network in the kernels, see `neucb.agents.network.gradient_norm`."""

from __future__ import annotations

from math import sqrt

from neucb.kernels.blocks import place
from neucb.kernels.jit import exact, fast
from neucb.kernels.types import Array, Confidence, Workspace
from neucb.kernels.vectors import combine


@fast
def square_all(x: Array, y: Array) -> None:
    """Set y to the squares of x."""
    for i in range(len(x)):
        y[i] = x[i] * x[i]


@fast
def norm(active: Array, head: Array, z: Array, inverse: Array) -> float:
    """Return g' U^-1 g of one arm; z is 1 / U times the squared inputs."""
    total = z.dtype.type(0)
    for i in range(len(head)):
        h = active[i]
        total += h * h * inverse[i]
        total += head[i] * head[i] * z[i] if h > 0 else 0
    return total


@fast
def shrink(inverse: Array, scale: float, g: Array) -> None:
    """Add scale g to 1 / inverse."""
    s = g.dtype.type(scale)
    for i in range(len(g)):
        inverse[i] /= 1 + s * g[i] * inverse[i]


@exact
def bounded(confidence: Confidence | None, f: float) -> float:
    """Return the clipped output f, by which arms are compared."""
    if confidence is None:
        return f
    return min(f, confidence.ceiling)


@exact
def deviations(confidence: Confidence | None, workspace: Workspace, b: int, std: Array) -> None:
    """Set the standard deviations [K] of round b's outputs."""
    if confidence is None:
        return
    m, n = len(workspace.head), workspace.filled[b]
    square_all(workspace.value[b, :n], confidence.value)
    combine(confidence.first, workspace.inputs[b], confidence.value, n, 0, confidence.z)
    for a in range(len(std)):
        left, right = a * m, (a + 1) * m
        total = norm(
            workspace.hidden[place(workspace, b), left:right],
            workspace.head,
            confidence.z[left:right],
            confidence.head,
        )
        std[a] = sqrt(confidence.penalty * confidence.square * total)


@exact
def count_gradient(confidence: Confidence | None, workspace: Workspace, b: int, arm: int) -> None:
    """Add the squares of the played arm's gradient to U."""
    if confidence is None:
        return
    m = len(workspace.head)
    active, g = workspace.hidden[place(workspace, b), arm * m : (arm + 1) * m], confidence.z[:m]
    for i in range(m):
        g[i] = workspace.head[i] * workspace.head[i] if active[i] > 0 else 0
    for k in range(workspace.filled[b]):
        column = confidence.first[workspace.inputs[b, k], arm * m : (arm + 1) * m]
        shrink(column, confidence.square * confidence.value[k], g)
    square_all(active, g)
    shrink(confidence.head, confidence.square, g)
