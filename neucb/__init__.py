"""neucb: contextual-bandit simulation and benchmarking."""

__version__ = "0.1.0"
