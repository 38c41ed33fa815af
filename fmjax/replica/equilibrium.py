"""Typical solutions: the replica-symmetric entropy of the equilibrium measure, for random labels or those of a teacher."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models import Model
from fmjax.quadrature import Layered
from fmjax.replica.functional import ReplicaSymmetric
from fmjax.special import log_H

__all__ = ["Equilibrium", "EquilibriumControls", "EquilibriumOrder"]

_Scalar = Float[Array, ""]
_EDGE = 1e-12  # from the boundary of the domain, where order parameters outside it are put
_TIGHTEST = 0.999  # the largest R / sqrt(q) of those


class EquilibriumOrder(eqx.Module):
    """Order parameters of typical solutions.

    ``q``: overlap of two of them; ``R``: of one with the teacher (zero for random labels); ``q_hat, R_hat``: conjugates;
    ``gap = 1 - q`` without cancellation.
    """

    q: Float[Array, "*batch"]
    q_hat: Float[Array, "*batch"]
    gap: Float[Array, "*batch"]
    R: Float[Array, "*batch"]
    R_hat: Float[Array, "*batch"]


class EquilibriumControls(eqx.Module):
    """Where the functional is evaluated: ``alpha`` patterns per weight."""

    alpha: Float[Array, "*batch"]


class Overlaps(eqx.Module):
    """``q``, ``gap = 1 - q`` and ``R``."""

    q: _Scalar
    gap: _Scalar
    R: _Scalar


class Conjugates(eqx.Module):
    """``q_hat`` and ``R_hat``."""

    q_hat: _Scalar
    R_hat: _Scalar


class Equilibrium(ReplicaSymmetric):
    r"""Entropy of the solutions of a random instance (theory of Krauth and Mezard, 1989; with a teacher, Gyorgyi 1990).

        S(alpha, kappa) = ext_{q, q^, R, R^}  -q^ (1-q)/2 - R R^ + G_S + alpha G_E
        G_S = ∫Dx ln 2cosh(sqrt(q^) x + R^)
        G_E = ∫Dx 2 H( -R x / sqrt(q - R²) ) ln H( (kappa - sqrt(q) x) / sqrt(1-q) )

    in nats per weight; the forms shown are those of binary weights and a perceptron with a margin. For random labels
    ``R = R^ = 0``, and the two coordinates are absent. With a teacher, ``R = q`` at margin 0 (Nishimori) and ``R < q`` at a
    positive one. Negative values are meaningful: there, typical instances have no solution but the teacher itself, whose
    entropy is zero, and that only at margins that it satisfies.

    Args:
        model: weights x architecture x constraint.
        nodes: quadrature nodes per dimension. 128 give 1e-14 wherever the entropy is positive.
    """

    model: Model
    nodes: int = eqx.field(static=True, default=128)

    control: ClassVar[str] = "alpha"

    @property
    def sizes(self) -> tuple[int, int]:
        """One coordinate and one conjugate, two each with a teacher."""
        return (2, 2) if self.model.teacher else (1, 1)

    @property
    def couplings(self) -> tuple[float, ...]:
        """The free entropy holds ``(q-1) q_hat / 2 - R R_hat``."""
        return (0.5, -1.0)[: self.sizes[0]]

    def overlaps(self, free: Float[Array, " overlaps"], controls: Any) -> Overlaps:
        """``q = sigmoid(free[0])``, ``R = sqrt(q) f / sqrt(f² + 1 - q)`` with ``f = free[1]``: all with ``R² < q < 1``.

        Where ``R = q``, ``f = sqrt(q)``. Newton that runs off to ``R = sqrt(q)`` never arrives, and says so.
        """
        q, gap = jax.nn.sigmoid(free[0]), jax.nn.sigmoid(-free[0])
        R = jnp.sqrt(q / (free[1] ** 2 + gap)) * free[1] if self.model.teacher else jnp.zeros_like(q)
        return Overlaps(q, gap, R)

    def conjugates(self, free: Float[Array, " conjugates"], controls: Any) -> Conjugates:
        """``q_hat = exp(free[0])``, ``R_hat = sinh(free[1])``."""
        q_hat = jnp.exp(free[0])
        return Conjugates(q_hat, jnp.sinh(free[1]) if self.model.teacher else jnp.zeros_like(q_hat))

    def interaction(self, overlaps: Overlaps, conjugates: Conjugates, controls: Any) -> _Scalar:
        """``-q_hat (1-q) / 2 - R R_hat``."""
        return -0.5 * conjugates.q_hat * overlaps.gap - overlaps.R * conjugates.R_hat

    def site(self, conjugates: Conjugates, controls: Any) -> tuple[Float[Array, " x"], Float[Array, " x"]]:
        """Fields ``sqrt(q_hat) x + R_hat``."""
        return self.model.weights.typical(conjugates.q_hat, conjugates.R_hat, self.nodes)

    def rule(self, overlaps: Overlaps, controls: Any) -> tuple[Float[Array, " u"], Float[Array, " u"]]:
        """Nodes and weights in the field, with a layer at each edge of the constraint and one where the teacher decides."""
        scale, width, teacher = self._scales(overlaps)
        edges = self.model.unit_constraint.edges()
        slopes, offsets = jnp.broadcast_to(scale / width, edges.shape), -edges / width
        if self.model.teacher:
            slopes, offsets = jnp.append(slopes, teacher), jnp.append(offsets, 0.0)
        return Layered(self.nodes)(slopes, offsets)

    def pattern(
        self, overlaps: Overlaps, controls: Any, rule: tuple
    ) -> tuple[Float[Array, " u"], _Scalar, Float[Array, " u"]]:
        """Means ``sqrt(Q(q)) u``, deviation ``sqrt(1 - Q(q))``; twice the probability that the teacher gives the label."""
        scale, width, teacher = self._scales(overlaps)
        u, weight = rule
        if self.model.teacher:
            weight = 2.0 * weight * jnp.exp(log_H(-teacher * u))
        return scale * u, width, weight

    def _scales(self, overlaps: Overlaps) -> tuple[_Scalar, _Scalar, _Scalar]:
        """Deviations of the mean and of the rest of the pre-activation; ``Q(R) / sqrt(Q(q) - Q(R)²)``."""
        architecture = self.model.architecture
        variance, covariance = architecture.kernel(overlaps.q), architecture.kernel(overlaps.R)
        width = jnp.sqrt(architecture.complement(overlaps.gap))
        return jnp.sqrt(variance), width, covariance / jnp.sqrt(variance - covariance**2)

    def natural(self, free: Float[Array, " n"], controls: Any) -> Float[Array, " n"]:
        """``(q - 1, R, q_hat, R_hat)``: the shift keeps ``q`` apart from 1."""
        order = self.order(free, controls)
        if not self.model.teacher:
            return jnp.stack([-order.gap, order.q_hat])
        return jnp.stack([-order.gap, order.R, order.q_hat, order.R_hat])

    def of_natural(self, natural: Float[Array, " n"]) -> EquilibriumOrder:
        """Order parameters from the vector of `natural`: the inverse map."""
        (shift, *R), (q_hat, *R_hat) = jnp.split(natural, 2)
        zero = jnp.zeros_like(shift)
        return EquilibriumOrder(1.0 + shift, q_hat, -shift, *(R or [zero]), *(R_hat or [zero]))

    def order(self, free: Float[Array, " n"], controls: Any = None) -> EquilibriumOrder:
        """Order parameters from ``free`` coordinates; ``controls`` do not matter."""
        split = self.sizes[0]
        overlaps, conjugates = self.overlaps(free[:split], controls), self.conjugates(free[split:], controls)
        return EquilibriumOrder(overlaps.q, conjugates.q_hat, overlaps.gap, overlaps.R, conjugates.R_hat)

    def free(self, order: EquilibriumOrder) -> Float[Array, " n"]:
        """Free coordinates of order parameters: the inverse of `order`; those outside the domain are put at its edge."""
        q, gap, q_hat = (jnp.maximum(value, _EDGE) for value in (order.q, order.gap, order.q_hat))
        overlaps, conjugates = [jnp.log(q) - jnp.log(gap)], [jnp.log(q_hat)]
        if self.model.teacher:
            ratio = jnp.clip(order.R / jnp.sqrt(q), -_TIGHTEST, _TIGHTEST)
            overlaps.append(ratio * jnp.sqrt(gap / (1.0 - ratio**2)))
            conjugates.append(jnp.arcsinh(order.R_hat))
        return jnp.stack(overlaps + conjugates)

    def resized(self, factor: float) -> Equilibrium:
        """``factor`` times as many nodes."""
        return Equilibrium(self.model, int(factor * self.nodes))
