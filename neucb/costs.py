"""Cost matrices from files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_costs(path: Path) -> NDArray[Any]:
    """Return the cost matrix of a CSV file without a header.

    Raises:
        DataError: the file is missing or holds something else than numbers.
    """
    import numpy as np

    if not path.is_file():
        raise DataError(f"there is no file {path} with a cost matrix")
    if not path.stat().st_size:
        raise DataError(f"{path} is empty; the cost matrix must be numbers with commas between")
    try:
        return np.loadtxt(path, delimiter=",", ndmin=2)
    except ValueError as error:
        raise DataError(f"{path}: the cost matrix must be numbers with commas between: {error}") from None
