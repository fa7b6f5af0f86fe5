"""Fixtures for all tests."""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from neucb.core.threads import one_thread
from tests.support.markers import markers
from tests.support.openml_server import FakeOpenML, serve


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the modules that they use; skip tests that need a GPU where none is available."""
    for item in items:
        if isinstance(item, pytest.Function):
            for marker in sorted(markers(item)):
                item.add_marker(marker)
            if any(
                fixtures[-1].scope == "module" for fixtures in item._fixtureinfo.name2fixturedefs.values()
            ):
                item.add_marker(pytest.mark.xdist_group(item.module.__name__))  # one worker, one fixture
        if item.get_closest_marker("gpu") is not None and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@functools.cache
def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Restore SIGINT for commands started by tests; shells ignore it in background jobs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Use one torch thread, as the loop does: with more, sums depend on the number of replicas."""
    with one_thread():
        yield


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeOpenML]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(FakeOpenML({7: "parquet", 8: "arff"})) as fake:
        monkeypatch.setenv("NEUCB_OPENML_SERVER", fake.address)
        yield fake


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder
