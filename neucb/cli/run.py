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
    ENCODINGS,
    ENGINE,
    FEEDBACK,
    OUTPUT,
    SOURCES,
    Columns,
    Decimal,
    Header,
    Separator,
    Strict,
    Target,
    reading_options,
)
from neucb.cli.output import Output
from neucb.core.collection import suspended
from neucb.core.errors import InputError, NeucbError, StoppedError
from neucb.environments.orders.registry import ORDERS

if TYPE_CHECKING:
    from neucb.engines.trace import Wanted
    from neucb.environments.make import EnvironmentOptions

PLAYED: Final = "played"  # --trace alone
FULL: Final = "full"


@suspended()
def run(
    agent: Annotated[
        str,
        typer.Option(
            rich_help_panel=AGENT,
            help="Name; `neucb agents` lists them. Or your own: file.py:Name, package.module:Name. Or a "
            "trained one that goes on: the file of --save-agent.",
        ),
    ] = "kl-perturbed",
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=DATA,
            help="Name, openml:<id>, openml:<name>[@<version>], file, synthetic:<world>, or a function of "
            "yours: file.py:name, package.module:name; lists (a,b) and globs (mfeat-*) play several.  "
            "[default: covertype]",
        ),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(rich_help_panel=DATA, help="Play all sets of a suite: cc18 or bakeoff.")
    ] = None,
    target: Target = None,
    columns: Columns = None,
    header: Header = None,
    decimal: Decimal = None,
    separator: Separator = None,
    strict: Strict = False,
    rounds: Annotated[
        int | None,
        typer.Option(rich_help_panel=DATA, help="Rounds T.  [default: 10000, or the rows there are]"),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA,
            help="5 (seeds 0 to 4), 10:20 (10 to 19) or 3,7.  [default: 5, or those of a trained agent]",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", rich_help_panel=AGENT, metavar="KEY=VALUE ...", help="Hyper-parameters."),
    ] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            "--preprocessing",
            rich_help_panel=DATA,
            help=f"{ENCODINGS}  [default: standard]",
        ),
    ] = None,
    label_noise: Annotated[
        float | None, typer.Option(rich_help_panel=DATA, help="Chance q that a label is replaced.")
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(rich_help_panel=DATA, help=f"Order of the rows: {', '.join(ORDERS)}."),
    ] = None,
    drift: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA, metavar="ROUND,...", help="Permute the labels anew before these rounds."
        ),
    ] = None,
    recycle: Annotated[
        bool,
        typer.Option("--recycle", rich_help_panel=DATA, help="Draw the rows again where rounds exceed them."),
    ] = False,
    cost: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=DATA,
            help="CSV file of K x K losses in [0, 1], labels down, arms across, with names or without.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA, help="Column of a ranking file that names the query; its rows are the arms."
        ),
    ] = None,
    arms: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=DATA, help="Arms of a synthetic world; rows per round of a regression file."
        ),
    ] = None,
    features: Annotated[
        int | None, typer.Option(rich_help_panel=DATA, help="Context dimension of a synthetic world.")
    ] = None,
    reward_range: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA,
            metavar="LOW,HIGH",
            help="Map the rewards of an environment of yours from these to [0, 1].",
        ),
    ] = None,
    delay: Annotated[int, typer.Option(rich_help_panel=FEEDBACK, help="Feedback delay in rounds.")] = 0,
    feedback_batch: Annotated[
        int, typer.Option(rich_help_panel=FEEDBACK, help="Deliver feedback in batches of this many rounds.")
    ] = 1,
    source: Annotated[
        str | None,
        typer.Option(rich_help_panel=DATA, help=f"{SOURCES}  [default: auto]"),
    ] = None,
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", rich_help_panel=DATA, help="Folder of the OpenML cache.")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            rich_help_panel=ENGINE, help="compiled, torch, or auto: compiled where it covers the run."
        ),
    ] = "auto",
    device: Annotated[str, typer.Option(rich_help_panel=ENGINE, help="cpu or cuda.")] = "cpu",
    dtype: Annotated[
        str, typer.Option(rich_help_panel=ENGINE, help="Numbers of networks: float32 or float64.")
    ] = "float32",
    trace: Annotated[
        str | None,
        typer.Option(
            "--trace",
            rich_help_panel=OUTPUT,
            metavar="[full]",
            help="Save every round too: row, action, propensity, loss, label; full: and the probabilities "
            "and predicted losses of all arms.",
        ),
    ] = None,
    best_in_class: Annotated[
        bool,
        typer.Option(
            "--best-in-class",
            rich_help_panel=OUTPUT,
            help="Fit the best policy of the agent's class afterwards (and --trace).",
        ),
    ] = False,
    save_agent: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=OUTPUT, help="Save the trained agent to this .safetensors file (torch engine)."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(rich_help_panel=OUTPUT, help="Folder for the results.")] = Path(
        "results/runs"
    ),
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", rich_help_panel=OUTPUT, help="Print one JSON object (a list of several) and no table."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", rich_help_panel=OUTPUT, help="Print the paths of the results only.")
    ] = False,
) -> None:
    """Play an agent on a data set, one replica per seed, and save log, manifest and regret plot.

    Several data sets are played in turn; failures are listed at the end, the exit code is then 1, and the
    other runs are kept. A run of the same configuration and code that the folder already holds is not
    played again.
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
    wanted = parse_trace(trace) or best_in_class
    given = list(dataset or []) or ([] if suite else ["covertype"])
    names = expand(given, suite, installed(DATASETS))
    given_settings = parse_settings(settings or [])
    resolve_agent(agent, given_settings)  # errors in the agent come before errors in the data
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
        trace=wanted,
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
            finally:  # even where the plot, the results or the fit failed
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


def complete_trace(words: Sequence[str]) -> list[str]:
    """Allow --trace without a value: insert the default."""
    followed = pairwise([*words, ""])
    return [f"--trace={PLAYED}" if word == "--trace" and after != FULL else word for word, after in followed]


def parse_trace(text: str | None) -> Wanted:
    """Return the value of --trace.

    Raises:
        InputError: an unknown value.
    """
    if text not in (None, PLAYED, FULL):
        raise InputError(f"--trace takes no value or '{FULL}', not '{text}'")
    return FULL if text == FULL else text is not None


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
