"""The wheel built from this checkout is complete and works in another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT

FROM_A_CHECKOUT = ("experiments/studies/", "benchmarks/maintenance/")  # maintainers' scripts


def tracked() -> list[str]:
    """Return the files of the checkout, uncommitted ones included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in completed.stdout.split("\0") if name]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel built from the sdist, as an installer does."""
    out = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source") / "neucb"
    for name in tracked():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to((ROOT / name).readlink())
        elif (ROOT / name).is_file():
            target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert list(out.glob("*.tar.gz"))
    (path,) = out.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_the_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    folders = {path.name for path in (ROOT / "neucb").iterdir() if path.is_symlink()}
    sources = {f"neucb/{name}" for name in tracked() if name.split("/")[0] in folders}
    sources |= {name for name in tracked() if name.startswith("neucb/")} - {
        f"neucb/{name}" for name in folders
    }
    sources.add("neucb_command.py")
    scripts = {name for name in tracked() if name.startswith(FROM_A_CHECKOUT)}
    assert {name.rpartition("/")[0] + "/" for name in scripts} == set(FROM_A_CHECKOUT)
    sources -= {f"neucb/{name}" for name in scripts}
    modules = {name for name in sources if name.endswith(".py")}
    assert modules == {name for name in names if name.endswith(".py")}
    data = sources - modules
    assert data <= names
    required = ("py.typed", "environments/data/covertype_sample.parquet", "experiments/quick.toml")
    assert {f"neucb/{name}" for name in required} <= data
    assert not {name for name in names if name.removeprefix("neucb/").startswith(FROM_A_CHECKOUT)}
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_the_source_distribution_holds_the_tests(wheel: Path) -> None:
    (path,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    expected = {name for name in tracked() if name.startswith(("tests/", *FROM_A_CHECKOUT))}
    assert {*expected, "LICENSE", "README.md", "constraints.txt", "Makefile", "pyproject.toml"} <= names
    assert not any("__pycache__" in name for name in names)


@pytest.mark.slow
def test_the_wheel_works_in_another_folder(wheel: Path, tmp_path: Path) -> None:
    """The unpacked wheel comes first on the path; commands run in another folder."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    command = [sys.executable, "-m", "neucb", "run", "--rounds", "50", "--seeds", "2", "--source", "bundled"]
    modules = [f"neucb.benchmarks.{path.stem}" for path in (site / "neucb/benchmarks").glob("[!_]*.py")]
    code = (
        f"import neucb, {', '.join(modules)}; from neucb.sweeps.spec.builtin import shipped_spec; "
        "print(neucb.__file__, shipped_spec('quick'), sep='\\n')"
    )
    env = os.environ | {"PYTHONPATH": str(site)}
    imported = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert [Path(line).is_relative_to(site) for line in imported.stdout.splitlines()] == [True, True]
    completed = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert len(list((tmp_path / "results" / "runs").iterdir())) == 3
