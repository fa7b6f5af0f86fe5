"""Imports between the modules of neucb: lazy and typing imports included, links resolved."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import neucb

ROOT = Path(neucb.__file__).parent


@cache
def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    paths = {}
    for path in sorted(_files(ROOT)):
        parts = ("neucb", *path.relative_to(ROOT).with_suffix("").parts)
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return paths


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from _files(path)
        elif path.suffix == ".py":
            yield path


@cache
def imports() -> frozenset[tuple[str, str]]:
    """Return all pairs (importing module, imported module of neucb)."""
    known = modules()
    return frozenset(
        (name, other)
        for name, path in known.items()
        for other in _imported(path, name, known)
        if other != name
    )


def _imported(path: Path, name: str, known: dict[str, Path]) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                if inner in known:
                    yield inner
                elif base in known:
                    yield base


def cycles(edges: set[tuple[str, str]]) -> list[set[str]]:
    """Return the groups of nodes that reach each other, the strongly connected components."""
    reached = {node: _reached(node, edges) for edge in edges for node in edge}
    groups = {
        frozenset(other for other in reached[node] if node in reached[other])
        for node in reached
        if node in reached[node]
    }
    return [set(group) for group in groups]


def _reached(start: str, edges: set[tuple[str, str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        new = {to for source, to in edges if source == node} - seen
        seen |= new
        waiting += new
    return seen
