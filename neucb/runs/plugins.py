"""Plugins: the user's own agents and data sets, from a file, a module or an installed distribution.

`path/to/file.py:Name` and `package.module:Name` refer to an object of Python code. A distribution registers
short names in the entry-point groups "neucb.agents" and "neucb.datasets".
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from neucb.agents.recipes.recipe import Recipe
from neucb.agents.recipes.registry import named, names_of_recipes
from neucb.core.errors import InputError, NeucbError, unknown_name
from neucb.environments.sources.registry import find_source
from neucb.runs.plugin_source import checksums

if TYPE_CHECKING:
    from neucb.agents.base import Agent

AGENTS, DATASETS = "neucb.agents", "neucb.datasets"
METHODS = {"reset": "spec", "distribution": "context", "update": "context, action, loss"}


@dataclass(frozen=True)
class Plugin:
    """An object of the user's code.

    Attributes:
        name: short name in the log.
        reference: reference to the object, "file.py:Name" or "package.module:Name".
        value: the object itself.
    """

    name: str
    reference: str
    value: Any

    @property
    def origin(self) -> dict[str, Any]:
        """Origin of the code for a manifest: reference, checksums of its file and of its own imports."""
        file = _file_of(self.value)
        if file is None:
            return {"reference": self.reference}
        module = sys.modules.get(getattr(self.value, "__module__", None) or type(self.value).__module__)
        package = "" if module is None else module.__package__ or ""
        (_, mine), *others = checksums(Path(file), package).items()
        imports = {"imports": dict(others)} if others else {}
        return {"reference": self.reference, "sha256": mine, **imports}

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return an empty dictionary: user code has no hyper-parameters.

        Raises:
            InputError: hyper-parameters are given.
        """
        if given:
            raise InputError(f"{self.reference} takes no settings; write them into its code")
        return {}

    def build(self, given: Mapping[str, Any] | None = None) -> Agent:
        """Return the agent: the result of the class or function without arguments, or the object itself.

        Raises:
            InputError: the class or function needs arguments, fails, or does not return an agent.
        """
        self.settings(given or {})
        agent = self.call()
        for method, arguments in METHODS.items():
            if not callable(getattr(agent, method, None)):
                raise InputError(f"{self.reference} is no agent: it lacks {method}({arguments})")
        made: Agent = agent
        return made

    def call(self, **arguments: Any) -> Any:
        """Call a class or function with its required ones of `arguments`; return other objects unchanged.

        Raises:
            InputError: the class or function needs other arguments, or fails.
        """
        if not (inspect.isclass(self.value) or inspect.isfunction(self.value)):
            return self.value
        needed = _needed(self.value)
        others = [name for name in needed if name not in arguments]
        if others:
            raise InputError(
                f"{self.reference} needs arguments: {', '.join(others)}; give them defaults, "
                "or name a function that needs none"
            )
        with self.explained():
            return self.value(**{name: arguments[name] for name in needed})

    def explained(self) -> AbstractContextManager[None]:
        """Return a context that turns an exception in the user's code into a one-line error."""
        return _explained(self.reference, _file_of(self.value))


def explain(error: BaseException, plugins: Sequence[Plugin]) -> NeucbError:
    """Return the one-line error of an exception in the user's code.

    Args:
        error: exception in the user's code.
        plugins: plugins of the run, at least one; the message names the first whose file led to the error.
    """
    files = {os.path.realpath(one.filename) for one in traceback.extract_tb(error.__traceback__)}
    known = [(one.reference, _file_of(one.value)) for one in plugins]
    own = (one for one in known if one[1] is not None and os.path.realpath(one[1]) in files)
    reference, file = next(own, known[0])
    return NeucbError(_what(reference, file, error))


def find_agent(name: str) -> Recipe | Plugin:
    """Return the agent of a name: a recipe, a reference "file.py:Name", or an installed one.

    Raises:
        InputError: the name is unknown; the message suggests the nearest one.
    """
    recipe = named(name)
    if recipe is not None:
        return recipe
    found = _find(name, AGENTS)
    if found is None:
        raise unknown_name("agent", name, [*names_of_recipes(), *installed(AGENTS)])
    return found


def find_dataset(name: str) -> Plugin | None:
    """Return the data set of a reference "file.py:function" or an installed one; None for other names.

    Raises:
        InputError: the file, module or attribute of the reference does not exist.
    """
    return _find(name, DATASETS) if find_source(name) is None else None


def installed(group: str) -> dict[str, str]:
    """Return name -> reference of the entry points of a group in installed distributions."""
    return {point.name: point.value for point in entry_points(group=group)}


def _find(name: str, group: str) -> Plugin | None:
    if name.endswith(".py"):
        raise InputError(f"{name}: say which object of the file you mean: {name}:Name")
    where, _, attribute = name.rpartition(":")
    if where and attribute.isidentifier():
        return Plugin(attribute, name, _resolve(where, attribute))
    reference = installed(group).get(name)
    if reference is None:
        return None
    where, _, attribute = reference.partition(":")
    return Plugin(name, reference, _resolve(where, attribute))


def _resolve(where: str, attribute: str) -> Any:
    """Return an attribute of a file or module."""
    module = _file(Path(where)) if where.endswith(".py") else _module(where)
    if hasattr(module, attribute):
        return getattr(module, attribute)
    own = [one for one, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    raise InputError(f"{where}: {unknown_name('name', attribute, own)}")


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    return _loaded(path.resolve(), path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _loaded(path: Path, changed: int) -> ModuleType:
    """Return the module of a file; `changed`, its modification time, is a key of the cache."""
    name = f"neucb_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module
    _importable(path.parent)
    with _explained(path.name, str(path)):
        spec.loader.exec_module(module)
    return module


def _module(name: str) -> ModuleType:
    _importable(Path.cwd())
    with _explained(name, None):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise InputError(
                f"there is no module {error.name}; it must be installed, or lie in this folder"
            ) from None


def _importable(folder: Path) -> None:
    """Append a folder to the import path, as Python does for the folder of a script."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _needed(make: Any) -> list[str]:
    """Return the required arguments of a class or function."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except ValueError:  # built-in classes have no signature
        return []
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in parameters if one.default is one.empty and one.kind not in several]


def _file_of(value: Any) -> str | None:
    """Return the file of an object's code."""
    described = value if inspect.isclass(value) or inspect.isfunction(value) else type(value)
    try:
        return inspect.getsourcefile(described)
    except (TypeError, OSError):
        return None


@contextmanager
def _explained(reference: str, file: str | None) -> Iterator[None]:
    """Turn an exception of the user's code, `sys.exit` included, into a one-line error with its place."""
    try:
        yield
    except (NeucbError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise InputError(_what(reference, file, error)) from error


def _what(reference: str, file: str | None, error: BaseException) -> str:
    """Return the exception and the last line of the user's code in its traceback, as one line."""
    said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    words = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.basename(error.filename)}, line {error.lineno}: {words}"
    aside = ("<", str(Path(__file__).parents[1]) + os.sep)  # skip neucb's own lines
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith(aside)]
    real = os.path.realpath(file or "")
    own = [one for one in frames if os.path.realpath(one.filename) == real] or frames
    if not own:
        return f"{reference}: {words}"
    return f"{os.path.basename(own[-1].filename)}, line {own[-1].lineno}: {words}"
