"""``ln H`` and the Mills ratio: one fit of a ratio of repeated integrals, as `fmjax.special` explains."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Real

from fmjax.special.elementary import LOG_SQRT_2PI, fast_log, horner, in_float

# (x + 6) A_4 / A_3 as a ratio of polynomials in t = (x - 6) / (x + 6), constant terms first. Obtained by rational
# interpolation (one linear system, 100 digits, mpmath) at the Chebyshev points of t: relative error 2.4e-16 for degrees
# 11/10 and 1.1e-7 for 5/4; 6 gave the smallest error and no cancellation among 3.5, 4, ..., 7. tests/oracles/special.py
# holds the ten lines that compute them, and a test repeats the computation.
_CENTRE = 6.0
# fmt: off
_TAIL_64_ABOVE = (
    1.7833338457567365, 0.1167140662077562, 2.5536105354469147, 0.0038567725845710873, 1.2831775714032032,
    -0.06185058638845155, 0.2654261927790276, -0.02181579480298081, 0.020253530710901854, -0.0018953263374700629,
    0.000363655572625286, -2.1340350878167313e-05,
)
_TAIL_64_BELOW = (
    1.0, 0.6797520874536597, 1.708473268959407, 0.8396114881764695, 1.021289622542805, 0.35145334490000063,
    0.25628622807757656, 0.056114084685027286, 0.024902736954271445, 0.002640686408612774, 0.0006295744241260319,
)
_TAIL_32_ABOVE = (
    1.7833340332829073, 0.0021006490631243864, 0.9994339598623926, -0.15759096340408438, 0.09311229157550885,
    -0.012841507903931468,
)
_TAIL_32_BELOW = (
    1.0, 0.6154828542949474, 0.797497141095378, 0.19852924767611815, 0.09603932654048572,
)
# fmt: on
# Beyond this |x| the density underflows in every format: a bound on |x| that changes nothing on the left.
_NO_DENSITY = 40.0


@partial(jax.jit, inline=True)
def log_H(x: Real[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
    r"""Log-probability that a standard normal variable exceeds ``x``.

    .. math::
        \ln H(x) = \ln \int_x^\infty \frac{e^{-u^2/2}}{\sqrt{2\pi}}\, du = \ln \tfrac12 \mathrm{erfc}(x / \sqrt 2)

    Its derivative is minus the Mills ratio (`mills_ratio`). Abramowitz & Stegun 7.1, 26.2.

    Args:
        x: any real number, infinities included. Integers are promoted, half precision is computed in single.

    Returns:
        Natural logarithm in [-inf, 0], shape ``(*shape)``; NaN where ``x`` is NaN and nowhere else, and so
        for every derivative. Relative error on [-1e4, 1e4]: 2e-15 for value, slope and curvature, 1e-14 and 1e-13 for
        the third and fourth derivative (float32: 1e-6, 5e-6, 5e-5); higher ones lose ``1 + x^2`` per order for x > 0.
        Below the smallest normal number, and where the density is (x < -37.6; float32: -13), results may be zero.

    Example:
        >>> print(f"{log_H(0.0):.5f} {log_H(100.0):.2f}")
        -0.69315 -5005.52
    """
    return in_float(lambda x: _log_H(x, _tail(lax.stop_gradient(x))), x)


@partial(jax.jit, inline=True)
def mills_ratio(x: Real[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
    r"""Mean of a standard normal variable that exceeds ``x``: the inverse of Mills' ratio, or Gaussian hazard.

    .. math::
        r(x) = -\frac{d}{dx} \ln H(x) = \frac{e^{-x^2/2}}{\sqrt{2\pi}\, H(x)}, \qquad r' = r\,(r - x)

    It is close to ``x + 1/x`` for large ``x`` and to the density for very negative ``x``. Abramowitz & Stegun 26.2.

    Args:
        x: any real number, infinities included. Integers are promoted, half precision is computed in single.

    Returns:
        In [0, inf], shape ``(*shape)``. Errors, underflow and NaN as for `log_H`.

    Example:
        >>> print(f"{mills_ratio(0.0):.5f} {jax.grad(mills_ratio)(1000.0):.6f}")
        0.79788 0.999999
    """
    return in_float(lambda x: _mills_derivative(0, x, _tail(lax.stop_gradient(x))), x)


@jax.custom_jvp
@jax.jit
def _log_H(x: Array, tail: tuple[Array, Array, Array]) -> Array:
    left = x < 0
    mills, ratio, _ = tail
    # On the left H(x) = 1 / (1 + odds), odds = H(|x|) / H(x), and ln(1 + odds) must keep its digits for tiny odds:
    # take back the rounding of 1 + odds, to first order, with 1 - odds/2 for 1/(1 + odds), equal at 0 and 1. XLA
    # simplifies (1 + odds) - 1 to odds, but does not see through the select.
    odds = mills * ratio
    argument = jnp.where(left, 1 + odds, ratio)
    rounding = ((argument - 1) - odds) * (1 - 0.5 * odds)
    log = fast_log(argument)
    return jnp.where(left, rounding - log, (-0.5 * x * x - LOG_SQRT_2PI) - log)


@_log_H.defjvp
def _(primals, tangents):
    return _log_H(*primals), -_mills_derivative(0, *primals) * tangents[0]


@partial(jax.custom_jvp, nondiff_argnums=(0,))
@partial(jax.jit, static_argnums=0)
def _mills_derivative(order: int, x: Array, tail: tuple[Array, Array, Array]) -> Array:
    """``d^order r / dx^order``, from the same few pieces at every order: what they are computed from is written once."""
    _, ratio, slope = tail
    if order == 0:
        return ratio
    size = jnp.abs(x)
    if order == 1:  # r' = r a_1, the cheapest of the forms that keep their digits
        return jnp.where(x < 0, ratio * (ratio + jnp.minimum(size, _NO_DENSITY)), slope)
    left = _left_derivative(order, ratio, ratio + jnp.minimum(size, _NO_DENSITY))
    return jnp.where(x < 0, left, _right_derivative(order, size, _moments(size)))


@_mills_derivative.defjvp
def _(order, primals, tangents):
    return _mills_derivative(order, *primals), _mills_derivative(order + 1, *primals) * tangents[0]


@jax.jit
def _tail(x: Array) -> tuple[Array, Array, Array]:
    """``H / density`` at ``|x|``, ``r`` at ``x``, and ``r'`` at ``|x|``.

    For all orders of a derivative, which are handed it and say how they change with ``x``: hence ``stop_gradient``. Each
    calling it would write the fit once more, and half of a large program was copies of it until XLA found them equal.
    """
    size = jnp.abs(x)
    inverse, (density, tail, first, *_) = _repeated_integrals(size)
    mills = inverse * tail / density
    # One division for both signs; on the left r(x) = density / (1 - H(|x|)).
    left = x < 0
    phi = _normal_density(size)
    ratio = jnp.where(left, phi, 1) / jnp.where(left, 1 - phi * mills, mills)
    return mills, ratio, density * first / (tail * tail)


def _repeated_integrals(size: Array) -> tuple[Array, list[Array]]:
    """``1/(size + 6)``, and ``A_{-1}, ..., A_4`` scaled by ``(size + 6)^(k - 3) A_3``: bounded, and finite at infinity."""
    above, below = (_TAIL_64_ABOVE, _TAIL_64_BELOW) if size.dtype == jnp.float64 else (_TAIL_32_ABOVE, _TAIL_32_BELOW)
    inverse = 1 / (size + _CENTRE)
    t = 1 - 2 * _CENTRE * inverse
    scaled = [horner(above, t) / horner(below, t), jnp.ones_like(size)]
    near = 1 - _CENTRE * inverse
    square = inverse * inverse
    for k in (4, 3, 2, 1):
        scaled.append(near * scaled[-1] + k * square * scaled[-2])
    return inverse, scaled[::-1]


@jax.jit
def _moments(size: Array) -> list[Array]:
    """The moments ``a_0`` to ``a_4`` of the excess over ``size``."""
    inverse, (_, tail, *rest) = _repeated_integrals(size)
    per_tail = 1 / tail
    return [math.factorial(k) * inverse**k * scaled * per_tail for k, scaled in enumerate((tail, *rest))]


def _normal_density(size: Array) -> Array:
    """``exp(-size**2/2) / sqrt(2 pi)`` to the last digits: rounding ``size**2 = 1400`` alone would cost 1e-13."""
    # The square of `head` is exact; the rest of the exponent is below 0.03 and goes into a short series.
    bits = (11, 25) if size.dtype == jnp.float64 else (8, 11)
    size = jnp.minimum(size, _NO_DENSITY)
    head = lax.reduce_precision(size, *bits)
    rest = -0.5 * (size - head) * (size + head)
    return jnp.exp(-0.5 * head * head) * (horner((1.0, 1.0, 1 / 2, 1 / 6), rest) * (1 / math.sqrt(2 * math.pi)))


def _left_derivative(order: int, ratio: Array, excess: Array) -> Array:
    """``d^order r / dx^order`` for ``x < 0``, a polynomial in ``r`` and ``D = r - x``: ``r' = rD``, ``D' = rD - 1``."""
    terms = {(1, 0): 1}  # coefficient of r^i D^j
    for _ in range(order):
        derivative: dict[tuple[int, int], int] = {}
        for (i, j), c in terms.items():
            for power, value in (((i, j + 1), c * i), ((i + 1, j), c * j), ((i, j - 1), -c * j)):
                derivative[power] = derivative.get(power, 0) + value
        terms = {power: c for power, c in derivative.items() if c}
    # r comes out of the sum: at -inf it is zero and D is bounded by hand.
    return ratio * sum(c * ratio ** (i - 1) * excess**j for (i, j), c in terms.items())


def _right_derivative(order: int, size: Array, moments: list[Array]) -> Array:
    """``(-1)^order kappa_{order + 1}`` for ``x >= 0`` and second order or more, from the moments of the excess."""
    for k in range(5, order + 2):  # beyond the fit: upwards, losing a factor x^2 each; bounded, for 0 inf is NaN
        moments = [*moments, (k - 1) * moments[k - 2] - jnp.minimum(size, 1e9) * moments[k - 1]]
    cumulants = moments[:1]  # a_0 only holds the place of kappa_0
    for n in range(1, order + 2):
        mixed = [math.comb(n - 1, k - 1) * cumulants[k] * moments[n - k] for k in range(1, n)]
        cumulants.append(moments[n] - sum(mixed))
    return (-1) ** order * cumulants[order + 1]
