"""Parallel, atomic download of sets into the OpenML cache; cached sets are kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from neucb.core.errors import DataError
from neucb.environments.openml.cache import data_file
from neucb.environments.openml.config import openml_config
from neucb.environments.openml.download import download, reachable
from neucb.environments.sources.catalogue import number_of

AT_ONCE = 3  # a limit for the sake of the public server


def fetch(
    names: Sequence[str],
    openml_cache: Path | None = None,
    *,
    notify: Callable[[str], None] = warnings.warn,
    progress: Callable[[str], None] | None = None,
) -> dict[str, str]:
    """Download missing sets into the OpenML cache; return name -> error for those that failed.

    At most three downloads run at once. A cached set is not requested again, so that a second call
    resumes after an interruption.

    Args:
        names: names in the catalogue or of OpenML; scikit-learn's tables need no download.
        openml_cache: root folder of the OpenML cache; the client's own by default.
        notify: function called with notes, see `load_table`.
        progress: called with each name that is done, cached before or failed.

    Raises:
        InputError: an unknown name.
        DataError: the server does not respond and a set is missing.
    """
    config = openml_config(openml_cache)
    numbers = {name: number_of(name, openml_cache, notify) for name in names}
    missing = {
        name: number
        for name, number in numbers.items()
        if number is not None and data_file(config.folder(number), number) is None
    }
    for name in numbers:
        if name not in missing and progress is not None:
            progress(name)
    if missing and not reachable(config):
        raise DataError(f"the OpenML server does not answer; missing in {config.root}: {', '.join(missing)}")
    failed: dict[str, str] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {pool.submit(download, config, number, name): name for name, number in missing.items()}
        try:
            for job in as_completed(jobs):
                try:
                    job.result()
                except DataError as error:
                    failed[jobs[job]] = str(error)
                if progress is not None:
                    progress(jobs[job])
        except BaseException:  # Ctrl-C: cancel the downloads that have not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed
