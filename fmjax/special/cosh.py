"""``ln 2cosh`` and its derivatives ``tanh`` and ``sech^2``, from one exponential."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Real

from fmjax.special.elementary import fast_log, in_float


@partial(jax.jit, inline=True)
def log_2cosh(x: Real[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
    r"""Free entropy of one ``±1`` spin in the field ``x``.

    .. math::
        \ln (2 \cosh x) = \ln \sum_{w = \pm 1} e^{w x} = |x| + \ln (1 + e^{-2 |x|})

    Its derivatives are ``tanh x``, ``1 - tanh^2 x`` and so on; the latter is computed without the subtraction.

    Args:
        x: any real number, infinities included. Integers are promoted, half precision is computed in single.

    Returns:
        At least ``ln 2``, shape ``(*shape)``. NaN as for `log_H`. Relative error of the value and three derivatives:
        1e-15 (float32: 5e-7), but zero where ``exp(-2|x|)`` is below the smallest normal number.

    Example:
        >>> print(f"{log_2cosh(0.0):.5f} {log_2cosh(1000.0):.1f}")
        0.69315 1000.0
    """
    return in_float(_log_2cosh, x)


@jax.custom_jvp
@jax.jit
def _log_2cosh(x: Array) -> Array:
    size = jnp.abs(x)
    decay = jnp.exp(-2 * size)
    return jnp.where(decay > 0, size + fast_log(1 + decay), size)


@_log_2cosh.defjvp
def _(primals, tangents):
    return _log_2cosh(*primals), _tanh(*primals) * tangents[0]


@jax.custom_jvp
@jax.jit
def _tanh(x: Array) -> Array:
    """``tanh x``: 2 ns less than jnp.tanh, because `_sech2` shares the exponential."""
    decay = jnp.exp(-2 * jnp.abs(x))
    # Where 1 - decay cancels, Lambert's x/(1 + z/(3 + z/(5 + ...))), z = x^2, as a ratio: off by z^7 / 3e11.
    z, above, below = x * x, jnp.ones_like(x), 13 * jnp.ones_like(x)
    for odd in (11, 9, 7, 5, 3, 1):
        above, below = below, odd * below + z * above
    small = z < 0.125
    return jnp.where(small, x * above, jnp.sign(x) * (1 - decay)) / jnp.where(small, below, 1 + decay)


@_tanh.defjvp
def _(primals, tangents):
    return _tanh(*primals), _sech2(*primals) * tangents[0]


@jax.custom_jvp
@jax.jit
def _sech2(x: Array) -> Array:
    """``1 - tanh(x)**2``, with its digits where tanh rounds to one."""
    decay = jnp.exp(-2 * jnp.abs(x))
    return 4 * decay / jnp.square(1 + decay)


@_sech2.defjvp
def _(primals, tangents):
    return _sech2(*primals), -2 * _tanh(*primals) * _sech2(*primals) * tangents[0]
