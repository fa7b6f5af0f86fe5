"""Module oracle: any torch network as the regression oracle, trained by any torch optimiser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.func import functional_call, jacrev, stack_module_state, vmap

from neucb.agents.network.replay import Memory
from neucb.agents.prediction import Prediction
from neucb.core.errors import InputError
from neucb.core.random import stream

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss
    from neucb.agents.module.expected_perturbation import ModulePerturbation
    from neucb.core.spec import Spec

MakeModule = Callable[["Spec"], "nn.Module"]
MakeOptimizer = Callable[[Iterable["Tensor"]], torch.optim.Optimizer]


def perceptron(*, depth: int = 2, width: int = 100, bias: bool = True) -> MakeModule:
    """Return a constructor of fully connected ReLU networks with `depth` hidden layers, for `Module`.

    `bias` adds biases to all layers. Weights and biases have torch's default initialisation.

    Raises:
        InputError: depth or width below 1.
    """
    if depth < 1 or width < 1:
        raise InputError("a perceptron needs depth and width of at least 1")

    def make(spec: Spec) -> nn.Module:
        sizes = [spec.features, *[width] * depth]
        layers: list[nn.Module] = []
        for size, following in pairwise(sizes):
            layers += [nn.Linear(size, following, bias), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, 1 if spec.per_arm else spec.arms, bias))

    return make


class Module:
    """User-defined network: f = module(x), one output per arm, yhat = link(f).

    Every round makes one optimiser step on the mean loss of a minibatch of the newest sample and
    `updates_per_round` - 1 others, drawn uniformly from the replay buffer by the replica's stream
    "replay"; with `together` false, one step on each of them.

    The R networks are stored as one with stacked parameters and run by `torch.func.vmap`; modules with
    data-dependent control flow run one after the other. Optimisers must be elementwise (SGD, Adam, ...
    are), so that replicas do not affect each other. The networks are in evaluation mode: dropout is
    off. Memory: parameters and optimiser state per replica, and 4 T (d + 3) bytes with replay.

    Args:
        make: function from the run's shape to a network from contexts [B, d] to outputs [B, K], or
            to [B, 1] for per-arm contexts.
        loss: `Squared()` or `KL()`.
        optimizer: function from parameters to an optimiser, for example
            `lambda parameters: torch.optim.Adam(parameters, lr=1e-3)`.
        updates_per_round: samples a round, k >= 1.
        together: whether these samples make one step, or k steps.
        perturbation: perturbation of the prediction, see `ModulePerturbation`, or None.
    """

    uses_autograd = True

    def __init__(
        self,
        make: MakeModule,
        loss: Loss,
        optimizer: MakeOptimizer,
        *,
        updates_per_round: int = 1,
        together: bool = True,
        perturbation: ModulePerturbation | None = None,
    ) -> None:
        self.make = make
        self.loss = loss
        self.optimizer = optimizer
        self.updates_per_round = updates_per_round
        self.together = together
        self.perturbation = perturbation

    def reset(self, spec: Spec) -> None:
        """Construct the networks, with torch's generator seeded by each replica's stream "init".

        Raises:
            InputError: replay < 1.
        """
        if self.updates_per_round < 1:
            raise InputError(f"replay must be at least 1, not {self.updates_per_round}")
        self._spec = spec
        self._dtype = getattr(torch, spec.dtype)
        modules = [self._module(spec, seed) for seed in spec.seeds]
        self._one = modules[0]
        parameters, self._buffers = stack_module_state(modules)
        self._parameters = {name: value.detach().requires_grad_() for name, value in parameters.items()}
        self._steps = self.optimizer(self._parameters.values())
        self._memory = (
            Memory(spec, spec.features, self.updates_per_round - 1) if self.updates_per_round > 1 else None
        )
        self._stacked = True
        if self.perturbation is not None:
            self.perturbation.reset(spec, self._parameters, self.loss)

    def _module(self, spec: Spec, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(stream(seed, "init").integers(2**63)))
            return self.make(spec).to(spec.device, self._dtype).eval()

    @torch.no_grad()
    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses [R, K] for contexts [R, d] or [R, K, d]."""
        output = self.outputs(context)
        if self.perturbation is None:
            return Prediction(self.loss.link(output))
        return Prediction(self.perturbation.predict(output))

    def outputs(self, context: Tensor) -> Tensor:
        """Return the network's outputs f [R, K] for contexts [R, d] or [R, K, d]."""
        x = context.to(self._dtype)
        if self._spec.per_arm:
            return self._outputs(x).squeeze(2)
        return self._outputs(x.unsqueeze(1)).squeeze(1)

    @property
    def parameters(self) -> int:
        """p, the number of parameters of one replica."""
        return sum(value[0].numel() for value in self._parameters.values())

    def gradients(self, context: Tensor) -> Tensor:
        """Return the gradients [R, K, p] of all arms' outputs by the parameters, in their order.

        The networks run one after the other where `torch.func` does not support them.
        """
        x = context.to(self._dtype)
        x = x if self._spec.per_arm else x.unsqueeze(1)
        state = ({name: value.detach() for name, value in self._parameters.items()}, self._buffers)

        def of_arms(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
            return self._call(parameters, buffers, x).flatten()  # [K]

        if self._stacked:
            try:
                jacobian = vmap(jacrev(of_arms))(*state, x)
            except RuntimeError:  # as in `_outputs`
                self._stacked = False
            else:
                return torch.cat([block.flatten(2) for block in jacobian.values()], 2)
        rows = []
        for r, inputs in enumerate(x):
            own, buffers = ({name: value[r] for name, value in part.items()} for part in state)
            leaves = {name: value.requires_grad_() for name, value in own.items()}
            with torch.enable_grad():
                outputs = of_arms(leaves, buffers, inputs).unbind()
            arms = [torch.autograd.grad(f, [*leaves.values()], retain_graph=True) for f in outputs]
            rows.append(torch.stack([torch.cat([part.flatten() for part in arm]) for arm in arms]))
        return torch.stack(rows)

    def gauges(self) -> dict[str, Tensor]:
        """Return the gauges of the perturbation, or none without a perturbation."""
        return {} if self.perturbation is None else self.perturbation.gauges()

    def _outputs(self, x: Tensor) -> Tensor:
        """Return the outputs [R, B, K] (or [R, B, 1]) for inputs [R, B, d]."""
        state = (self._parameters, self._buffers)
        if self._stacked:
            try:
                together = vmap(self._call)(*state, x)
            except RuntimeError:  # unsupported by vmap; other faults recur in the loop
                self._stacked = False
            else:
                return self._checked(together)
        outputs = []
        for r, inputs in enumerate(x):
            parameters, buffers = ({name: value[r] for name, value in part.items()} for part in state)
            outputs.append(self._call(parameters, buffers, inputs))
        return self._checked(torch.stack(outputs))

    def _call(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        output: Tensor = functional_call(self._one, (parameters, buffers), (x,))
        return output

    def _checked(self, outputs: Tensor) -> Tensor:
        width = 1 if self._spec.per_arm else self._spec.arms
        if outputs.dim() != 3 or outputs.shape[2] != width:
            shape = tuple(outputs.shape[1:])
            raise InputError(f"the network must give [B, {width}] outputs for B contexts, not {shape}")
        return outputs

    @torch.no_grad()
    def update(self, context: Tensor, action: Tensor, loss: Tensor, count: Tensor | None = None) -> None:
        """Make the steps of a round; `count` [R] >= 0 is the multiplicity of the newest sample."""
        arm = torch.zeros_like(action) if self._spec.per_arm else action
        if self._spec.per_arm:
            context = context[torch.arange(len(action), device=action.device), action]
        weight = torch.ones_like(loss) if count is None else count
        samples = [(context.to(self._dtype), arm, loss.to(self._dtype), weight.to(self._dtype))]
        if self._memory is not None:
            self._memory.add(*samples[0])
            samples += self._memory.draw()
        for batch in [samples] if self.together else [[sample] for sample in samples]:
            self._step(batch)

    def _step(self, samples: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]) -> None:
        """Make one step on the mean loss of samples: contexts [R, d], arms, targets and weights [R]."""
        inputs, arms, targets, weights = (torch.stack(part, 1) for part in zip(*samples, strict=True))
        with torch.enable_grad():
            outputs = self._outputs(inputs).gather(2, arms.unsqueeze(2)).squeeze(2)
        self._steps.zero_grad()
        weights = weights / len(samples)
        if self.perturbation is None:
            # the derivative of the loss by the outputs
            outputs.backward(weights * (self.loss.link(outputs.detach()) - targets))  # type: ignore[no-untyped-call]
        else:
            residual, pull = self.perturbation.residual(outputs.detach(), targets, weights)
            outputs.backward(weights * residual)  # type: ignore[no-untyped-call]
            self.perturbation.add(pull)
        self._steps.step()
