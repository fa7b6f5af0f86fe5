"""neucb warmup."""

from __future__ import annotations

from typing import Annotated

import typer


def warmup(
    agent: Annotated[
        str | None, typer.Option(help="Names of agents, with commas between.  [default: all]")
    ] = None,
    dtype: Annotated[str, typer.Option(help="Numbers of networks: float32 or float64.")] = "float32",
) -> None:
    """Compile the agents' kernels ahead of runs, for images of containers and for clusters.

    Later runs load them from numba's cache, beside the package or in the folder that the environment variable
    NUMBA_CACHE_DIR names; it is valid for one kind of processor.
    """
    import time

    from neucb.cli.messages import note
    from neucb.cli.progress import steps
    from neucb.runs.warmup import warm_up

    started = time.perf_counter()
    names = [name for name in (agent or "").split(",") if name]
    with steps("compiling") as (plan, tick):
        compiled = warm_up(names, dtype, plan, tick)
    if not compiled:
        note("none of these agents has a kernel; the torch engine plays them")
        return
    print(f"kernels of {len(compiled)} agents are ready, after {time.perf_counter() - started:.0f} s")
