"""Formulas shared by both engines, and parts added as one file and one row, in a copy of the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neucb.agents.recipes.registry import RECIPES, find_recipe
from neucb.agents.rules import formulas
from neucb.agents.rules.inverse_gap import GammaRule, GapRule
from neucb.engines.compiled.compiling import bad_weight
from neucb.engines.compiled.kernels.exp4 import exp4
from neucb.engines.compiled.kernels.linear import linear
from neucb.engines.compiled.kernels.neural import neural
from neucb.kernels.sources import digest, sources
from tests.support.paths import ROOT

FORMULAS, ROWS = "neucb/agents/rules/formulas.py", "neucb/agents/recipes/linear.py"
CODE = """
import json, sys
from neucb.engines.compiled.kernels.linear import linear
from neucb.runs.api import prepare
from neucb.runs.summary import why_not_compiled
results = {}
for engine in sys.argv[2:]:
    run = prepare(sys.argv[1], "iris", 120, 2, engine=engine, trace="full", dtype="float64")
    run.play()
    frame = run.log.trace.frame(120)
    results[engine] = {
        "engine": run.engine,
        "reason": why_not_compiled(run),
        "actions": frame["action"].tolist(),
        "p": frame[["p_0", "p_1", "p_2"]].to_numpy().tolist(),
    }
results["compiled kernels"] = sum(linear.stats.cache_misses.values())
print(json.dumps(results))
"""
RULE = '''"""User-defined rule."""

from __future__ import annotations

from typing import Any

from neucb.agents.rules.inverse_gap import InverseGap


def square_gap(gap: Any, least: Any, gamma: Any, arms: Any, exp: Any) -> Any:
    """Return 1 / (K + gamma gap^2)."""
    return 1.0 / (arms + gamma * gap**2)


class SquareGap(InverseGap):
    """Inverse weighting of squared gaps."""

    name = "square-gap"
    formula = "p_a = 1 / (K + gamma_t (yhat_a - yhat_b)^2) for a != b = argmin yhat, p_b the rest"
    weight = staticmethod(square_gap)
'''
LOSS = '''"""User-defined loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.agents.losses import Loss

if TYPE_CHECKING:
    from torch import Tensor


