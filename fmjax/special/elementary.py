"""What special functions are made of: types of float, polynomials, the logarithm, derivatives of whole arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)  # minus that of the standard normal density at 0


def derivatives(
    function: Callable[[Array], Array], x: Float[Array, "*shape"]
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """First and second derivative of a function that acts on each element of ``x``, by automatic differentiation.

    Args:
        function: of an array of any shape, element by element, like `log_H`.
        x: where, shape ``(*shape)``.

    Returns:
        Both derivatives, shape ``(*shape)`` each.

    Example:
        >>> from fmjax.special import derivatives, log_H
        >>> slope, curvature = derivatives(log_H, jnp.asarray(0.0))
        >>> print(f"{slope:.5f} {curvature:.5f}")
        -0.79788 -0.63662
    """

    def first(x: Array) -> Array:
        return jax.jvp(function, (x,), (jnp.ones_like(x),))[1]

    return jax.jvp(first, (x,), (jnp.ones_like(x),))


def in_float(function: Callable[[Array], Array], x: ArrayLike) -> Array:
    """Call ``function`` on ``x`` promoted to a float, in float32 at least; return the promoted dtype."""
    dtype = jnp.result_type(x, float)
    return function(jnp.asarray(x, jnp.promote_types(dtype, jnp.float32))).astype(dtype)


def horner(coefficients: Sequence[float], t: Array) -> Array:
    """``sum_k coefficients[k] t^k``."""
    value = jnp.full_like(t, coefficients[-1])
    for c in coefficients[-2::-1]:
        value = value * t + c
    return value


@jax.jit
def fast_log(v: Array) -> Array:
    """``ln v = k ln 2 + 2 artanh((m - 1)/(m + 1))`` for ``v = 2^k m`` positive and normal, in loops that XLA vectorises."""
    integer, digits, terms = (jnp.int64, 52, 10) if v.dtype == jnp.float64 else (jnp.int32, 23, 4)
    # m in [sqrt(1/2), sqrt(2)): without the bits of sqrt(1/2), the exponent field holds k.
    root_half = lax.bitcast_convert_type(jnp.asarray(math.sqrt(0.5), v.dtype), integer)
    bits = lax.bitcast_convert_type(v, integer)
    k = (bits - root_half) >> digits
    f = lax.bitcast_convert_type(bits - (k << digits), v.dtype) - 1
    # 2 artanh(s) = 2 s + s z p(z) and 2 s = f - s f; |s| < 0.172, so that the series stops at the last digit.
    s = f / (2 + f)
    z = s * s
    series = z * horner([2 / (2 * n + 3) for n in range(terms)], z)
    return k.astype(jnp.int32).astype(v.dtype) * math.log(2) + (f - s * (f - series))
