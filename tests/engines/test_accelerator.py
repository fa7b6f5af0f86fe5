"""The torch engine computes the same numbers on an accelerator and on the CPU.

Most tests use a fake CUDA device; the last one needs a GPU.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from neucb.agents.base import Reduction
from neucb.agents.losses import KL
from neucb.agents.module.oracle import Module, perceptron
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.rules.inverse_gap import EpsilonGreedy
from neucb.agents.state import take_state
from neucb.core.errors import DivergedError
from neucb.runs.api import prepare
from neucb.runs.run import Run
from tests.support.recipes import one_quick_of_each
from tests.support.runs import with_agent
from tests.support.settings import several
from tests.support.tables import one_hot, toy

NAME = "fake"
BLOCK = 12  # instead of 48: the fake device is slow
ROUNDS = 63
KEPT = (25, ROUNDS)  # logged rounds: blocks with and without one, and a short block
SKYLINES = ("best-fixed", "supervised")  # play in steps
SMALL = {"width": 16, "updates_per_round": 3, "members": 3}
aten = torch.ops.aten

_setup_privateuseone_for_python_backend(NAME)


class FakeTensor(Tensor):
    """Tensor that computes on the CPU, but whose values must be copied there to be read."""

    inner: Any  # tensor on the CPU

    @staticmethod
    def __new__(cls, inner: Tensor) -> FakeTensor:
        to: Any = {"dtype": inner.dtype, "device": f"{NAME}:0"}
        wrapper: Any = Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), inner.storage_offset(), **to
        )
        wrapper.inner = inner
        tensor: FakeTensor = wrapper
        return tensor

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch's annotation differs
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return launch(func, args, kwargs or {})


class _Device(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _can_decompose(func):
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        return launch(func, args, kwargs)


@cache
def _can_decompose(func: Any) -> bool:
    return bool(func._can_decompose())


def _on_device(value: Any) -> bool:
    return isinstance(value, torch.device) and value.type == NAME


@torch.inference_mode(False)
@torch.no_grad()
def launch(func: Any, args: Any, kwargs: Any) -> Any:
    """Run an operator on the CPU; reject tensors of different devices, as CUDA does."""
    leaves = tree_leaves((args, kwargs))
    fakes = [leaf for leaf in leaves if isinstance(leaf, FakeTensor)]
    devices = [leaf for leaf in leaves if isinstance(leaf, torch.device)]
    on_device = any(_on_device(target) for target in devices) or (bool(fakes) and not devices)
    if not fakes and not on_device:
        return func(*args, **kwargs)
    hosts = [leaf for leaf in leaves if isinstance(leaf, Tensor) and not isinstance(leaf, FakeTensor)]
    crosses = (
        any(host.dim() > 0 for host in hosts)
        or (bool(fakes) and not on_device)
        or (bool(hosts) and bool(devices))
    )
    if crosses and func not in (aten._to_copy.default, aten.copy_.default):
        raise RuntimeError(f"{func}: expected all tensors to be on the same device")
    host_arguments = tree_map(
        lambda leaf: torch.device("cpu") if _on_device(leaf) else _inner(leaf), (args, kwargs)
    )
    results = func(*host_arguments[0], **host_arguments[1])
    owner = {id(tensor.inner): tensor for tensor in fakes}
    if not on_device:
        return results.clone() if isinstance(results, Tensor) else results
    return tree_map(lambda leaf: _outer(leaf, owner), results)


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, FakeTensor) else value


def _outer(value: Any, owner: dict[int, FakeTensor]) -> Any:
    if not isinstance(value, Tensor):
        return value
    return owner[id(value)] if id(value) in owner else FakeTensor(value)


def small(name: str) -> dict[str, int]:
    """Return settings that make a recipe fast."""
    names = {parameter.name for parameter in RECIPES[name].parameters}
    return {
        key: value for key, value in SMALL.items() if key in names and (key != "replay" or "replay" in name)
    }


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Install the fake device and yield its name."""
    monkeypatch.setattr("neucb.runs.preparation.check_device", lambda device: None)
    monkeypatch.setattr("neucb.engines.lockstep.block_loop.BLOCK", BLOCK)
    with _Device():  # type: ignore[no-untyped-call]
        yield NAME


def make_run(name: str | Reduction, device: str, **arguments: Any) -> Run:
    kept, rounds = arguments.pop("kept", KEPT), arguments.pop("rounds", ROUNDS)
    data = arguments.pop("data", None) or one_hot()
    arguments = {"dtype": "float64", "engine": "torch", "device": device, **arguments}
    run = prepare(name, data, rounds, "3,8,5", **arguments)
    run.log.keep(kept)
    return run


