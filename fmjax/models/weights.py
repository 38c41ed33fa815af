"""The prior of one weight: the single-site entropic potentials."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.quadrature import Layered, Trapezoid
from fmjax.special import log_2cosh

__all__ = ["Binary", "Spherical", "Weights"]

_Scalar = Float[Array, ""]


class Weights(eqx.Module):
    """Prior of one weight, normalised so that ``<w^2> = 1``.

    ``discrete`` says how solutions end at capacity: a discrete weight has as many as ``exp(N S)`` solutions, which end
    where ``S = 0``; the solutions of a continuous one shrink to a point, ``q -> 1``.
    """

    discrete: ClassVar[bool]

    @abstractmethod
    def typical(self, q_hat: _Scalar, nodes: int) -> _Scalar:
        """``G_S`` of a typical solution, in nats: single-site free entropy in the field ``sqrt(q_hat) x``."""

    @abstractmethod
    def local(
        self, reference_q_hat: _Scalar, q_hat: _Scalar, t_hat: _Scalar, residual_hat: _Scalar, eta: _Scalar, nodes: int
    ) -> _Scalar:
        """``G_S`` of a solution around a reference ``w~``, in nats.

        The field on the counted weight is ``t_hat / sqrt(q~_hat) x + sqrt(residual_hat) y + eta w~``, with ``w~`` drawn
        in the field ``sqrt(q~_hat) x``; ``residual_hat = q_hat - t_hat**2 / q~_hat`` and ``eta = p_hat - t_hat``.
        """


class Binary(Weights):
    """Weights ``+1`` and ``-1`` with equal prior weight (counting measure: ``S(alpha=0) = ln 2``)."""

    discrete: ClassVar[bool] = True

    def typical(self, q_hat: _Scalar, nodes: int) -> _Scalar:
        """``∫Dx ln 2cosh(sqrt(q_hat) x)``."""
        scale = jnp.sqrt(q_hat)
        x, weight = Layered(nodes)(scale[None], jnp.zeros(1))
        return jnp.sum(weight * log_2cosh(scale * x))

    def local(
        self, reference_q_hat: _Scalar, q_hat: _Scalar, t_hat: _Scalar, residual_hat: _Scalar, eta: _Scalar, nodes: int
    ) -> _Scalar:
        """``∫Du ln 2cosh(sqrt(q_hat) u + eta) E_{x|u}[1 + tanh(sqrt(q~_hat) x)]``.

        ``u`` is the field on the counted weight and ``x`` that on the reference, of correlation
        ``rho = t_hat / sqrt(q~_hat q_hat)``. The sum over ``w~ = +-1`` is folded into ``w~ = 1`` by the symmetry
        ``(x, u, w~) -> -(x, u, w~)``.
        """
        reference_scale, scale = jnp.sqrt(reference_q_hat), jnp.sqrt(q_hat)
        rho, rest = t_hat / (reference_scale * scale), jnp.sqrt(residual_hat / q_hat)
        # Two layers in u: the kink of ln 2cosh, and the step of the reference's tanh smeared over x | u.
        step = reference_scale * rho / jnp.sqrt(1.0 + reference_q_hat * rest**2)
        u, weight = Layered(nodes)(jnp.stack([scale, jnp.abs(step)]), jnp.stack([eta, jnp.zeros_like(eta)]))
        y, inner = Trapezoid(3 * nodes // 5, 8.0)()
        x = rho * u[:, None] + rest * y
        reference = 1.0 + jnp.tanh(reference_scale * x) @ inner
        return jnp.sum(weight * reference * log_2cosh(scale * u + eta))


class Spherical(Weights):
    """Real weights on the sphere ``sum_i w_i^2 = N`` (entropy relative to the whole sphere: ``S(alpha=0) = 0``).

    The multiplier of the norm is eliminated: with ``<B^2>`` the mean square field on a weight,
    ``G_S = ext_l [l - ln l + <B^2>/l - 1] / 2`` at ``l = (1 + sqrt(1 + 4 <B^2>))/2``.
    """

    discrete: ClassVar[bool] = False

    @staticmethod
    def _free_entropy(mean_square_field: _Scalar) -> _Scalar:
        multiplier = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * mean_square_field))
        return 0.5 * (multiplier - jnp.log(multiplier) + mean_square_field / multiplier - 1.0)

    def typical(self, q_hat: _Scalar, nodes: int) -> _Scalar:
        """Closed form at ``<B^2> = q_hat``."""
        return self._free_entropy(q_hat)

    def local(
        self, reference_q_hat: _Scalar, q_hat: _Scalar, t_hat: _Scalar, residual_hat: _Scalar, eta: _Scalar, nodes: int
    ) -> _Scalar:
        """Closed form at ``<B^2> = q_hat + eta^2 + 2 eta t_hat / l~``, ``l~`` the multiplier of the reference."""
        reference_multiplier = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * reference_q_hat))
        return self._free_entropy(q_hat + eta**2 + 2.0 * eta * t_hat / reference_multiplier)
