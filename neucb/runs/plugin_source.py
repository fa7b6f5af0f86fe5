"""Source files of the user's own code, and their checksums."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

INSTALLED = ("site-packages", "dist-packages")


def checksums(file: Path, package: str = "") -> dict[str, str]:
    """Return the SHA-256 of a source file and of the files that it imports, by path relative to its root.

    Only the user's own files count: those of the package for a module of a package, else those in the
    file's folder and below. The imported modules must be loaded.

    Args:
        file: path of the source.
        package: package of the file's module, "" for a module outside packages.
    """
    root = file.resolve().parent
    for _ in package.split(".")[1:]:
        root = root.parent
    found: dict[Path, None] = {}
    waiting: list[tuple[Path, str]] = [(file.resolve(), package)]
    while waiting:
        path, inside = waiting.pop()
        if path in found:
            continue
        found[path] = None
        for module in _imported(path, inside):
            other = Path(getattr(module, "__file__", None) or "").resolve()
            if other.suffix == ".py" and other.is_relative_to(root) and _own(other, root):
                waiting.append((other, module.__package__ or ""))
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (file.resolve(), *sorted(set(found) - {file.resolve()}))
    }


def _own(path: Path, root: Path) -> bool:
    """Return whether a file below a root does not belong to another distribution."""
    return root.name not in INSTALLED and not set(INSTALLED) & set(path.relative_to(root).parts)


def _imported(path: Path, package: str) -> Iterator[ModuleType]:
    """Return the loaded modules named in a file's import statements."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names = [base, *(f"{base}.{one.name}" for one in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            for depth in range(len(parts)):
                if (module := sys.modules.get(".".join(parts[: depth + 1]))) is not None:
                    yield module
