"""app: the commands put together, and how failures end."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from neucb import __version__
from neucb.cli.agents import agents
from neucb.cli.bench import bench
from neucb.cli.datasets import datasets_app
from neucb.cli.messages import INTERRUPTED, fail, show_warning
from neucb.cli.run import run
from neucb.cli.sweep import sweep
from neucb.errors import NeucbError

app = typer.Typer(
    help="Contextual-bandit simulation and benchmarking.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(sweep)
app.command()(agents)
app.command()(bench)
app.add_typer(datasets_app, name="datasets", help="List, show and fetch data sets.")


def main() -> None:
    """Run the command line; every known failure is one line on stderr and a non-zero exit code."""
    warnings.showwarning = show_warning
    try:
        code = app(args=spread_settings(sys.argv[1:]), standalone_mode=False)
    except NeucbError as error:
        sys.exit(fail(str(error), error.exit_code))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(fail("interrupted", INTERRUPTED))
    except Exception as error:
        message = getattr(error, "format_message", None)  # a usage error of the parser
        if message is None:
            raise
        sys.exit(fail(" ".join(message().split()), 2))
    sys.exit(code if isinstance(code, int) else 0)


def spread_settings(arguments: Sequence[str]) -> list[str]:
    """Let one `--set` take several settings: repeat it before every further key=value."""
    spread: list[str] = []
    setting = False
    for word in arguments:
        follows = setting and "=" in word and not word.startswith("-")
        if follows and spread[-1] != "--set":
            spread.append("--set")
        spread.append(word)
        setting = word == "--set" or follows
    return spread


def _version(wanted: bool) -> None:
    if wanted:
        print(f"neucb {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Contextual-bandit simulation and benchmarking."""
