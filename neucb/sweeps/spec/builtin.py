"""The specs that come with neucb, in experiments/."""

from __future__ import annotations

from pathlib import Path

import neucb.experiments
from neucb.core.errors import unknown_name


def shipped_spec(name: str) -> Path:
    """Return the file of a spec that comes with neucb.

    Raises:
        InputError: there is none of this name; the message names the nearest.
    """
    known = {path.stem: path for path in Path(neucb.experiments.__path__[0]).glob("*.toml")}
    if name not in known:
        raise unknown_name("experiment", name, known)
    return known[name]
