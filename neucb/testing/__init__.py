"""Checkers for environments and agents of your own: they raise AssertionError with what is wrong."""

from __future__ import annotations

from neucb.testing.environments import check_environment

__all__ = ["check_environment"]
