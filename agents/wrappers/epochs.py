"""Epochs: updates of an oracle at the ends of doubling epochs only, as in FALCON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from neucb.agents.base import gauges_of
from neucb.agents.protocols import autograd_of
from neucb.agents.rules.formulas import epoch_start

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.base import Oracle
    from neucb.agents.prediction import Prediction
    from neucb.core.spec import Spec


class Epochs:
    """An oracle whose predictions are fixed within an epoch and which learns its rounds at the end.

    Simchi-Levi and Xu, "Bypassing the Monster: A Faster and Simpler Optimal Algorithm for Contextual
    Bandits under Realizability", Mathematics of Operations Research 2022 (arXiv 2003.12699),
    Algorithm 1. There an offline regression on the last epoch's rounds makes the predictions; here
    the online oracle continues from its state before the epoch. Memory: the contexts of one epoch.

    Args:
        oracle: wrapped oracle.
        epochs: number >= 1 of passes over an epoch's rounds. More than one suits networks; a linear oracle
            would count every round several times.
    """

    uses_autograd = autograd_of("oracle")

    def __init__(self, oracle: Oracle, *, epochs: int = 1) -> None:
        self.oracle = oracle
        self.epochs = epochs

    def reset(self, spec: Spec) -> None:
        """Discard all state and prepare R = spec.replicas replicas."""
        self._round = 0
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self.oracle.reset(replace(spec, horizon=self.epochs * spec.horizon))

    def predict(self, context: Tensor) -> Prediction:
        """Return the losses [R, K] that the oracle predicted at the epoch's start."""
        return self.oracle.predict(context)

    def gauges(self) -> Mapping[str, Tensor]:
        """Return the gauges of the oracle."""
        return gauges_of(self.oracle)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Buffer the round; in an epoch's last round update the oracle on all buffered rounds."""
        self._waiting.append((context.clone(), action, loss))  # the environment may reuse its buffer
        self._round += 1
        if epoch_start(self._round + 1) != self._round:
            return
        for _ in range(self.epochs):
            for seen in self._waiting:
                self.oracle.update(*seen)
        self._waiting = []
