"""Identity: the hash that names a result is made of everything that decides its numbers."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from neucb.core.json_values import digest
from neucb.core.provenance import library_version

PACKAGES = ("agents", "core", "engines", "environments", "kernels")
MODULES = (
    "runs/api.py",
    "runs/log_table.py",
    "runs/resolved_agent.py",
    "runs/run.py",
    "sweeps/plan.py",
    "sweeps/play/batch.py",
    "sweeps/play/data.py",
)
FITTING = (
    "core/constants.py",
    "core/metrics.py",
    "core/random.py",
    "core/spec.py",
    "core/threads.py",
    "engines/log.py",
    "runs/api.py",
    "runs/run.py",
    "sweeps/hindsight.py",
    "sweeps/play/batch.py",
    "sweeps/play/class_fit.py",
    "sweeps/play/data.py",
    "theory/fitting.py",
    "theory/hindsight.py",
)
LIBRARIES = ("numpy", "numba", "torch")


@cache
def code_version() -> str:
    """Return the hash of all code that computes numbers, and of the libraries it computes with.

    Agents, engines, environments, the loop and what hands a batch to it count; the command line, plots
    and tables do not, nor do comments and docstrings.
    """
    root = Path(__file__).parents[1]
    files = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    texts = [path.read_text(encoding="utf-8") for path in (*files, *(root / name for name in MODULES))]
    return digest([code_hash(texts), {name: library_version(name) for name in LIBRARIES}])


@cache
def fit_version() -> str:
    """Return the hash of all code that computes a fit in hindsight, and of the libraries it computes with.

    Of agents and engines there are the constants alone: nothing is played, and the class is named by the
    batch.
    """
    root = Path(__file__).parents[1]
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
