"""Ensemble: online bootstrap, a vote of N copies of an oracle with random sample multiplicities."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from neucb.agents.initialisation import COUNT_ROUNDS, Bootstrap, draw_counts, member_seeds
from neucb.agents.prediction import Prediction, lowest
from neucb.core.random import stream

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.base import CountingOracle
    from neucb.agents.propensity import Kinds
    from neucb.core.spec import Spec


class Ensemble:
    """Vote of N members: p_a is the share of members whose least predicted loss is arm a's.

    A member is a replica of the oracle with a separate seed that counts every round's sample with a
    random multiplicity: Poisson(1), or 0 or 1 with even chances. Bagging: Agarwal et al., ICML
    2014 (arXiv 1402.0555), section 4 and Bietti, Agarwal, Langford, JMLR 2021 (arXiv 1802.04064),
    Algorithm 3; online bootstrap: Oza and Russell, 2001. With networks it is the bootstrap baseline of
    Riquelme, Tucker, Snoek, ICLR 2018 (arXiv 1802.09127).

    Args:
        oracle: an oracle of R N replicas; its hyper-parameters are one number, or one per member.
        members: number of members N >= 1.
        bootstrap: distribution of the multiplicities, "poisson" or "bernoulli".
    """

    def __init__(self, oracle: CountingOracle, *, members: int, bootstrap: Bootstrap = "poisson") -> None:
        self.oracle = oracle
        self.members = members
        self.bootstrap = bootstrap
        self.prediction: Prediction | None = None

    def reset(self, spec: Spec) -> None:
        """Reset the state to R = spec.replicas untrained replicas."""
        self._spec = spec
        self._round = 0
        self._streams = [stream(seed, "bootstrap") for seed in spec.seeds]
        self._repeated: tuple[Tensor, Tensor] | None = None
        self.prediction = None
        self.oracle.reset(replace(spec, seeds=member_seeds(spec.seeds, self.members)))

    @property
    def propensity_kind(self) -> Kinds:
        """The propensity kind, see `neucb.agents.propensity`: a single member plays its arm for certain."""
        return "exact" if self.members > 1 else "deterministic"

    def _repeat(self, context: Tensor) -> Tensor:
        return context.repeat_interleave(self.members, 0)

    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        """Return the vote shares [R, K]."""
        repeated = self._repeat(context)
        self._repeated = (context, repeated)  # the update on the same contexts reuses the forward pass
        mean = self.oracle.predict(repeated).mean.double()  # [R N, K]
        votes = mean.view(len(context), self.members, -1)
        self.prediction = Prediction(votes.mean(1), votes.std(1, correction=0), available)
        if available is not None:
            mean = mean.masked_fill(~self._repeat(available), torch.inf)
        return lowest(mean).view_as(votes).mean(1)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Update every member with the round's sample."""
        if self._round % COUNT_ROUNDS == 0:
            self._draw()
        count = self._counts[self._round % COUNT_ROUNDS]
        self._round += 1
        kept = self._repeated
        repeated = kept[1] if kept is not None and kept[0] is context else self._repeat(context)
        self.oracle.update(repeated, self._repeat(action), self._repeat(loss), count)

    def _draw(self) -> None:
        """Draw the multiplicities of the next rounds [64, R N]."""
        drawn = [draw_counts(rng, self.members, self.bootstrap) for rng in self._streams]
        counts = np.stack(drawn, 1).reshape(COUNT_ROUNDS, -1)
        self._counts = torch.from_numpy(counts).to(self._spec.device)
