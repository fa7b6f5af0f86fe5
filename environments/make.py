"""Factory of environments from the name of a data set, a table or a DataFrame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from gymnasium.vector import VectorEnv

from neucb.core.errors import InputError, unknown_name
from neucb.environments.classification import ClassificationVectorEnv, load
from neucb.environments.preprocessing import Encoded
from neucb.environments.ranking import Ranking, RankingVectorEnv, read_ranking
from neucb.environments.sources.registry import find_source
from neucb.environments.table import Table, announce
from neucb.environments.tables.table_file import ArrowStream, Reading, from_frame, is_file_name

if TYPE_CHECKING:
    import pandas as pd

AnyVectorEnv = VectorEnv[Any, Any, Any]
ROUNDS = 10_000


class EnvironmentOptions(TypedDict, total=False):
    """Optional environment arguments of `neucb.run`.

    Classification tables:
        preprocessing: "standard", "zscore", "centered" or "paper", see `encode`.
        label_noise: probability q in [0, (K - 1) / K), see `ClassificationVectorEnv`.
        cost: losses in [0, 1] of arms (columns) under labels (rows) [K, K], in the order of the classes or,
            as a DataFrame or rows with names, in any order; see `cost_matrix`.
        order: row order, a key of `neucb.environments.orders.registry.ORDERS`.
        drift: rounds before which the labels are permuted anew.
        recycle: allow more rounds than rows, the rows being drawn again.
        source: source of a named data set: "auto", "openml" or "bundled".
        openml_cache: folder of the OpenML cache; the client's own by default.
    Files and DataFrames:
        target: column to predict; the last one by default.
        columns: name -> type ("number", "date", "category", "id", "text", "skip" or "label"), in place of
            the rules of `neucb.environments.tables.column_types`.
        header: False where the first line of delimited text is data; True where it names the columns though
            it looks like data.
        decimal: decimal sign, "." or ","; inferred by default.
        separator: separator of delimited text, one character; inferred by default.
        strict: raise an error where rows or columns are left out, in place of a warning.
    Ranking and regression tables (where `group` or `arms` is given; see `RankingVectorEnv`):
        preprocessing, recycle and the options of files: as above; the target is a number, greater is better.
        group: column of a row's query.
        arms: rows per round without queries.
    Synthetic worlds (see `SyntheticVectorEnv`):
        arms, features: numbers K of arms and d of features.
    User environments:
        reward_range: finite bounds (low, high); rewards between them are mapped to [0, 1]. Without it
            rewards must lie in [0, 1].
    """

    preprocessing: str
    label_noise: float
    cost: Any
    order: str
    drift: Sequence[int]
    recycle: bool
    source: str
    openml_cache: str | Path | None
    target: str | None
    columns: Mapping[str, str] | None
    header: bool | None
    decimal: str | None
    separator: str | None
    strict: bool
    group: str | None
    arms: int | None
    features: int | None
    reward_range: Sequence[float] | None


CLASSIFICATION = ("label_noise", "cost", "order", "drift", "recycle")
READING = ("target", "columns", "header", "decimal", "separator")
LOADING = ("preprocessing", "source", "openml_cache", *READING, "strict")
RANKING = (*READING, "strict", "group", "arms", "preprocessing", "recycle")


def make_environment(
    dataset: str | Table | Encoded | Ranking | pd.DataFrame | ArrowStream,
    replicas: int,
    rounds: int | None,
    options: Mapping[str, Any],
    notify: Callable[[str], None] = warnings.warn,
) -> AnyVectorEnv:
    """Return the environment of a data set, R = `replicas`, for `rounds` rounds.

    Without `rounds` it has 10,000, or as many as the rows allow. Where the rows allow fewer rounds than
    requested, it has fewer, and `notify` is called with a line.

    Args:
        dataset: name in the catalogue, file, "synthetic:<world>", DataFrame, or table.
        replicas: number of replicas R >= 1.
        rounds: number of rounds T >= 1, or None.
        options: options as in `EnvironmentOptions`; None stands for the default.
        notify: function called with a line when the data differ from those requested.

    Raises:
        InputError: an unknown option, one that this kind of data lacks, or a bad value.
        DataError: the data are unavailable.
    """
    for name in options:
        if name not in EnvironmentOptions.__annotations__:
            raise unknown_name("option", name, EnvironmentOptions.__annotations__)
    given = {name: value for name, value in options.items() if value is not None}
    if "reward_range" in given:
        raise InputError("reward_range is for environments of your own; all others have rewards in [0, 1]")
    source = find_source(dataset) if isinstance(dataset, str) else None
    if isinstance(dataset, str) and source is not None and not source.has_tables:
        return source.make(dataset, replicas, rounds or ROUNDS, given)
    if isinstance(dataset, Ranking) or "group" in given or "arms" in given:
        return _ranking(dataset, replicas, rounds, given, notify)
    _only(given, (*LOADING, *CLASSIFICATION), "a classification table")
    reading = Reading.of({name: given.pop(name) for name in READING if name in given})
    if not isinstance(dataset, str | Table | Encoded):
        dataset, reading = from_frame(dataset, reading=reading), Reading()
    loading = {name: given.pop(name) for name in LOADING if name in given}
    encoded = load(dataset, reading=reading, notify=notify, **loading)
    rounds = _fit(encoded.table.name, encoded.table.rows, rounds, bool(given.get("recycle")), notify)
    return ClassificationVectorEnv(encoded, replicas, horizon=rounds, **given)


def _ranking(
    dataset: str | Table | Encoded | Ranking | pd.DataFrame | ArrowStream,
    replicas: int,
    rounds: int | None,
    given: dict[str, Any],
    notify: Callable[[str], None],
) -> AnyVectorEnv:
    _only(given, RANKING, "a ranking table")
    if isinstance(dataset, Table | Encoded) or (isinstance(dataset, str) and not is_file_name(dataset)):
        raise InputError("group and arms are for files and DataFrames with a row per arm")
    reading = Reading.of({name: given.pop(name) for name in READING if name in given})
    options = {name: given.pop(name) for name in ("group", "preprocessing") if name in given}
    strict = given.pop("strict", False)
    ranking = dataset if isinstance(dataset, Ranking) else read_ranking(dataset, reading, **options)
    announce(ranking.name, ranking.notes, notify, strict=strict)
    available = RankingVectorEnv(ranking, 1, **given).horizon
    rounds = _fit(ranking.name, available, rounds, bool(given.get("recycle")), notify)
    return RankingVectorEnv(ranking, replicas, horizon=rounds, **given)


def _only(given: Mapping[str, Any], known: Sequence[str], kind: str) -> None:
    for name in given:
        if name not in known:
            raise InputError(f"{kind} has no option '{name}'; it has {', '.join(known)}")


def _fit(name: str, available: int, rounds: int | None, recycle: bool, notify: Callable[[str], None]) -> int:
    """Return the number of rounds."""
    if rounds is None:
        return min(ROUNDS, available)
    if rounds > available and not recycle:
        notify(f"{name} has {available} rows: playing {available} rounds instead of {rounds}")
        return available
    return rounds
