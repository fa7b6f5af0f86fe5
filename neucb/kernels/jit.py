"""Decorators of compiled functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core.cpu import CPUTargetOptions
from numba.core.options import TargetOptions
from numba.extending import intrinsic

from neucb.kernels.cache import make_cache

# Forced inlining: a call costs more than the body of many of these functions, since it passes each array of
# a tuple as ten numbers. No interpreter wrappers: the interpreter calls kernels only.
INLINED: dict[str, Any] = {
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "error_model": "numpy",
}
exact: Any = njit(**INLINED, fastmath=False)  # explicit, since a function inherits it from a fast caller
# A flag of numba's compiler without an option of its decorators: no array that the function writes shares
# memory with another argument, so that loops need no check of it. Without
# it a round of kl on fashion takes 1.19 of the time, one of kl with S = inf on magic 1.19, one of kl on magic
# 0.99 (CPU time, median of 15, 9 and 9 pairs on a Zen 4).
NOALIAS = TargetOptions.Mapping("noalias")  # type: ignore[no-untyped-call]
setattr(CPUTargetOptions, "noalias", NOALIAS)  # noqa: B010 - unknown to its types
FAST: dict[str, Any] = {**INLINED, "noalias": True, "fastmath": {"contract", "reassoc", "nsz", "arcp"}}
fast: Any = njit(**FAST)
# Without numba's runtime, in inlined functions too: nothing here allocates. With it, references to slices are
# counted, and a round of kl takes 1.92 of the time on magic, 1.66 on covertype, 1.13 on letter and 0.90 on
# fashion (9 pairs).
KERNEL: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True, "error_model": "numpy", "_nrt": False}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function for calls from the interpreter; it releases the GIL."""
    dispatcher: Any = njit(**KERNEL)(function)
    stored = make_cache(function)
    if stored is not None:
        dispatcher._cache = stored
    return dispatcher


def _alone(typing_context: Any) -> Any:
    """Keep the compiler from vectorising the enclosing loop.

    Without it a round of kl with S = 10 takes 1.09 of the time on covertype, 1.07 on magic, 1.16 on fashion
    and 1.29 on letter (9 pairs).
    """

    def generate(context: Any, builder: Any, *_: Any) -> Any:
        builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], side_effect=True)
        return context.get_dummy_value()

    return types.void(), generate


alone: Any = intrinsic(_alone)
