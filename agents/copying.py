"""Copies of agents: deep ones, without the graphs of autograd that a copy cannot have."""

from __future__ import annotations

import copy
import gc
import warnings
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, TypeVar

import torch

from neucb.agents.protocols import uses_autograd
from neucb.core.errors import InputError

T = TypeVar("T")
SHARED = (type, FunctionType, BuiltinFunctionType, ModuleType)  # deep copies share code


def copy_agent(agent: T, name: str) -> T:
    """Return a deep copy of an agent.

    Tensors that autograd has computed have their values in the copy and no gradient: their graph leads to
    the parameters of the original.

    Args:
        agent: any object.
        name: of the agent, for messages.

    Raises:
        InputError: a part cannot be copied.

    Warns:
        UserWarning: an agent that uses autograd holds tensors that autograd has computed.
    """
    memo: dict[int, Any] = {}
    detached = False
    for part in _parts(agent):
        if isinstance(part, torch.Generator):
            memo[id(part)] = part.clone_state()
        elif isinstance(part, torch.Tensor) and not part.is_leaf:
            memo[id(part)] = part.detach().clone()
            detached = True
    if detached and uses_autograd(agent):
        warnings.warn(
            f"{name} holds tensors that autograd has computed: the copy that plays has their values, "
            "but no gradient flows through them",
            stacklevel=2,
        )
    try:
        return copy.deepcopy(agent, memo)
    except Exception as error:  # of any code that copies a part
        reason = " ".join(str(error).split())
        raise InputError(
            f"{name} cannot be copied to go on: {type(error).__name__}: {reason}; "
            "give the class of that part a method __deepcopy__, or drop the part before"
        ) from error


def _parts(whole: object) -> Iterator[object]:
    """Yield an object and everything that it is made of, code left out, each once."""
    waiting, seen = [whole], {id(whole)}
    while waiting:
        part = waiting.pop()
        yield part
        for inner in gc.get_referents(part):
            if not isinstance(inner, SHARED) and id(inner) not in seen:
                seen.add(id(inner))
                waiting.append(inner)
