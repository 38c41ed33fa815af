"""Functions of a hidden unit, and how far two units drift apart: in closed form or by quadrature."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax import names
from fmjax.checks import as_numbers

__all__ = ["ACTIVATIONS", "REACH", "Activation", "Erf", "Hermite", "LeakyReLU", "ReLU", "Sign", "spread"]

_Scalar = Float[Array, ""]

REACH = 11.0  # standard deviations: exp(-60) is left out, also of activations that grow like a power


class Activation(eqx.Module):
    """A function ``g`` of a hidden unit whose `spread` is known in closed form.

    Array leaves, such as the slope of `LeakyReLU`, are differentiable.
    """

    @abstractmethod
    def __call__(self, u: _Scalar) -> _Scalar:
        """``g(u)``."""

    @abstractmethod
    def spread(self, angle: Float[Array, " n"]) -> Float[Array, " n"]:
        """``Q(1) - Q(cos angle) = E[(g(u) - g(v))^2] / 2`` at ``E[u v] = cos(angle)``, exact at small angles."""


class Sign(Activation):
    """``g(u) = sign(u)``: ``Q(q) = (2/pi) arcsin q``."""

    def __call__(self, u: _Scalar) -> _Scalar:
        """``sign(u)``."""
        return jnp.sign(u)

    def spread(self, angle: Float[Array, " n"]) -> Float[Array, " n"]:
        """``2 angle / pi``."""
        return 2.0 * angle / jnp.pi


class LeakyReLU(Activation):
    r"""``g(u) = u`` for ``u > 0`` and ``slope * u`` below.

    .. math:: Q(q) = \Big(\frac{1+s}2\Big)^2 q + \Big(\frac{1-s}2\Big)^2 \frac2\pi \big[\sqrt{1-q^2} + q \arcsin q - 1\big]

    Args:
        slope: ``s``, differentiable; 0 is ReLU, 1 is linear.

    Raises:
        ValueError: ``slope`` is no real number.

    Example:
        >>> import fmjax
        >>> print(f"{fmjax.LeakyReLU(0.1)(jnp.asarray(-2.0)):.1f}")
        -0.2
    """

    slope: Float[Array, ""] | float = 0.1

    def __check_init__(self):
        as_numbers("slope", self.slope)

    def __call__(self, u: _Scalar) -> _Scalar:
        """``max(u, 0) + slope min(u, 0)``."""
        return jnp.maximum(u, 0.0) + self.slope * jnp.minimum(u, 0.0)

    def spread(self, angle: Float[Array, " n"]) -> Float[Array, " n"]:
        """As `Activation.spread`: a linear part and one of ``|u|``."""
        linear, modulus = (0.5 * (1.0 + sign * self.slope) for sign in (1.0, -1.0))
        gap = 2.0 * jnp.square(jnp.sin(0.5 * angle))
        # sin a - a cos a = int_0^a t sin t dt, which is a sum of positive terms.
        x, weights = _legendre(24)
        t = angle[:, None] * x
        third_order = jnp.sum(angle[:, None] * weights * t * jnp.sin(t), axis=1)
        return (linear**2 + modulus**2) * gap - modulus**2 * (2.0 / jnp.pi) * third_order


def ReLU() -> LeakyReLU:
    """``g(u) = max(u, 0)``: ``Q(q) = [sqrt(1-q^2) + q (pi/2 + arcsin q) - 1] / (2 pi)``."""
    return LeakyReLU(0.0)


class Erf(Activation):
    """``g(u) = erf(u)``: ``Q(q) = (2/pi) arcsin(2 q / 3)``."""

    def __call__(self, u: _Scalar) -> _Scalar:
        """``erf(u)``."""
        return jax.scipy.special.erf(u)

    def spread(self, angle: Float[Array, " n"]) -> Float[Array, " n"]:
        """``(2/pi) [arcsin(2/3) - arcsin(2 q/3)]`` through the sine and the cosine of the difference."""
        x, y = 2.0 / 3.0, 2.0 / 3.0 * jnp.cos(angle)
        first, second = x * jnp.sqrt(1.0 - y**2), y * jnp.sqrt(1.0 - x**2)
        together = jnp.where(y > 0, first + second, 1.0)
        sine = jnp.where(y > 0, jnp.square(x * jnp.sin(angle)) / together, first - second)
        return 2.0 / jnp.pi * jnp.arctan2(sine, jnp.sqrt((1.0 - x**2) * (1.0 - y**2)) + x * y)


class Hermite(Activation):
    """``g(u) = sum_k c_k He_k(u) / sqrt(k!)`` from ``k = 1`` on: ``Q(q) = sum_k c_k^2 q^k``.

    Every activation of finite variance is such a sum, up to a constant that no kernel depends on.

    Args:
        coefficients: ``c_1, c_2, ...``, shape ``(n,)``, differentiable.

    Raises:
        ValueError: ``coefficients`` are no real numbers, or only one without a list.

    Example:
        >>> import fmjax
        >>> print(f"{fmjax.Hermite(jnp.array([0.0, 1.0]))(jnp.asarray(2.0)):.6f}")  # (u^2 - 1) / sqrt(2)
        2.121320
    """

    coefficients: Float[Array, " n"]

    def __check_init__(self):
        if not np.ndim(as_numbers("coefficients", self.coefficients)):
            raise ValueError(f"coefficients must be several numbers, not {self.coefficients!r}: try jnp.array([2.0])")

    def __call__(self, u: _Scalar) -> _Scalar:
        """The sum, by the recurrence of Hermite polynomials."""
        value, before, current = jnp.zeros_like(u), jnp.ones_like(u), u
        for k, coefficient in enumerate(self.coefficients, start=1):
            value += coefficient * current
            before, current = current, (u * current - np.sqrt(k) * before) / np.sqrt(k + 1)
        return value

    def spread(self, angle: Float[Array, " n"]) -> Float[Array, " n"]:
        """``sum_k c_k^2 (1 - q^k)``, with ``1 - q^k = (1 - q) (1 + q + ... + q^(k-1))``."""
        powers = jnp.cos(angle)[:, None] ** np.arange(len(self.coefficients))
        gap = 2.0 * jnp.square(jnp.sin(0.5 * angle))
        return gap * (jnp.cumsum(powers, axis=1) @ jnp.square(jnp.asarray(self.coefficients)))


def _gelu(u: _Scalar) -> _Scalar:
    return u * jax.scipy.special.ndtr(u)


# Names on the command line; tanh and gelu are integrated numerically.
ACTIVATIONS: dict[str, Callable[[_Scalar], _Scalar]] = {
    names.Activation.SIGN.value: Sign(),
    names.Activation.RELU.value: ReLU(),
    names.Activation.LEAKY_RELU.value: LeakyReLU(),
    names.Activation.ERF.value: Erf(),
    names.Activation.TANH.value: jnp.tanh,
    names.Activation.GELU.value: _gelu,
}


def _legendre(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre on ``[0, 1]``."""
    x, weights = np.polynomial.legendre.leggauss(size)
    return 0.5 * (x + 1.0), 0.5 * weights


