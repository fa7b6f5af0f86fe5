"""Studies behind the numbers in results/: run from a checkout, not part of the wheel."""
