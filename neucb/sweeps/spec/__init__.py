"""Specs of sweeps: TOML files, checked and read."""
