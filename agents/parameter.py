"""Hyper-parameters of recipes: their names, defaults, ranges, and how text becomes a value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from neucb.core.errors import InputError, unknown_name

MOST = 2**31 - 1  # largest whole number
Value = float | int | str | tuple[float, ...]


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter of a recipe.

    Attributes:
        name: as `--set name=value` takes it.
        default: the value without `--set`.
        help: one line: what it is, in the notation of the formulas.
        low: least value; `above_low` says that it is not itself allowed.
        high: greatest value.
        choices: the values of a parameter that is a word; empty for a number.
        whole: a whole number; it changes the shape of the agent, so that an agent has one for all its
            replicas. A run may have one per seed: several agents play it, see `neucb.engines.groups`.
        infinite: infinity is a value too.
        aliases: further names by which it can be set.
    """

    name: str
    default: Value
    help: str
    low: float = 0.0
    above_low: bool = False
    high: float = math.inf
    choices: tuple[str, ...] = ()
    whole: bool = False
    infinite: bool = False
    aliases: tuple[str, ...] = ()

    def check(self, value: object) -> Value:
        """Return the value as the recipes take it: a word, a number, or a tuple of numbers.

        Text is read as a number, or several with commas between; a sequence is one number per
        replica.

        Raises:
            InputError: not a value of this parameter, or out of range.
        """
        if self.choices:
            if value not in self.choices:
                raise unknown_name(self.name, str(value), self.choices)
            return str(value)
        if isinstance(value, str) and "," in value:
            value = value.split(",")
        if isinstance(value, str | Real) and not isinstance(value, bool):
            return self._number(value)
        if isinstance(value, Sequence | np.ndarray) and np.ndim(value) == 1 and len(value):
            return tuple(self._number(one) for one in value)
        raise InputError(f"{self.name} must be {self.range}, not {value!r}")

    def _number(self, value: object) -> float | int:
        try:
            number = float(value)  # type: ignore[arg-type]  # the exceptions are the check
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{self.name} must be {self.range}, not {value!r}") from None
        below = number <= self.low if self.above_low else number < self.low
        if math.isnan(number) or below or number > self.high:
            raise InputError(f"{self.name} must be {self.range}, not {value}")
        if math.isinf(number) and not self.infinite:
            raise InputError(f"{self.name} must be finite, {self.range}, not {value}")
        if not self.whole or math.isinf(number):
            return number
        if number != int(number) or number > MOST:
            raise InputError(f"{self.name} must be {self.range}, not {value}")
        return int(number)

    def check_shared(self, value: Value) -> None:
        """Check that a value of `check` is one for all replicas where it has to be in an agent.

        Raises:
            InputError: it is not.
        """
        if self.whole and isinstance(value, tuple):
            raise InputError(f"{self.name} must be {self.range}, one for all replicas of an agent")

    @property
    def range(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        least = f"{'above' if self.above_low else 'at least'} {self.low:g}"
        most = "" if math.isinf(self.high) else f" and at most {self.high:g}"
        return f"a {'whole ' if self.whole else ''}number {least}{most}"

    @property
    def interval(self) -> str:
        """The allowed values in signs, for tables: "> 0", "0 to 1", "1, 2, ..."."""
        if self.choices:
            return ", ".join(self.choices)
        if not math.isinf(self.high):
            return f"{self.low:g} to {self.high:g}"
        if self.whole:
            return f"{self.low:g}, {self.low + 1:g}, ..."
        return f"{'>' if self.above_low else '>='} {self.low:g}"


def by_name(parameters: Sequence[Parameter]) -> dict[str, Parameter]:
    """Return the parameters by their names and aliases."""
    return {name: parameter for parameter in parameters for name in (parameter.name, *parameter.aliases)}


def resolve(parameters: Sequence[Parameter], settings: Mapping[str, Any], owner: str) -> dict[str, Value]:
    """Return a value for every parameter: those of `settings`, checked, and defaults for the rest.

    Raises:
        InputError: a name that `owner` does not have, with the nearest one; a value given twice, by a name
            and its alias; or a bad value.
    """
    known = by_name(parameters)
    values: dict[str, Value] = {parameter.name: parameter.default for parameter in parameters}
    given: dict[str, str] = {}
    for name, value in settings.items():
        if not known:
            raise InputError(f"{owner} takes no settings, it has no '{name}'")
        if name not in known:
            raise unknown_name(f"setting of {owner}", name, known)
        parameter = known[name]
        if parameter.name in given:
            raise InputError(
                f"'{name}' and '{given[parameter.name]}' of {owner} are the same setting; give one"
            )
        given[parameter.name] = name
        values[parameter.name] = parameter.check(value)
    return values
