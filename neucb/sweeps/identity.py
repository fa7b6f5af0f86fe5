"""Identity of a result: a hash of all code and of all values that determine its numbers."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.json_values import digest
from neucb.core.provenance import library_version

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe

PACKAGE = Path(__file__).parents[1]
PLAYING = ("neucb.runs.preparation", "neucb.engines.compiled.engine", "neucb.engines.lockstep.loop")
BATCHES = tuple(
    f"neucb.{module}"
    for module in (
        *("sweeps.plan", "sweeps.play.batch", "sweeps.play.data", "sweeps.play.estimate"),
        *("sweeps.play.warnings", "runs.log_table", "core.json_values"),
    )
)
FITTING = ("neucb.theory.best_in_class", "neucb.environments.make")
# Modules with the rows of all recipes: a hash covers the row of its own recipe instead.
ROWS = tuple(f"neucb.agents.recipes.{module}" for module in ("registry", "network", "linear"))
WORDS = ("summary", "source", "help", "formula", "aliases")  # fields of a row that affect no number
LIBRARIES = ("numpy", "numba", "torch")


@cache
def code_version(recipe: Recipe | None = None) -> str:
    """Return the hash of the code that plays an agent, and of the versions of its numerical libraries.

    The code is the import closure of play and of the recipe's parts, imports within functions included, and
    the recipe's own row. The rows of other recipes, the command line, plots and tables do not count, nor do
    comments and docstrings.

    Args:
        recipe: recipe of the agent; None for the user's own code, which may use any part and any recipe.
    """
    libraries = {name: library_version(name) for name in LIBRARIES}
    return digest([_code_of(files_of(recipe)), _row(recipe), libraries])


def files_of(recipe: Recipe | None) -> set[Path]:
    """Return the files that `code_version` covers."""
    parts = modules("neucb.agents") if recipe is None else part_modules(recipe)
    rows = () if recipe is None else ROWS
    return closure((*PLAYING, *parts), rows) | {_file(module) for module in BATCHES}


@cache
def fit_version() -> str:
    """Return the hash of the code that fits a model class, and of the versions of its numerical libraries.

    Agents and engines do not count: nothing is played, and the batch names the class.
    """
    files = closure(FITTING, ROWS, skipped=("neucb.agents", "neucb.engines"))
    files |= {_file(module) for module in BATCHES}
    return digest([_code_of(files), {name: library_version(name) for name in ("numpy", "torch")}])


def part_modules(recipe: Recipe) -> set[str]:
    """Return the modules that define the parts of a recipe and of its experts."""
    parts = (recipe.kind, recipe.oracle, recipe.loss, recipe.rule, recipe.wrapper)
    makers = (getattr(part, "make", part) for part in parts if part is not None)
    found = {str(maker.__module__) for maker in makers}
    return found.union(*(part_modules(expert) for expert in recipe.experts))


def _row(value: Any) -> Any:
    """Return a recipe's row as JSON-like values: parts by name, parameters without their descriptions."""
    if isinstance(value, type):
        return value.__qualname__
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    if is_dataclass(value):
        return {one.name: _row(getattr(value, one.name)) for one in fields(value) if one.name not in WORDS}
    return [_row(one) for one in value] if isinstance(value, tuple) else value


def closure(starts: Iterable[str], without: Collection[str], skipped: tuple[str, ...] = ()) -> set[Path]:
    """Return the files of modules of neucb, of their packages, of the modules they import, and so on.

    Args:
        starts: names of modules.
        without: names of modules to leave out.
        skipped: names of packages to leave out.
    """
    found: set[str] = set()
    waiting = [*starts]
    while waiting:
        module = waiting.pop()
        if module not in found and module not in without and not module.startswith(skipped or "?"):
            found.add(module)
            waiting += _imported(module)
            package = module.rpartition(".")[0]
            waiting += [package] if package.count(".") else []
    return {_file(module) for module in found}


@cache
def _imported(module: str) -> tuple[str, ...]:
    """Return the modules of neucb that a module imports, except imports for type checkers."""
    return tuple(dict.fromkeys(_imports(ast.parse(_file(module).read_text(encoding="utf-8")))))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "neucb":
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in modules() else str(node.module) for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())


@cache
def modules(package: str = "neucb") -> frozenset[str]:
    """Return the names of all modules of a package."""
    start = PACKAGE.joinpath(*package.split(".")[1:])
    paths = (path.relative_to(PACKAGE).with_suffix("").parts for path in start.rglob("*.py"))
    paths = (path[:-1] if path[-1] == "__init__" else path for path in paths)
    return frozenset(".".join(("neucb", *path)) for path in paths)


def _file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _code_of(files: Iterable[Path]) -> list[str]:
    return [_code_of_file(path) for path in sorted(files)]


@cache
def _code_of_file(path: Path) -> str:
    return code_hash([path.read_text(encoding="utf-8")])


def code_hash(texts: Iterable[str]) -> str:
    """Return the hash of Python sources, independent of comments, docstrings and layout."""
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
