"""The command line: `neucb run`, `neucb agents`, `neucb datasets`."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neucb import __version__
from neucb.errors import InputError, NeucbError

if TYPE_CHECKING:
    from neucb.loop import Progress
    from neucb.runner import Run

INTERRUPTED = 130

app = typer.Typer(
    help="Contextual-bandit simulation and benchmarking.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
datasets_app = typer.Typer(rich_markup_mode=None)
app.add_typer(datasets_app, name="datasets", help="List the data sets.")


def main() -> None:
    """Run the command line; every known failure is one line on stderr and a non-zero exit code."""
    warnings.showwarning = _show_warning
    try:
        code = app(args=spread_settings(sys.argv[1:]), standalone_mode=False)
    except NeucbError as error:
        sys.exit(_fail(str(error), error.exit_code))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(_fail("interrupted", INTERRUPTED))
    except Exception as error:
        message = getattr(error, "format_message", None)  # a usage error of the parser
        if message is None:
            raise
        sys.exit(_fail(" ".join(message().split()), 2))
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    print(f"neucb: error: {message}", file=sys.stderr)
    return code


def _note(message: object) -> None:
    print(f"neucb: {message}", file=sys.stderr)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    _note(f"warning: {message}")


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


@app.command()
def run(
    agent: Annotated[str, typer.Option(help="Name; `neucb agents` lists them.")] = "kl-perturbed",
    dataset: Annotated[
        str, typer.Option(help="Name of the data set, or openml:<id>; `neucb datasets` lists them.")
    ] = "covertype",
    rounds: Annotated[
        int | None, typer.Option(help="Rounds T.  [default: 10000, or the rows there are]")
    ] = None,
    seeds: Annotated[str, typer.Option(help="5 (seeds 0 to 4), 10:20 (10 to 19) or 3,7.")] = "5",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE ...", help="Hyper-parameters.")
    ] = None,
    preprocessing: Annotated[
        str, typer.Option("--preprocess", help="Encoding of the features: standard or paper.")
    ] = "standard",
    label_noise: Annotated[float, typer.Option(help="Chance q that a label is replaced.")] = 0.0,
    source: Annotated[str, typer.Option(help="Where the data come from: auto, openml or bundled.")] = "auto",
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results/runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and no table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the paths of the results only.")] = False,
) -> None:
    """Play an agent on a data set, one replica per seed, and save log, manifest and regret plot."""
    from neucb.results import check_writable, save
    from neucb.runner import prepare
    from neucb.summary import plain, summary

    check_writable(out)
    job = prepare(
        agent,
        dataset,
        rounds,
        seeds,
        settings=parse_settings(settings or []),
        preprocessing=preprocessing,
        label_noise=label_noise,
        source=source,
        cache=openml_cache,
        device=device,
        notify=_note,
    )
    interrupted = _play(job, show=not (quiet or as_json))
    if job.log.round == 0:
        raise typer.Exit(INTERRUPTED)
    figures = summary(job)
    if as_json:
        print(json.dumps(plain(figures)))
    elif not quiet:
        _print_summary(figures)
    saved = save(job, out)
    if not as_json:
        for label, path in (("log", saved.log), ("manifest", saved.manifest), ("plot", saved.plot)):
            print(f"{label:9}{path}")
    if interrupted:
        _note(f"interrupted after round {job.log.round}; the results up to there are saved")
        raise typer.Exit(INTERRUPTED)


def parse_settings(words: Sequence[str]) -> dict[str, str]:
    """Return the settings of `--set key=value` words.

    Raises:
        InputError: a word without "=", or a name given twice.
    """
    settings: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise InputError(f"--set takes key=value, not '{word}'")
        if name in settings:
            raise InputError(f"--set gives '{name}' twice")
        settings[name] = value
    return settings


def _play(job: Run, *, show: bool) -> bool:
    """Play a run with a progress bar; return whether Ctrl-C ended it early."""
    try:
        with _progress_bar(job, show) as advance:
            job.play(advance)
    except KeyboardInterrupt:
        return True
    return False


@contextmanager
def _progress_bar(job: Run, show: bool) -> Iterator[Progress | None]:
    if not show:
        yield None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    spec = job.log.spec
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} rounds"),
        TextColumn("{task.fields[rate]:,.0f} rounds/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        words = f"{job.agent_name} on {job.environment['dataset']}, {spec.replicas} seeds"
        task = bar.add_task(words, total=spec.horizon, rate=0.0)
        started = shown = time.monotonic()

        def advance(played: int) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown > 0.1 or played == spec.horizon:
                shown = now
                bar.update(task, completed=played, rate=played * spec.replicas / (now - started))

        yield advance


def _print_summary(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"cumulative regret after {figures['rounds']:,} rounds", title_justify="left")
    table.add_column("played")
    table.add_column("mean regret", justify="right")
    table.add_column("95 % interval", justify="right")
    interval = figures["ci95"]
    shown = f"{interval[0]:,.1f} to {interval[1]:,.1f}" if interval else "one seed"
    table.add_row(figures["agent"], f"{figures['mean_regret']:,.1f}", shown)
    table.add_row("best fixed arm", f"{figures['best_fixed_arm']['mean']:,.1f}", "")
    table.add_row("uniform", f"{figures['uniform']:,.1f}", "")
    console = Console()
    console.print(table)
    print(
        f"{figures['dataset']} (source: {figures['source']}), {len(figures['seeds'])} seeds, "
        f"L* = {figures['L_star']:,.1f}, {figures['rounds_per_second']:,.0f} rounds/s of all seeds "
        f"together ({figures['engine']} engine, {figures['device']}, {figures['seconds']:.1f} s)"
    )


@app.command()
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
    _print_rows([(recipe.name, recipe.summary) for recipe in RECIPES.values()])


@datasets_app.callback(invoke_without_command=True)
def datasets(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List the data sets, one line each."""
    from neucb.environments.catalogue import catalogue

    rows = catalogue()
    if as_json:
        print(json.dumps([{"name": row.name, "summary": row.summary, "origin": row.origin} for row in rows]))
        return
    _print_rows([(row.name, row.summary) for row in rows])


def _print_rows(rows: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, summary in rows:
        print(f"{name:{width}}  {summary}")
