"""Runs of one agent on one environment with several seeds, and their saved results."""
