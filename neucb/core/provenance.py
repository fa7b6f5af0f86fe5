"""Provenance of a result: library versions, source files, commit and machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

LIBRARIES = ("neucb", "numpy", "pandas", "pyarrow", "torch", "numba", "gymnasium", "scikit-learn", "openml")


def provenance() -> dict[str, Any]:
    """Return versions, source hash, commit and machine as JSON values."""
    return {
        "versions": {name: library_version(name) for name in LIBRARIES}
        | {"python": platform.python_version()},
        "source_sha256": source_hash(),
        "commit": commit(),
        "machine": {
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
        },
    }


@cache
def library_version(name: str) -> str | None:
    """Return the version of a library, or None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def source_hash() -> str:
    """Return the SHA-256 hash of the names and contents of all Python files of the package."""
    package = Path(__file__).parents[1]
    folders = os.walk(package, followlinks=True)
    paths = sorted(
        Path(folder, name) for folder, _, names in folders for name in names if name.endswith(".py")
    )
    total = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        total.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return total.hexdigest()


@cache
def commit() -> str | None:
    """Return the Git commit of the checkout that neucb runs from, or None for an installed package."""
    folder = Path(__file__).resolve().parent
    try:
        described = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        tracked = subprocess.run(
            ["git", "-C", str(folder), "ls-files", "--error-unmatch", __file__],
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() if tracked.returncode == 0 else None
