"""The prior of one weight: its free entropy in a field, and which fields occur in a cavity."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.quadrature import TAIL, Layered, offset, twins
from fmjax.special import log_2cosh

__all__ = ["Binary", "LocalField", "Site", "Spherical", "Weights"]

_Scalar = Float[Array, ""]


class LocalField(eqx.Module):
    """What fixes the distribution of the field on a weight of a solution around a reference ``w~``, as numbers.

    The reference's weight is drawn in the field ``sqrt(q~_hat) x + R~_hat w*``, the counted one feels
    ``shared x + sqrt(own) y + eta w~ + R_hat w*`` with ``x, y`` standard normal: ``t_hat = shared sqrt(q~_hat)``,
    ``q_hat = own + shared**2`` and ``eta = p_hat - t_hat``. The teacher's weight is ``w* = 1``; without a teacher
    ``R~_hat = R_hat = 0``. In code the tilde is written out: ``reference_q_hat``, ``reference_R_hat``.
    """

    reference_q_hat: _Scalar
    reference_R_hat: _Scalar
    shared: _Scalar
    own: _Scalar
    eta: _Scalar
    R_hat: _Scalar


class Site(eqx.Module):
    """Fields that occur on a weight, as nodes of a quadrature rule; all arrays broadcast to one shape.

    Attributes:
        field: on the counted weight.
        probability: of each; they add up to one.
        twin: which of two interleaved rules a node belongs to, see `fmjax.quadrature`; zero where sums are exact.
        weight: ``w~``, that of the reference; zero where there is none.
        mean: of ``w~`` given the frozen field ``x``: what it has in common with other solutions like the reference.
    """

    field: Float[Array, "*#nodes"]
    probability: Float[Array, "*#nodes"]
    twin: Float[Array, "*#nodes"] | np.ndarray
    weight: Float[Array, "*#nodes"]
    mean: Float[Array, "*#nodes"]


class Weights(eqx.Module):
    """Prior of one weight, normalised so that ``<w^2> = 1``: `Binary`, `Spherical`, or one's own.

    A prior says two things: the free entropy of a weight in a given field (`log_partition`), whose derivatives are the mean
    weight and its variance, and which fields occur in a cavity (`typical`, `local`). The entropic potential ``G_S`` is the
    mean of the former over the latter, and overlaps are means of products of mean weights.

    ``discrete`` says how solutions end at capacity: a discrete weight has as many as ``exp(N S)`` solutions, which end
    where ``S = 0``; the solutions of a continuous one shrink to a point, ``q -> 1``.
    """

    discrete: ClassVar[bool]

    @abstractmethod
    def log_partition(self, field: Float[Array, "*#shape"], mean_square: _Scalar) -> Float[Array, "*#shape"]:
        """Free entropy of one weight in ``field``, nats; ``mean_square`` is that of the fields on all weights.

        Only a prior that ties all weights together depends on ``mean_square``, and is stationary in it.
        """

    @abstractmethod
    def typical(self, q_hat: _Scalar, R_hat: _Scalar, nodes: int) -> Site:
        """Fields ``sqrt(q_hat) x + R_hat w*`` on a weight of a typical solution.

        ``w* = 1`` is the weight of the teacher; without one ``R_hat = 0``. ``nodes`` says how many fields stand for the
        Gaussian ``x``.
        """

    @abstractmethod
    def local(self, at: LocalField, nodes: tuple[int, int]) -> Site:
        """Fields on a weight of a solution around a reference.

        ``at`` says what the reference imposes, ``nodes`` how many values of ``x`` and ``y`` there are.
        """


class Binary(Weights):
    """Weights ``+1`` and ``-1`` with equal prior weight (counting measure: ``S(alpha=0) = ln 2``).

    The free entropy of one weight is ``ln sum_w e^{field w} = ln 2cosh(field)``.

    Attributes:
        steepness: slope of the layer of nodes (`fmjax.quadrature.Layered`) at a tanh: as wide as the distance of its poles
            from the axis, pi/2. In strong fields, where nodes are needed, 1 and 2 were found to lose ten times as much.

    Example:
        >>> import fmjax
        >>> print(f"{fmjax.Binary().log_partition(jnp.asarray(0.0), jnp.asarray(0.0)):.6f}")  # ln 2
        0.693147
    """

    discrete: ClassVar[bool] = True
    steepness: ClassVar[float] = 4.0 / 3.0

    def log_partition(self, field: Float[Array, "*#shape"], mean_square: _Scalar) -> Float[Array, "*#shape"]:
        """``ln 2cosh(field)``."""
        return log_2cosh(field)

    def typical(self, q_hat: _Scalar, R_hat: _Scalar, nodes: int) -> Site:
        """``w* = 1`` stands for both of its signs; a layer at the kink of ``ln 2cosh``."""
        scale = jnp.sqrt(q_hat)
        x, probability = Layered(nodes)(self.steepness * scale[None], self.steepness * R_hat[None])
        nothing = jnp.zeros_like(x)
        return Site(scale * x + R_hat, probability, twins(nodes), nothing, nothing)

    def local(self, at: LocalField, nodes: tuple[int, int]) -> Site:
        """Probability ``Dx Dy [1 + tanh(sqrt(q~_hat) x + R~_hat)]``, of ``w~ = 1``.

        The sum over ``w~ = +-1`` is folded into ``w~ = 1`` by the symmetry ``(x, y, w~, w*) -> -(x, y, w~, w*)``: where
        there is a teacher, take the mean over ``w* = +-1``, that is over both signs of ``R~_hat`` and ``R_hat``. Layers in
        ``x`` are the step of the reference's tanh and that of the counted one, smeared over ``y``; for every ``x`` there
        is one in ``y``.
        """
        root, spread, shift = jnp.sqrt(at.reference_q_hat), jnp.sqrt(at.own), at.eta + at.R_hat
        smear = self.steepness / jnp.sqrt(1.0 + at.own)
        slopes, offsets = ([self.steepness * root, smear * at.shared], [self.steepness * at.reference_R_hat, smear * shift])
        x, probability = Layered(nodes[0])(jnp.stack(slopes), jnp.stack(offsets), -TAIL, TAIL)
        drift = at.shared * x + shift
        slopes = jnp.broadcast_to(self.steepness * spread, (1, *drift.shape))
        y, inner = Layered(nodes[1])(slopes, self.steepness * drift[None], -TAIL, TAIL, offset(nodes[0]))
        mean = jnp.tanh(root * x + at.reference_R_hat)
        probability = (probability * (1.0 + mean))[:, None] * inner
        return Site(drift[:, None] + spread * y, probability, twins(nodes[0])[:, None], jnp.ones((1, 1)), mean[:, None])


class Spherical(Weights):
    """Real weights on the sphere ``sum_i w_i^2 = N`` (entropy relative to the whole sphere: ``S(alpha=0) = 0``).

    The multiplier of the norm is eliminated: with ``<B^2>`` the mean square field on a weight, ``G_S = ext_l [l - ln l +
    <B^2>/l - 1] / 2`` at ``l = (1 + sqrt(1 + 4 <B^2>))/2``. All fields are Gaussian and only their second moments matter,
    which a few signs have as well. Solutions are counted by volume, so that entropies are negative for every ``alpha > 0``.

    Example:
        >>> import fmjax
        >>> model = fmjax.Perceptron(margin=0.0, weights=fmjax.Spherical())
        >>> print(f"{fmjax.thresholds.capacity(model).value:.6f}")  # Cover 1965, Gardner 1988
        2.000000
    """

    discrete: ClassVar[bool] = False

    @staticmethod
    def _multiplier(mean_square):
        return 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * mean_square))

    def log_partition(self, field: Float[Array, "*#shape"], mean_square: _Scalar) -> Float[Array, "*#shape"]:
        """``[l - ln l + field^2/l - 1] / 2`` at the ``l`` that is extremal for the mean."""
        multiplier = self._multiplier(mean_square)
        return 0.5 * (multiplier - jnp.log(multiplier) + field**2 / multiplier - 1.0)

    def typical(self, q_hat: _Scalar, R_hat: _Scalar, nodes: int) -> Site:
        """``x = +-1``."""
        x, nothing = np.array([1.0, -1.0]), jnp.zeros(2)
        return Site(jnp.sqrt(q_hat) * x + R_hat, jnp.full(2, 0.5), np.zeros(2), nothing, nothing)

    def local(self, at: LocalField, nodes: tuple[int, int]) -> Site:
        """``x = +-1``, ``y = +-1`` and ``w~ = (sqrt(q~_hat) x + R~_hat)/l~ +- 1/sqrt(l~)``, ``l~`` that of the reference."""
        signs = np.array([1.0, -1.0])
        x, y, z = signs[:, None, None], signs[:, None], signs
        multiplier = self._multiplier(at.reference_q_hat + at.reference_R_hat**2)
        mean = (jnp.sqrt(at.reference_q_hat) * x + at.reference_R_hat) / multiplier
        weight = mean + z / jnp.sqrt(multiplier)
        field = at.shared * x + jnp.sqrt(at.own) * y + at.eta * weight + at.R_hat
        return Site(field, jnp.full(field.shape, 0.125), np.zeros(field.shape), weight, mean)
