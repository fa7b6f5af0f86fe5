"""What this machine's processor is good at, where kernels differ by it; all measured."""

from __future__ import annotations

from llvmlite.binding import get_host_cpu_name

NAME = get_host_cpu_name()

# Hidden units in whole numbers of LANES leave little to do after a loop over vectors. On these processors the
# compiler makes vectors of 16 numbers, of 8 at most on all others: 7 and 9 % of the time of magic's rounds.
LANES = 16 if NAME in ("znver4", "znver5") else 8

# Whether 16 numbers of a table are looked up faster one by one than as a vector.
ONE_BY_ONE = NAME.startswith("znver")
