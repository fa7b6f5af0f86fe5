"""neucb agents."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from neucb.cli.messages import print_rows


def agents(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list with all details.")] = False,
) -> None:
    """List the agents, one line each; --json adds hyper-parameters with defaults and ranges."""
    from neucb.agents.recipes import RECIPES
    from neucb.summary import plain

    if as_json:
        rows = [
            {
                "name": recipe.name,
                "summary": recipe.summary,
                "source": recipe.source,
                "parameters": {
                    p.name: {"default": plain(p.default), "range": p.range, "help": p.help}
                    for p in recipe.parameters
                },
            }
            for recipe in RECIPES.values()
        ]
        print(json.dumps(rows))
        return
    print_rows([(recipe.name, recipe.summary) for recipe in RECIPES.values()])
