"""neucb agents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neucb.cli.messages import print_rows

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe


def agents(
    name: Annotated[str | None, typer.Argument(help="Agent to show with all details.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list with all details.")] = False,
) -> None:
    """List the agents, one line each; NAME or --json shows formula, source and hyper-parameters."""
    from neucb.agents.recipes.registry import RECIPES, find_recipe
    from neucb.runs.plugins import AGENTS, installed

    recipes = list(RECIPES.values()) if name is None else [find_recipe(name)]
    if as_json:
        print(json.dumps([_details(recipe) for recipe in recipes]))
    elif name is not None:
        _print_details(recipes[0])
    else:
        print_rows([(recipe.name, _summary(recipe)) for recipe in recipes])
        plugins = installed(AGENTS)
        if plugins:
            print("\ninstalled plugins:")
            print_rows(list(plugins.items()))


def _summary(recipe: Recipe) -> str:
    return f"{recipe.summary}; alias {', '.join(recipe.aliases)}" if recipe.aliases else recipe.summary


def _details(recipe: Recipe) -> dict[str, Any]:
    from neucb.core.json_values import plain

    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "aliases": list(recipe.aliases),
        "formula": recipe.formula,
        "source": recipe.source,
        "parameters": {
            p.name: {"default": plain(p.default), "range": p.range, "help": p.help} for p in recipe.parameters
        },
    }


def _print_details(recipe: Recipe) -> None:
    from rich.table import Table

    from neucb.core.terminal import show_table

    print_rows([("agent", recipe.name), ("", _summary(recipe)), ("source", recipe.source)])
    for i, part in enumerate(recipe.formula.split("; ")):
        print(f"{'' if i else 'formula':7} {part}")
    if not recipe.parameters:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("--set", "default", "range", "meaning"):
        table.add_column(column)
    for p in recipe.parameters:
        default = f"{p.default:g}" if isinstance(p.default, float) else str(p.default)
        table.add_row(p.name, default, p.interval, p.help)
    print()
    show_table(table)
