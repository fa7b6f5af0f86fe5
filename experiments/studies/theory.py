"""Studies of theory: all tables and figures of results/theory, or parts of them.

    python -m neucb.experiments.studies.theory CACHE FOLDER [PART ...]

CACHE is the root of an OpenML cache that holds the data sets; FOLDER, `results/theory` in the repository,
receives a table per part and two figures. Parts: regression, kl-star, class, theorem, kernel, ablation,
landscape, figures (drawn from the tables of the others); all of them by default.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from neucb.core.errors import unknown_name
from neucb.experiments.studies import landscape, perturbation, theory_figures, theory_parts

TABLES: dict[str, Callable[[Path], Iterator[theory_parts.Row]]] = {
    "regression": theory_parts.regression,
    "kl-star": theory_parts.kl_star,
    "class": theory_parts.classes,
    "theorem": theory_parts.theorem,
    "kernel": theory_parts.kernel,
}
STUDIES: dict[str, Callable[[str, str], None]] = {
    "ablation": perturbation.main,
    "landscape": landscape.main,
    "figures": theory_figures.main,
}


def main(cache: str, folder: str, *parts: str) -> None:
    """Write the tables and figures of the parts; a table is rewritten after each row."""
    import pandas as pd

    for part in parts or (*TABLES, *STUDIES):
        started = time.process_time()
        if part in STUDIES:
            STUDIES[part](cache, folder)
        elif part in TABLES:
            rows: list[theory_parts.Row] = []
            for row in TABLES[part](Path(cache)):
                rows.append(row)
                pd.DataFrame(rows).to_csv(Path(folder) / f"{part}.csv", index=False, float_format="%.5g")
        else:
            raise unknown_name("part", part, [*TABLES, *STUDIES])
        print(f"{part}: {time.process_time() - started:.0f} s of processor time", flush=True)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)  # several threads are slower for networks of this size
    main(*sys.argv[1:])
