"""Experiments: the runs behind the numbers in results/."""
