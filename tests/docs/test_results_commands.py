"""The commands in results/ parse, and their agents, settings and data sets exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from neucb.agents.recipes.registry import find_recipe
from neucb.cli.app import app, spread_settings
from neucb.cli.run import complete_trace, parse_settings
from tests.support.paths import ROOT

pytestmark = pytest.mark.docs

PAGES = sorted((ROOT / "results").rglob("README.md"))
COMMANDS = [
    pytest.param(command, id=f"{page.parent.name}-{number}")
    for page in PAGES
    for number, command in enumerate(re.findall(r"^\s+(neucb .*)$", page.read_text(), flags=re.MULTILINE))
]


def parse(arguments: list[str]) -> dict[str, Any]:
    """Return the parameters of a command line without running it."""
    command: Any = typer.main.get_command(app)
    while arguments and arguments[0] in getattr(command, "commands", {}):
        command = command.commands[arguments.pop(0)]
    values: dict[str, Any] = command.make_context(command.name, arguments, resilient_parsing=False).params
    return values


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_parses(command: str) -> None:
    arguments = shlex.split(command, comments=True)[1:]
    values = parse(complete_trace(spread_settings(arguments)))
    agents = values.get("agent") or ()
    agents = agents if isinstance(agents, (list, tuple)) else [agents]
    settings = parse_settings(values.get("settings") or [])
    for text in agents:
        for agent in str(text).split(","):
            name, *pairs = agent.split(":")
            if not name.endswith((".py", ".safetensors")) and Path(name).suffix == "":
                find_recipe(name).settings(settings | dict(pair.split("=") for pair in pairs))
