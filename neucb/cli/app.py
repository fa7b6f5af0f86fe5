"""The assembled command line and its error handling."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import typer.main

from neucb.cli import messages
from neucb.cli.agents import agents
from neucb.cli.bench import bench
from neucb.cli.datasets import datasets_app
from neucb.cli.diagnose import diagnose
from neucb.cli.messages import fail, warning_printer
from neucb.cli.options import PanelCommand
from neucb.cli.peers import peers
from neucb.cli.plot import plot
from neucb.cli.report import report
from neucb.cli.results import results
from neucb.cli.run import complete_trace, run
from neucb.cli.sweep import sweep
from neucb.cli.warmup import warmup
from neucb.core.errors import NeucbError, StoppedError
from neucb.core.files import check_text
from neucb.core.former_names import FORMER
from neucb.core.version import __version__

NO_COMMAND = 2  # exit code of `neucb` without a command, which in a script is a mistake

app = typer.Typer(
    help="Contextual-bandit simulation and benchmarking.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(cls=PanelCommand)(run)
app.command()(sweep)
app.command()(plot)
app.command()(results)
app.command()(report)
app.command()(agents)
app.command()(bench)
app.command()(peers)
app.command()(diagnose)
app.command()(warmup)
app.add_typer(datasets_app, name="datasets", help="List, show and fetch data sets.")


def main() -> None:
    """Run the command line; every known failure is one line on stderr and a non-zero exit code."""
    warnings.showwarning = warning_printer()
    messages.options.clear()
    messages.options.update(option_names(sys.argv[1:]))
    _escape_unencodable()
    try:
        for argument in sys.argv[1:]:
            check_text(argument, "the argument")
        code = app(args=complete_trace(spread_settings(sys.argv[1:])), standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        if code == StoppedError.exit_code:  # the parser's exit code for a KeyboardInterrupt
            raise KeyboardInterrupt
    except BrokenPipeError:  # the reader, such as `head`, closed the pipe
        _drop_output()
        sys.exit(1)
    except (Exception, KeyboardInterrupt) as error:
        known = explain(error)
        if known is None:
            raise
        if isinstance(error, OSError):
            _drop_output()
        sys.exit(fail(*known))
    sys.exit(code if isinstance(code, int) else 0)


def option_names(arguments: Sequence[str]) -> dict[str, str]:
    """Return argument -> option, in its longest spelling, of the command in a command line."""
    command: Any = typer.main.get_command(app)
    for argument in arguments:
        command = getattr(command, "commands", {}).get(argument, command)
    return {
        parameter.name: max(parameter.opts, key=len)
        for parameter in command.params
        if parameter.param_type_name == "option"
    }


def _renamed_option(error: BaseException) -> str | None:
    """Return the message for a renamed option; None for any other error."""
    name = str(getattr(error, "option_name", "")).lstrip("-").replace("-", "_")
    command = getattr(getattr(error, "ctx", None), "command", None)
    if name not in FORMER or command is None:
        return None
    options = {parameter.name: max(parameter.opts, key=len) for parameter in command.params}
    current = next((options[new] for new in FORMER[name] if new in options), None)
    return None if current is None else f"no such option '{error.option_name}': it is '{current}' now"  # type: ignore[attr-defined]


def explain(error: BaseException) -> tuple[str, int] | None:
    """Return the message and exit code of a known failure; None for a defect of neucb."""
    if isinstance(error, NeucbError):
        return str(error), error.exit_code
    if isinstance(error, typer.Abort | KeyboardInterrupt):
        return "interrupted", StoppedError.exit_code
    if isinstance(error, OSError):
        return f"cannot read or write {error.filename or 'the output'}: {error.strerror or error}", 1
    # torch has no error class for CPU memory
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error)):
        reason = " ".join(str(error).split())
        return f"out of memory: play fewer seeds at once or a smaller network ({reason})", 1
    renamed = _renamed_option(error)
    if renamed is not None:
        return renamed, 2
    usage = getattr(error, "format_message", None)  # an error of the parser
    return None if usage is None else (" ".join(usage().split()), 2)


def _escape_unencodable() -> None:
    """Print characters outside the terminal's encoding as escapes, so that no table fails."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Discard pending output, so that closing the stream does not fail again."""
    if sys.stdout is not None:  # None: closed at the start
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def spread_settings(arguments: Sequence[str]) -> list[str]:
    """Allow several settings after one `--set`: repeat it before every further key=value."""
    spread: list[str] = []
    in_settings = False
    for argument in arguments:
        follows = in_settings and "=" in argument and not argument.startswith("-")
        if follows and spread[-1] != "--set":
            spread.append("--set")
        spread.append(argument)
        in_settings = argument == "--set" or follows
    return spread


def _version(wanted: bool) -> None:
    if wanted:
        print(f"neucb {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Contextual-bandit simulation and benchmarking."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(NO_COMMAND)
