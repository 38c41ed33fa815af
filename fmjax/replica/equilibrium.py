"""Typical solutions: the replica-symmetric entropy of the equilibrium measure, for random labels or those of a teacher."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import whole
from fmjax.models import Loss, Model
from fmjax.quadrature import Layered, twins
from fmjax.replica.clusters import Clusters, Inside
from fmjax.replica.functional import Average, Functional, Kernels, Magnetisations, Saddle, Tilted
from fmjax.replica.stability import replicon
from fmjax.replica.teacher import Label, nodes_of_fields

__all__ = ["Equilibrium", "EquilibriumControls", "EquilibriumOrder"]

_Scalar = Float[Array, ""]


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
    """Where the functional is evaluated: ``alpha`` patterns per weight, and the ``tilt`` of its quadrature."""

    alpha: Float[Array, "*batch"]
    tilt: Float[Array, "*batch"] | float = 0.0


class Equilibrium(Functional):
    r"""Entropy of the solutions of a random instance (theory of Krauth and Mezard, 1989; with a teacher, Gyorgyi 1990).

    .. math::

        S(\alpha, \kappa) &= \mathop{\mathrm{ext}} -\tfrac12 \hat q (1-q) - R \hat R + G_S + \alpha G_E, \\
        G_S &= \int\! Dx \ln 2\cosh(\sqrt{\hat q}\, x + \hat R), \\
        G_E &= \int\! Dx\, 2 H\Big(\frac{-R x}{\sqrt{q - R^2}}\Big) \ln H\Big(\frac{\kappa - \sqrt q\, x}{\sqrt{1-q}}\Big)

    in nats per weight; the forms shown are those of binary weights and a perceptron with a margin. Its fields are ``(q^)``,
    with a teacher ``(q^, R^)``, and it is stationary where

    .. math:: q = E[m^2], \quad R = E[m], \quad \hat q = \alpha E[f^2], \quad \hat R = \alpha E[f f^*]

    with the mean weight ``m``, the force ``f = d ln H / d mean`` and ``f*`` that of the label on the teacher. With a
    teacher, ``R = q`` at margin 0 (Nishimori) and ``R < q`` at a positive one. Negative values are meaningful: there,
    typical instances have no solution but the teacher itself, whose entropy is zero, and that only at margins that it
    satisfies.

    Where patterns have a `Loss`, ``ln H`` is its log weight, and ``S`` the free entropy: see `fmjax.thermodynamics`.

    Args:
        model: weights x architecture x constraint.
        nodes: quadrature nodes per dimension. 160 give 1e-14 wherever the entropy is positive.

    Attributes:
        faint: a variance of fields that changes nothing, where the root of zero would have no derivative. Fields are as
            faint as 1e-9 where loads are, of which more than 1e-18 would be felt.

    Raises:
        TypeError: ``model`` is none.
        ValueError: ``nodes`` is no whole number from 8 on.
    """

    model: Model
    nodes: int = eqx.field(static=True, default=160, converter=partial(whole, "nodes", least=8))

    control: ClassVar[str] = "alpha"
    faint: ClassVar[float] = 1e-18

    @property
    def positive(self) -> np.ndarray:
        """``q_hat``."""
        return np.array([True, False])[: 1 + self.model.teacher]

    @property
    def unbounded(self) -> np.ndarray | None:
        """Which fields grow like ``1 / (1-q)^2`` where solutions shrink to a point; None for weights whose number ends."""
        return None if self.model.weights.discrete else self.positive

    @property
    def scale(self) -> np.ndarray:
        """Fields are as small as the load."""
        return np.full(1 + self.model.teacher, 1e-12)

    def saddle(
        self, fields: Float[Array, " fields"], controls: EquilibriumControls, clusters: Clusters | None = None
    ) -> Saddle:
        """What ``q_hat``, and ``R_hat`` with a teacher, imply."""
        q_hat, R_hat = (*fields, jnp.zeros_like(fields[0]))[:2]
        site = self._site(q_hat, R_hat, controls, clusters)
        of_teacher = self.model.teacher * site.mean
        values = (site.variance, site.mean**2, of_teacher, site.log_partition, site.variance**2)
        gap, q, R, entropic, rigidity, *inner_site = site.over(*values, *site.inner)
        inside = Inside.of(clusters, self.model.architecture, inner_site)
        pattern, label_change, close, far = self._pattern(q, gap, R, controls, inside)
        chance, force = pattern.over.probability, pattern.force
        terms = (chance * force**2, label_change * force, chance * pattern.log_weight, chance * pattern.susceptibility**2)
        inner = (chance * values for values in pattern.inner)
        forces, label, energetic, softness, *inner_pattern = pattern.over.sums(*terms, *inner)
        implied = [close.slope[0] * forces, far.slope[1] * label]
        return Saddle(
            residual=fields - controls.alpha * jnp.stack(implied[: fields.size]),
            position=jnp.zeros_like(q),
            value=-0.5 * q_hat * gap - R * R_hat + entropic + controls.alpha * energetic,
            slope=energetic,
            replicon=replicon(controls.alpha, close.slope[0], close.bend[0], forces, softness, rigidity),
            order=EquilibriumOrder(q, q_hat, gap, R, R_hat),
            broken=None if inside is None else inside.broken(q, q_hat, controls.alpha, inner_site, inner_pattern),
        )

    def __call__(self, order: EquilibriumOrder, controls: EquilibriumControls) -> _Scalar:
        """The free entropy of any order parameters."""
        site = self._site(order.q_hat, order.R_hat, controls, None)
        pattern, *_ = self._pattern(order.q, order.gap, order.R, controls, None)
        (entropic,), (energetic,) = site.over(site.log_partition), pattern.over(pattern.log_weight)
        return -0.5 * order.q_hat * order.gap - order.R * order.R_hat + entropic + controls.alpha * energetic

    def losses(self, order: EquilibriumOrder, controls: EquilibriumControls) -> Float[Array, " two"]:
        """Mean loss of a pattern, ``-(1/alpha) dS/dbeta``, and fraction of those below the margin; zero without a `Loss`.

        As ``S`` is stationary in all order parameters, they are held.
        """
        constraint = self.model.constraint
        if not isinstance(constraint, Loss):
            return jnp.zeros(2)
        pattern, *_ = self._pattern(order.q, order.gap, order.R, controls, None)

        def log_weight(strength):
            scaled = eqx.tree_at(lambda loss: getattr(loss, loss.strength), constraint, strength)
            return scaled.divided(self.model.deviation).log_weight(pattern.mean, pattern.std)

        strength = jnp.asarray(getattr(constraint, constraint.strength), dtype=float)
        _, change = jax.jvp(log_weight, (strength,), (jnp.ones_like(strength),))
        error = constraint.divided(self.model.deviation).log_error(pattern.mean, pattern.std) - pattern.log_weight
        return pattern.over(-change, jnp.exp(error))

    def _site(
        self, q_hat: _Scalar, R_hat: _Scalar, controls: EquilibriumControls, clusters: Clusters | None
    ) -> Magnetisations:
        """A weight in its fields ``sqrt(q_hat) x + R_hat``."""
        weights = self.model.weights
        return Magnetisations.of(weights, weights.typical(q_hat + self.faint, R_hat, self.nodes), controls.tilt, clusters)

    def _pattern(
        self, q: _Scalar, gap: _Scalar, R: _Scalar, controls: EquilibriumControls, inside: Inside | None
    ) -> tuple[Tilted, Float[Array, " u"], Kernels, Kernels]:
        """A pattern in its fields ``sqrt(Q(q)) u``, of twice the probability that the teacher gives the label.

        Also how that probability changes with the teacher's own mean, and kernels at ``q``, and at ``q, R``. Layers are the
        turns of the constraint, and where the teacher decides.
        """
        constraint, architecture = self.model.unit_constraint, self.model.architecture
        close, far = Kernels.beside_one(architecture, gap), Kernels.of(architecture, q, R)
        scale, width = jnp.sqrt(far.value[0] + self.faint), jnp.sqrt(close.value[0])
        places, steepness = constraint.turns(width)
        slopes, offsets = scale * steepness, -places * steepness
        label = Label.of(self.model, far.value[1] / scale)
        u, probability, change = nodes_of_fields(Layered(self.nodes), slopes, offsets, label)
        over = Average(probability, twins(self.nodes), controls.tilt)
        return Tilted.of(constraint, scale * u, width, over, inside), change, close, far

    def resized(self, factor: float) -> Equilibrium:
        """``factor`` times as many nodes."""
        return Equilibrium(self.model, int(factor * self.nodes))
