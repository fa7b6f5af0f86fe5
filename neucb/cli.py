"""The command line: `neucb run`, `neucb agents`, `neucb datasets`."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from neucb import __version__
from neucb.errors import DataError, InputError, NeucbError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neucb.environments.make import EnvironmentOptions
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
app.add_typer(datasets_app, name="datasets", help="List, show and fetch data sets.")


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
        list[str] | None,
        typer.Option(
            help="Name, openml:<id>, openml:<name>[@<version>], file or synthetic:<world>; lists (a,b) and "
            "globs (mfeat-*) "
            "play several.  [default: covertype]"
        ),
    ] = None,
    suite: Annotated[str | None, typer.Option(help="Play all sets of a suite: cc18 or bakeoff.")] = None,
    target: Annotated[
        str | None, typer.Option(help="Column to predict, of a file.  [default: the last]")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds T.  [default: 10000, or the rows there are]")
    ] = None,
    seeds: Annotated[str, typer.Option(help="5 (seeds 0 to 4), 10:20 (10 to 19) or 3,7.")] = "5",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE ...", help="Hyper-parameters.")
    ] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            "--preprocess", help="Encoding of the features: standard or paper.  [default: standard]"
        ),
    ] = None,
    label_noise: Annotated[float | None, typer.Option(help="Chance q that a label is replaced.")] = None,
    order: Annotated[
        str | None, typer.Option(help="Of the rows: shuffled, stored, sorted or weakest-class.")
    ] = None,
    drift: Annotated[
        str | None, typer.Option(metavar="ROUND,...", help="Permute the labels anew before these rounds.")
    ] = None,
    recycle: Annotated[
        bool, typer.Option("--recycle", help="Draw the rows again where rounds exceed them.")
    ] = False,
    cost: Annotated[
        Path | None, typer.Option(help="CSV file of K x K losses in [0, 1], labels down, arms across.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of a ranking file that names the query; its rows are the arms.")
    ] = None,
    arms: Annotated[
        int | None, typer.Option(help="Arms of a synthetic world; rows per round of a regression file.")
    ] = None,
    features: Annotated[int | None, typer.Option(help="Context dimension of a synthetic world.")] = None,
    delay: Annotated[int, typer.Option(help="Rounds by which the agent hears late of its losses.")] = 0,
    batch: Annotated[int, typer.Option(help="Rounds of whose losses the agent hears together.")] = 1,
    source: Annotated[
        str | None, typer.Option(help="Where the data come from: auto, openml or bundled.  [default: auto]")
    ] = None,
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="compiled, torch, or auto: compiled where it covers the run.")
    ] = "auto",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results/runs"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object (a list of several) and no table.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the paths of the results only.")] = False,
) -> None:
    """Play an agent on a data set, one replica per seed, and save log, manifest and regret plot.

    With several data sets each is played in turn; one that fails is named at the end, the exit code
    is then 1, and the others are not lost.
    """
    from neucb.agents.recipes import find_recipe
    from neucb.environments.catalogue import expand
    from neucb.results import check_writable
    from neucb.runner import prepare

    check_writable(out)
    given = list(dataset or []) or ([] if suite else ["covertype"])
    names = expand(given, suite)
    chosen = find_recipe(agent).settings(parse_settings(settings or []))
    options = {
        "preprocessing": preprocessing,
        "label_noise": label_noise,
        "order": order,
        "drift": parse_rounds(drift),
        "recycle": recycle or None,
        "cost": read_costs(cost),
        "group": group,
        "arms": arms,
        "features": features,
        "source": source,
        "cache": openml_cache,
        "target": target,
    }
    given_options = {name: value for name, value in options.items() if value is not None}
    environment = cast("EnvironmentOptions", given_options)
    output = Output(out, as_json=as_json, quiet=quiet, several=len(names) > 1)
    failed: dict[str, str] = {}
    for name in names:
        try:
            job = prepare(
                agent,
                name,
                rounds,
                seeds,
                settings=chosen,
                delay=delay,
                batch=batch,
                engine=engine,
                device=device,
                notify=_note,
                **environment,
            )
            output.play(job)
        except NeucbError as error:
            if len(names) == 1:
                raise
            failed[name] = str(error)
    output.finish()
    if failed:
        lines = "; ".join(f"{name}: {message}" for name, message in failed.items())
        raise NeucbError(f"{len(failed)} of {len(names)} data sets failed: {lines}")


class Output:
    """What a run shows and saves.

    Args:
        folder: for the results.
        as_json: print JSON and no table.
        quiet: print the paths of the results only.
        several: one table for all runs at the end instead of one after each.
    """

    def __init__(self, folder: Path, *, as_json: bool, quiet: bool, several: bool) -> None:
        self.folder = folder
        self.as_json = as_json
        self.quiet = quiet
        self.several = several
        self.figures: list[dict[str, Any]] = []

    def play(self, job: Run) -> None:
        """Play a run with a progress bar, show its figures, save it.

        Raises:
            typer.Exit: Ctrl-C ended it early; what was played is saved.
        """
        from neucb.results import save
        from neucb.summary import plain, summary

        interrupted = _play(job, show=not (self.quiet or self.as_json))
        if job.log.round == 0:
            raise typer.Exit(INTERRUPTED)
        self.figures.append(summary(job))
        if not self.several:
            if self.as_json:
                print(json.dumps(plain(self.figures[-1])))
            elif not self.quiet:
                _print_summary(self.figures[-1])
        saved = save(job, self.folder)
        if not self.as_json and (self.quiet or not self.several):
            for label, path in (("log", saved.log), ("manifest", saved.manifest), ("plot", saved.plot)):
                print(f"{label:9}{path}")
        if interrupted:
            if self.several:
                self.finish()
            _note(f"interrupted after round {job.log.round}; the results up to there are saved")
            raise typer.Exit(INTERRUPTED)

    def finish(self) -> None:
        """Show the table of several runs."""
        from neucb.summary import plain

        if not self.several or not self.figures:
            return
        if self.as_json:
            print(json.dumps(plain(self.figures)))
        elif not self.quiet:
            _print_table(self.figures)
            print(f"logs, manifests and plots: {self.folder}")


def parse_rounds(text: str | None) -> tuple[int, ...] | None:
    """Return the rounds of "1000,2000".

    Raises:
        InputError: something else than numbers.
    """
    if text is None:
        return None
    if not all(part.strip().isdecimal() for part in text.split(",")):
        raise InputError(f"--drift takes rounds with commas between, like 1000,2000, not '{text}'")
    return tuple(int(part) for part in text.split(","))


def read_costs(path: Path | None) -> NDArray[Any] | None:
    """Return the cost matrix of a CSV file without a header.

    Raises:
        DataError: the file is missing or holds something else than numbers.
    """
    if path is None:
        return None
    import numpy as np

    try:
        return np.loadtxt(path, delimiter=",", ndmin=2)
    except OSError:
        raise DataError(f"there is no file {path}") from None
    except ValueError as error:
        raise DataError(f"{path}: the cost matrix must be numbers with commas between: {error}") from None


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
        job.load()
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


def _print_table(figures: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{figures[0]['agent']}: cumulative regret", title_justify="left")
    table.add_column("data set")
    for column in ("rounds", "mean regret", "± 95 %", "best fixed arm", "uniform"):
        table.add_column(column, justify="right")
    for one in figures:
        interval = one["ci95"]
        table.add_row(
            one["dataset"],
            f"{one['rounds']:,}",
            f"{one['mean_regret']:,.1f}",
            f"{(interval[1] - interval[0]) / 2:,.1f}" if interval else "one seed",
            f"{one['best_fixed_arm']['mean']:,.1f}",
            f"{one['uniform']:,.1f}",
        )
    Console().print(table)


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
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List the data sets, one line each."""
    from neucb.environments.catalogue import catalogue

    if context.invoked_subcommand is not None:
        return
    rows = catalogue()
    if as_json:
        listed = [
            {"name": row.name, "summary": row.summary, "origin": row.origin, "suites": row.suites}
            for row in rows
        ]
        print(json.dumps(listed))
        return
    _print_rows([(row.name, row.summary) for row in rows])
    print(
        "\nand any other: openml:<id>, openml:<name>, openml:<name>@<version>, a file, or synthetic:<world>"
    )


