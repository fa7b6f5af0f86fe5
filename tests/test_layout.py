"""The layout that DESIGN promises: folders at the top, packages under neucb, imports one way."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("agents", "benchmarks", "environments", "experiments")


@pytest.mark.parametrize("folder", FOLDERS)
def test_link_leads_to_the_folder_at_the_top(folder: str) -> None:
    link = ROOT / "neucb" / folder
    assert link.is_symlink()
    assert link.readlink() == Path("..") / folder
    assert (ROOT / folder / "__init__.py").is_file()


def test_build_maps_the_folders() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tool = project["tool"]["setuptools"]
    mapped = {f"neucb.{folder}": folder for folder in FOLDERS} | {"neucb": "neucb"}
    assert tool["package-dir"] == mapped
    found = (path.parent.relative_to(ROOT) for path in (ROOT / "neucb").rglob("__init__.py"))
    own = {".".join(folder.parts) for folder in found}
    assert sorted(tool["packages"]) == sorted(mapped.keys() | own)


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return names


# Lower layers know nothing of higher ones: agents and environments do not know each other, nor the runner.
# Kernels, loops over arrays, are below both; of them they know the constants.
FOUNDATION = {"neucb.errors", "neucb.spec", "neucb.streams"}
KERNELS = "neucb.engines.kernels"


@pytest.mark.parametrize("folder", ["agents", "environments"])
def test_imports_point_downwards(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for name in _imports(path):
            if name == "neucb" or name.startswith("neucb."):
                below = name in FOUNDATION or name.startswith(KERNELS)
                assert below or name.startswith(f"neucb.{folder}"), f"{path.name}: {name}"


def test_kernels_know_constants_alone() -> None:
    for path in (ROOT / "neucb" / "engines" / "kernels").glob("*.py"):
        for name in _imports(path):
            if name.startswith("neucb"):
                constants = {"neucb.agents", "neucb.agents.constants"}
                orders = {"neucb.environments", "neucb.environments.orders"}
                assert name in constants | orders or name.startswith(KERNELS), f"{path.name}: {name}"


def test_help_needs_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, neucb.cli\n"
        "heavy = {'torch', 'openml', 'pandas', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_constraints_pin_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    assert {need.split(">=")[0].lower() for need in wanted} <= pinned
