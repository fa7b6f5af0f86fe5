"""Neural oracle: a ReLU network on the disjoint encoding, one gradient step a round."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from neucb.agents.initialisation import Initialisation, step_share
from neucb.agents.network.forward import Forward, Inputs
from neucb.agents.network.input_scaling import InputScaling
from neucb.agents.network.lookahead import Block
from neucb.agents.network.replay import Memory
from neucb.agents.network.sparse import pays
from neucb.agents.network.training import (
    TrainingSchedule,
    full_steps,
    is_due,
    make_batch,
    stochastic_steps,
)
from neucb.agents.network.weights import Initial
from neucb.agents.per_replica import Number, per_replica
from neucb.agents.prediction import Prediction
from neucb.agents.protocols import autograd_of
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss
    from neucb.agents.network.weights import Weights
    from neucb.core.spec import Spec


class Neural:
    """f(x, a) = w2 . relu(W1 (e_a (x) x)), trained on the played arms by gradient steps.

    For per-arm contexts, f(x, a) = w2 . relu(W1 x_a). With L hidden layers
    f(x, a) = w . relu(W_L ... relu(W_2 relu(W1 (e_a (x) x)))): every arm has a separate first layer, and
    all arms share the further ones, m x m, and the last.

    All layers are trained: theta <- Proj_B(theta - eta_t D_t grad), B the ball of `radius` round
    theta_0, eta_t = lr / t^lr_power times `step_share`, which is 1 for L = 1; the further layers' steps
    are a quarter of these, `SHARED_STEP`. With updates_per_round = 1 there is one step a round, on the newest
    sample, and no replay buffer. Memory 4 p bytes a replica with p = B m (d + 1) + (L - 1) m^2 + m and
    B = `spec.blocks`.
    Deb, Ban, Zuo, He, Banerjee, "Contextual Bandits with Online Neural Regression", ICLR 2024
    (arXiv 2312.07145), as we read the paper.

    D_t scales the steps of the first layer per input j by (d (v_j + 0.001) / t)^-normalize, v_j the
    sum of x_j^2 over the contexts observed so far: rare inputs take larger steps. After Ross, Mineiro,
    Langford, "Normalized Online Learning", UAI 2013; input_scaling = 0 disables it.

    With updates_per_round = k, k - 1 further steps a round follow, each on a sample drawn uniformly from the
    replay buffer, or on the mean loss of a minibatch of `batch_size` samples. Memory grows by 4 T (d + 3)
    bytes a replica. `training` replaces these steps by the schedules of published code: "neural-ucb", see
    `stochastic_steps`, every round up to round 2,000 and every 100th after; "neural-ts", see
    `full_steps`, every round, at a cost of T^2.

    Args:
        loss: `Squared()` or `KL()`.
        weights: storage of theta: `PlainWeights()` or one of the perturbed kinds.
        width: m, hidden units. A replica's numbers are bit-identical alone and in a batch where m is a
            multiple of 4; for other widths some processors round differently.
        depth: L >= 1, hidden layers.
        lr: step size > 0; one number or one per replica.
        lr_power: exponent rho >= 0 of the step schedule; one number or one per replica.
        radius: radius > 0 of the ball around theta_0, infinity for no projection.
        intercept: constant input appended to the context, 0 for no intercept; one number or one per
            replica. Contexts have norm 1, and a constant of that size slows learning in other directions.
        init: "he": W1 ~ N(0, 2/m), w2 ~ N(0, 1/m); "ntk": W1, w2 ~ N(0, 1), output factor
            sqrt(2/m); "paper": W1 ~ N(0, 1), w2 ~ N(0, 1/m), output factor 1/sqrt(m). Further layers are
            drawn as W1 is, and each brings the output factor once more.
        input_scaling: exponent >= 0 of D_t; one number or one per replica.
        updates_per_round: k >= 1, steps a round.
        batch_size: b >= 1, minibatch size of each step but the newest sample's.
        training: "online", "neural-ucb" or "neural-ts".
    """

    uses_autograd = autograd_of("loss", "weights")

    def __init__(
        self,
        loss: Loss,
        weights: Weights,
        *,
        width: int = 100,
        depth: int = 1,
        lr: Number = 0.1,
        lr_power: Number = 0.0,
        radius: Number = math.inf,
        intercept: Number = 1.0,
        init: Initialisation = "he",
        input_scaling: Number = 0.0,
        updates_per_round: int = 1,
        batch_size: int = 1,
        training: TrainingSchedule = "online",
    ) -> None:
        self.loss = loss
        self.weights = weights
        self.width = width
        self.depth = depth
        self.lr = lr
        self.lr_power = lr_power
        self.radius = radius
        self.intercept = intercept
        self.init = init
        self.input_scaling = input_scaling
        self.updates_per_round = updates_per_round
        self.batch_size = batch_size
        self.training = training

    def reset(self, spec: Spec) -> None:
        """Draw theta_0 and reset the state.

        Raises:
            InputError: a hyper-parameter is out of its range.
        """
        if min(self.width, self.depth, self.updates_per_round, self.batch_size) < 1:
            raise InputError("width, depth, replay and batch must be at least 1")
        if (self.batch_size > 1 or self.training == "neural-ts") and not self.weights.takes_batches:
            raise InputError("batches are for networks without sign vectors; take perturbations=inf")
        rate = per_replica(self.lr, spec.replicas, device=spec.device)
        rate = rate * step_share(self.width, self.init, self.depth)
        radius = per_replica(self.radius, spec.replicas, device=spec.device)
        if not bool((rate > 0).all() and (radius > 0).all()):
            raise InputError("lr and radius must be > 0")
        self._dtype = getattr(torch, spec.dtype)
        constant = per_replica(self.intercept, spec.replicas, device=spec.device).to(self._dtype)
        per_arm = (1,) if spec.per_arm else ()
        shape = (spec.replicas, *(spec.arms for _ in per_arm), 1)
        self._constant = constant.view(-1, *per_arm, 1).expand(shape)
        self._rate = rate
        self._power = per_replica(self.lr_power, spec.replicas, device=spec.device)
        self._radius = radius if bool(radius.isfinite().any()) else None
        self._round = 0
        self._last: tuple[Tensor, Forward] | None = None
        self._scaling = InputScaling(self.input_scaling, spec)
        self._spec = spec
        count = (self.updates_per_round - 1) * self.batch_size
        kept = count > 0 or self.training != "online"
        self._memory = Memory(spec, spec.features + 1, count, self.batch_size) if kept else None
        self._block: Block | None = None
        self._place = 0  # round in the block
        self._rates_ahead: Tensor | None = None  # [B, R] step sizes of the block
        initial = Initial.draw(spec, self.width, self.init, spec.features + 1, self.depth)
        self.weights.reset(initial, rate, self.loss)

    def load(self, spec: Spec) -> None:
        """Load the CPU kernels of `look_ahead`, outside timed code."""
        foresees = self.weights.sees_ahead and self.updates_per_round == 1 and self.training == "online"
        if foresees and spec.device == "cpu":
            from neucb.kernels.lookahead import load

            load(spec.dtype)

    def look_ahead(self, contexts: Tensor) -> None:
        """Prepare batched products for the contexts [B, R, d] of the next B rounds, in this order.

        They are used where every step is on the newest sample and no projection follows. B = 0 cancels
        the rest of the previous block.
        """
        if self._block is not None:
            self._flush()
        if self._memory is not None or self._radius is not None or not self.weights.sees_ahead:
            return
        B = len(contexts)
        if B == 0:
            return
        x = torch.cat([contexts.to(self._dtype), self._constant.expand(B, *self._constant.shape)], -1)
        self._block = Block(x, self._scaling.look_ahead(x), pays(self._spec))
        self.weights.look_ahead(self._block)
        self._place = 0
        self._rates_ahead = self._rates(torch.arange(1, B + 1, device=x.device).unsqueeze(1) + self._round)

    def _flush(self) -> None:
        self.weights.flush()
        self._scaling.flush(self._place)
        self._block = self._last = self._rates_ahead = None
        self._place = 0

    def _inputs(self, context: Tensor) -> Inputs:
        if self._block is not None:
            block, place = self._block, self._place
            scale = None if block.scale is None else block.scale[place]
            return Inputs(block.x[place], scale, place=place, steps=block.steps[place])
        x = torch.cat([context.to(self._dtype), self._constant], -1)
        return Inputs(x, self._scaling.with_context(x))

    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses [R, K] for contexts [R, d] or [R, K, d]."""
        return Prediction(self.weights.predict(self.forward(context).output))

    def forward(self, context: Tensor) -> Forward:
        """Return the forward pass for contexts [R, d] or [R, K, d]."""
        forward = self.weights.forward(self._inputs(context))
        self._last = (context, forward)  # reused by the step on the same contexts
        return forward

    def last(self, context: Tensor) -> Forward:
        """Return the cached forward pass if it is for the same contexts, or a new one."""
        if self._last is None or self._last[0] is not context:
            return self.forward(context)
        return self._last[1]

    def gauges(self) -> dict[str, Tensor]:
        """Return |theta - theta_0| [R], where it is known, and the RMS of the perturbation's offsets [R].

        The distance is known where training needs it, for the perturbation or the projection; to sum it
        over all weights costs as much as a pass.
        """
        gauges = {"perturbation_rms": self.weights.spread()}
        if self.weights.distance_known == "always":
            gauges["parameter_distance"] = self.weights.distance()
        elif self.weights.distance_known == "projected" and self._radius is not None:
            distance = self.weights.distance()
            gauges["parameter_distance"] = distance.where(self._radius.isfinite(), math.nan)
        return gauges

    def update(self, context: Tensor, action: Tensor, loss: Tensor, count: Tensor | None = None) -> None:
        """Make the gradient steps of a round; `count` [R] >= 0 is the multiplicity of its sample."""
        self._round += 1
        forward, target = self.last(context), loss.to(self._dtype)
        self._last = None
        if self._block is None:
            rate = self._rates(self._round)
            self._scaling.add(forward.inputs.x)
        else:
            assert self._rates_ahead is not None
            rate = self._rates_ahead[self._place]
            self._place += 1
        weight = None if count is None else count.to(self._dtype)
        if self._memory is not None:
            self._keep(self._memory, forward, action, target, weight)
        if self.training == "online":
            self._step(forward, action, target, rate if weight is None else rate * weight)
        if self._block is not None and self._place == self._block.rounds:
            self._flush()
        if self._memory is not None:
            self._learn_again(self._memory, forward.inputs.scale, action, rate)

    def _keep(
        self, memory: Memory, forward: Forward, action: Tensor, target: Tensor, weight: Tensor | None
    ) -> None:
        x = forward.inputs.x[forward.at(action)] if forward.inputs.x.dim() == 3 else forward.inputs.x
        memory.add(x, forward.played(action).block, target, weight)

    def _learn_again(self, memory: Memory, scale: Tensor | None, action: Tensor, rate: Tensor) -> None:
        """Make the steps of a round on past samples."""
        spec, weights = self._spec, self.weights
        match self.training:
            case "neural-ucb":
                steps = stochastic_steps(weights, memory, scale, rate, spec.seeds, self._round)
            case "neural-ts":
                steps = full_steps(weights, memory, scale, rate, spec.blocks)
            case _:
                steps = self._replayed(memory, scale, action, rate)
        if is_due(self.training, self._round):
            for _ in steps:
                self._project()

    def _replayed(self, memory: Memory, scale: Tensor | None, action: Tensor, rate: Tensor) -> Iterator[None]:
        """Make the steps on replayed samples; yield after each."""
        if self.batch_size == 1:
            for x, block, target, counted in memory.draw():
                again = self.weights.forward(Inputs(x, scale, block))
                self.weights.step(again, action, target, rate * counted)
                yield
            return
        blocks = self._spec.blocks
        for samples in memory.batches():
            for r, (x, block, target, counted) in enumerate(zip(*samples, strict=True)):
                own = None if scale is None else scale[r]
                self.weights.descend(r, make_batch(x, block - r * blocks, target, counted, own), rate[r])
            yield

    def _rates(self, number: Tensor | int) -> Tensor:
        """Return the step sizes [R] of a round, or [B, R] of rounds [B, 1]."""
        return (self._rate / number**self._power).to(self._dtype)

    def _step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        self.weights.step(forward, action, target, rate)
        self._project()

    def _project(self) -> None:
        if self._radius is not None:
            self.weights.project(self._radius)