@datasets_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the data set, or a file.")],
    target: Annotated[str | None, typer.Option(help="Column to predict, of a file.")] = None,
    source: Annotated[str, typer.Option(help="auto, openml or bundled.")] = "auto",
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show rows, classes, columns, missing values, licence and source of a data set."""
    from dataclasses import asdict

    from neucb.environments.catalogue import load_table
    from neucb.environments.describe import describe

    table = load_table(name, source=source, cache=openml_cache, target=target, notify=_note)
    facts = describe(table)
    if as_json:
        print(json.dumps(asdict(facts)))
        return
    shares = [f"{label} {share:.1%}" for label, share in facts.class_shares.items()]
    more = f", and {len(shares) - 10} more" if len(shares) > 10 else ""
    rows = [
        ("name", facts.name),
        ("source", facts.source),
        ("rows", f"{facts.rows:,}"),
        ("classes K", f"{facts.arms}: {', '.join(shares[:10])}{more}"),
        ("columns", f"{facts.numeric} numeric, {facts.nominal} nominal"),
        ("features d", f"{facts.features_standard} (standard), {facts.features_paper} (paper)"),
        ("missing", f"{facts.missing:,} values"),
        ("best fixed arm", f"loses {facts.best_fixed_arm:.2%} of the rounds"),
    ]
    _print_rows(rows + [(key.replace("_", " "), str(value)) for key, value in facts.provenance.items()])


@datasets_app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names, lists, globs.")] = None,
    suite: Annotated[str | None, typer.Option(help="All sets of a suite: cc18 or bakeoff.")] = None,
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
) -> None:
    """Download data sets into the OpenML cache, three at a time; what is there is kept."""
    from rich.console import Console
    from rich.progress import Progress

    from neucb.environments.catalogue import expand
    from neucb.environments.fetch import fetch as fetch_all

    wanted = expand(names or [], suite)
    if not wanted:
        raise InputError("name the data sets to fetch, or a --suite")
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("fetching", total=len(wanted))
        failed = fetch_all(wanted, openml_cache, notify=_note, progress=lambda name: bar.advance(task))
    print(f"{len(wanted) - len(failed)} of {len(wanted)} data sets are in the cache")
    if failed:
        raise NeucbError("; ".join(failed.values()))


def _print_rows(rows: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, summary in rows:
        print(f"{name:{width}}  {summary}")