def _composite(breaks: Float[Array, "*batch ends"], nodes: int) -> tuple[Float[Array, "*batch x"], Float[Array, "*batch x"]]:
    """A rule of Gauss and Legendre between all neighbours of ``breaks``, for the standard normal measure."""
    breaks = jnp.sort(breaks, axis=-1)
    x, weights = _legendre(nodes)
    width = jnp.diff(breaks, axis=-1)[..., None]
    points = breaks[..., :-1, None] + width * x
    measure = width * weights * jnp.exp(-0.5 * jnp.square(points)) / np.sqrt(2.0 * np.pi)
    shape = (*breaks.shape[:-1], -1)
    return points.reshape(shape), measure.reshape(shape)


def spread(
    activation: Callable[[_Scalar], _Scalar], angle: Float[Array, " n"], kinks: tuple[float, ...], nodes: int = 64
) -> Float[Array, " n"]:
    r"""``Q(1) - Q(cos angle) = E[(g(u) - g(v))^2] / 2`` at ``E[u v] = cos(angle)``, by quadrature.

    With ``u, v = cos(angle/2) x ± sin(angle/2) y`` the difference is taken before it is squared: nothing cancels at small
    angles. The integral over the variable that matters more, ``x`` up to a right angle and ``y`` beyond, is the inner one,
    cut where ``u`` or ``v`` is at a kink; the outer one is cut where these cuts meet. Between cuts the integrand is as
    smooth as the activation is between its kinks.

    Args:
        activation: ``g``, a function of one number.
        angle: angles in ``(0, pi]``, shape ``(n,)``.
        kinks: where ``g`` or one of its derivatives jumps.
        nodes: of Gauss and Legendre, per dimension between two cuts: 64 give 1e-15 for tanh, whose poles are 1.6 away.
    """
    apply = jax.vmap(jax.vmap(activation))
    at = jnp.asarray(sorted(kinks))
    pairs = np.triu_indices(len(kinks))

    def mean_square(ends, meetings, cuts_at, arguments):
        outer, weight = _composite(jnp.clip(jnp.append(ends[0], meetings), *ends[0]), nodes)
        cuts = jnp.clip(cuts_at(outer[:, None]), *ends[1])
        limits = jnp.broadcast_to(ends[1], (outer.size, 2))
        inner, inner_weight = _composite(jnp.append(cuts, limits, axis=1), nodes)
        u, v = arguments(outer[:, None], inner)
        # Even in y: twice the half line.
        return weight @ jnp.sum(inner_weight * jnp.square(apply(u) - apply(v)), axis=1)

    half, whole = np.array([0.0, REACH]), np.array([-REACH, REACH])

    def acute(cosine, sine):
        return mean_square(
            (half, whole),
            0.5 * (at[pairs[1]] - at[pairs[0]]) / sine,
            lambda y: jnp.append(at - sine * y, at + sine * y, axis=1) / cosine,
            lambda y, x: (cosine * x + sine * y, cosine * x - sine * y),
        )

    def obtuse(cosine, sine):
        return mean_square(
            (whole, half),
            0.5 * (at[pairs[1]] + at[pairs[0]]) / cosine,
            lambda x: jnp.abs(at - cosine * x) / sine,
            lambda x, y: (cosine * x + sine * y, cosine * x - sine * y),
        )

    @jax.checkpoint  # the memory of one angle at a time, also in reverse mode
    def at_angle(angle):
        return jax.lax.cond(angle <= 0.5 * np.pi, acute, obtuse, jnp.cos(0.5 * angle), jnp.sin(0.5 * angle))

    return jax.lax.map(at_angle, angle)
