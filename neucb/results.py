"""Results on disk: a Parquet log, a JSON manifest and a plot, under a name made of the configuration."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.errors import NeucbError
from neucb.summary import plain, summary

if TYPE_CHECKING:
    from neucb.runner import Run

LIBRARIES = ("neucb", "numpy", "pandas", "pyarrow", "torch", "gymnasium", "scikit-learn", "openml")


@dataclass(frozen=True)
class Saved:
    """Paths of what a run left on disk."""

    log: Path
    manifest: Path
    plot: Path


def configuration(job: Run) -> dict[str, Any]:
    """Return everything that decides a run's numbers, as JSON values."""
    spec = asdict(job.log.spec)
    spec["seeds"] = list(job.log.spec.seeds)
    return {
        "agent": job.agent_name,
        "settings": job.settings,
        "environment": job.environment,
        "spec": spec,
        "engine": job.engine,
        **({} if job.plugin is None else {"code": job.plugin.origin}),
    }


def stem(job: Run) -> str:
    """Return the file name of a run: agent, data set and the hash of its configuration."""
    text = json.dumps(plain(configuration(job)), sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    dataset = re.sub(r"[^A-Za-z0-9.-]+", "-", job.environment["dataset"])
    partial = "" if job.log.round == job.log.spec.horizon else f"_until-round-{job.log.round}"
    return f"{job.agent_name}_{dataset}_{digest}{partial}"


def check_writable(folder: Path) -> None:
    """Make sure, before anything is played, that results can be written to `folder`.

    Raises:
        NeucbError: they cannot.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".neucb-"):
            pass


def save(job: Run, folder: Path) -> Saved:
    """Write log, manifest and plot of a run into `folder`; each file appears whole or not at all.

    Raises:
        NeucbError: the folder cannot be written to, or the disk is full.
    """
    from neucb.plots import regret_figure

    name = stem(job)
    saved = Saved(*(folder / f"{name}{suffix}" for suffix in (".parquet", ".json", ".png")))
    frame = job.frame()
    frame.attrs.clear()  # they are in the manifest
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write(saved.log, lambda path: frame.to_parquet(path, index=False))
        text = json.dumps(plain(manifest(job)), indent=2, default=str)
        _write(saved.manifest, lambda path: path.write_text(text + "\n", encoding="utf-8"))
        figure = regret_figure(job.frame())
        _write(saved.plot, lambda path: figure.savefig(path, format="png", dpi=200))
    return saved


def manifest(job: Run) -> dict[str, Any]:
    """Return what a reader needs to trust and to repeat a run."""
    return {
        "configuration": configuration(job),
        "summary": summary(job),
        "complete": job.log.round == job.log.spec.horizon,
        "versions": {name: library_version(name) for name in LIBRARIES}
        | {"python": platform.python_version()},
        "commit": _commit(),
        "machine": {
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def library_version(name: str) -> str | None:
    """Return the version of an installed distribution, None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of the checkout that neucb runs from, None when it was installed."""
    here = Path(__file__).resolve().parent
    try:
        found = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        tracked = subprocess.run(
            ["git", "-C", str(here), "ls-files", "--error-unmatch", __file__],
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() if tracked.returncode == 0 else None


def _write(path: Path, writer: Callable[[Path], object]) -> None:
    """Let `writer` fill a temporary file beside `path`, then rename it: never a half file."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".neucb-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        writer(temporary)
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class _explained:  # noqa: N801  # used like a function
    """Context manager: an `OSError` becomes one line that says what to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise NeucbError(
                f"cannot write results to {self.folder}: {reason}; name another folder with --out"
            ) from error
