"""neucb warmup."""

from __future__ import annotations

from typing import Annotated

import typer

from neucb.cli.options import DTYPE_HELP


def warmup(
    agent: Annotated[str | None, typer.Option(help="Agents, comma-separated.  [default: all]")] = None,
    dtype: Annotated[str, typer.Option(help=DTYPE_HELP)] = "float32",
) -> None:
    """Compile the kernels of agents ahead of runs, for container images and clusters.

    Later runs load them from numba's cache: next to the package, or in the folder named by the environment
    variable NUMBA_CACHE_DIR. The cache is valid for one kind of processor.
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
