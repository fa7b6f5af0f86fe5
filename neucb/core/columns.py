"""Former names of columns, hyper-parameters and their values, by which files of earlier versions are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from neucb.core.former_names import FORMER

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("label", "purpose", "setting", "best_fixed_arm", "distance", "spread")
_SETTINGS = (
    *("replay", "batch", "schedule", "passes", "normalize", "features", "columns", "gradient", "matrix"),
    *("ceiling", "refresh"),
)
FORMER_COLUMNS = {name: FORMER[name][0] for name in _COLUMNS}
FORMER_SETTINGS = {name: FORMER[name][0] for name in _SETTINGS}
# hyper-parameter -> former value -> value
FORMER_VALUES = {"gradient_scaling": {name: FORMER[name][0] for name in ("code", "paper")}}


def current_names(names: Iterable[str]) -> list[str]:
    """Return names with former names of columns replaced, unless the current name is there as well."""
    given, former = [*names], FORMER_COLUMNS | FORMER_SETTINGS
    return [name if former.get(name) in given else former.get(name, name) for name in given]


def with_current_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a log with former names of columns replaced, see `current_names`."""
    return frame.set_axis(current_names(frame.columns), axis=1)


def current_settings(settings: Mapping[str, Any], aliases: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return hyper-parameters of an earlier version with the current names and values.

    Args:
        settings: hyper-parameters by name.
        aliases: further former name -> current name, of the agent's recipe.
    """
    current = FORMER_SETTINGS | dict(aliases or {})
    found = {current.get(name, name): value for name, value in settings.items()}
    for name, values in FORMER_VALUES.items():
        if name in found:
            found[name] = values.get(found[name], found[name])
    return found


def with_current_keys(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping from names of columns with former ones replaced, see `current_names`."""
    return dict(zip(current_names(row), row.values(), strict=True))
