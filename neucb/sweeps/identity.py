"""Identity: the hash that names a result is made of everything that decides its numbers."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import neucb
from neucb.provenance import library_version
from neucb.summary import plain

PACKAGES = ("agents", "engines", "environments")
MODULES = (
    "candidate.py",
    "episodes.py",
    "figures.py",
    "foreseen.py",
    "hindsight.py",
    "job.py",
    "log.py",
    "loop.py",
    "played.py",
    "rewards.py",
    "runner.py",
    "spec.py",
    "step_info.py",
    "streams.py",
    "stuck.py",
    "sweeps/data.py",
    "sweeps/plan.py",
    "sweeps/play.py",
    "threads.py",
)
FITTING = (
    "agents/constants.py",
    "figures.py",
    "job.py",
    "log.py",
    "rewards.py",
    "runner.py",
    "spec.py",
    "step_info.py",
    "streams.py",
    "sweeps/data.py",
    "sweeps/hindsight.py",
    "sweeps/play.py",
    "theory/fitting.py",
    "theory/hindsight.py",
    "threads.py",
)
LIBRARIES = ("numpy", "numba", "torch")


def digest(content: Any) -> str:
    """Return the hash of JSON-like content, 16 hexadecimal digits."""
    text = json.dumps(plain(content), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_version() -> str:
    """Return the hash of all code that computes numbers, and of the libraries it computes with.

    Agents, engines, environments, the loop and what hands a batch to it count; the command line, plots
    and tables do not, nor do comments and docstrings.
    """
    root = Path(neucb.__file__).parent
    files = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    texts = [path.read_text(encoding="utf-8") for path in (*files, *(root / name for name in MODULES))]
    return digest([code_hash(texts), {name: library_version(name) for name in LIBRARIES}])


@cache
def fit_version() -> str:
    """Return the hash of all code that computes a fit in hindsight, and of the libraries it computes with.

    Of agents and engines there are the constants alone: nothing is played, and the class is named by the
    batch.
    """
    root = Path(neucb.__file__).parent
    files = [*sorted((root / "environments").rglob("*.py")), *(root / name for name in FITTING)]
    texts = [path.read_text(encoding="utf-8") for path in files]
    return digest([code_hash(texts), {name: library_version(name) for name in ("numpy", "torch")}])


def code_hash(texts: Iterable[str]) -> str:
    """Return the hash of Python sources, the same where only comments, docstrings or layout differ."""
    total = hashlib.sha256()
    for text in texts:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
                node, False
            ):
                del node.body[0]
        total.update(ast.dump(tree).encode())
    return total.hexdigest()
