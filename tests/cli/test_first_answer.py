"""The default command imports few libraries and prints its table before it draws the plot."""

from __future__ import annotations

import contextlib
import gc
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from neucb.cli import output
from neucb.core.collection import resumed, suspended
from neucb.plots.labels import isotonic
from tests.support.command import neucb as command

RUN = """
import json, sys
import neucb_command
sys.argv = ["neucb", "run", "--source", "bundled", "--rounds", "2000", "--seeds", "2", "--json", "--out", "."]
try:
    neucb_command.main()
except SystemExit as exit_info:
    assert not exit_info.code
print(json.dumps([name for name in ("torch", "sklearn", "openml", "scipy.stats") if name in sys.modules]))
"""


@pytest.mark.slow
def test_a_default_run_imports_no_heavy_library(tmp_path: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    *_, imported = completed.stdout.splitlines()
    assert json.loads(imported) == []
    assert len(list(tmp_path.glob("*.png"))) == 1


def test_the_table_is_printed_before_the_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    monkeypatch.setattr(output, "draw_plot", lambda *_: printed.append(capsys.readouterr().out))
    arguments = ("run", "--agent", "uniform", "--dataset", "iris", "--rounds", "20", "--out", str(tmp_path))
    assert command(monkeypatch, *arguments) == 0
    assert "mean regret" in printed[0]


def test_garbage_collection_is_suspended_and_resumed() -> None:
    assert gc.isenabled()
    with suspended():
        assert not gc.isenabled()
        with contextlib.suppress(ValueError), resumed():
            assert gc.isenabled()
            raise ValueError
        assert not gc.isenabled()
    assert gc.isenabled()


def test_isotonic_regression_equals_scipy() -> None:
    rng = np.random.default_rng(0)
    for size in range(1, 60):
        values = rng.normal(size=size).round(1)
        np.testing.assert_allclose(isotonic(values), isotonic_regression(values).x, atol=1e-12)
