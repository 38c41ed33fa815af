"""What a local entropy is a function of: its controls, order parameters, and the differences that do not cancel."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models import Architecture
from fmjax.replica.equilibrium import EquilibriumOrder
from fmjax.replica.functional import Kernels, Magnetisations

__all__ = ["Covariances", "FranzParisiControls", "FranzParisiOrder", "Overlaps"]

_Scalar = Float[Array, ""]

_UNSHARED = 1e-300  # an overlap of a reference with others like it, or its conjugate, where it has none


class FranzParisiControls(eqx.Module):
    """Where the functional is evaluated.

    ``alpha`` patterns per weight, the ``distance`` from the reference, the reference itself (of its order parameters the
    fields count), and the ``tilt`` of its quadrature.
    """

    alpha: Float[Array, "*batch"]
    distance: Float[Array, "*batch"]
    reference: EquilibriumOrder
    tilt: Float[Array, "*batch"] | float = 0.0


class FranzParisiOrder(eqx.Module):
    """Order parameters of the counted solutions.

    ``q``: overlap of two of them around the same reference; ``t``: of one with another replica of the reference; ``R``:
    with the teacher (zero for random labels); ``q_hat, t_hat, R_hat, p_hat``: conjugates of ``q, t, R`` and of
    ``p = 1 - 2 distance``; ``gap = 1 - q`` without cancellation.
    """

    q: Float[Array, "*batch"]
    t: Float[Array, "*batch"]
    q_hat: Float[Array, "*batch"]
    t_hat: Float[Array, "*batch"]
    p_hat: Float[Array, "*batch"]
    gap: Float[Array, "*batch"]
    R: Float[Array, "*batch"]
    R_hat: Float[Array, "*batch"]

    def around(self, reference: EquilibriumOrder, p: _Scalar, other: EquilibriumOrder) -> FranzParisiOrder:
        """Those around an ``other`` reference that have the same fields, and of which it explains the same part.

        Where a functional is stationary its derivatives are the same along any of its order parameters: along these nothing
        vanishes, as ``q - t^2/q~`` does, the others held, at the maximum of equal margins.
        """
        share = self.t / (reference.q + _UNSHARED)
        shared = self.t_hat / jnp.sqrt(reference.q_hat + _UNSHARED)

        def explained(of):
            return share**2 * of.q + (p - share * of.q) ** 2 / of.gap

        more = explained(other) - explained(reference)
        t_hat = shared * jnp.sqrt(other.q_hat + _UNSHARED)
        return FranzParisiOrder(
            q=self.q + more,
            t=share * other.q,
            q_hat=self.q_hat,
            t_hat=t_hat,
            p_hat=self.p_hat + (t_hat - self.t_hat),
            gap=self.gap - more,
            R=self.R + share * (other.R - reference.R),
            R_hat=self.R_hat,
        )


class Overlaps(eqx.Module):
    """Overlaps of weights, as what a reference does not explain of a counted weight.

    The mean weight of the counted solutions in a cavity, ``m``, is regressed on the two parts of the reference's weight,
    its own mean ``m~`` in the frozen field and the rest ``w~ - m~``:

        m = (1 - along) m~ + (1 - across) (w~ - m~) + rest,    along = 1 - t/q~,  across = 1 - (p-t)/(1-q~)

    ``variance = E[rest^2] = q - t^2/q~ - (p-t)^2/(1-q~)``, ``beyond = E[rest w*] = R - R~ t/q~``; ``gap = 1 - q`` and
    ``p_gap = 1 - p``. The reference has ``q~ = reference``, ``1 - q~ = reference_gap`` and ``R~ = reference_R``.
    """

    p_gap: _Scalar
    gap: _Scalar
    along: _Scalar
    across: _Scalar
    variance: _Scalar
    beyond: _Scalar
    reference: _Scalar
    reference_gap: _Scalar
    reference_R: _Scalar

    @property
    def t(self) -> _Scalar:
        """Overlap with another replica of the reference."""
        return self.reference * (1.0 - self.along)

    @property
    def R(self) -> _Scalar:
        """Overlap with the teacher."""
        return self.reference_R * (1.0 - self.along) + self.beyond

    @staticmethod
    def of_weights(
        at: Magnetisations, weight: Array, mean: Array, teacher: Array, *others: Array
    ) -> tuple[Overlaps, Float[Array, " others"]]:
        """As correlations, from the error ``m - w~`` of the counted weight: small numbers, of which nothing cancels.

        And the means of ``others``, so that all sums are taken at once.
        """
        error, other = at.mean - weight, weight - mean
        values = (at.variance, mean**2, other**2, error**2, error * mean, error * other, mean * teacher, *others)
        gap, reference, reference_gap, square, frozen, free, reference_R, *means = at.over(*values)
        along, across = -frozen / (reference + _UNSHARED), -free / reference_gap
        rest = error + along * mean + across * other
        variance, beyond = at.over(rest**2, rest * teacher)
        p_gap = 0.5 * (gap + square)
        found = Overlaps(p_gap, gap, along, across, variance, beyond, reference, reference_gap, reference_R)
        return found, jnp.stack(means)

    @staticmethod
    def of_order(order: FranzParisiOrder, p: _Scalar, reference: EquilibriumOrder) -> Overlaps:
        """From order parameters, by subtraction."""
        along = 1.0 - order.t / reference.q
        across = 1.0 - (p - order.t) / reference.gap
        variance = order.q - order.t**2 / reference.q - (p - order.t) ** 2 / reference.gap
        beyond = order.R - reference.R * order.t / reference.q
        overlaps = (along, across, variance, beyond, reference.q, reference.gap, reference.R)
        return Overlaps(1.0 - p, order.gap, *overlaps)


class Covariances(eqx.Module):
    """Pre-activations of the reference, a counted solution and the teacher, in deviations of a pre-activation.

    The reference's is ``scale x + std (ratio w + rest y')``, the counted one ``a x + v w`` and a part of its own of
    deviation ``width``, the teacher's ``along x + beside w`` and a part of its own. ``x`` is the frozen field of the
    reference, ``v w`` the rest of the counted solutions' common field. ``slopes`` are those of the kernel at ``q, p`` and at
    ``t, R``; ``bend`` is its second derivative at ``q``.

    Attributes:
        unexplained: the variance ``g`` of a counted pre-activation that nothing explains stays above this part of all that
            is left to it. It vanishes at the maximum of equal margins, and exponentially as ``d -> 0``; entropies do not
            feel the difference.
    """

    unexplained: ClassVar[float] = 1e-16

    scale: _Scalar
    std: _Scalar
    ratio: _Scalar
    rest: _Scalar
    a: _Scalar
    v: _Scalar
    width: _Scalar
    along: _Scalar
    beside: _Scalar
    slopes: Float[Array, " 4"]
    bend: _Scalar

    @staticmethod
    def of(overlaps: Overlaps, architecture: Architecture) -> Covariances:
        """Those of the kernel at ``overlaps``.

        Overlaps of weights have ``variance >= 0``, and so have their kernels (Schur). What a kernel adds to each of these
        is nothing for the identity: where weights have nearly no variance, a difference of large numbers would have no
        digits.
        """
        at = overlaps
        close = Kernels.beside_one(architecture, at.gap, at.p_gap, at.reference_gap)
        far = Kernels.of(architecture, at.t, at.R, at.reference, at.reference_R)
        (kernel_gap, kernel_p_gap, gap_ref), (kernel_t, kernel_R, q_ref, R_ref) = close.value, far.value
        q_ref = q_ref + _UNSHARED

        p, square = 1.0 - at.p_gap, at.reference * at.reference_gap + _UNSHARED
        excess, span = at.reference * (at.p_gap - at.along), at.p_gap * (2.0 - at.p_gap)  # t - p q~, 1 - p²
        kernel_p, kernel_span = 1.0 - kernel_p_gap, kernel_p_gap * (2.0 - kernel_p_gap)
        kernel_excess = excess + ((kernel_t - at.t) - (kernel_p * q_ref - p * at.reference))
        squares = kernel_excess**2 / (q_ref * gap_ref) - excess**2 / square
        g = at.variance + ((kernel_span - span) - squares - (kernel_gap - at.gap))
        g = jnp.where(g > 0.0, g, 0.0) + Covariances.unexplained * kernel_gap
        beyond = at.beyond + ((kernel_R - at.R) - (R_ref * kernel_t / q_ref - at.reference_R * (1.0 - at.along)))
        most = jnp.sqrt(g * jnp.maximum(1.0 - R_ref**2 / q_ref, _UNSHARED))  # Schur again: for rounding, where g is none
        beyond = jnp.clip(beyond, -most, most)

        c = (kernel_p * gap_ref - kernel_excess) / jnp.sqrt(gap_ref)
        v = jnp.sqrt(g + c**2)
        return Covariances(
            scale=jnp.sqrt(q_ref),
            std=jnp.sqrt(gap_ref),
            ratio=c / v,
            rest=jnp.sqrt(g) / v,
            a=kernel_t / jnp.sqrt(q_ref),
            v=v,
            width=jnp.sqrt(kernel_gap),
            along=R_ref / jnp.sqrt(q_ref),
            beside=beyond / v,
            slopes=jnp.concatenate([close.slope[:2], far.slope[:2]]),
            bend=close.bend[0],
        )