def assert_same(name: str, device: str, **arguments: Any) -> None:
    """Compare runs on the CPU and on the device."""
    runs = [make_run(name, target, **arguments) for target in ("cpu", device)]
    for run in runs:
        run.play()
    pd.testing.assert_frame_equal(runs[0].frame(), runs[1].frame(), check_exact=False, rtol=1e-7)


def test_the_fake_device_rejects_mixed_devices(device: str) -> None:
    host, remote = torch.ones(2), torch.ones(2, device=device)
    with pytest.raises(RuntimeError, match="same device"):
        host + remote
    with pytest.raises(RuntimeError, match="numpy"):
        remote.numpy()
    assert remote.cpu().numpy().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", one_quick_of_each(name for name in RECIPES if name not in SKYLINES))
def test_every_recipe_is_the_same_on_the_device(name: str, device: str) -> None:
    """Different settings per replica, noise and drift."""
    settings = {**(several(name) if name.startswith(("kl", "sq")) else {}), **small(name)}
    assert_same(name, device, settings=settings, label_noise=0.1, drift=(30,))


FOLDS = {
    "c_p": 2.4,
    "lr": 0.35,
    "input_scaling": [0.0, 0.5, 0.3],
    "gamma_power": [0.5, 0.3, 0.0],
    "width": 16,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("kl-perturbed", FOLDS),  # the scale is folded in most rounds
        ("sq-perturbed", {"c_p": 2.4, "lr": 0.35, "lr_power": [0.0, 0.3, 0.1], "width": 16}),
        ("kl", {"depth": 2, "width": 8}),
        ("kl", {"radius": [0.5, 2.0, float("inf")], "width": 8}),
        ("kl-perturbed", {"perturbations": 3, "c_p": 0.05, "width": 8}),
        ("neural-ucb", {"covariance": "full", "width": 4}),
    ],
)
def test_blocks_of_all_lengths_are_the_same_on_the_device(
    name: str, settings: dict[str, Any], device: str
) -> None:
    assert_same(name, device, settings=settings, rounds=108, kept=(25, 70, 71, 108))


def test_dense_rows_are_the_same_on_the_device(device: str) -> None:
    assert_same("sq-perturbed", device, settings={"width": 16, "input_scaling": 0.5}, data=toy())


@pytest.mark.parametrize("options", [{"delay": 3}, {"feedback_batch": 4}])
def test_delayed_losses_are_the_same_on_the_device(options: dict[str, int], device: str) -> None:
    assert_same("kl", device, settings={"width": 8}, rounds=48, kept=(48,), **options)


def test_a_trained_agent_continues_on_the_device(device: str) -> None:
    states = {}
    for target in ("cpu", device):
        arguments: dict[str, Any] = {"engine": "torch", "device": target, "dtype": "float64"}
        _, trained = with_agent("kl-perturbed", one_hot(), 60, "3,8", settings={"width": 8}, **arguments)
        _, trained = with_agent(trained, one_hot(), 70, device=target, dtype="float64")
        states[target] = take_state(trained.agent)
    (state, tensors), (device_state, device_tensors) = states.values()
    assert json.dumps(state) == json.dumps(device_state).replace(device, "cpu")
    assert tensors.keys() == device_tensors.keys()
    for path, value in tensors.items():
        torch.testing.assert_close(device_tensors[path], value, rtol=1e-7, atol=1e-12, msg=path)


def test_a_network_diverges_in_the_same_round_on_the_device(device: str) -> None:
    settings = {"width": 8, "lr": 1.6, "lr_power": 0.0, "input_scaling": 0.0}  # in round 189
    messages = []
    for target in ("cpu", device):
        with pytest.raises(DivergedError) as error:
            make_run("sq", target, settings=settings, rounds=250, kept=(250,)).play()
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_a_torch_optimiser_is_the_same_on_the_device(device: str) -> None:
    def agent() -> Reduction:
        sgd = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
        return Reduction(Module(perceptron(depth=1, width=8), KL(), sgd), EpsilonGreedy(0.1))

    frames = []
    for target in ("cpu", device):
        run = make_run(agent(), target, rounds=48, kept=(48,))
        run.play()
        frames.append(run.frame())
    pd.testing.assert_frame_equal(frames[0], frames[1], check_exact=False, rtol=1e-7)


@pytest.mark.gpu
@pytest.mark.parametrize("name", [name for name in RECIPES if name not in SKYLINES])
def test_a_gpu_plays_the_same_actions(name: str) -> None:
    settings = {"updates_per_round": 3} if "replay" in name else {}
    assert_same(name, "cuda", settings=settings, label_noise=0.1, rounds=600, kept=(100, 600))
