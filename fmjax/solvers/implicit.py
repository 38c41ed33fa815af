"""Derivatives of what was found: the implicit function theorem. Nothing that finds it is ever differentiated.

What a root says of its inputs is a matrix, so that a derivative is one more small program beside the search, and a product:
neither is compiled again where `jax.grad` meets them. Differentiable themselves, as often as the root is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.compilation import Program, compile_ahead
from fmjax.solvers.newton import Equations, Root, solve

__all__ = ["along", "implicit", "response", "slopes_of", "still"]

_Vector = Float[Array, " n"]


def implicit(equations: Equations, search: Program) -> Callable[..., Root]:
    """A ``search`` for a zero of ``equations``, of the same inputs, with derivatives."""

    @Program
    def slopes(inputs, unknowns):
        return slopes_of(equations, inputs, unknowns)

    @jax.custom_jvp
    def root_at(*inputs):
        return search(*inputs)

    @root_at.defjvp
    def _(inputs, tangents):
        compile_ahead(lambda call, *given: call(slopes, given, call(search, *given).unknowns), *inputs)
        root = root_at(*inputs)
        moved = jnp.split(along(slopes(inputs, root.unknowns), tangents), [root.unknowns.size])
        return root, eqx.tree_at(lambda r: (r.unknowns, r.numbers), still(root), tuple(moved))

    return root_at


def slopes_of(equations: Equations, inputs: Any, unknowns: _Vector) -> Any:
    """``d (unknowns, numbers) / d inputs`` at a zero: like ``inputs``, with an axis of ``n + numbers`` rows in front.

    By reverse mode: equations are few, and inputs may be a whole table of a kernel.
    """

    def at(inputs, unknowns):
        return jnp.concatenate(equations(inputs, unknowns, jnp.zeros(())))

    found, pull_back = jax.vjp(at, inputs, unknowns)
    direct, jacobian = jax.vmap(pull_back)(jnp.eye(found.size))
    size = unknowns.size

    def total(rows):
        flat = rows.reshape(found.size, -1)
        moved = -solve(jacobian[:size], flat[:size])
        return jnp.concatenate([moved, flat[size:] + jacobian[size:] @ moved]).reshape(rows.shape)

    return jax.tree.map(total, direct)


@Program
def along(slopes: Any, tangents: Any) -> Float[Array, " rows"]:
    """What ``slopes``, with one more axis in front, say of a direction in their inputs."""
    parts = jax.tree.map(lambda rows, moved: rows.reshape(len(rows), -1) @ moved.reshape(-1), slopes, tangents)
    return jnp.sum(jnp.stack(jax.tree.leaves(parts)), axis=0)


def response(
    equations: Equations, inputs: Any, unknowns: _Vector, tangents: Any
) -> tuple[_Vector, Float[Array, " numbers"]]:
    """How a zero of ``equations``, and the numbers there, move with their inputs: the implicit function theorem.

    Nothing that found the zero is differentiated. Differentiable itself, as often as ``unknowns`` are.

    Args:
        equations: see the module.
        inputs: their first argument.
        unknowns: a zero.
        tangents: of ``inputs``.
    """
    # Linearised once, for the directions of the unknowns and for that of the inputs.
    _, along = jax.linearize(lambda inputs, unknowns: equations(inputs, unknowns, jnp.zeros(())), inputs, unknowns)
    moved, direct = along(tangents, jnp.zeros_like(unknowns))
    still_inputs = jax.tree.map(jnp.zeros_like, inputs)
    jacobian, slopes = jax.vmap(lambda change: along(still_inputs, change), out_axes=-1)(jnp.eye(unknowns.size))
    change = -solve(jacobian, moved[:, None])[:, 0]
    return change, direct + slopes @ change


def still(tree: Any) -> Any:
    """The tangent of what does not move: zeros, of the type that JAX wants for numbers and for codes."""

    def zero(leaf):
        return jnp.zeros_like(leaf) if jnp.issubdtype(leaf.dtype, jnp.floating) else np.zeros(leaf.shape, jax.dtypes.float0)

    return jax.tree.map(zero, tree)
