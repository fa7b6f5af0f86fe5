"""Summary: the metrics of a played run, for the terminal and for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neucb.engines.choose import refusal
from neucb.statistics.intervals import t_half_width

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neucb.runs.run import Run


def summary(run: Run) -> dict[str, Any]:
    """Return the metrics of a played run, ready for JSON.

    regret, mean_loss, best_fixed_arm_regret and L_star are cumulative over the rounds played; in
    environments without expected losses all but mean_loss are NaN. ci95 is Student's t interval of the mean
    regret over seeds, None for one seed. best_fixed_arm_regret is the regret of the best fixed arm in
    hindsight on each seed's rows, uniform the regret of uniform play on them. not_compiled is the reason why
    the torch engine played, None where it was requested or did not play.
    """
    last = run.frame().groupby("seed", sort=False).tail(1)
    spec = run.log.spec
    regret = last["regret"].to_numpy()
    fixed = last["best_fixed_arm_regret"].to_numpy()
    return {
        "agent": run.agent_name,
        "dataset": run.environment["dataset"],
        "source": run.environment["source"],
        "rounds": run.log.round,
        "seeds": list(spec.seeds),
        "settings": run.settings,
        "regret": [round(float(value), 6) for value in regret],
        "mean_regret": float(regret.mean()),
        "mean_loss": float(last["loss"].mean()),
        "ci95": confidence_interval(regret),
        "best_fixed_arm_regret": {"per_seed": [float(value) for value in fixed], "mean": float(fixed.mean())},
        "uniform": float((run.log.arm_losses.mean(1) - last["L_star"].to_numpy()).mean()),
        "L_star": float(last["L_star"].mean()),
        "seconds": run.seconds,
        "rounds_per_second": run.rounds_per_second,
        "engine": run.engine,
        "not_compiled": why_not_compiled(run),
        "device": spec.device,
    }


def why_not_compiled(run: Run) -> str | None:
    """Return the reason against the compiled engine, None where it plays or where torch was requested."""
    late = "delay" in run.environment
    return (
        refusal(run.recipe, run.settings, run.env, run.log.spec, late=late) if run.engine == "torch" else None
    )


def confidence_interval(values: NDArray[np.float64]) -> list[float] | None:
    """Return the 95 % Student t interval of the mean of `values` [R], None for R = 1."""
    if len(values) < 2:
        return None
    half = float(t_half_width(values))
    mean = float(values.mean())
    return [mean - half, mean + half]
