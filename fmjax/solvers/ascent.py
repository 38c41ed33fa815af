"""Thresholds as something to optimise: gradient ascent over the parameters of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from fmjax.solvers.front import as_float64, in_float64

__all__ = ["Climb", "climb"]


class Climb(eqx.Module):
    """The way up.

    Attributes:
        parameters: the parameters at every step, with a leading axis ``steps + 1``.
        values: the score there, shape ``(steps + 1,)``; NaN from the first step on at which it has no value.
    """

    parameters: Any
    values: Float[Array, " steps"]

    @property
    def best(self) -> Any:
        """The parameters of the highest score."""
        place = jnp.nanargmax(self.values)
        return jax.tree.map(lambda leaf: leaf[place], self.parameters)


@in_float64
def climb(
    score: Callable[[Any], Float[Array, ""]],
    parameters: Any,
    *,
    steps: int = 30,
    optimiser: optax.GradientTransformation | None = None,
) -> Climb:
    """Raise a threshold, or any function of thresholds, by following its gradient in some parameters of the model.

    One program takes all steps. It stops improving, and says NaN, where the score stops having a value: past the end of a
    branch, or where a threshold does not exist.

    Args:
        score: what to raise; traced, so it may not branch on values.
        parameters: where to start, a tree of arrays.
        steps: how many.
        optimiser: `optax.adam(0.05)` unless given.

    Returns:
        A `Climb`: all ``parameters`` and ``values`` on the way, and the ``best``, not always the last: Adam overshoots.

    Raises:
        ValueError: fewer than one step, or tracing with float64 off.

    Example:
        >>> import jax.numpy as jnp
        >>> import fmjax
        >>> def capacity(coefficients):
        ...     return fmjax.thresholds.capacity(fmjax.TreeCommittee(fmjax.Hermite(coefficients))).value
        >>> way = fmjax.climb(capacity, jnp.array([0.3, 1.0]), steps=10)
        >>> bool(way.values[-1] > way.values[0])
        True
    """
    if steps < 1:
        raise ValueError(f"steps = {steps} is not possible: climb at least one step")
    optimiser = optax.adam(0.05) if optimiser is None else optimiser

    @jax.jit
    def run(parameters):
        def step(carry, _):
            parameters, state = carry
            value, slope = jax.value_and_grad(score)(parameters)
            moves, state = optimiser.update(jax.tree.map(jnp.negative, slope), state, parameters)
            return (optax.apply_updates(parameters, moves), state), (parameters, value)

        _, (path, values) = jax.lax.scan(step, (parameters, optimiser.init(parameters)), None, length=steps + 1)
        return Climb(path, values)

    return run(as_float64(parameters))
