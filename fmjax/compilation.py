"""How programs are compiled: soon, and one beside the other.

On a CPU, XLA of jax 0.10 has two ways from a fused loop to machine code. What is compiled here for a call takes the older
one: half the time to compile, 1.1 to 1.4 times the time to run (2.6 for infinitely many replicas). Inside a `jax.jit` of
one's own the newer one is taken, as everywhere; ``XLA_FLAGS=--xla_cpu_use_fusion_emitters=false`` changes that. jax 0.12
has the newer one alone.

Two passes over the program are left out as well, ``--xla_disable_hlo_passes=reshape-mover,simplify-while-loops``. In the
larger programs they find something to change whenever they are asked, and each time all passes begin again, up to 25 times:
of the 18 s that a curve of a ReLU committee with symmetric margins took, 7 s. What is computed takes the same time without.

Machine code is made at LLVM's first level without its expensive passes, which saves a fifth of XLA's time: in loops that XLA
wrote the others find nothing, curves and thresholds took as long. Level 0 would save another third, and take eight times as
long to compute.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import jax
import jax.core
import numpy as np

__all__ = ["Call", "Program", "compile_ahead", "compiled_together", "run", "soon"]

Call = Callable[..., Any]

_COMPILERS = ThreadPoolExecutor()  # XLA lets Python go on while it compiles

# Ours compile for seconds and run for milliseconds.
_SOON = {
    "cpu": {
        "xla_cpu_use_fusion_emitters": False,
        "xla_disable_hlo_passes": "reshape-mover,simplify-while-loops",
        "xla_backend_optimization_level": 1,
        "xla_llvm_disable_expensive_passes": True,
    },
}


@functools.cache
def soon(platform: str) -> dict[str, Any] | None:
    """What the compiler for this platform is asked for, as far as it knows that, to be ready sooner."""
    options = _SOON.get(platform, {})
    if _takes(options):
        return options or None
    return {name: value for name, value in options.items() if _takes({name: value})} or None


def _takes(options: dict[str, Any]) -> bool:
    try:
        jax.jit(lambda: np.zeros(()), compiler_options=options).lower().compile()
    except jax.errors.JaxRuntimeError:  # another version of XLA
        return False
    return True


class Program:
    """`jax.jit` of a function, compiled soon rather than well; inside another program, a part of that.

    Example:
        >>> @Program
        ... def square(x):
        ...     return x * x
        >>> print(square(jax.numpy.asarray(3.0)), jax.jit(square)(3.0))
        9.0 9.0
    """

    def __init__(self, function: Callable[..., Any]):
        functools.update_wrapper(self, function)
        self._function, self._part = function, jax.jit(function)
        self._begun: list[Future[Any]] = []

    @functools.cached_property
    def _whole(self) -> Any:
        options = soon(jax.default_backend())
        return self._part if options is None else jax.jit(self._function, compiler_options=options)

    @functools.cached_property
    def _at_once(self) -> Any:
        """The whole program, also in the rule of a derivative: there JAX takes apart, and compiles again, what has none."""
        whole = jax.custom_jvp(self._whole)
        whole.defjvp(lambda inputs, tangents: jax.jvp(self._part, inputs, tangents))
        return whole

    def __call__(self, *inputs: Any) -> Any:
        """What the function gives."""
        # JAX takes options for whole programs only. What is put on a device is traced where another program is.
        if _traced(inputs) or _traced(jax.device_put(0.0)):
            return self._part(*inputs)
        # A compilation that failed is tried again, and then raises where it is asked for.
        wait(tuple(self._begun))
        self._begun = [begun for begun in self._begun if not begun.done()]
        return self._at_once(*inputs)

    def begin(self, *inputs: Any) -> None:
        """Compile for inputs of these shapes, beside all that goes on until it is called."""
        self._begun.append(_COMPILERS.submit(self._whole.lower(*inputs).compile))


def _traced(values: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, weak_type=jax.typeof(leaf).weak_type)


def run(program: Program, *inputs: Any) -> Any:
    """What the program gives."""
    return program(*inputs)


def compile_ahead(chain: Callable[..., Any], *arguments: Any) -> None:
    """Begin to compile all that ``chain(call, *arguments)`` would run, in which ``call(program, *inputs)`` runs a `Program`.

    The compiler works on one program with one core, and needs shapes, not numbers: so the chain is gone through with shapes,
    which starts all its compilations, and whoever calls a program waits for that one. While arguments are traced there is
    nothing to compile.
    """
    if _traced(arguments):
        return

    def start(program, *inputs):
        program.begin(*jax.tree.map(_shape, inputs))
        return program(*inputs)

    jax.eval_shape(lambda *traced: chain(start, *traced), *arguments)


def compiled_together(chain: Callable[..., Any], *arguments: Any) -> Any:
    """``chain(call, *arguments)``, compiled ahead, see `compile_ahead`."""
    compile_ahead(chain, *arguments)
    return chain(run, *arguments)
