"""Checkers for your own agents and environments; a fault raises an AssertionError that names it."""

from __future__ import annotations

from neucb.testing.agents import check_agent
from neucb.testing.environments import check_environment

__all__ = ["check_agent", "check_environment"]
