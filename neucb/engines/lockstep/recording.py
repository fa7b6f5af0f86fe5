"""Recording: a block of rounds as a CUDA graph, which a GPU is told of once and not operator by operator.

A graph repeats what was launched while it was recorded, on the same memory. What an agent is made of
has therefore a home in memory for as long as its run lasts, to which the last operators of the graph copy
what the block made of it. Numbers that count rounds on the host, which would stay as they were, are
tensors while a block is recorded; an agent that has to look at them, or at any other tensor, to know what
to do next cannot be recorded, and plays on as before.
"""

from __future__ import annotations

import copy
import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from neucb.agents.network.lookahead import Room
from neucb.agents.state import CODE
from neucb.engines.lockstep.block_record import Played, Rows

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.base import Agent
    from neucb.core.spec import Spec

CLOSE = 1e-3  # relative, between a block repeated and the same one launched: other sums may round differently
Play = Callable[[Rows, Played], None]

aten = torch.ops.aten
LOOKS = (  # at numbers, or at how many there are
    aten.item.default,
    aten._local_scalar_dense.default,
    aten.is_nonzero.default,
    aten.equal.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.bincount.default,
)
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
OURS = {"neucb", "torch", "numpy", "builtins"}  # whose objects hold nothing that cannot be seen
SEEN = (NoneType, bool, int, float, str, torch.Tensor, np.ndarray, np.random.Generator, Room)
CONTAINERS = (dict, list, deque, tuple)
_RECORDING = threading.Lock()  # CUDA records one graph at a time


class CannotRecord(Exception):  # noqa: N818  # no error: the agent plays on without a graph
    """Raised where rounds cannot be repeated as they were recorded."""


class Graph(Protocol):
    """Operators that are launched at once."""

    def record(self, work: Callable[[], None]) -> None:
        """Record what `work` launches, without any of it being done; once."""

    def replay(self) -> None:
        """Do what was recorded."""


class CudaGraph:
    """A CUDA graph on one device; the only thing here that only a GPU can run."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._graph = torch.cuda.CUDAGraph()

    def record(self, work: Callable[[], None]) -> None:
        """Record what `work` launches, while other threads may play, but not record."""
        with _RECORDING, torch.cuda.device(self._device):
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            recorded = torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local")
            # A recording that fails would not come back to the stream there was; the outer context does.
            with torch.cuda.stream(torch.cuda.current_stream()), recorded:
                work()

    def replay(self) -> None:
        """Do what was recorded."""
        self._graph.replay()


def make_graph(device: str) -> Graph | None:
    """Return a graph to be recorded, or None for a device that has none."""
    return CudaGraph(device) if torch.device(device).type == "cuda" else None


class Part(NamedTuple):
    """Where a value stands: `holder[key]`, in a dictionary, a list, a deque or a tuple."""

    holder: Any
    key: Any

    @property
    def value(self) -> Any:
        """The value now."""
        return self.holder[self.key]


Parts = dict[str, Part]


def parts_of(agent: object) -> Parts:
    """Return all that an agent is made of and that holds no other parts, by a path of names."""
    return {path: part for path, part, inner in _reach(agent) if inner is None}


def _reach(agent: object) -> Iterator[tuple[str, Part, Any]]:
    """Yield every part of an agent with its path and, where it holds others itself, what holds them.

    Parts that are in two places are met twice, but in the second one are not entered again.
    """
    seen: set[int] = set()
    left: list[tuple[str, Part]] = [(type(agent).__name__, Part({"": agent}, ""))]
    while left:
        path, part = left.pop()
        inner = _holder(part.value)
        if inner is not None and id(part.value) in seen:
            continue
        yield path, part, inner
        if inner is not None:
            seen.add(id(part.value))
            keys = list(inner) if isinstance(inner, dict) else range(len(inner))
            left.extend((f"{path}.{_name(key, i)}", Part(inner, key)) for i, key in enumerate(keys))


def _name(key: Any, place: int) -> Any:
    """Return a name of a key; parameters, the keys of torch's optimisers, have none but their place."""
    return place if isinstance(key, torch.Tensor) else key


def _holder(value: Any) -> Any:
    """Return the dictionary or sequence that holds a value's parts, or None where it has none."""
    if isinstance(value, CONTAINERS):
        return value
    if isinstance(value, (*SEEN, *CODE)):
        return None
    return getattr(value, "__dict__", None)


