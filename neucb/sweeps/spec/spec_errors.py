"""Errors of a spec, with the number of the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neucb.core.errors import InputError, unknown_name
from neucb.sweeps.spec.toml_lines import find_line


class Places:
    """Text of one spec, for error messages with lines.

    Args:
        text: content of the spec.
        name: name of the file.
    """

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name

    def fail(self, message: object, *path: str | int, value: object = None) -> InputError:
        """Return the error for the key at a path, see `find_line`."""
        return InputError(f"{self.name}, line {find_line(self.text, *path, value=value)}: {message}")

    def known(self, table: object, allowed: tuple[str, ...], *path: str | int) -> Mapping[str, Any]:
        """Return a table after a check that all its keys are allowed."""
        if not isinstance(table, dict):
            raise self.fail(f"{path[-1]} must be a table", *path)
        for key in table:
            if key not in allowed:
                raise self.fail(unknown_name("key", key, allowed), *path, key)
        return table

    def checked(self, check: Callable[[], Any], *path: str | int, value: object = None) -> Any:
        """Return the result of `check`; add the line of the path to its error."""
        try:
            return check()
        except InputError as error:
            raise self.fail(error, *path, value=value) from None
