"""Offline training of an agent's model class on all rows, with early stopping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from neucb.core.threads import one_thread

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]
LossName = Literal["squared", "kl"]


@dataclass(frozen=True)
class Training:
    """Hyper-parameters of an offline fit.

    Attributes:
        epochs: maximum number of epochs; patience: epochs without a lower held-out loss before stopping.
        restarts: number of fits from different initial weights; the one of least loss on all rows counts.
        held_out: share of the rows for early stopping, in (0, 1).
        rate: step size of Adam (Kingma and Ba, 2015); batch: minibatch size, at most a fifth of the rows.
        seed: seed of the initial weights, the held-out rows and the minibatches.
    """

    epochs: int = 60
    patience: int = 6
    restarts: int = 3
    held_out: float = 0.1
    rate: float = 0.01
    batch: int = 256
    seed: int = 0


@dataclass(frozen=True)
class ClassFit:
    """Result of an offline fit.

    Attributes:
        predicted: [N, K] predicted losses of all arms on all rows.
        trained: mean loss on the training rows; held_out: mean loss on the held-out rows. The squared
            loss is unhalved.
        epochs: number of epochs of the best restart.
        spread: largest minus least mean loss among the restarts, which measures the fit's difficulty.
    """

    predicted: Array
    trained: float
    held_out: float
    epochs: int
    spread: float

    def policy_losses(self, losses: Array) -> Array:
        """Return the losses [N] of the policy argmin_a predicted, given all arms' losses [N, K]."""
        chosen = self.predicted.argmin(1)
        return np.asarray(losses[np.arange(len(losses)), chosen], dtype=np.float64)


@dataclass(frozen=True)
class FittingData:
    """Training data: inputs x [N, d], targets [N, K] and their weights [N, K]."""

    x: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


class Model:
    """Model f: [n, d] -> [n, K], w2 . relu(W1 (e_a (x) x)), or theta_a . x with width 0."""

    def __init__(self, arms: int, inputs: int, width: int, generator: torch.Generator) -> None:
        import torch

        self.arms, self.width = arms, width
        if width:
            first = torch.randn(inputs, arms * width, generator=generator) * (2.0 / width) ** 0.5
            head = torch.randn(width, generator=generator) / width**0.5
            self.parameters = [first.requires_grad_(), head.requires_grad_()]
        else:
            self.parameters = [torch.zeros(inputs, arms, requires_grad=True)]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return outputs f [n, K] for inputs [n, d]."""
        hidden: torch.Tensor = x @ self.parameters[0]
        if not self.width:
            return hidden
        f: torch.Tensor = hidden.relu().view(len(x), self.arms, self.width) @ self.parameters[1]
        return f


@one_thread()
def train(
    model: Model,
    loss: LossName,
    data: FittingData,
    parts: tuple[torch.Tensor, torch.Tensor],
    training: Training,
    generator: torch.Generator,
) -> ClassFit:
    """Train until the held-out loss has not fallen for `patience` epochs; restore the best epoch."""
    import torch

    optimiser = torch.optim.Adam(model.parameters, lr=training.rate)
    rows, held = parts
    best, kept, since, best_epoch = float("inf"), [p.detach().clone() for p in model.parameters], 0, 0
    for epoch in range(1, training.epochs + 1):
        order = rows[torch.randperm(len(rows), generator=generator)]
        for batch in torch.split(order, max(1, min(training.batch, len(rows) // 5))):
            optimiser.zero_grad()
            _mean_loss(model, loss, data, batch).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            current = float(_mean_loss(model, loss, data, held))
        since += 1
        if current < best:
            best, kept, since, best_epoch = current, [p.detach().clone() for p in model.parameters], 0, epoch
        if since >= training.patience:
            break
    model.parameters = kept
    with torch.no_grad():
        output = model(data.x).double()
        trained = float(_mean_loss(model, loss, data, rows))
    predicted = output.sigmoid() if loss == "kl" else output
    return ClassFit(predicted.numpy(), trained, best, best_epoch, 0.0)


def _mean_loss(model: Model, loss: LossName, data: FittingData, rows: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean loss of rows: squared loss, or the cross entropy for KL."""
    import torch

    output, target, weight = model(data.x[rows]), data.target[rows], data.weight[rows]
    if loss == "kl":
        losses = torch.nn.functional.binary_cross_entropy_with_logits(output, target, reduction="none")
    else:
        losses = (output - target).square()
    return (weight * losses).sum() / weight.sum()
