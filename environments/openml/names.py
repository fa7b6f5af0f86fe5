"""Resolution of OpenML's names, "mushroom" or "mushroom@1", to the number of a set."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

from neucb.core.errors import DataError, InputError
from neucb.environments.openml.config import OpenMLConfig
from neucb.environments.openml.description import NAMESPACE


def find_number(config: OpenMLConfig, text: str, notify: Callable[[str], None]) -> int:
    """Return the number of "name" or "name@version".

    With a version, a cached set is enough. Without one the result is the earliest active version, which
    only the server lists; without a network it is the earliest one in the cache, with a note.

    Raises:
        InputError: a version that is no number.
        DataError: no such set, or no network and none in the cache.
    """
    from neucb.environments.openml.download import list_versions, reachable

    name, at, version = text.partition("@")
    if at and not version.isdecimal():
        raise InputError(f"openml:{text}: write a number behind the @, as in openml:mushroom@1")
    cached = _cached_versions(config, name)
    if at and int(version) in cached:
        return cached[int(version)]
    if reachable(config):
        known = list_versions(config, name)
        wanted = [int(version)] if at else sorted(known)[:1]
        if not wanted or wanted[0] not in known:
            raise DataError(f"openml:{text}: the OpenML server has no active set of this name")
        return known[wanted[0]]
    if cached and not at:
        earliest = min(cached)
        notify(f"openml:{text}: the server does not answer; taking version {earliest} from the cache")
        return cached[earliest]
    raise DataError(
        f"openml:{text} is not in the cache {config.root} and the server does not answer; "
        "connect to the network, or name the set by its number"
    )


def _cached_versions(config: OpenMLConfig, name: str) -> dict[int, int]:
    """Return version -> number of the cached sets with this name; damaged ones are skipped."""
    versions: dict[int, int] = {}
    for path in config.folder(0).parent.glob("*/description.xml"):
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError:
            continue
        found = {tag: root.findtext(f"{NAMESPACE}{tag}", "") for tag in ("name", "version", "id")}
        if found["name"] == name and found["version"].isdecimal() and found["id"].isdecimal():
            versions[int(found["version"])] = int(found["id"])
    return versions
