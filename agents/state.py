"""Agent state for checkpoints: named tensors and JSON values.

The state is collected attribute by attribute and holds only numbers, strings and tensors, never code. To
restore it, an agent of the same class and hyper-parameters is reset first, and its attributes are then
set to the saved values.
"""

from __future__ import annotations

import dataclasses
import random
from collections import deque
from collections.abc import Mapping
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neucb.agents.network.forward import Forward
from neucb.agents.network.lookahead import Scratch
from neucb.agents.prediction import Prediction
from neucb.core.errors import InputError

Tensors = dict[str, torch.Tensor]
CACHES = (Forward, Prediction, Scratch)  # recomputed on demand
CODE = (type, torch.dtype, torch.device, FunctionType, BuiltinFunctionType, MethodType, partial)
SEQUENCES = {"list": list, "tuple": tuple, "deque": deque}


class _Cache(Exception):  # noqa: N818  # no error: a signal that an attribute is not saved
    """Signal of a value that is a cache."""


def take_state(agent: object) -> tuple[Any, Tensors]:
    """Return the state of an agent, as JSON values and the tensors that they reference.

    The state of an object with `state_dict` and `load_state_dict`, as in torch, is its `state_dict`.

    Raises:
        InputError: the agent holds a value other than numbers, strings, tensors, arrays, random generators
            (numpy, torch, Python), and containers and objects of these.
    """
    tensors: Tensors = {}
    return _take(agent, type(agent).__name__, tensors, ()), tensors


