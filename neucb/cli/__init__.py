"""Command line: a module per command, assembled in app.py."""

from __future__ import annotations

from neucb.cli.app import main

__all__ = ["main"]
