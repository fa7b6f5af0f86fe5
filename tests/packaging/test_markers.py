"""Markers are derived from the modules that a test uses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import sweeps
from tests.support.command import neucb
from tests.support.markers import modules
from tests.support.openml_cache import load


def starts(folder: Path) -> None:
    sweeps.start(folder, sweeps.LONG)


def starts_within(folders: list[Path]) -> Callable[[], object]:
    return lambda: [subprocess.run(["true"], cwd=folder, check=True) for folder in folders]


class Starts:
    def method(self) -> None:
        starts_within([])


@pytest.mark.parametrize("function", [starts, starts_within, Starts, Starts.method, sweeps.start])
def test_modules_of_indirect_helpers_are_found(function: object) -> None:
    assert "subprocess" in modules(function)


@pytest.mark.parametrize("function", [neucb, sweeps.play, load])
def test_unused_modules_are_not_found(function: object) -> None:
    assert "subprocess" not in modules(function)
    assert ("tests.support.openml_cache" in modules(function)) == (function is load)
