"""Processor of this machine: settings of the kernels that depend on it, all measured."""

from __future__ import annotations

from llvmlite.binding import get_host_cpu_name

NAME = get_host_cpu_name()

# Hidden units in whole numbers of LANES leave little to do after a loop over vectors. On these processors the
# compiler makes vectors of 16 numbers, of 8 at most on all others. With 8 on a Zen 4, a round of kl takes
# 1.06 of the time on fashion and 0.95 to 1.05 on covertype and letter (CPU time, median of 15 pairs); sums of
# some widths, as 50, round otherwise.
LANES = 16 if NAME in ("znver4", "znver5") else 8

# Whether 16 numbers of a table are looked up faster one by one than as a vector. By vectors, on a Zen 4, a
# round of kl with S = 10 takes 1.17 of the time on covertype, 1.19 on magic, 1.29 on fashion and 1.21 on
# letter (9 pairs).
ONE_BY_ONE = NAME.startswith("znver")
