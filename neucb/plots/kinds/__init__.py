"""Kinds of plots: one module each; `registry.py` has one row each."""
