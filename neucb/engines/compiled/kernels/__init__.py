"""Compiled kernels: each plays rounds of one replica.

They implement the recipes of neucb.agents for numba; formulas and their sources are there, and a test
holds both to the same actions. Parts are chosen by integer codes, since functions as arguments are never
cached on disk; absent parts are None: numba compiles a kernel for the types of its arguments.
"""
