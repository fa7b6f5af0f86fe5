"""Benchmarks of speed and memory: the plain loop, peer libraries, and the suites of `neucb bench`."""
