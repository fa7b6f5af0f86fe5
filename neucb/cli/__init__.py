"""The command line, a file per command; app.py puts them together."""

from __future__ import annotations

from neucb.cli.app import main

__all__ = ["main"]
