"""The best of an agent's own class in hindsight: L* of the class, and regression regret.

The class is that of the agent's predictions, two-layer networks on the disjoint encoding or one linear
model per arm, under the agent's loss. It is fitted with many passes, early stopping on held-out rows and
restarts; what training reaches is an upper bound of what the class can do, so that L* of the class is at
most, and regression regret at least, the figure given. The fit's own error is given beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from neucb.errors import InputError
from neucb.log import regression_losses

if TYPE_CHECKING:
    import torch

    from neucb.agents.recipe import Recipe

Array = NDArray[np.float64]
LossName = Literal["squared", "kl"]


@dataclass(frozen=True)
class Training:
    """How the class is fitted.

    Attributes:
        epochs: passes at most; patience: passes without a better held-out loss before stopping.
        restarts: fits from different starts; the one of least loss on all rows counts.
        held_out: share of the rows for early stopping, in (0, 1).
        rate: step size of Adam (Kingma and Ba, 2015); batch: rows a step.
        seed: of starts, of the held-out rows and of the batches.
    """

    epochs: int = 60
    patience: int = 6
    restarts: int = 3
    held_out: float = 0.1
    rate: float = 0.01
    batch: int = 256
    seed: int = 0


@dataclass(frozen=True)
class Hindsight:
    """What was fitted.

    Attributes:
        predicted: [N, K] predicted losses of all arms on all rows.
        trained: mean loss on the rows that were trained on; held_out: on the others. Of the squared
            loss unhalved.
        epochs: passes that the best restart made.
        spread: largest minus least loss on all rows among the restarts, a sign of how hard the fit is.
    """

    predicted: Array
    trained: float
    held_out: float
    epochs: int
    spread: float

    def policy_losses(self, losses: Array) -> Array:
        """Return the losses [N] of the policy argmin_a predicted, of all arms' losses [N, K]."""
        chosen = self.predicted.argmin(1)
        return np.asarray(losses[np.arange(len(losses)), chosen], dtype=np.float64)


def fit_class(
    recipe: Recipe,
    contexts: NDArray[Any],
    losses: Array,
    played: NDArray[np.int64] | None = None,
    *,
    intercept: float = 0.1,
    width: int = 100,
    training: Training = Training(),
) -> Hindsight:
    """Fit an agent's class to losses in hindsight.

    Args:
        recipe: of the agent: its oracle says the class, its loss what is minimised.
        contexts: [N, d].
        losses: [N, K] in [0, 1] of all arms; with `played` only the played arms' count.
        played: [N] arms, for a fit on played pairs; None for full information.
        intercept: the constant input of networks; linear models have 1.
        width: m of networks.
        training: how.

    Raises:
        InputError: an agent whose oracle is neither a network nor linear, or too few rows.
    """
    import torch

    if recipe.oracle not in ("neural", "linear"):
        raise InputError(f"{recipe.name} has no class of its own: its oracle is neither neural nor linear")
    rows, arms = losses.shape
    held = max(1, round(training.held_out * rows))
    if rows - held < 2:
        raise InputError(f"a fit in hindsight needs more than {rows} rows")
    constant = intercept if recipe.oracle == "neural" else 1.0
    x = torch.from_numpy(np.hstack([contexts, np.full((rows, 1), constant)]).astype(np.float32))
    weight = np.ones((rows, arms)) if played is None else np.eye(arms)[played]
    data = _Data(x, torch.from_numpy(losses).float(), torch.from_numpy(weight).float())
    shuffled = torch.from_numpy(np.random.default_rng(training.seed).permutation(rows))
    parts = shuffled[held:], shuffled[:held]
    found = []
    for restart in range(training.restarts):
        generator = torch.Generator().manual_seed(1000 * training.seed + restart)
        model = _Model(arms, x.shape[1], width if recipe.oracle == "neural" else 0, generator)
        found.append(_train(model, recipe.loss, data, parts, training, generator))
    totals = [one.trained * len(parts[0]) + one.held_out * held for one in found]
    best = found[int(np.argmin(totals))]
    spread = (max(totals) - min(totals)) / rows
    return Hindsight(best.predicted, best.trained, best.held_out, best.epochs, spread)


def regression_regret(predicted: Array, comparator: Array, loss: Array, kind: LossName) -> Array:
    """Return cumulative l(y_t, yhat_t) - l(y_t, comparator_t) [..., T] over the played arms.

    Squared: unhalved, predictions clipped to [0, 1]; kl: clipped to [1e-6, 1 - 1e-6].

    Args:
        predicted: [..., T] predicted losses of the played arms, when they were played.
        comparator: [..., T] the true means, or the predictions of a fit in hindsight.
        loss: [..., T] realised losses y.
        kind: which loss.
    """
    index = 0 if kind == "squared" else 1
    own = regression_losses(predicted, loss)[index]
    return np.asarray(np.cumsum(own - regression_losses(comparator, loss)[index], axis=-1), dtype=np.float64)


@dataclass(frozen=True)
class _Data:
    """x [N, d], target [N, K], weight [N, K]."""

    x: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


class _Model:
    """f [n, K] of x [n, d]: w2 . relu(W1 (e_a (x) x)), or with width 0 theta_a . x."""

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
        hidden: torch.Tensor = x @ self.parameters[0]
        if not self.width:
            return hidden
        f: torch.Tensor = hidden.relu().view(len(x), self.arms, self.width) @ self.parameters[1]
        return f


def _train(
    model: _Model,
    loss: LossName,
    data: _Data,
    parts: tuple[torch.Tensor, torch.Tensor],
    training: Training,
    generator: torch.Generator,
) -> Hindsight:
    """Train until the held-out loss has not fallen for `patience` passes; go back to the best pass."""
    import torch

    optimiser = torch.optim.Adam(model.parameters, lr=training.rate)
    train, held = parts
    best, kept, since, passes = float("inf"), [p.detach().clone() for p in model.parameters], 0, 0
    for epoch in range(1, training.epochs + 1):
        order = train[torch.randperm(len(train), generator=generator)]
        for rows in torch.split(order, training.batch):
            optimiser.zero_grad()
            _mean_loss(model, loss, data, rows).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            now = float(_mean_loss(model, loss, data, held))
        since += 1
        if now < best:
            best, kept, since, passes = now, [p.detach().clone() for p in model.parameters], 0, epoch
        if since >= training.patience:
            break
    model.parameters = kept
    with torch.no_grad():
        output = model(data.x).double()
        trained = float(_mean_loss(model, loss, data, train))
    predicted = output.sigmoid() if loss == "kl" else output
    return Hindsight(predicted.numpy(), trained, best, passes, 0.0)


def _mean_loss(model: _Model, loss: LossName, data: _Data, rows: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of rows, over the arms that count; of KL the cross entropy."""
    import torch

    output, target, weight = model(data.x[rows]), data.target[rows], data.weight[rows]
    if loss == "kl":
        each = torch.nn.functional.binary_cross_entropy_with_logits(output, target, reduction="none")
    else:
        each = (output - target).square()
    return (weight * each).sum() / weight.sum()
