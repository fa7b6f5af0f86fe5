"""A pretended accelerator: tensors that are not the CPU's, and graphs that repeat what was launched.

It computes on the CPU but has the traits of a CUDA device that neucb's code has to respect: a tensor's
numbers are not to be had without copying it, and while a graph is recorded nothing is computed, nothing may
be copied to or from the host, and no number may be looked at. Memory that a graph reads has to be there
still when it is repeated.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretended"
aten = torch.ops.aten
TO_HOST = (aten._local_scalar_dense.default, aten.equal.default, aten.allclose.default)
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
UNKNOWN_SIZE = (aten.nonzero.default, aten.bincount.default, aten.masked_select.default)

_setup_privateuseone_for_python_backend(NAME)


class ForbiddenError(RuntimeError):
    """Raised where a CUDA device would refuse to record."""


class Pretended(Tensor):
    """A tensor on the device; `inner` are its numbers, `maker` is the graph that it is a part of."""

    inner: Any  # a tensor of the CPU
    maker: PretendedGraph | None = None

    @staticmethod
    def __new__(cls, inner: Tensor) -> Pretended:
        to: Any = {"dtype": inner.dtype, "device": f"{NAME}:0"}
        made: Any = Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), inner.storage_offset(), **to
        )
        made.inner = inner
        own: Pretended = made
        return own

    def untyped_storage(self) -> torch.UntypedStorage:
        """Views share one, as they do on a device."""
        storage: torch.UntypedStorage = self.inner.untyped_storage()
        return storage

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch says otherwise of its own
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return launch(func, args, kwargs or {})


class _Device(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _is_made_of_others(func):
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        return launch(func, args, kwargs)


@cache
def _is_made_of_others(func: Any) -> bool:
    return bool(func._can_decompose())


def _on_device(value: Any) -> bool:
    return isinstance(value, torch.device) and value.type == NAME


@torch.inference_mode(False)
@torch.no_grad()
def launch(func: Any, args: Any, kwargs: Any) -> Any:
    leaves = tree_leaves((args, kwargs))
    ours = [one for one in leaves if isinstance(one, Pretended)]
    wanted = [one for one in leaves if isinstance(one, torch.device)]
    here = any(_on_device(one) for one in wanted) or (bool(ours) and not wanted)
    if not ours and not here:
        return func(*args, **kwargs)
    hosts = [one for one in leaves if isinstance(one, Tensor) and not isinstance(one, Pretended)]
    crosses = (
        any(one.dim() > 0 for one in hosts) or (bool(ours) and not here) or (bool(hosts) and bool(wanted))
    )
    if crosses and func not in (aten._to_copy.default, aten.copy_.default):
        raise RuntimeError(f"{func}: expected all tensors to be on the same device")
    graph = PretendedGraph.open
    mask = func in INDEXING and any(one.dtype == torch.bool for one in ours[1:])
    if graph is not None and (crosses or hosts or mask or func in TO_HOST or func in UNKNOWN_SIZE):
        raise ForbiddenError(f"{func} is not permitted while a graph is recorded")
    given = tree_map(lambda one: torch.device("cpu") if _on_device(one) else _inner(one), (args, kwargs))
    results = func(*given[0], **given[1]) if graph is None else graph.take(func, given[0], given[1], ours)
    owner = {id(one.inner): one for one in ours}
    if not here:
        return results.clone() if isinstance(results, Tensor) else results
    return tree_map(lambda one: _outer(one, owner, graph), results)


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, Pretended) else value


def _outer(value: Any, owner: dict[int, Pretended], graph: PretendedGraph | None) -> Any:
    if not isinstance(value, Tensor):
        return value
    if id(value) in owner:
        return owner[id(value)]
    made = Pretended(value)
    made.maker = graph
    return made


class PretendedGraph:
    """What was launched, to be launched again."""

    open: PretendedGraph | None = None
    replays = 0  # of all graphs

    def __init__(self) -> None:
        self._launched: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self._read: list[weakref.ref[Pretended]] = []
        self._before: dict[int, tuple[Tensor, Tensor]] = {}

    def record(self, work: Callable[[], None]) -> None:
        PretendedGraph.open = self
        try:
            work()
        finally:
            PretendedGraph.open = None
            with _disable_current_modes():
                self._undo()

    def _undo(self) -> None:
        """Bring memory back to what it was: nothing was computed."""
        for _, _, _, fresh in self._launched:
            for one in fresh:
                one.fill_(torch.nan if one.is_floating_point() else 0)
        for whole, kept in self._before.values():
            whole.copy_(kept)

    def take(self, func: Any, args: Any, kwargs: Any, read: list[Pretended]) -> Any:
        self._read.extend(weakref.ref(one) for one in read if one.maker is not self)
        for one, value in self._written(func, args, kwargs):
            if one and isinstance(value, Tensor):
                storage = value.untyped_storage()
                whole = torch.empty(0, dtype=torch.uint8).set_(storage)
                self._before.setdefault(storage._cdata, (whole, whole.clone()))
        results = func(*args, **kwargs)
        aliases = any(one.alias_info is not None for one in func._schema.returns)
        fresh = [] if aliases else [one for one in tree_leaves(results) if isinstance(one, Tensor)]
        self._launched.append((func, args, kwargs, fresh))
        return results

    @staticmethod
    def _written(func: Any, args: Any, kwargs: Any) -> Iterator[tuple[bool, Any]]:
        for i, one in enumerate(func._schema.arguments):
            value = args[i] if i < len(args) else kwargs.get(one.name)
            yield one.alias_info is not None and one.alias_info.is_write, value

    def replay(self) -> None:
        assert all(one() is not None for one in self._read), "memory that the graph reads was given back"
        PretendedGraph.replays += 1
        with _disable_current_modes():
            for func, args, kwargs, fresh in self._launched:
                results = func(*args, **kwargs)
                for own, now in zip(fresh, tree_leaves(results) if fresh else [], strict=True):
                    own.copy_(now)


@contextmanager
def device() -> Iterator[str]:
    """Have the device, whose name is given."""
    with _Device():  # type: ignore[no-untyped-call]
        yield NAME
