"""The default command imports no more than it needs, and answers before it draws."""

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
except SystemExit as ended:
    assert not ended.code
print(json.dumps([name for name in ("torch", "sklearn", "openml", "scipy.stats") if name in sys.modules]))
"""


@pytest.mark.slow
def test_a_default_run_and_its_plot_import_neither_torch_nor_scikit_learn_nor_openml(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *_, imported = done.stdout.splitlines()
    assert json.loads(imported) == []
    assert len(list(tmp_path.glob("*.png"))) == 1


def test_the_table_comes_before_the_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    monkeypatch.setattr(output, "draw_plot", lambda *_: printed.append(capsys.readouterr().out))
    words = ("run", "--agent", "uniform", "--dataset", "iris", "--rounds", "20", "--out", str(tmp_path))
    assert command(monkeypatch, *words) == 0
    assert "mean regret" in printed[0]


def test_collection_is_suspended_and_resumed() -> None:
    assert gc.isenabled()
    with suspended():
        assert not gc.isenabled()
        with contextlib.suppress(ValueError), resumed():
            assert gc.isenabled()
            raise ValueError
        assert not gc.isenabled()
    assert gc.isenabled()


def test_isotonic_regression_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for size in range(1, 60):
        values = rng.normal(size=size).round(1)
        np.testing.assert_allclose(isotonic(values), isotonic_regression(values).x, atol=1e-12)
