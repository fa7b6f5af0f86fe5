"""Markers derived from the modules that a test uses."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType

import pytest

USES = {
    "subprocess": {"subprocess"},
    "openml": {"tests.support.openml_cache", "tests.support.openml_server"},
}


def markers(item: pytest.Function) -> set[str]:
    """Return the markers of USES for a test, its fixtures and its helpers in tests/."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    functions = [item.function, *(fixture.func for definitions in fixtures for fixture in definitions)]
    used = {module for function in functions for module in modules(function)}
    return {marker for marker, marked in USES.items() if used & marked}


def modules(function: object) -> set[str]:
    """Return the modules whose members a function of tests/ uses, directly or through other functions."""
    used: set[str] = set()
    seen: set[int] = set()
    waiting = [function]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, ModuleType):
            used.add(value.__name__)
            continue
        module_name = getattr(value, "__module__", None) or ""
        used.add(module_name)
        if module_name.startswith("tests."):
            if isinstance(value, type):
                waiting += vars(value).values()
            elif isinstance(value, FunctionType):
                names = set(_names(value.__code__))
                reached = [value.__globals__[name] for name in names & value.__globals__.keys()]
                namespaces = [
                    vars(module)
                    for module in reached
                    if isinstance(module, ModuleType) and module.__name__.startswith("tests.")
                ]
                waiting += [
                    *reached,
                    *(members[name] for members in namespaces for name in names & members.keys()),
                ]
    return used


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
