"""Runs: one agent on one environment with several seeds; what is saved of them."""
