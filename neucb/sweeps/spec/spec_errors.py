"""Errors of a spec, with the line of the fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neucb.core.errors import InputError, unknown_name
from neucb.sweeps.spec.toml_lines import find_line


class Places:
    """The text of one spec.

    Args:
        text: of the spec.
        name: of the file.
    """

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name

    def fail(self, message: object, *path: str | int, value: object = None) -> InputError:
        """Return the error of a path, see `find_line`."""
        return InputError(f"{self.name}, line {find_line(self.text, *path, value=value)}: {message}")

    def known(self, table: object, allowed: tuple[str, ...], *path: str | int) -> Mapping[str, Any]:
        """Return a table whose keys are all allowed."""
        if not isinstance(table, dict):
            raise self.fail(f"{path[-1]} must be a table", *path)
        for key in table:
            if key not in allowed:
                raise self.fail(unknown_name("key", key, allowed), *path, key)
        return table

    def checked(self, check: Callable[[], Any], *path: str | int, value: object = None) -> Any:
        """Return the result of `check`; its error gets the line of the path."""
        try:
            return check()
        except InputError as error:
            raise self.fail(error, *path, value=value) from None
