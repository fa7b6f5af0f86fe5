"""OpenML client's configuration, read without importing the client (which takes seconds).

Follows openml-python 0.15: environment variables, then its config file, then its defaults.
"""

from __future__ import annotations

import configparser
import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from neucb.core.errors import DataError

SERVER = "https://www.openml.org/api/v1/xml"
SERVER_VARIABLE = "NEUCB_OPENML_SERVER"


@dataclass(frozen=True)
class OpenMLConfig:
    """Cache folder and server of the OpenML client.

    Attributes:
        root: root cache directory.
        server: base address of the server's XML interface.
    """

    root: Path
    server: str

    @property
    def host(self) -> tuple[str, int]:
        """Host and port of the server."""
        address = urlparse(self.server)
        return address.hostname or "", address.port or (80 if address.scheme == "http" else 443)

    def folder(self, number: int) -> Path:
        """Return the cache folder of the set with this number; it need not exist."""
        parts = urlparse(self.server).netloc.split(".")[::-1]
        return self.root.joinpath(*parts, "datasets", str(number))


def openml_config(cache: Path | None = None) -> OpenMLConfig:
    """Return the client's configuration, with `cache` as root cache directory if given.

    The environment variable NEUCB_OPENML_SERVER names another server, a mirror for example.

    Raises:
        DataError: `cache` does not exist.
    """
    settings = _config_file()
    server = os.environ.get(SERVER_VARIABLE) or settings.get("server") or SERVER
    if cache is not None:
        if not cache.is_dir():
            raise DataError(f"there is no OpenML cache at {cache}; check openml_cache=...")
        return OpenMLConfig(cache, server)
    named = os.environ.get("OPENML_CACHE_DIR") or settings.get("cachedir")
    root = Path(named) if named else _default_root()
    return OpenMLConfig(_expanded(root), server)


def _config_file() -> dict[str, str]:
    if platform.system() == "Linux":
        home = os.environ.get("XDG_CONFIG_HOME") or Path("~", ".config")
        path = _expanded(Path(home, "openml", "config"))
    else:
        path = _expanded(Path("~", ".openml", "config"))
    parser = configparser.RawConfigParser()
    try:
        parser.read_string("[openml]\n" + path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    except (configparser.Error, UnicodeDecodeError):
        raise DataError(
            f"the OpenML client's configuration {path} cannot be read; mend or delete it"
        ) from None
    return dict(parser["openml"])


def _expanded(path: Path) -> Path:
    """Return a path with its "~" resolved; below the folder for temporary files where a user has no home."""
    try:
        return path.expanduser()
    except RuntimeError:  # a container's user without HOME and passwd entry
        owner = f"neucb-home-{os.getuid()}" if hasattr(os, "getuid") else "neucb-home"
        return Path(tempfile.gettempdir(), owner, *path.parts[1:])


def _default_root() -> Path:
    if platform.system() != "Linux":
        return Path("~", ".openml")
    xdg = os.environ.get("XDG_CACHE_HOME")
    if not xdg:
        return Path("~", ".cache", "openml")
    # An early version of the client put its tree straight into XDG_CACHE_HOME.
    old = (Path(xdg) / "org" / "openml").exists() and not (Path(xdg) / "openml").exists()
    return Path(xdg) if old else Path(xdg) / "openml"
