"""Drawing: matplotlib under neucb's own settings, and failures of it in one line."""

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
SETTINGS: Any = {  # for rc_context, whose annotation wants every key as a literal
    "pdf.fonttype": 42,  # fonts are embedded as TrueType, so that text stays text
    "ps.fonttype": 42,
    "svg.fonttype": "path",  # a reader without our font sees the same figure
    "font.family": "sans-serif",  # first of it: DejaVu Sans, which comes with matplotlib
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
    """Draw under matplotlib's default settings and ours, whatever the user's matplotlibrc says.

    Args:
        settings: further ones.
        writing: a file is written, so that an OSError says more than that the figure cannot be drawn.

    Raises:
        NeucbError: the figure cannot be drawn, in the place of any other error, but for the OSError of
            a file that is written.

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
        except Exception as error:  # of whatever kind: a figure never costs results
            if isinstance(error, NeucbError) or (writing and isinstance(error, OSError)):
                raise
            raise NeucbError(f"the figure cannot be drawn: {in_one_line(error)}") from error
    _repeat([one.message for one in caught])


def _import_matplotlib() -> None:
    """Import matplotlib; without the user's settings where it fails for these.

    Raises:
        NeucbError: it fails without them too.
    """
    try:
        import matplotlib
    except Exception as error:
        # MPLBACKEND names no backend, or the matplotlibrc cannot be read.
        for name in [one for one in sys.modules if one.partition(".")[0] == "matplotlib"]:
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
    """Repeat the warnings of a figure, those on characters that the font lacks as one."""
    others = {}
    lacking = {}
    for one in caught:
        found = NO_GLYPH.match(str(one))
        if found:
            lacking[chr(int(found[1]))] = True
        else:
            others[str(one)] = one
    if lacking:
        warnings.warn(f"the font of figures lacks {' '.join(lacking)}: drawn as boxes", stacklevel=4)
    for one in others.values():
        warnings.warn(one, stacklevel=4)
