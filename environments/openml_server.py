"""Download a set from the OpenML server with the real client, without risk to what is cached.

The client deletes a set's folder when some calls fail, so it works in a temporary root directory
here; a folder enters the cache by one rename, complete and checked, or not at all.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

from neucb.environments.openml_cache import data_file, read_set
from neucb.environments.openml_config import OpenMLConfig
from neucb.errors import DataError

PROBE_SECONDS = 1.0
DOWNLOAD_SECONDS = 600.0
KEPT = ("description.xml", "features.xml", "qualities.xml")  # and the data file; none of the client's pickles


def reachable(config: OpenMLConfig) -> bool:
    """Return whether the server takes a connection within a second.

    In a thread, since looking up a host's name has no timeout of its own.
    """
    answer = threading.Event()

    def probe() -> None:
        try:
            with socket.create_connection(config.host, timeout=PROBE_SECONDS):
                answer.set()
        except OSError:
            return

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return answer.is_set()


def download(config: OpenMLConfig, number: int, name: str) -> None:
    """Fetch a set into the client's cache.

    Raises:
        DataError: the server does not have it, does not answer, or what it sent is damaged.
    """
    folder = config.folder(number)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".neucb-", dir=folder.parent))
    except OSError as error:
        raise DataError(
            f"{name}: cannot write to the OpenML cache {config.root}: {error.strerror}"
        ) from error
    try:
        _fetch(config, number, name, work)
        fetched = OpenMLConfig(work, config.server).folder(number)
        read_set(fetched, number, name)  # parses all of it
        ready = work / "ready"
        ready.mkdir()
        data = data_file(fetched, number)
        assert data is not None
        for path in (*(fetched / kept for kept in KEPT), data):
            if path.is_file():
                path.rename(ready / path.name)
        _enter(ready, folder, number)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _enter(ready: Path, folder: Path, number: int) -> None:
    """Rename the finished folder into the cache; an incomplete one there makes room."""
    if data_file(folder, number) is not None:
        return  # another process was faster
    if folder.exists():
        folder.rename(ready.parent / "incomplete")
    os.rename(ready, folder)


def _fetch(config: OpenMLConfig, number: int, name: str, root: Path) -> None:
    """Let the client download into `root`, for at most `DOWNLOAD_SECONDS`."""
    failure: list[BaseException] = []

    def work() -> None:
        try:
            _ask_client(config, number, root)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(DOWNLOAD_SECONDS)
    if thread.is_alive():
        raise DataError(f"{name}: the OpenML server did not deliver set {number} in time; try again later")
    if failure:
        text = " ".join(str(failure[0]).split()) or type(failure[0]).__name__
        raise DataError(f"{name}: OpenML set {number} could not be downloaded: {text[:200]}") from failure[0]


def _ask_client(config: OpenMLConfig, number: int, root: Path) -> None:
    import openml

    logging.getLogger("openml").setLevel(logging.ERROR)
    changed: dict[str, Any] = {
        **openml.config.get_config_as_dict(),
        "server": config.server,
        "cachedir": root,
        "connection_n_retries": 2,
        "retry_policy": "human",
    }
    with openml.config.overwrite_config_context(changed):
        openml.datasets.get_dataset(
            number, download_data=True, download_qualities=True, download_features_meta_data=True
        )
