"""Sweeps: agents x data sets x grids x seeds from one TOML file, in parallel, resumed where they stopped."""
