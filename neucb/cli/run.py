"""neucb run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from neucb.cli.messages import note
from neucb.cli.options import (
    AGENT,
    DATA,
    DTYPE_HELP,
    ENGINE,
    FEEDBACK,
    LABEL_NOISE_HELP,
    ORDER_HELP,
    OUTPUT,
    PREPROCESSING_HELP,
    SEEDS_HELP,
    SOURCE_HELP,
    SUITE_HELP,
    Columns,
    Decimal,
    Header,
    OpenmlCache,
    Separator,
    Strict,
    Target,
    reading_options,
)
from neucb.cli.output import Output
from neucb.core.collection import suspended
from neucb.core.errors import InputError, NeucbError, StoppedError

if TYPE_CHECKING:
    from neucb.engines.trace import Wanted
    from neucb.environments.make import EnvironmentOptions

PLAYED: Final = "played"  # value of --trace without one
FULL: Final = "full"


@suspended()
def run(
    agent: Annotated[
        str,
        typer.Option(
            rich_help_panel=AGENT,
            help="Agent: a name of `neucb agents`; your own, file.py:Name or package.module:Name; or a "
            "trained one to continue, a file of --save-agent.",
        ),
    ] = "kl-perturbed",
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=DATA,
            help="Data set: a name, openml:<id>, openml:<name>[@<version>], a file, synthetic:<world>, or "
            "your own function, file.py:name or package.module:name; several as lists (a,b) and globs "
            "(mfeat-*).  [default: covertype]",
        ),
    ] = None,
    suite: Annotated[str | None, typer.Option(rich_help_panel=DATA, help=SUITE_HELP)] = None,
    target: Target = None,
    columns: Columns = None,
    header: Header = None,
    decimal: Decimal = None,
    separator: Separator = None,
    strict: Strict = False,
    rounds: Annotated[
        int | None,
        typer.Option(rich_help_panel=DATA, help="Rounds T.  [default: 10000, at most the number of rows]"),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA,
            help=f"{SEEDS_HELP}  [default: 5, or those of a trained agent]",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            rich_help_panel=AGENT,
            metavar="KEY=VALUE ...",
            help="Hyper-parameters of the agent: one value, or one per seed (gamma=10,50).",
        ),
    ] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            "--preprocessing",
            rich_help_panel=DATA,
            help=f"{PREPROCESSING_HELP}  [default: standard]",
        ),
    ] = None,
    label_noise: Annotated[
        float | None, typer.Option(rich_help_panel=DATA, help=f"{LABEL_NOISE_HELP}  [default: 0]")
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(rich_help_panel=DATA, help=f"{ORDER_HELP}  [default: shuffled]"),
    ] = None,
    drift: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA,
            metavar="ROUND,...",
            help="Rounds before which the labels are permuted anew.",
        ),
    ] = None,
    recycle: Annotated[
        bool,
        typer.Option(
            "--recycle",
            rich_help_panel=DATA,
            help="Repeat the rows, in a new order, if T exceeds their number.",
        ),
    ] = False,
    cost: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=DATA,
            help="CSV file of a K x K loss matrix in [0, 1]: a row per label, a column per arm; names are "
            "optional.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA, help="Query column of a ranking file; the rows of a query are the arms."
        ),
    ] = None,
    arms: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=DATA, help="Arms K of a synthetic world; rows per round of a regression file."
        ),
    ] = None,
    features: Annotated[
        int | None, typer.Option(rich_help_panel=DATA, help="Context dimension d of a synthetic world.")
    ] = None,
    reward_range: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA,
            metavar="LOW,HIGH",
            help="Reward range of your own environment, mapped to [0, 1].",
        ),
    ] = None,
    delay: Annotated[int, typer.Option(rich_help_panel=FEEDBACK, help="Feedback delay in rounds.")] = 0,
    feedback_batch: Annotated[
        int, typer.Option(rich_help_panel=FEEDBACK, help="Feedback batch size in rounds.")
    ] = 1,
    source: Annotated[
        str | None,
        typer.Option(rich_help_panel=DATA, help=f"{SOURCE_HELP}  [default: auto]"),
    ] = None,
    openml_cache: OpenmlCache = None,
    engine: Annotated[
        str,
        typer.Option(
            rich_help_panel=ENGINE,
            help="Engine: compiled, torch, or auto (compiled where it supports the run).",
        ),
    ] = "auto",
    device: Annotated[str, typer.Option(rich_help_panel=ENGINE, help="Device: cpu or cuda.")] = "cpu",
    dtype: Annotated[str, typer.Option(rich_help_panel=ENGINE, help=DTYPE_HELP)] = "float32",
    trace: Annotated[
        str | None,
        typer.Option(
            "--trace",
            rich_help_panel=OUTPUT,
            metavar="[full]",
            help="Save row, action, propensity, loss and label of every round; full adds the probabilities "
            "and predicted losses of all arms.",
        ),
    ] = None,
    best_in_class: Annotated[
        bool,
        typer.Option(
            "--best-in-class",
            rich_help_panel=OUTPUT,
            help="Fit the best policy of the agent's class after the run; implies --trace.",
        ),
    ] = False,
    save_agent: Annotated[
        Path | None,
        typer.Option(rich_help_panel=OUTPUT, help="File for the trained agent, .safetensors (torch engine)."),
    ] = None,
    out: Annotated[Path, typer.Option(rich_help_panel=OUTPUT, help="Folder for the results.")] = Path(
        "results/runs"
    ),
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            rich_help_panel=OUTPUT,
            help="Print one JSON object, a list for several data sets, and no table.",
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", rich_help_panel=OUTPUT, help="Print the paths of the results only.")
    ] = False,
) -> None:
    """Play an agent on a data set, one replica per seed, and save log, manifest and regret plot.

    Several data sets are played in turn; failures are listed at the end, the exit code is then 1, and the
    other runs are kept. A run stored in the folder, of the same configuration and code, is not played again.
    """
    from neucb.core.files import check_file, check_writable
    from neucb.environments.classification import ClassificationVectorEnv
    from neucb.environments.cost_file import read_costs
    from neucb.environments.feedback import cost_order
    from neucb.environments.sources.catalogue import expand
    from neucb.environments.table import announce
    from neucb.runs.plugins import DATASETS, installed
    from neucb.runs.preparation import prepare_run
    from neucb.runs.request import RunRequest
    from neucb.runs.resolved_agent import SAVED, resolve_agent
    from neucb.sweeps.store.read_results import is_sweep

    check_writable(out)
    if is_sweep(out):
        raise InputError(f"{out} is the folder of a sweep; name another one with out=...")
    traced = parse_trace(trace) or best_in_class
    patterns = list(dataset or []) or ([] if suite else ["covertype"])
    names = expand(patterns, suite, installed(DATASETS))
    given_settings = parse_settings(settings or [])
    resolve_agent(agent, given_settings)  # raise errors of the agent before loading data
    if save_agent is not None and len(names) > 1:
        raise InputError("--save-agent keeps the agent of one data set; name one")
    if save_agent is not None:
        if save_agent.suffix != SAVED:
            raise InputError(f"--save-agent takes a {SAVED} file, not {save_agent}")
        check_file(save_agent, "save_agent=...")
    options = {
        "preprocessing": preprocessing,
        "label_noise": label_noise,
        "order": order,
        "drift": parse_rounds(drift),
        "recycle": recycle or None,
        "cost": None if cost is None else read_costs(cost),
        "group": group,
        "arms": arms,
        "features": features,
        "reward_range": parse_range(reward_range),
        "source": source,
        "openml_cache": openml_cache,
        "strict": strict or None,
        **reading_options(target, columns, header, decimal, separator),
    }
    given_options = {name: value for name, value in options.items() if value is not None}
    request = RunRequest(
        agent,
        rounds=rounds,
        seeds=seeds,
        settings=given_settings,
        delay=delay,
        feedback_batch=feedback_batch,
        engine=engine,
        device=device,
        dtype=dtype,
        keep_agent=save_agent is not None,
        trace=traced,
        environment=cast("EnvironmentOptions", given_options),
    )
    output = Output(out, as_json, quiet, len(names) > 1, best_in_class, resume=save_agent is None)
    failed: dict[str, str] = {}
    for name in names:
        try:
            prepared = prepare_run(replace(request, dataset=name), note)
            if isinstance(prepared.env, ClassificationVectorEnv) and "cost" in given_options:
                announce(name, cost_order(given_options["cost"], prepared.env.table.classes), note)
            if save_agent is not None:
                prepared.check_keepable()
            try:
                output.play(prepared)
            finally:  # even if the plot, the results or the fit failed
                if save_agent is not None and prepared.log.round == prepared.log.spec.horizon:
                    prepared.agent.save(save_agent)
        except (StoppedError, KeyboardInterrupt):
            output.finish()
            raise
        except NeucbError as error:
            if len(names) == 1:
                raise
            failed[name] = str(error)
    output.finish()
    if failed:
        lines = "; ".join(f"{name}: {message}" for name, message in failed.items())
        raise NeucbError(f"{len(failed)} of {len(names)} data sets failed: {lines}")


def parse_rounds(text: str | None) -> tuple[int, ...] | None:
    """Return the rounds of "1000,2000".

    Raises:
        InputError: the text is not a list of numbers.
    """
    if text is None:
        return None
    if not all(part.strip().isdecimal() for part in text.split(",")):
        raise InputError(f"--drift takes rounds with commas between, like 1000,2000, not '{text}'")
    return tuple(int(part) for part in text.split(","))


def parse_range(text: str | None) -> tuple[float, float] | None:
    """Return the numbers of "-3,7".

    Raises:
        InputError: the text is not two finite numbers, the lower one first.
    """
    from neucb.environments.rewards import check_reward_range

    if text is None:
        return None
    try:
        return check_reward_range([float(part) for part in text.split(",")])
    except (InputError, ValueError):
        raise InputError(f"--reward-range takes LOW,HIGH, like -3,7, not '{text}'") from None


def complete_trace(arguments: Sequence[str]) -> list[str]:
    """Allow --trace without a value: insert the default."""
    pairs = pairwise([*arguments, ""])
    return [
        f"--trace={PLAYED}" if argument == "--trace" and following != FULL else argument
        for argument, following in pairs
    ]


def parse_trace(text: str | None) -> Wanted:
    """Return the value of --trace.

    Raises:
        InputError: an unknown value.
    """
    if text not in (None, PLAYED, FULL):
        raise InputError(f"--trace takes no value or '{FULL}', not '{text}'")
    return FULL if text == FULL else text is not None


def parse_settings(texts: Sequence[str]) -> dict[str, str]:
    """Return the settings of the values `key=value` of --set.

    Raises:
        InputError: a value without "=", or a name given twice.
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"--set takes key=value, not '{text}'")
        if name in settings:
            raise InputError(f"--set gives '{name}' twice")
        settings[name] = value
    return settings