def _check_seen(agent: object) -> None:
    """Raise CannotRecord where a part may hold what `_reach` does not see, and a graph would not repeat."""
    for path, part, inner in _reach(agent):
        if not _is_seen(part.value, inner):
            raise CannotRecord(f"{path}, of {type(part.value).__name__}, may hold what cannot be seen")


def _is_seen(value: Any, inner: Any) -> bool:
    if isinstance(value, CODE):
        return _is_ours(value.func if isinstance(value, partial) else value)
    if inner is None:
        return isinstance(value, SEEN)
    return isinstance(value, CONTAINERS) or _is_ours(type(value))


def _is_ours(code: Any) -> bool:
    module = getattr(code, "__module__", None) or "builtins"
    return module.partition(".")[0] in OURS


class Moment:
    """An agent as it is now but for what its tensors on the device hold, which recording leaves alone."""

    def __init__(self, agent: object, device: torch.device) -> None:
        self._holders: list[tuple[Any, Any]] = []
        self._host: list[tuple[str, Any, Any]] = []  # what is changed in place on the host
        for path, part, inner in _reach(agent):
            value = part.value
            if inner is not None:
                if not isinstance(inner, tuple):
                    self._holders.append((inner, copy.copy(inner)))
            elif isinstance(value, torch.Tensor) and value.device.type != device.type:
                self._host.append((path, value, value.clone()))
            elif isinstance(value, np.ndarray | np.random.Generator):
                self._host.append((path, value, copy.deepcopy(value)))

    def check(self) -> None:
        """Raise CannotRecord where something on the host has changed since: a graph does not repeat that."""
        for path, value, kept in self._host:
            if not _is_same(value, kept):
                raise CannotRecord(f"{path} changes on the host")

    def restore(self) -> None:
        """Make the agent what it was."""
        for holder, kept in self._holders:
            holder.clear()
            if isinstance(holder, dict):
                holder.update(kept)
            else:
                holder.extend(kept)
        for _, value, kept in self._host:
            if isinstance(value, np.random.Generator):
                value.bit_generator.state = kept.bit_generator.state
            else:
                value[...] = kept


def _is_same(value: Any, kept: Any) -> bool:
    if isinstance(value, np.random.Generator):
        value, kept = (repr(one.bit_generator.state) for one in (value, kept))
        return bool(value == kept)
    return np.array_equal(np.asarray(value), np.asarray(kept), equal_nan=np.asarray(value).dtype.kind == "f")


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operator that is recorded.

    It refuses what CUDA would, which would break off the recording and say less of why; and it keeps alive
    what operators read that was there before: a graph reads that memory whoever has it.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.read: list[Tensor] = []
        self._device = device
        self._known: set[int] = set()  # storages

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        leaves = tree_leaves((args, kwargs))
        tensors = [one for one in leaves if isinstance(one, torch.Tensor)]
        self._refuse(func, tensors, [one for one in leaves if isinstance(one, torch.device)])
        self.read.extend(one for one in tensors if self._is_new(one))
        given = func(*args, **(kwargs or {}))
        for one in tree_leaves(given):
            if isinstance(one, torch.Tensor):
                self._is_new(one)
        return given

    def _refuse(self, func: Any, tensors: list[Tensor], targets: list[torch.device]) -> None:
        here = [_is_on(one, self._device) for one in tensors]
        mask = func in INDEXING and any(one.dtype == torch.bool for one in tensors[1:])
        if (func in LOOKS or mask) and any(here):
            raise CannotRecord("it looks at numbers that the GPU has yet to compute")
        ends = {*here, *(one.type == self._device.type for one in targets)}
        if tensors and len(ends) == 2:
            raise CannotRecord("it copies numbers between the host and the GPU")

    def _is_new(self, tensor: Tensor) -> bool:
        storage = tensor.untyped_storage()._cdata
        new = storage not in self._known
        self._known.add(storage)
        return new


