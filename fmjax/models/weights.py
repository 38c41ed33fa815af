"""The prior of one weight: the single-site entropic potentials."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.quadrature import Layered, Trapezoid
from fmjax.special import derivatives, log_2cosh

__all__ = ["Binary", "LocalField", "Spherical", "Weights"]

_Scalar = Float[Array, ""]
_Fields = Float[Array, " fields"]


class LocalField(eqx.Module):
    """What fixes the distribution of the field on a weight of a solution around a reference ``w~``, as numbers.

    The field is ``t_hat / sqrt(q~_hat) x + sqrt(residual_hat) y + eta w~ + R_hat w*``, with ``w~`` drawn in the field
    ``sqrt(q~_hat) x + R~_hat w*``; ``residual_hat = q_hat - t_hat**2 / q~_hat`` and ``eta = p_hat - t_hat``. The teacher's
    weight is ``w* = 1``; without a teacher ``R~_hat = R_hat = 0``. In code the tilde is written out: ``reference_q_hat``,
    ``reference_R_hat``.
    """

    reference_q_hat: _Scalar
    reference_R_hat: _Scalar
    q_hat: _Scalar
    t_hat: _Scalar
    residual_hat: _Scalar
    eta: _Scalar
    R_hat: _Scalar


class Weights(eqx.Module):
    """Prior of one weight, normalised so that ``<w^2> = 1``: `Binary`, `Spherical`, or one's own.

    A prior says two things: the free entropy of a weight in a given field (`log_partition`), and which fields occur in a
    cavity (`typical`, `local`). The entropic potential ``G_S`` is the mean of the former over the latter.

    ``discrete`` says how solutions end at capacity: a discrete weight has as many as ``exp(N S)`` solutions, which end
    where ``S = 0``; the solutions of a continuous one shrink to a point, ``q -> 1``.
    """

    discrete: ClassVar[bool]

    @abstractmethod
    def log_partition(self, field: Float[Array, "*#shape"]) -> Float[Array, "*#shape"]:
        """Free entropy of one weight in ``field``, nats."""

    @abstractmethod
    def susceptibility(self, field: Float[Array, "*#shape"]) -> Float[Array, "*#shape"]:
        """Derivative of the mean weight with respect to its ``field``: the variance of the weight."""

    @abstractmethod
    def typical(self, q_hat: _Scalar, R_hat: _Scalar, nodes: int) -> tuple[_Fields, _Fields]:
        """Fields ``sqrt(q_hat) x + R_hat w*`` on a weight of a typical solution, and their probabilities.

        ``w*`` is the weight of the teacher; without one ``R_hat = 0``. ``nodes`` says how many fields stand for the Gaussian
        ``x``.
        """

    @abstractmethod
    def local(self, at: LocalField, nodes: int) -> tuple[_Fields, _Fields]:
        """Fields on a weight of a solution around a reference, and their probabilities.

        ``at`` says what the reference imposes, ``nodes`` how many fields there are in each dimension.
        """


class Binary(Weights):
    """Weights ``+1`` and ``-1`` with equal prior weight (counting measure: ``S(alpha=0) = ln 2``).

    The free entropy of one weight is ``ln sum_w e^{field w} = ln 2cosh(field)``.

    Example:
        >>> import fmjax
        >>> print(f"{fmjax.Binary().log_partition(jnp.asarray(0.0)):.6f}")  # ln 2
        0.693147
    """

    discrete: ClassVar[bool] = True

    def log_partition(self, field: Float[Array, "*#shape"]) -> Float[Array, "*#shape"]:
        """``ln 2cosh(field)``."""
        return log_2cosh(field)

    def susceptibility(self, field: Float[Array, "*#shape"]) -> Float[Array, "*#shape"]:
        """``1 - tanh(field)^2``."""
        return derivatives(log_2cosh, field)[1]

    def typical(self, q_hat: _Scalar, R_hat: _Scalar, nodes: int) -> tuple[_Fields, _Fields]:
        """``w* = 1`` stands for both of its signs; a layer at the kink of ``ln 2cosh``."""
        scale = jnp.sqrt(q_hat)
        x, weight = Layered(nodes)(scale[None], R_hat[None])
        return scale * x + R_hat, weight

    def local(self, at: LocalField, nodes: int) -> tuple[_Fields, _Fields]:
        """Field ``sqrt(q_hat) u + eta + R_hat``, probability ``Du E_{x|u}[1 + tanh(sqrt(q~_hat) x + R~_hat)]``.

        ``u`` is the field on the counted weight and ``x`` that on the reference, of correlation
        ``rho = t_hat / sqrt(q~_hat q_hat)``. The sum over ``w~ = +-1`` is folded into ``w~ = 1`` by the symmetry
        ``(x, u, w~, w*) -> -(x, u, w~, w*)``: where there is a teacher, take the mean over ``w* = +-1``, that is over both
        signs of ``R~_hat`` and ``R_hat``.
        """
        reference_scale, scale = jnp.sqrt(at.reference_q_hat), jnp.sqrt(at.q_hat)
        rho, rest = at.t_hat / (reference_scale * scale), jnp.sqrt(at.residual_hat / at.q_hat)
        # Two layers in u: the kink of ln 2cosh, and the step of the reference's tanh smeared over x | u.
        step = reference_scale * rho / jnp.sqrt(1.0 + at.reference_q_hat * rest**2)
        offsets = jnp.stack([at.eta + at.R_hat, at.reference_R_hat / jnp.sqrt(1.0 + at.reference_q_hat * rest**2)])
        u, weight = Layered(nodes)(jnp.stack([scale, step]), offsets)
        y, inner = Trapezoid(3 * nodes // 5, 8.0)()
        x = rho * u[:, None] + rest * y
        reference = 1.0 + jnp.tanh(reference_scale * x + at.reference_R_hat) @ inner
        return scale * u + at.eta + at.R_hat, weight * reference


class Spherical(Weights):
    """Real weights on the sphere ``sum_i w_i^2 = N`` (entropy relative to the whole sphere: ``S(alpha=0) = 0``).

    The multiplier of the norm is eliminated: with ``<B^2>`` the mean square field on a weight,
    ``G_S = ext_l [l - ln l + <B^2>/l - 1] / 2`` at ``l = (1 + sqrt(1 + 4 <B^2>))/2``. Only this mean matters: one field
    stands for all. Solutions are counted by volume, so that entropies are negative for every ``alpha > 0``.

    Example:
        >>> import fmjax
        >>> model = fmjax.Perceptron(margin=0.0, weights=fmjax.Spherical())
        >>> print(f"{fmjax.thresholds.capacity(model).value:.6f}")  # Cover 1965, Gardner 1988
        2.000000
    """

    discrete: ClassVar[bool] = False

    @staticmethod
    def _multiplier(mean_square_field):
        return 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * mean_square_field))

    def log_partition(self, field: Float[Array, "*#shape"]) -> Float[Array, "*#shape"]:
        """``[l - ln l + field^2/l - 1] / 2`` at the extremal ``l``."""
        multiplier = self._multiplier(field**2)
        return 0.5 * (multiplier - jnp.log(multiplier) + field**2 / multiplier - 1.0)

    def susceptibility(self, field: Float[Array, "*#shape"]) -> Float[Array, "*#shape"]:
        """``1 / l``: the norm is that of all weights together, so that one field does not change ``l``."""
        return 1.0 / self._multiplier(field**2)

    def typical(self, q_hat: _Scalar, R_hat: _Scalar, nodes: int) -> tuple[_Fields, _Fields]:
        """``<B^2> = q_hat + R_hat^2``."""
        return jnp.sqrt(q_hat + R_hat**2)[None], jnp.ones(1)

    def local(self, at: LocalField, nodes: int) -> tuple[_Fields, _Fields]:
        """``<B^2> = q_hat + R_hat^2 + eta^2 + 2 eta (t_hat + R_hat R~_hat) / l~``, ``l~`` that of the reference."""
        multiplier = self._multiplier(at.reference_q_hat + at.reference_R_hat**2)
        mean_square = (
            at.q_hat + at.R_hat**2 + at.eta**2 + 2.0 * at.eta * (at.t_hat + at.R_hat * at.reference_R_hat) / multiplier
        )
        return jnp.sqrt(mean_square)[None], jnp.ones(1)
