"""Command line run in this process."""

from __future__ import annotations

import sys

import pytest

from neucb import cli


def neucb(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["neucb", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    code = exit_info.value.code
    assert isinstance(code, int)
    return code


RUN = ("run", "--dataset", "iris", "--seeds", "2", "--rounds", "60")