class Recording:
    """A block of rounds that an agent plays by a graph.

    Args:
        agent: after a block; nothing of what it has learnt is changed.
        graph: not recorded yet.
        rows: of a block.
        play: plays a block.
        spec: the shape of the run.
        steps: by how much numbers that count rounds grow in a block, by their paths.

    Raises:
        CannotRecord: what the agent does is not the same in every block, as far as a GPU is concerned.
    """

    def __init__(
        self, agent: Agent, graph: Graph, rows: Rows, play: Play, spec: Spec, steps: dict[str, int]
    ) -> None:
        _check_seen(agent)
        self._agent = agent
        self._graph = graph
        self._play_block = play
        self._steps = steps
        self._rows = Rows(*(one.clone() for one in rows))
        self._played = Played(len(rows.contexts), spec)
        moment = Moment(agent, rows.contexts.device)
        parts = parts_of(agent)
        self._homes = {
            path: rows.dice.new_full((), part.value) if path in steps else part.value
            for path, part in parts.items()
            if path in steps or _is_on(part.value, rows.contexts.device)
        }
        self._rest = {path: part.value for path, part in parts.items() if path not in self._homes}
        operators = _Operators(rows.contexts.device)

        reasons: list[str] = []  # the first counts: others say that recording was broken off

        def work() -> None:
            try:
                with operators:
                    self._record()
                moment.check()
            except Exception as error:
                reasons.append(_told(error))
                raise

        try:
            for path in steps:
                parts[path].holder[parts[path].key] = self._homes[path]
            graph.record(work)
        except Exception as error:  # of whatever kind: torch has several for what a graph cannot hold
            raise CannotRecord([*reasons, _told(error)][0]) from error
        finally:
            moment.restore()
        self._read = operators.read

    def _record(self) -> None:
        self._play_block(self._rows, self._played)
        parts = parts_of(self._agent)
        self._check(parts)
        self._bring_home(parts)

    def _check(self, parts: Parts) -> None:
        """Raise CannotRecord where the agent is made of other parts than when it was recorded."""
        other = parts.keys() ^ (self._homes.keys() | self._rest.keys())
        if other:
            raise CannotRecord(f"{min(other)} is not there in every block")
        for path, value in self._rest.items():
            now = parts[path].value
            known = isinstance(value, (int, float, str, *CODE)) and type(now) is type(value) and now == value
            if now is not value and not known:
                raise CannotRecord(f"{path} is another in every block")

    def _bring_home(self, parts: Parts) -> None:
        """Copy what is not where the graph has it to there."""
        moved = [
            (path, parts[path], home) for path, home in self._homes.items() if parts[path].value is not home
        ]
        owners = Counter(home.untyped_storage()._cdata for home in self._homes.values())
        for path, part, home in moved:
            if owners[home.untyped_storage()._cdata] > 1:
                raise CannotRecord(f"{path} changes, and shares its memory")
            if not isinstance(part.value, torch.Tensor):
                raise CannotRecord(f"{path} is set on the host")
            if _form(part.value) != _form(home):
                raise CannotRecord(f"{path} changes its shape")
            if isinstance(part.holder, tuple):
                raise CannotRecord(f"{path} is in a tuple")
        copies = [part.value.clone() for _, part, _ in moved]  # first: one may be in the place of another
        for (_, _, home), now in zip(moved, copies, strict=True):
            home.copy_(now)

    def _enter(self) -> None:
        """Bring the agent to where the graph has it."""
        parts = parts_of(self._agent)
        self._check(parts)
        for path in self._steps:
            part, home = parts[path], self._homes[path]
            home.fill_(part.value)
            parts[path] = Part({"": home}, "")
        self._bring_home(parts)
        for path, home in self._homes.items():
            if parts[path].value is not home:
                parts[path].holder[parts[path].key] = home

    def _repeat(self, rows: Rows) -> None:
        for own, given in zip(self._rows, rows, strict=True):
            own.copy_(given)
        self._graph.replay()
        parts = parts_of(self._agent)
        for path, step in self._steps.items():
            parts[path].holder[parts[path].key] += step

    def play(self, rows: Rows, played: Played) -> None:
        """Play a block.

        Raises:
            CannotRecord: the agent is not what it was when it was recorded; nothing has been played.
        """
        self._enter()
        self._repeat(rows)
        played.take(self._played)

    def rehearse(self, rows: Rows) -> dict[str, Any]:
        """Play a block, take it back and return what came of it, for `differs`.

        Raises:
            CannotRecord: as `play`.
        """
        self._enter()
        moment = Moment(self._agent, rows.contexts.device)
        before = {path: home.clone() for path, home in self._homes.items()}
        try:
            self._repeat(rows)
            outcome: dict[str, Any] = {path: one.clone() for path, one in self._outcome().items()}
            parts = parts_of(self._agent)
            return outcome | {
                path: (parts[path].value, float(self._homes[path])) for path in self._steps
            }  # on the host, and on the device
        finally:
            for path, home in self._homes.items():
                home.copy_(before[path])
            moment.restore()

    def _outcome(self) -> dict[str, Tensor]:
        return self._homes | self._played.tensors()

    def differs(self, rehearsed: dict[str, Any], played: Played) -> str | None:
        """Return what, if anything, the block that has been launched since made otherwise than `rehearse`."""
        now: dict[str, Any] = {path: part.value for path, part in parts_of(self._agent).items()}
        now |= played.tensors()
        for path, expected in rehearsed.items():
            value = now.get(path)
            if isinstance(expected, tuple):
                same = all(one == value for one in expected)
            else:
                same = isinstance(value, torch.Tensor) and _is_close(expected, value)
            if not same:
                return path
        return None


