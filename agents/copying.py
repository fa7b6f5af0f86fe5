"""Deep copies of agents, detached from autograd graphs."""

from __future__ import annotations

import copy
import gc
import warnings
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, TypeVar

import torch

from neucb.agents.base import is_foreign
from neucb.core.errors import InputError

T = TypeVar("T")
SHARED = (type, FunctionType, BuiltinFunctionType, ModuleType)  # code objects, shared by deep copies


def copy_agent(agent: T, name: str) -> T:
    """Return a deep copy of an agent.

    Non-leaf tensors of autograd keep their values and lose their gradient: their graph leads to the
    parameters of the original.

    Args:
        agent: any object.
        name: name of the agent in messages.

    Raises:
        InputError: a part cannot be copied.

    Warns:
        UserWarning: a foreign agent holds non-leaf tensors of autograd.
    """
    memo: dict[int, Any] = {}
    detached = False
    for part in _parts(agent):
        if isinstance(part, torch.Generator):
            memo[id(part)] = part.clone_state()
        elif isinstance(part, torch.Tensor) and not part.is_leaf:
            memo[id(part)] = part.detach().clone()
            detached = True
    if detached and is_foreign(agent):
        warnings.warn(
            f"{name} holds tensors that autograd has computed: the copy that plays has their values, "
            "but no gradient flows through them",
            stacklevel=2,
        )
    try:
        return copy.deepcopy(agent, memo)
    except Exception as error:  # copying runs code of any part
        reason = " ".join(str(error).split())
        raise InputError(
            f"{name} cannot be copied to go on: {type(error).__name__}: {reason}; "
            "give the class of that part a method __deepcopy__, or drop the part before"
        ) from error


def _parts(whole: object) -> Iterator[object]:
    """Yield an object and all objects reachable from it except code, each once."""
    stack, seen = [whole], {id(whole)}
    while stack:
        part = stack.pop()
        yield part
        for inner in gc.get_referents(part):
            if not isinstance(inner, SHARED) and id(inner) not in seen:
                seen.add(id(inner))
                stack.append(inner)
