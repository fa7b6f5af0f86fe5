"""Agents made of several oracles or experts."""
