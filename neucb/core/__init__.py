"""Foundations: errors, seeds and random streams, constants, metrics, files, threads, terminal tables."""
