"""The specs that come with neucb, in experiments/."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from neucb.core.errors import unknown_name


def shipped_spec(name: str) -> Path:
    """Return the file of a spec that comes with neucb.

    Raises:
        InputError: the name is unknown; the message suggests the nearest one.
    """
    folder = Path(str(files("neucb.experiments")))
    known = {path.stem: path for path in folder.glob("*.toml")}
    if name not in known:
        raise unknown_name("experiment", name, known)
    return known[name]
