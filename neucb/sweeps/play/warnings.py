"""Warnings of batches: caught in the batch, printed once in a sweep."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neucb.sweeps.plan import Batch


@contextmanager
def kept_warnings(texts: list[str]) -> Iterator[None]:
    """Append the texts of warnings to a list instead of printing them.

    In the main thread only: all threads of a process share the warning filters.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    texts += [str(one.message) for one in caught]


class Warned:
    """The warnings that one sweep has printed.

    Args:
        notify: callback with a line for each warning.
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._said: set[str] = set()

    def tell(self, warned: Mapping[str, Sequence[Batch]]) -> None:
        """Print new warnings, each with the number of batches and the agents."""
        for text, batches in warned.items():
            if text not in self._said:
                self._said.add(text)
                labels = ", ".join(dict.fromkeys(batch.agent_label for batch in batches))
                count = f"{len(batches)} batches" if len(batches) > 1 else "1 batch"
                self._notify(f"warning: {text} ({count} of {labels})")

    @contextmanager
    def silenced(self) -> Iterator[None]:
        """Suppress the printed warnings in all threads of this process."""
        with warnings.catch_warnings():
            for text in self._said:
                warnings.filterwarnings("ignore", re.escape(text))
            yield
