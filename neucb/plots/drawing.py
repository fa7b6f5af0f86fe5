"""Context for matplotlib: neucb's settings, and one-line errors."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neucb.core.errors import NeucbError, in_one_line

SMALL, NORMAL = 7.0, 8.0  # font sizes in points
SETTINGS: Any = {  # Any: rc_context is annotated with literal keys
    "pdf.fonttype": 42,  # TrueType fonts, so that text stays text
    "ps.fonttype": 42,
    "svg.fonttype": "path",  # the same figure without our font
    "font.family": "sans-serif",  # first choice: DejaVu Sans, part of matplotlib
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}
NO_GLYPH = re.compile(r"Glyph (\d+) .*missing from")


@contextmanager
def drawing(settings: Any = None, *, writing: bool = False) -> Iterator[None]:
    """Draw with matplotlib's default settings and ours, independently of the user's matplotlibrc.

    Args:
        settings: additional matplotlib settings.
        writing: whether a file is written; its OSError is then raised unchanged.

    Raises:
        NeucbError: the figure cannot be drawn; replaces any other error.

    Warns:
        UserWarning: the font lacks characters of a name.
    """
    _import_matplotlib()
    from matplotlib import rc_context, rcParamsDefault

    usual: Any = {name: value for name, value in rcParamsDefault.copy().items() if name != "backend"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with rc_context({**usual, **SETTINGS, **(settings or {})}):
                yield
        except Exception as error:  # any kind: a figure must never lose results
            if isinstance(error, NeucbError) or (writing and isinstance(error, OSError)):
                raise
            raise NeucbError(f"the figure cannot be drawn: {in_one_line(error)}") from error
    _repeat([warning.message for warning in caught])


def _import_matplotlib() -> None:
    """Import matplotlib, without the user's settings if these make the import fail.

    Raises:
        NeucbError: the import fails without them too.
    """
    try:
        import matplotlib
    except Exception as error:
        # MPLBACKEND is invalid, or the matplotlibrc cannot be read.
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
        environment = dict(os.environ)
        os.environ.pop("MPLBACKEND", None)
        os.environ["MATPLOTLIBRC"] = os.devnull
        try:
            import matplotlib  # noqa: F401
        except Exception as other:
            raise NeucbError(f"matplotlib cannot be imported: {in_one_line(other)}") from other
        finally:
            os.environ.clear()
            os.environ.update(environment)
        warnings.warn(
            f"matplotlib is used with its default settings, as it refuses yours: {in_one_line(error)}",
            stacklevel=2,
        )


def _repeat(caught: list[Warning | str]) -> None:
    """Repeat the warnings of a figure, with a single one on characters that the font lacks."""
    others = {}
    lacking = {}
    for warning in caught:
        match = NO_GLYPH.match(str(warning))
        if match:
            lacking[chr(int(match[1]))] = True
        else:
            others[str(warning)] = warning
    if lacking:
        warnings.warn(f"the font of figures lacks {' '.join(lacking)}: drawn as boxes", stacklevel=4)
    for warning in others.values():
        warnings.warn(warning, stacklevel=4)
