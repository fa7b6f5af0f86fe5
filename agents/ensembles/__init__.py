"""Ensemble agents over several oracles or experts."""
