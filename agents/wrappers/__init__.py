"""Wrappers of oracles and agents: epochs and delay."""
