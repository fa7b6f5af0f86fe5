"""Engines: what plays the rounds of a run. torch defines, compiled kernels play recipes faster."""
