"""The compiled kernels: each plays rounds of one replica from the first to the last line.

They are the recipes of neucb.agents once more, written for numba; the formulas and their sources
stand there, and a test holds both to the same actions. Composition is by integer codes, since functions
passed as arguments are never cached on disk, and by parts that are None where there are none: numba
compiles a kernel for the parts it gets.
"""
