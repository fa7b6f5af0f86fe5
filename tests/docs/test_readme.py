"""The README's Python and commands run as written, and its table of agents is complete."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from neucb import load_results, sweep
from neucb.agents.recipes.registry import RECIPES
from neucb.cli import main
from neucb.runs.api import prepare
from neucb.runs.save import save
from tests.support.readme import BENCH, BLOCKS, COMMANDS, README, agent_block

pytestmark = pytest.mark.docs


@pytest.mark.parametrize("block", BLOCKS)
def test_python_runs_as_written(block: str, tmp_path: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr


def tables(folder: Path) -> None:
    """Write the data files that the README names."""
    rows = [(i % 7 + 10115, f"note {i}", i % 13 / 4, "ab"[i % 2]) for i in range(1300)]
    lines = [f"{zip_code},{comment},{amount},{label}" for zip_code, comment, amount, label in rows]
    (folder / "my_table.csv").write_text("zip,comment,amount,outcome\n" + "\n".join(lines))
    lines = [f"{str(amount).replace('.', ',')};{label}" for _, _, amount, label in rows]
    (folder / "their_table.csv").write_text("\n".join(lines))
    lines = [f"{label},words {i % 11} of {zip_code}" for i, (zip_code, _, _, label) in enumerate(rows)]
    (folder / "reviews.csv").write_text("label,body\n" + "\n".join(lines))


TOML = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.filterwarnings("ignore:linear models of .* features keep the diagonal")
@pytest.mark.parametrize("command", [command for command in COMMANDS if command != BENCH])
def test_commands_run_as_written(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fewer rounds and seeds, and an empty cache; tests/analysis/test_bench.py runs the benchmark."""
    (tmp_path / "my_agent.py").write_text(agent_block())
    tables(tmp_path)
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command, comments=True)[1:]
    (spec,) = TOML
    spec = spec.replace("rounds = 500", "rounds = 60").replace("reporting_seeds = 10", "reporting_seeds = 2")
    (tmp_path / "mine.toml").write_text(spec)
    if "results/mine" in arguments:
        sweep("mine.toml", "results", jobs=1)
    if "results/runs" in arguments:
        for agent in ("squarecb", "uniform"):
            run = prepare(agent, "iris", 60, 2)
            run.play()
            save(run, tmp_path / "results" / "runs")
    if arguments[0] == "run":
        arguments += ["--out", str(tmp_path), "--seeds", "2"]
        arguments += ["--openml-cache", str(tmp_path)] if "covertype" in arguments else []
        arguments += ["--rounds", "1210"] if "--rounds" not in arguments else []
    monkeypatch.setattr(sys, "argv", ["neucb", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        main()
    assert exit_info.value.code == 0, capsys.readouterr().err
    if arguments[0] == "run":
        assert list(tmp_path.glob("*.parquet"))
    if arguments[0] == "sweep":
        assert set(load_results("results/mine")["agent_label"]) == {"kl-perturbed", "ridge"}
    if "--export" in arguments:
        assert Path("table.tex").read_text().startswith("\\begin{tabular}")
        assert len(Path("rows.csv").read_text().splitlines()) == len(load_results("results/mine")) + 1
    if "-o" in arguments:
        assert Path(arguments[-1]).stat().st_size > 1000


def test_the_example_agent_has_at_most_20_lines() -> None:
    agent = agent_block()
    body = agent[agent.index("class ") : agent.index("if __name__")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 20


def test_the_table_of_agents_lists_every_recipe() -> None:
    missing = sorted(set(RECIPES) - set(re.findall(r"`([a-z0-9-]+)`", README)))
    assert not missing, f"README's table of agents lacks {', '.join(missing)}"
