"""A chain of compiled programs, each of which is compiled while the others are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.core

__all__ = ["Call", "compiled_together"]

Call = Callable[..., Any]


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, weak_type=jax.typeof(leaf).weak_type)


def compiled_together(chain: Callable[..., Any], *arguments: Any) -> Any:
    """``chain(call, *arguments)``, in which ``call(program, *inputs)`` runs a `jax.jit` function.

    The compiler works on one program with one core, and needs shapes, not numbers: so the chain is first gone through with
    shapes, which starts all its compilations. While arguments are traced there is nothing to compile.
    """
    if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arguments)):
        compilations = []
        with ThreadPoolExecutor() as pool:

            def start(program, *inputs):
                lowered = program.lower(*jax.tree.map(_shape, inputs))
                compilations.append(pool.submit(lowered.compile))
                return program(*inputs)

            jax.eval_shape(lambda *traced: chain(start, *traced), *arguments)
        for compilation in compilations:
            compilation.result()
    return chain(lambda program, *inputs: program(*inputs), *arguments)
