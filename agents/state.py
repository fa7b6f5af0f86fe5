"""State: what an agent has learnt, as named tensors and JSON values, so that it can be kept in a file.

The parts of an agent are walked through attribute by attribute. Nothing but numbers, words and
tensors is kept, never code: to bring a state back, an agent of the same make is reset first, and its
attributes then take the values kept.
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

from neucb.agents.network.forward import Forward
from neucb.agents.network.lookahead import Room
from neucb.agents.prediction import Prediction
from neucb.core.errors import InputError

Tensors = dict[str, torch.Tensor]
CACHES = (Forward, Prediction, Room)  # made anew whenever they are asked for
CODE = (type, torch.dtype, torch.device, FunctionType, BuiltinFunctionType, MethodType, partial)
SEQUENCES = {"list": list, "tuple": tuple, "deque": deque}


class _Cache(Exception):  # noqa: N818  # no error: a sign that an attribute need not be kept
    """Raised where a value is a cache."""


def take_state(agent: object) -> tuple[Any, Tensors]:
    """Return the state of an agent, as JSON values and the tensors that they name.

    An object with `state_dict` and `load_state_dict`, as torch's have them, says itself what it keeps.

    Raises:
        InputError: something in it is none of numbers, words, tensors, arrays, random generators (of numpy,
            torch and Python), containers and objects of these.
    """
    tensors: Tensors = {}
    return _take(agent, type(agent).__name__, tensors, ()), tensors


def give_state(agent: object, state: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give an agent that was reset with the same shape of run a state that was taken.

    Raises:
        InputError: the state is of another make of agent.
    """
    try:
        _give(state, agent, tensors)
    except (KeyError, AttributeError, TypeError, IndexError, RuntimeError) as error:
        raise InputError(f"the state does not fit {type(agent).__name__}: {error}") from error


def _take(value: Any, path: str, tensors: Tensors, above: tuple[int, ...]) -> Any:
    """Return the JSON value of a value; `path` names its tensors, `above` are the objects it is in."""
    if isinstance(value, CACHES):
        raise _Cache
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor | np.ndarray):
        # A copy: a file may not hold two names of the same memory.
        tensors[path] = torch.as_tensor(value).detach().cpu().contiguous().clone()
        return {"tensor" if isinstance(value, torch.Tensor) else "array": path}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.random.Generator):
        return {"generator": _words(value.bit_generator.state)}
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
        taken = [
            [
                _take(key, f"{path}.{key} as a key", tensors, above),
                _take(one, f"{path}.{key}", tensors, above),
            ]
            for key, one in value.items()
        ]
        return {"dict": taken}
    for name, kind in SEQUENCES.items():
        if isinstance(value, kind):
            return {name: [_take(one, f"{path}.{i}", tensors, above) for i, one in enumerate(value)]}
    if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
        return {"state_dict": _take(value.state_dict(), path, tensors, above)}
    if not hasattr(value, "__dict__"):
        raise InputError(
            f"{path} is a {type(value).__name__} and cannot be kept; "
            "give its owner the methods state_dict and load_state_dict"
        )
    kept = {}
    for name, one in vars(value).items():
        try:
            kept[name] = _take(one, f"{path}.{name}", tensors, above)
        except _Cache:
            kept[name] = None
    return {"object": kept}


def _words(value: Any) -> Any:
    """Return a generator's state with its arrays as lists."""
    if isinstance(value, dict):
        return {key: _words(one) for key, one in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _give(kept: Any, current: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Return the value kept, `current` being what a new agent has in its place."""
    if not isinstance(kept, dict):
        return kept
    ((kind, inner),) = kept.items()
    match kind:
        case "code":
            return current
        case "tensor":
            return _tensor(tensors[inner], current)
        case "array":
            return tensors[inner].numpy()
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
            given = [(_give(key, None, tensors), one) for key, one in inner]
            return {key: _give(one, old.get(key), tensors) for key, one in given}
        case "state_dict":
            current.load_state_dict(_give(inner, current.state_dict(), tensors))
            return current
        case "object":
            return _object(inner, current, tensors)
        case _:
            olds = [*current] if isinstance(current, list | tuple | deque) else []
            olds += [None] * (len(inner) - len(olds))
            return SEQUENCES[kind](_give(one, old, tensors) for one, old in zip(inner, olds, strict=False))


def _tensor(kept: torch.Tensor, current: Any) -> torch.Tensor:
    """Return a tensor on the device of the one there was; a parameter that is trained stays itself."""
    if not isinstance(current, torch.Tensor):
        return kept
    if current.requires_grad:
        with torch.no_grad():
            return current.copy_(kept)
    return kept.to(current.device)


def _object(kept: Mapping[str, Any], current: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if current is None:
        raise TypeError("a part that a new agent does not have")
    values = {name: _give(one, getattr(current, name, None), tensors) for name, one in kept.items()}
    if hasattr(current, "__dataclass_fields__"):  # frozen ones are shared: make another
        return dataclasses.replace(current, **values)
    vars(current).update(values)
    return current


def leave_inference(value: Any, seen: set[int] | None = None) -> Any:
    """Return a value without tensors of torch's inference mode, which autograd and steps in place refuse.

    In objects, lists and dictionaries, at any depth, copies take their place.
    """
    seen = set() if seen is None else seen
    if isinstance(value, torch.Tensor):
        return value.clone() if value.is_inference() else value
    if isinstance(value, Room):
        return None
    if isinstance(value, tuple):
        left = (leave_inference(one, seen) for one in value)
        return type(value)(*left) if hasattr(value, "_fields") else tuple(left)
    if id(value) in seen or isinstance(value, CODE):
        return value
    seen.add(id(value))
    if isinstance(value, list | deque):
        for i, item in enumerate(value):
            value[i] = leave_inference(item, seen)
    inner = value if isinstance(value, dict) else getattr(value, "__dict__", {})  # of frozen ones too
    inner.update({name: leave_inference(one, seen) for name, one in inner.items()})
    return value
