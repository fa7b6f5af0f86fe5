"""Runs played to the end, with their traces and trained agents."""

from __future__ import annotations

from typing import Any

import neucb


def traced(*arguments: Any, trace: Any = True, **options: Any) -> tuple[Any, Any]:
    """Play a run; return its frame and its trace."""
    run = neucb.prepare(*arguments, trace=trace, **options)
    run.play()
    return run.frame(), run.trace()


def with_agent(*arguments: Any, **options: Any) -> tuple[Any, neucb.Trained]:
    """Play a run; return its frame and the trained agent."""
    run = neucb.prepare(*arguments, keep_agent=True, **options)
    run.play()
    return run.frame(), run.agent
