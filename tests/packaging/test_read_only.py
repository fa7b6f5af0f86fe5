"""Runs are played with a read-only or full installation or home; messages name the folder."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numba import njit
from numba.core import config
from numba.core.caching import IndexDataCacheFile

from neucb.core.errors import NeucbError
from neucb.core.files import explained
from neucb.environments.openml.config import openml_config
from neucb.kernels import cache as kernel_cache
from neucb.kernels.cache import make_cache
from tests.support.paths import ROOT

NOWHERE = "/dev/null/home"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the package whose kernel caches cannot be written, not even by root."""
    folder = tmp_path_factory.mktemp("installed")
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "neucb", folder / "neucb", ignore=skipped)  # follows links
    for kernels in ("kernels", "engines/compiled/kernels"):
        (folder / "neucb" / kernels / "__pycache__").write_text("")
    return folder


def run(package: Path, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "tmp").mkdir(exist_ok=True)
    own = {"PYTHONPATH": str(package), "HOME": NOWHERE, "TMPDIR": str(tmp_path / "tmp")}
    own |= {"MPLCONFIGDIR": str(tmp_path)}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "NUMBA_"))}
    return subprocess.run(
        [sys.executable, "-m", "neucb", *arguments],
        cwd=tmp_path,
        env=inherited | own,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.compile
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a folder below /dev/null")
def test_a_run_and_a_sweep_keep_their_kernels_in_a_temporary_folder(package: Path, tmp_path: Path) -> None:
    """One line of warning; the second run compiles nothing; processes of a sweep share the folder."""
    arguments = ("run", "--agent", "uniform", "--dataset", "iris", "--source", "bundled", "--rounds", "50")
    for engine in ("compiled", "torch"):
        completed = run(package, tmp_path, *arguments, "--seeds", "2", "--quiet", "--engine", engine)
        assert completed.returncode == 0, completed.stderr
        lines = [line for line in completed.stderr.splitlines() if "compil" not in line or "kernels" in line]
        (line,) = [line for line in lines if "warning" in line]
        assert line.startswith(f"neucb: warning: compiled kernels are kept in {tmp_path / 'tmp'}")
        assert "NUMBA_CACHE_DIR" in line
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "tmp").rglob("*.nb?")}
    assert times
    assert run(package, tmp_path, *arguments, "--engine", "compiled").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "tmp").rglob("*.nb?")} == times
    (tmp_path / "spec.toml").write_text(
        '[experiment]\nname = "x"\nrounds = 40\nreporting_seeds = 4\ndatasets = ["iris", "wine"]\n'
        'engine = "torch"\n[[agents]]\nname = "uniform"\n'
    )
    completed = run(package, tmp_path, "sweep", "spec.toml", "--jobs", "2")
    assert completed.returncode == 0, completed.stderr
    assert "8 played" in completed.stdout


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a function in its own file; numba's settings are restored."""
    (tmp_path / "formula.py").write_text("def formula(x):\n    return 2.0 * x + 1.0\n")
    spec = importlib.util.spec_from_file_location("formula", tmp_path / "formula.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    kernel_cache._use_temporary_folder.cache_clear()
    yield module.formula
    kernel_cache._use_temporary_folder.cache_clear()


def compiled(function: Any) -> tuple[Any, kernel_cache.KernelCache | None]:
    dispatcher: Any = njit(function)
    cache = make_cache(function)
    if cache is not None:
        dispatcher._cache = cache
    return dispatcher, cache


def unusable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the folder of the function and the home unwritable."""
    (folder / "__pycache__").write_text("")
    monkeypatch.setenv("HOME", NOWHERE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def test_a_full_disk_does_not_fail_a_run(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    dispatcher, cache = compiled(function)
    assert cache is not None
    with pytest.warns(
        UserWarning, match=f"cannot write compiled kernels to {cache.cache_path}: No space left"
    ) as warned:
        assert [dispatcher(3.0), dispatcher(3)] == [7.0, 7.0]  # two kernels
    assert len(warned) == 1


def test_a_damaged_kernel_is_compiled_again(function: Any) -> None:
    dispatcher, cache = compiled(function)
    assert cache is not None
    assert dispatcher(3.0) == 7.0
    for pattern in ("*.nbi", "*.nbc"):
        (path,) = Path(cache.cache_path).glob(pattern)
        path.write_bytes(path.read_bytes()[:9])
        recompiled, _ = compiled(function)
        assert recompiled(3.0) == 7.0
        cached, _ = compiled(function)
        assert cached(3.0) == 7.0
        assert sum(cached.stats.cache_hits.values()) == 1


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
def test_the_temporary_folder_is_private(
    function: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba executes the files there: a folder that others may write to is not used."""
    unusable(tmp_path, monkeypatch)
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    with pytest.warns(UserWarning, match="compiled kernels are kept in"):
        dispatcher, cache = compiled(function)
    assert dispatcher(3.0) == 7.0
    assert cache is not None
    private = Path(cache.cache_path).parent
    assert private == shared / f"neucb-kernels-{os.getuid()}"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert kernel_cache._private_folder() == private
    private.chmod(0o777)
    other = kernel_cache._private_folder()
    assert other != private
    assert stat.S_IMODE(other.stat().st_mode) == 0o700
    private.chmod(0o700)
    private.rename(shared / "elsewhere")
    private.symlink_to(shared / "elsewhere")
    assert kernel_cache._private_folder() != private


def test_without_a_cache_folder_kernels_are_compiled_every_time(
    function: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Path:
        raise FileNotFoundError("no usable temporary directory found")

    unusable(tmp_path, monkeypatch)
    monkeypatch.setattr(kernel_cache, "_private_folder", none)
    with pytest.warns(UserWarning, match="compiled kernels are not kept, every run compiles them"):
        dispatcher, cache = compiled(function)
    assert cache is None
    assert dispatcher(3.0) == 7.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiled(function)[1] is None  # warned once


def test_without_a_home_the_openml_cache_is_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with a numeric user; no folder "~" is created."""

    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "OPENML_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert openml_config().root.is_relative_to(tmp_path)


def test_the_error_names_the_path_that_failed(tmp_path: Path) -> None:
    home = tmp_path / "home" / "cache"
    with (
        pytest.raises(NeucbError, match=f"^cannot read or write {home}: No space left on device$"),
        explained(tmp_path / "out"),
    ):
        raise OSError(errno.ENOSPC, "No space", str(home))
    for filename in (None, tmp_path / "out" / "x.parquet", tmp_path):
        with (
            pytest.raises(NeucbError, match=f"^cannot write results to {tmp_path / 'out'}: "),
            explained(tmp_path / "out"),
        ):
            raise OSError(errno.EACCES, "denied", filename and str(filename))
