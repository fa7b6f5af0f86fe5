"""Compiled functions that several parts share: the decorators, the cache, vectors, sums, integrals."""
