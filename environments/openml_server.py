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
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from neucb.environments.openml_cache import data_file, read_set
from neucb.environments.openml_config import OpenMLConfig
from neucb.errors import DataError

Answer = TypeVar("Answer")

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


def list_versions(config: OpenMLConfig, name: str) -> dict[int, int]:
    """Return version -> number of the active sets of a name, as the server lists them.

    Raises:
        DataError: the server does not answer properly.
    """

    def ask(openml: Any) -> dict[int, int]:
        listed = openml.datasets.list_datasets(data_name=name, status="active", output_format="dataframe")
        if listed.empty:
            return {}
        return dict(zip(listed["version"].map(int), listed["did"].map(int), strict=True))

    with tempfile.TemporaryDirectory(prefix="neucb-") as root:
        return _with_client(config, Path(root), ask, f"openml:{name}: the list of sets")


def _fetch(config: OpenMLConfig, number: int, name: str, root: Path) -> None:
    """Let the client download into `root`."""

    def ask(openml: Any) -> None:
        openml.datasets.get_dataset(
            number, download_data=True, download_qualities=True, download_features_meta_data=True
        )

    _with_client(config, root, ask, f"{name}: OpenML set {number}")


def _with_client(config: OpenMLConfig, root: Path, ask: Callable[[Any], Answer], what: str) -> Answer:
    """Return what the client answers, its cache being `root`, within `DOWNLOAD_SECONDS`.

    In a thread, since the client sets no timeout on its connections.
    """
    answers: list[Answer] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
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
                answers.append(ask(openml))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(DOWNLOAD_SECONDS)
    if failures:
        text = " ".join(str(failures[0]).split()) or type(failures[0]).__name__
        raise DataError(f"{what} could not be downloaded: {text[:200]}") from failures[0]
    if not answers:
        raise DataError(f"{what} did not come from the server in time; try again later")
    return answers[0]
