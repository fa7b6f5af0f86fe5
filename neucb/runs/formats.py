"""File formats: JSON files and Parquet logs, checked on reading."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.columns import current_names
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
    table = table.rename_columns(current_names(table.schema.names))
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


def _is(column: pa.ChunkedArray, wanted: str) -> bool:
    """Return whether all values of a column are of a kind, see `read_log`."""
    from pyarrow import types

    kind = column.type
    whole = types.is_integer(kind) and kind != "uint64"  # no number of rounds needs it
    number = bool(whole or types.is_floating(kind))
    match wanted:
        case "text":
            return bool(types.is_string(kind) or types.is_large_string(kind)) and not column.null_count
        case "whole numbers":
            return bool(whole) and not column.null_count
        case "numbers":
            return number and not column.null_count
        case "numbers or nothing":
            return number or bool(types.is_null(kind))
        case _:
            binary = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
            return not (types.is_nested(kind) or any(one(kind) for one in binary))
