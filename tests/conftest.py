"""Fixtures for all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from neucb.core.threads import one_thread
from tests.support.openml_server import FakeOpenML, serve


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let commands started by tests hear SIGINT, which shells let their background jobs ignore."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """One torch thread, as the loop uses: with more, sums depend on the number of replicas."""
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