class Probit(Loss):
    """Squared loss of the normal distribution function of f."""

    name = "probit"
    formula = "(Phi(f_a) - y)^2 / 2"
    link_name = "Phi"

    def link(self, output: Tensor) -> Tensor:
        """Return Phi(f)."""
        return 0.5 * (1.0 + (output * 0.5**0.5).erf())

    def value(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return (yhat - y)^2."""
        return (predicted - target).square()

    def curvature(self, output: Tensor) -> Tensor:
        """Return Phi'(f)."""
        return (-0.5 * output.square()).exp() * 0.4
'''
ROW = """LINEAR_RECIPES = (
    Recipe(
        "mine",
        "a part of one's own",
        "this test",
        REDUCTION,
        oracle=LINEAR,
        {part},
    ),
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package, links resolved, without compiled kernels."""
    shutil.copytree(ROOT / "neucb", tmp_path / "neucb", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def edit(package: Path, name: str, old: str, new: str) -> None:
    text = (package / name).read_text()
    assert text.count(old) == 1
    (package / name).write_text(text.replace(old, new))


def add(package: Path, file: str, text: str, name: str, part: str) -> None:
    """Add one file, and one row with its import."""
    (package / f"neucb/{file}.py").write_text(text)
    module = f"neucb.{file.replace('/', '.')}"
    edit(package, ROWS, "LINEAR_RECIPES = (\n", f"from {module} import {name}\n\n{ROW.format(part=part)}")


def run(package: Path, *arguments: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    completed = subprocess.run(
        [sys.executable, *arguments],
        cwd=package,
        env=inherited | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def play(package: Path, agent: str, *engines: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(run(package, "-c", CODE, agent, *engines))
    return results


@pytest.mark.slow
def test_an_edited_formula_is_played_by_both_engines(package: Path) -> None:
    """An edit recompiles a cached kernel in another file; an unchanged text compiles nothing."""
    before = play(package, "squarecb", "compiled", "torch")
    for engine in ("compiled", "torch"):
        assert before[engine]["p"][0] == pytest.approx([1 / 3] * 3)
    assert play(package, "squarecb", "compiled")["compiled kernels"] == 0
    edit(package, FORMULAS, "return 1.0 / (arms + gamma * gap)", "return 0.5 / (arms + gamma * gap)")
    after = play(package, "squarecb", "compiled", "torch")
    assert after["compiled kernels"] == 1
    for engine in ("compiled", "torch"):
        assert sorted(after[engine]["p"][0]) == pytest.approx([1 / 6, 1 / 6, 2 / 3])
    assert after["compiled"]["actions"] == after["torch"]["actions"]


@pytest.mark.slow
def test_a_rule_added_as_one_file_and_one_row_is_compiled(package: Path) -> None:
    add(package, "agents/rules/square_gap", RULE, "SquareGap", "rule=SquareGap")
    results = play(package, "mine", "auto", "torch")
    assert results["auto"]["engine"] == "compiled"
    assert results["auto"]["actions"] == results["torch"]["actions"]
    np.testing.assert_allclose(results["auto"]["p"], results["torch"]["p"], rtol=1e-7)
    assert "(yhat_a - yhat_b)^2" in run(package, "-m", "neucb", "agents", "mine")


@pytest.mark.slow
def test_a_loss_added_as_one_file_and_one_row_is_played_by_torch(package: Path) -> None:
    add(package, "agents/probit", LOSS, "Probit", "rule=InverseGap,\n        loss=Probit")
    results = play(package, "mine", "auto")["auto"]
    assert results["engine"] == "torch"
    assert results["reason"] == "it has no compiled form of the loss 'probit'"
    assert len(set(results["actions"])) == 3
    assert "yhat_a = Phi(theta_a . x)" in run(package, "-m", "neucb", "agents", "mine")


@pytest.mark.parametrize("kernel", [linear, neural, exp4])
def test_the_sources_of_a_kernel_are_found_from_its_functions(kernel: Any) -> None:
    files, values = sources(kernel.py_func)
    names = {Path(path).name for path in files}
    assert {"formulas.py", "rules.py", "vectors.py"} <= names
    assert formulas.__file__ in files
    assert any(value.endswith("TIE 1e-12") for value in values)  # from core/constants.py


FACTOR = 2.0


def test_a_constant_of_another_module_changes_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel() -> float:
        return FACTOR

    before = digest(kernel)
    assert digest(kernel) == before
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert digest(kernel) != before
    monkeypatch.setitem(globals(), "FACTOR", [3.0])
    with pytest.raises(TypeError, match=r"kernel reads .*FACTOR, a list: neither a function nor a constant"):
        digest(kernel)


def test_rule_without_a_member_is_refused_by_its_recipe() -> None:
    class Half(GapRule):
        name = "half"
        weight = staticmethod(formulas.even_share)

    assert Half.uses_autograd is False
    with pytest.raises(TypeError, match="the rule Half of the recipe 'half' lacks formula, schedule"):
        replace(find_recipe("squarecb"), name="half", rule=Half)


def test_weight_that_cannot_be_compiled_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Root(GammaRule):
        name = "root-gap"
        formula = "p_a = 1 / (K + gamma sqrt(gap))"

        @staticmethod
        def weight(gap: Any, least: Any, gamma: Any, arms: Any, exp: Any) -> Any:
            return 1.0 / (arms + gamma * gap.sqrt())

    assert bad_weight() is None
    monkeypatch.setitem(RECIPES, "root", replace(find_recipe("squarecb"), name="root", rule=Root))
    error = bad_weight()
    assert error is not None
    assert "the weight of the rule 'root-gap' cannot be compiled (Unknown attribute 'sqrt'" in str(error)