def give_state(agent: object, state: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Restore a state from `take_state` in an agent that was reset with the same shape of run.

    Raises:
        InputError: the state does not fit the agent.
    """
    try:
        _give(state, agent, tensors)
    except (KeyError, AttributeError, TypeError, IndexError, RuntimeError) as error:
        raise InputError(f"the state does not fit {type(agent).__name__}: {error}") from error


def _saved_tensor(value: torch.Tensor | NDArray[Any], path: str) -> torch.Tensor:
    """Return a tensor of an array of any byte order and strides.

    Raises:
        InputError: an array of strings, dates or objects.
    """
    if isinstance(value, torch.Tensor):
        return value
    if value.dtype.kind not in "biufc":
        raise InputError(f"{path} is an array of {value.dtype}, which cannot be saved; keep numbers in it")
    return torch.from_numpy(np.ascontiguousarray(value, value.dtype.newbyteorder("=")))


def _take(value: Any, path: str, tensors: Tensors, above: tuple[int, ...]) -> Any:
    """Return the JSON form of a value; `path` names its tensors, `above` are the ids of its containers."""
    if isinstance(value, CACHES):
        raise _Cache
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor | np.ndarray):
        # A copy: safetensors files must not share memory between tensors.
        tensors[path] = _saved_tensor(value, path).detach().cpu().contiguous().clone()
        return {"tensor" if isinstance(value, torch.Tensor) else "array": path}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.random.Generator):
        return {"generator": _as_lists(value.bit_generator.state)}
    if isinstance(value, torch.Generator):
        tensors[path] = value.get_state()
        return {"torch generator": path}
    if isinstance(value, random.Random):
        return {"python generator": value.getstate()}
    if isinstance(value, CODE):
        return {"code": None}
    if id(value) in above:
        raise InputError(f"{path} is part of itself and cannot be kept")
    above = (*above, id(value))
    if isinstance(value, Mapping):
        pairs = [
            [
                _take(key, f"{path}.{key} as a key", tensors, above),
                _take(item, f"{path}.{key}", tensors, above),
            ]
            for key, item in value.items()
        ]
        return {"dict": pairs}
    for name, kind in SEQUENCES.items():
        if isinstance(value, kind):
            return {name: [_take(item, f"{path}.{i}", tensors, above) for i, item in enumerate(value)]}
    if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
        return {"state_dict": _take(value.state_dict(), path, tensors, above)}
    if not hasattr(value, "__dict__"):
        raise InputError(
            f"{path} is a {type(value).__name__} and cannot be kept; "
            "give its owner the methods state_dict and load_state_dict"
        )
    attributes = {}
    for name, attribute in vars(value).items():
        try:
            attributes[name] = _take(attribute, f"{path}.{name}", tensors, above)
        except _Cache:
            attributes[name] = None
    return {"object": attributes}


def _as_lists(value: Any) -> Any:
    """Return a generator's state with its arrays as lists."""
    if isinstance(value, dict):
        return {key: _as_lists(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _give(kept: Any, current: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Return the saved value; `current` is the value of the reset agent."""
    if not isinstance(kept, dict):
        return kept
    ((kind, inner),) = kept.items()
    match kind:
        case "code":
            return current
        case "tensor":
            return _tensor(tensors[inner], current)
        case "array":
            return _array(tensors[inner].numpy(), current)
        case "generator":
            current.bit_generator.state = inner
            return current
        case "torch generator":
            current.set_state(tensors[inner])
            return current
        case "python generator":
            version, state, gauss = inner
            current.setstate((version, tuple(state), gauss))
            return current
        case "dict":
            old = current if isinstance(current, Mapping) else {}
            pairs = [(_give(key, None, tensors), item) for key, item in inner]
            return _filled(current, {key: _give(item, old.get(key), tensors) for key, item in pairs})
        case "state_dict":
            current.load_state_dict(_give(inner, current.state_dict(), tensors))
            return current
        case "object":
            return _object(inner, current, tensors)
        case _:
            olds = [*current] if isinstance(current, list | tuple | deque) else []
            olds += [None] * (len(inner) - len(olds))
            items = [_give(item, old, tensors) for item, old in zip(inner, olds, strict=False)]
            if isinstance(current, tuple) and hasattr(current, "_fields"):
                return type(current)(*items)
            if isinstance(current, deque):  # with its greatest length
                current.clear()
                current.extend(items)
                return current
            return SEQUENCES[kind](items)


def _filled(current: Any, kept: dict[Any, Any]) -> Any:
    """Return the saved dictionary; a `defaultdict`, `Counter` or the like of the reset agent is filled."""
    if not isinstance(current, dict) or type(current) is dict:
        return kept
    current.clear()
    current.update(kept)
    return current


def _array(kept: NDArray[Any], current: Any) -> NDArray[Any]:
    """Return the saved array; one of the same shape and type is set in place, so that views stay views."""
    fits = isinstance(current, np.ndarray) and (current.shape, current.dtype) == (kept.shape, kept.dtype)
    if not fits or not current.flags.writeable:
        return kept
    current[...] = kept
    return np.asarray(current)


def _tensor(kept: torch.Tensor, current: Any) -> torch.Tensor:
    """Return the saved tensor on the device of the current one, set in place where it fits."""
    if not isinstance(current, torch.Tensor):
        return kept
    alike = (current.shape, current.dtype) == (kept.shape, kept.dtype) and current.is_contiguous()
    if current.requires_grad or alike:  # in place, so that views stay views and optimisers keep parameters
        with torch.no_grad():
            return current.copy_(kept)
    return kept.to(current.device)


def _object(kept: Mapping[str, Any], current: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if current is None:
        raise TypeError("a part that a new agent does not have")
    values = {name: _give(item, getattr(current, name, None), tensors) for name, item in kept.items()}
    if hasattr(current, "__dataclass_fields__"):  # frozen dataclasses are shared: return a new one
        return dataclasses.replace(current, **values)
    vars(current).update(values)
    return current


def leave_inference(value: Any, seen: set[int] | None = None) -> Any:
    """Return a value with inference-mode tensors cloned, as autograd and in-place steps reject them.

    Objects, lists and dictionaries are searched at any depth and updated in place.
    """
    seen = set() if seen is None else seen
    if isinstance(value, torch.Tensor):
        return value.clone() if value.is_inference() else value
    if isinstance(value, Scratch):
        return None
    if isinstance(value, tuple):
        items = (leave_inference(item, seen) for item in value)
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if id(value) in seen or isinstance(value, CODE):
        return value
    seen.add(id(value))
    if isinstance(value, list | deque):
        for i, item in enumerate(value):
            value[i] = leave_inference(item, seen)
    inner = value if isinstance(value, dict) else getattr(value, "__dict__", {})  # even if frozen
    inner.update({name: leave_inference(item, seen) for name, item in inner.items()})
    return value
