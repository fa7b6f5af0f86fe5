"""Shared compiled functions: decorators, kernel cache, vector loops, sums, integrals."""
