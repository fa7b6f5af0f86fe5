"""Sources of a kernel: the files and constants of its machine code, found from its functions."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from inspect import isbuiltin, isclass, isfunction, ismodule
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
from numba import types

Function = Callable[..., Any]
PACKAGE = __name__.partition(".")[0]


def digest(function: Function, signature: Iterable[Any] = ()) -> str:
    """Return the hash of a kernel's source files and constants, for arguments of these types.

    Raises:
        TypeError: a function reads a global name whose value is neither a function nor a constant.
    """
    files, values = sources(function, signature)
    total = hashlib.sha256(b"".join(_content(path) for path in sorted(files)))
    total.update(repr(values).encode())
    return total.hexdigest()


def sources(function: Function, signature: Iterable[Any] = ()) -> tuple[set[str], list[str]]:
    """Return the files of all functions that a kernel calls, and the names, constants and options they use.

    The search follows names of the module and of enclosing functions, through functions and their compiled
    forms, and the classes of named tuples among the arguments, whose fields numba reads by position and
    whose methods kernels may call. Of every name the result has the value, a constant or the name of a
    function, wherever it is defined, and the compile options of functions. Files of numpy, numba and Python
    are left out: numba's own cache key has their versions.

    Raises:
        TypeError: as `digest`.
    """
    files: set[str] = set()
    values: list[str] = []
    seen: set[Function] = set()
    waiting = [function]
    for part in _classes(signature):
        files.add(_file_of(part))
        waiting += [method for method in map(_plain, vars(part).values()) if method and _is_ours(method)]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        files.add(current.__code__.co_filename)
        for name, value in _read_by(current):
            where = f"{current.__module__}.{current.__qualname__}.{name}"
            if (called := _plain(value)) is not None:
                waiting.append(called)
                values.append(f"{where} {called.__qualname__} {_options(value)}")
            elif isclass(value) and _is_ours(value):
                files.add(_file_of(value))
            elif not (ismodule(value) or isbuiltin(value) or isclass(value)):
                values.append(f"{where} {_text(where, value)}")
    return files, values


def _read_by(function: Function) -> Iterator[tuple[str, Any]]:
    """Yield the global and enclosing names that a function reads, built-ins excluded, and their values."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _names(code: CodeType) -> set[str]:
    """Return the names in a code object and in its nested functions."""
    inner = (_names(one) for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*inner)


def _plain(value: Any) -> Function | None:
    """Return the Python function of a compiled one or of an intrinsic; None for any other value."""
    for attribute in ("py_func", "_defn"):
        value = getattr(value, attribute, value)
    return value if isfunction(value) else None


def _options(compiled: Any) -> str:
    """Return the options of a compiled function."""
    options = getattr(compiled, "targetoptions", {})
    return repr([(key, sorted(one) if isinstance(one, set) else one) for key, one in sorted(options.items())])


def _classes(kinds: Iterable[Any]) -> Iterator[type]:
    """Yield the classes of the named tuples among argument types."""
    for kind in kinds:
        if isinstance(kind, types.BaseNamedTuple):
            yield kind.instance_class  # type: ignore[attr-defined]
        if isinstance(kind, types.BaseTuple):
            yield from _classes(kind.types)  # type: ignore[attr-defined]


def _is_ours(part: Any) -> bool:
    return str(part.__module__).partition(".")[0] == PACKAGE


def _file_of(part: type) -> str:
    return str(sys.modules[part.__module__].__file__)


def _text(name: str, value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {value.tobytes()!r}"
    parts = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(part, int | float | str | np.generic) for part in parts):
        raise TypeError(f"a kernel reads {name}, a {type(value).__name__}: neither a function nor a constant")
    return repr(value)


@cache
def _content(path: str) -> bytes:
    return Path(path).read_bytes()
