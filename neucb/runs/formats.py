"""File formats: JSON files and Parquet logs, checked on reading."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.columns import FORMER_SETTINGS, FORMER_VALUES, current_names
from neucb.core.errors import InputError
from neucb.engines.log import FIGURES

if TYPE_CHECKING:
    import pyarrow as pa

LOG = {"agent": "text", "dataset": "text", "seed": "whole numbers", "round": "whole numbers"}
MEND = "play the run again, or remove the file"
DRAWN = ("loss", "regret", "L_star", "best_fixed_arm_regret")  # metrics that a log must have, if only as NaN


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not JSON, or is nested more deeply than any that neucb writes.
    """
    try:
        return json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_log(path: Path, columns: Mapping[str, str] = LOG, figures: Iterable[str] = DRAWN) -> pa.Table:
    """Return the rows of a Parquet log, former names of columns replaced by the current ones.

    Args:
        path: path of the log.
        columns: column with a value in every row -> its kind, "text", "whole numbers" or "numbers".
        figures: further required columns, of numbers.

    Raises:
        InputError: the file cannot be read, lacks a column, or has one of another type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, partitioning=None)
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be read: {reason}; {MEND}") from None
    table = _with_current_settings(table.rename_columns(current_names(table.schema.names)))
    names = table.schema.names
    for name in (*columns, *figures):
        if name not in names:
            raise InputError(f"{path} is not the log of a run: it has no column '{name}'")
    for name in names:
        wanted = columns.get(name, "numbers or nothing" if name in FIGURES else "single values")
        column = table.column(names.index(name))
        if names.count(name) > 1 or not _is(column, wanted):
            raise InputError(
                f"{path} is not the log of a run: column '{name}' is not of {wanted}, or not throughout"
            )
    return table.replace_schema_metadata(None)  # pandas would restore an index from it


def aliases_of(agent: object) -> dict[str, str]:
    """Return alias -> name of the hyper-parameters of an agent's recipe; empty without a recipe."""
    from neucb.agents.recipes.registry import RECIPES

    recipe = RECIPES.get(str(agent))
    parameters = () if recipe is None else recipe.parameters
    return {alias: parameter.name for parameter in parameters for alias in parameter.aliases}


def _with_current_settings(table: pa.Table) -> pa.Table:
    """Return a log with hyper-parameters of former names and values in the current columns.

    Logs of earlier sweeps hold former names beside current ones: `covariance` of linear models and `matrix`
    of networks are one hyper-parameter now, and so are `nu` and `alpha` of UCB.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = dict(zip(table.column_names, table.columns, strict=True))
    if len(columns) < len(table.column_names) or "agent" not in columns:
        return table
    for former, name in FORMER_SETTINGS.items():
        if former in columns and name in columns:
            columns[name] = pc.coalesce(columns[name], columns.pop(former))
    for name, values in FORMER_VALUES.items():
        for former, value in values.items():
            if name in columns and _is_text(columns[name].type):
                same = pc.fill_null(pc.equal(columns[name], former), False)
                columns[name] = pc.if_else(same, value, columns[name])
    for agent in pc.unique(columns["agent"]).to_pylist():
        for alias, name in aliases_of(agent).items():
            if alias in columns:
                own = pc.equal(columns["agent"], agent)
                missing = pa.nulls(len(table), columns[alias].type)
                before = columns.get(name, missing)
                columns[name] = pc.if_else(own, pc.coalesce(before, columns[alias]), before)
                columns[alias] = pc.if_else(own, missing, columns[alias])
    return pa.table(columns)


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is(column: pa.ChunkedArray, wanted: str) -> bool:
    """Return whether all values of a column are of a kind, see `read_log`."""
    from pyarrow import types

    kind = column.type
    whole = types.is_integer(kind) and kind != "uint64"  # no number of rounds needs it
    number = bool(whole or types.is_floating(kind))
    match wanted:
        case "text":
            return _is_text(kind) and not column.null_count
        case "whole numbers":
            return bool(whole) and not column.null_count
        case "numbers":
            return number and not column.null_count
        case "numbers or nothing":
            return number or bool(types.is_null(kind))
        case _:
            binary = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
            return not (types.is_nested(kind) or any(one(kind) for one in binary))
