"""Layout: top-level folders, packages under neucb, imports from lower levels only."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from tests.support.imports import cycles, imports, modules
from tests.support.paths import ROOT, TESTS

MAINTAINERS = {"neucb.benchmarks.maintenance", "neucb.experiments.studies"}  # run from a checkout
FOLDERS = ("agents", "benchmarks", "environments", "experiments")


@pytest.mark.parametrize("folder", FOLDERS)
def test_links_lead_to_the_top_level_folders(folder: str) -> None:
    link = ROOT / "neucb" / folder
    assert link.is_symlink()
    assert link.readlink() == Path("..") / folder
    assert (ROOT / folder / "__init__.py").is_file()


def test_pyproject_maps_folders_to_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tool = project["tool"]["setuptools"]
    mapped = {f"neucb.{folder}": folder for folder in FOLDERS} | {"neucb": "neucb"}
    assert tool["package-dir"] == mapped
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    assert sorted(tool["packages"]) == sorted(packages - MAINTAINERS)


LEVELS = (
    ("core",),
    ("kernels", "statistics"),
    ("agents", "environments"),
    ("engines", "theory"),
    ("runs",),
    ("plots", "sweeps", "testing"),
    ("benchmarks", "experiments", "report"),
    ("cli",),
    ("__main__",),
)
LEVEL = {unit: level for level, units in enumerate(LEVELS) for unit in units}


def test_every_unit_has_a_level() -> None:
    assert {name.split(".")[1] for name in modules() if name != "neucb"} == set(LEVEL)


def test_units_import_lower_levels_only() -> None:
    upward = [
        f"{name} imports {other}"
        for name, other in sorted(imports())
        if name != "neucb"
        and (other == "neucb" or name.split(".")[1] != other.split(".")[1])
        and (other == "neucb" or LEVEL[name.split(".")[1]] <= LEVEL[other.split(".")[1]])
    ]
    assert not upward, "\n".join(upward)


def test_the_package_has_no_loose_modules() -> None:
    loose = {name for name, path in modules().items() if path.parent.name == "neucb"} - {"neucb"}
    assert loose == {"neucb.__main__"}


def test_class_names_are_unique() -> None:
    names = [
        node.name
        for path in modules().values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def _children(package: str) -> set[tuple[str, str]]:
    """Return the imports between the modules and folders directly in a package."""
    depth = package.count(".") + 2
    below = [edge for edge in imports() if all(name.startswith(f"{package}.") for name in edge)]
    pairs = {tuple(".".join(name.split(".")[:depth]) for name in edge) for edge in below}
    return {(name, other) for name, other in pairs if name != other}


@pytest.mark.parametrize("package", sorted(n for n, p in modules().items() if p.name == "__init__.py"))
def test_parts_of_a_package_have_no_import_cycle(package: str) -> None:
    if package != "neucb":
        assert not cycles(_children(package))


def test_importing_the_command_line_loads_no_heavy_library() -> None:
    code = (
        "import sys, neucb.cli\n"
        "heavy = {'torch', 'openml', 'pandas', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr


def test_constraints_pin_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    assert {requirement.split(">=")[0].lower() for requirement in requirements} <= pinned


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_tests_import_only_from_support(path: Path) -> None:
    nodes = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom | ast.Import)
    ]
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in nodes)
    names = [getattr(node, "module", None) or alias.name for node in nodes for alias in node.names]
    assert [
        name
        for name in names
        if name.split(".")[0] == "tests" and not f"{name}.".startswith("tests.support.")
    ] == []