class Repeating:
    """Plays whole blocks: launches the first three, and repeats from then on.

    The second is recorded beside being launched; in the third, what launching gives has to be what the
    graph gives.

    Args:
        agent: that has been reset.
        graph: not recorded yet.
        play: plays a block by launching.
        spec: the shape of the run.

    Warns:
        UserWarning: there will be no graph, and why.
    """

    def __init__(self, agent: Agent, graph: Graph, play: Play, spec: Spec) -> None:
        self._agent = agent
        self._graph: Graph | None = graph
        self._launch = play
        self._spec = spec
        self._steps: dict[str, int] | None = None
        self._recording: Recording | None = None
        self._is_right = False

    def play(self, rows: Rows, played: Played) -> None:
        """Play a block; where this raises, `played` holds what was launched."""
        try:
            if self._is_right and self._recording is not None:
                self._recording.play(rows, played)
                return
            rehearsed = self._prepare(rows)
        except (CannotRecord, torch.cuda.OutOfMemoryError) as reason:
            self._give_up(_told(reason))
            rehearsed = None
        if self._steps is None:
            before = self._counts()
            self._launch(rows, played)
            now = self._counts()
            self._steps = {path: now[path] - n for path, n in before.items() if now.get(path, n) != n}
            return
        self._launch(rows, played)
        if self._recording is not None and rehearsed is not None:
            other = self._recording.differs(rehearsed, played)
            self._is_right = other is None
            if other is not None:
                self._give_up(f"{other} comes out otherwise")

    def _prepare(self, rows: Rows) -> dict[str, Any] | None:
        """Record a block, or rehearse one where that has been done."""
        if self._recording is not None:
            return self._recording.rehearse(rows)
        if self._graph is not None and self._steps is not None:
            self._recording = Recording(self._agent, self._graph, rows, self._launch, self._spec, self._steps)
        return None

    def _counts(self) -> dict[str, int]:
        parts = parts_of(self._agent)
        return {path: part.value for path, part in parts.items() if type(part.value) is int}

    def _give_up(self, reason: str) -> None:
        self._graph = self._recording = None
        warnings.warn(
            f"no CUDA graph: {reason}; operators are launched one by one, which takes longer",
            UserWarning,
            stacklevel=2,
        )


def _is_close(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are the same, up to what floats may lose."""
    if _form(one) != _form(other):
        return False
    if not one.is_floating_point():
        return torch.equal(one, other)
    finite = other.double().nan_to_num(0.0, 0.0, 0.0).abs()
    bound = CLOSE * float(finite.max()) if other.numel() else 0.0
    return torch.allclose(one.double(), other.double(), rtol=0.0, atol=bound, equal_nan=True)


def _form(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.shape, tensor.dtype, tensor.device


def _is_on(value: Any, device: torch.device) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == device.type


def _told(error: Exception) -> str:
    """Return in a line why something cannot be recorded."""
    if isinstance(error, TypeError):  # at a tensor where the number of the round was
        return "it needs the number of the round on the host"
    return str(error).split("\n", 1)[0] or type(error).__name__
