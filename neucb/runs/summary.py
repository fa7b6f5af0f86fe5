"""Summary: the figures of a played run, for the terminal and for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neucb.engines.choose import refusal
from neucb.statistics.intervals import t_half_width

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neucb.runs.run import Run


def summary(job: Run) -> dict[str, Any]:
    """Return the figures of a played run, ready for JSON.

    regret, mean_loss, best_fixed_arm and L_star are cumulative over the rounds played; of environments that
    give no expected losses only mean_loss is known, the others are NaN; ci95 is Student's t
    interval of the mean regret over seeds, None for one seed; best_fixed_arm is the regret of the
    arm that is best in hindsight on the very rows of each seed, uniform that of uniform play on them;
    not_compiled says why the torch engine played, None where it was asked for or did not.
    """
    last = job.frame().groupby("seed", sort=False).tail(1)
    spec = job.log.spec
    regret = last["regret"].to_numpy()
    fixed = last["best_fixed_arm"].to_numpy()
    return {
        "agent": job.agent_name,
        "dataset": job.environment["dataset"],
        "source": job.environment["source"],
        "rounds": job.log.round,
        "seeds": list(spec.seeds),
        "settings": job.settings,
        "regret": [round(float(value), 6) for value in regret],
        "mean_regret": float(regret.mean()),
        "mean_loss": float(last["loss"].mean()),
        "ci95": confidence_interval(regret),
        "best_fixed_arm": {"per_seed": [float(value) for value in fixed], "mean": float(fixed.mean())},
        "uniform": float((job.log.arm_losses.mean(1) - last["L_star"].to_numpy()).mean()),
        "L_star": float(last["L_star"].mean()),
        "seconds": job.seconds,
        "rounds_per_second": job.rounds_per_second,
        "engine": job.engine,
        "not_compiled": why_not_compiled(job),
        "device": spec.device,
    }


def why_not_compiled(job: Run) -> str | None:
    """Return why the compiled engine cannot play a run, None where it does or where torch was asked for."""
    late = "delay" in job.environment
    recipe = job.candidate.recipe
    return refusal(recipe, job.settings, job.env, job.log.spec, late=late) if job.engine == "torch" else None


def confidence_interval(values: NDArray[np.float64]) -> list[float] | None:
    """Return the 95 % Student t interval of the mean of `values` [R], or None for R = 1."""
    if len(values) < 2:
        return None
    half = float(t_half_width(values))
    mean = float(values.mean())
    return [mean - half, mean + half]
