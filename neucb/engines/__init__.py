"""Engines, which play the rounds of a run: torch is the reference, compiled kernels play recipes faster."""
