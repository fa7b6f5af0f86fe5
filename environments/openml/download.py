"""Download of sets with the OpenML client into its cache, by atomic rename.

The client deletes a set's folder when some calls fail, so it gets a temporary root directory here;
a folder enters the cache by one rename, complete and checked, or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from neucb.core.errors import DataError
from neucb.environments.openml.cache import data_file, read_set
from neucb.environments.openml.config import OpenMLConfig

PROBE_SECONDS = 1.0
SILENCE_SECONDS = 20.0  # timeout between two bytes of a response
DOWNLOAD_SECONDS = 1800.0  # timeout for one set
KEPT = ("description.xml", "features.xml", "qualities.xml")  # and the data file; no pickles


def reachable(config: OpenMLConfig) -> bool:
    """Return whether the server, or the proxy in front of it, accepts a connection within a second.

    The probe runs in a thread, since the look-up of a host name has no timeout of its own.
    """
    answer = threading.Event()

    def probe() -> None:
        try:
            with socket.create_connection(_gate(config), timeout=PROBE_SECONDS):
                answer.set()
        except OSError:
            return

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return answer.is_set()


def _gate(config: OpenMLConfig) -> tuple[str, int]:
    """Return the host and port of the proxy or server that the client connects to."""
    host, port = config.host
    proxy = getproxies().get(urlparse(config.server).scheme)
    if not proxy or proxy_bypass(host):
        return host, port
    address = urlparse(proxy if "://" in proxy else f"http://{proxy}")
    return address.hostname or "", address.port or (443 if address.scheme == "https" else 80)


def download(config: OpenMLConfig, number: int, name: str) -> None:
    """Fetch a set into the client's cache.

    Raises:
        DataError: the server lacks the set, does not respond, or sent damaged data.
    """
    folder = config.folder(number)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".neucb-", dir=folder.parent))
    except OSError as error:
        raise DataError(
            f"{name}: cannot write to the OpenML cache {config.root}: {error.strerror}; "
            "name another folder with openml_cache=..."
        ) from error
    try:
        _ask_client(config, work, "get", str(number), f"{name}: OpenML set {number}")
        fetched = OpenMLConfig(work, config.server).folder(number)
        read_set(fetched, number, name, damaged="try again later")  # parses all of it
        data = data_file(fetched, number)
        assert data is not None
        ready = work / "ready"
        ready.mkdir()
        for path in (*(fetched / kept for kept in KEPT), data):
            if path.is_file():
                path.rename(ready / path.name)
        _enter(ready, folder, number)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _enter(ready: Path, folder: Path, number: int) -> None:
    """Rename the finished folder into the cache; an incomplete one there is replaced."""
    for attempt in range(3):
        if data_file(folder, number) is not None:
            return  # another process was faster
        try:
            if folder.exists():
                folder.rename(ready.parent / f"incomplete{attempt}")
            os.rename(ready, folder)
        except OSError as error:  # another process is renaming: check again
            failure = error
        else:
            return
    raise DataError(f"cannot put OpenML set {number} into the cache: {failure.strerror}") from failure


def list_versions(config: OpenMLConfig, name: str) -> dict[int, int]:
    """Return version -> number of the active sets of a name, as the server lists them.

    Raises:
        DataError: the server does not respond, or with an unreadable response.
    """
    with tempfile.TemporaryDirectory(prefix="neucb-") as root:
        listed = _ask_client(config, Path(root), "versions", name, f"openml:{name}: the list of sets")
    return {int(version): int(number) for version, number in listed.items()}


def _ask_client(config: OpenMLConfig, root: Path, question: str, subject: str, what: str) -> Any:
    """Run the client with the cache `root` and return its response; see `client`."""
    program = str(Path(__file__).with_name("client.py"))
    # -P: keeps this folder off the import path
    command = [sys.executable, "-P", program, config.server, str(SILENCE_SECONDS), question, subject]
    surroundings = {**os.environ, "OPENML_CACHE_DIR": str(root)}
    try:
        done = subprocess.run(
            command,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{what} did not come from the server in time; try again later") from None
    lines = done.stdout.splitlines() or ['{"error": "the openml client stopped"}']
    reply: dict[str, Any] = json.loads(lines[-1])
    if "error" in reply:
        text = " ".join(reply["error"].split())
        raise DataError(f"{what} could not be downloaded: {text[:200]}")
    return reply["answer"]
