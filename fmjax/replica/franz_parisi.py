"""Local entropy around a typical reference: the replica-symmetric Franz-Parisi potential."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import refuse_another
from fmjax.models import Constraint, LocalField, Margin, Model
from fmjax.quadrature import log_normal_density, twins
from fmjax.replica.clusters import FAINT, Clusters, Inside
from fmjax.replica.equilibrium import Equilibrium, EquilibriumOrder
from fmjax.replica.franz_parisi_nodes import pattern_nodes
from fmjax.replica.franz_parisi_order import Covariances, FranzParisiControls, FranzParisiOrder, Overlaps
from fmjax.replica.functional import Average, Functional, Magnetisations, Saddle, Tilted, nodes_of
from fmjax.replica.stability import replicon
from fmjax.replica.teacher import probability_given_tail

__all__ = ["FranzParisi"]

_Scalar = Float[Array, ""]


class _Pattern(eqx.Module):
    """A pattern in the fields of a cavity, its force on the reference, and how probabilities change with other means.

    ``reference_force``: on a reference of the same frozen field ``x``. ``reference_change`` and ``teacher_change``: of the
    probability of a field, with the mean of the reference's and of the teacher's pre-activation at that field.
    """

    counted: Tilted
    reference_force: Float[Array, "x 1"]
    reference_change: Float[Array, "x w"]
    teacher_change: Float[Array, "x w"]


class FranzParisi(Functional):
    r"""Entropy of solutions at distance ``d`` from a typical solution, or from another reference (Franz, Parisi).

    .. math::

        \phi(d) &= \mathop{\mathrm{ext}} -\tfrac12 \hat q (1-q) - p \hat p + t \hat t - R \hat R + G_S + \alpha G_E,
        \qquad p = 1 - 2d, \\
        G_S &= \int\! Dx\, \Big(1 + \tanh \sqrt{\hat{\tilde q}}\, x\Big) \int\! Dy\, \ln 2\cosh\Big(
        \frac{\hat t}{\sqrt{\hat{\tilde q}}}\, x + \sqrt{\hat q - \hat t^2 / \hat{\tilde q}}\; y + \hat p - \hat t \Big), \\
        G_E &= \int\! Dx \int\! Dw\, \frac{H\big((\theta - r w)/\sqrt{1-r^2}\big)}{H(\theta)}
        \ln H\!\left(\frac{\kappa - a x - v w}{\sqrt{1-q}}\right)

    in nats per weight, around a solution of margin ``kt``, with ``theta = (kt - sqrt(q~) x)/sqrt(1-q~)``,
    ``a = t/sqrt(q~)``, ``c = (p-t)/sqrt(1-q~)``, ``v² = q - a²``, ``r = c/v``: ``x`` is the frozen field of the reference,
    ``v w`` the rest of the counted field, and the ratio of ``H`` the probability that the reference is a solution given
    both; of one drawn with another weight of its patterns, any `Constraint`, it is the ratio of the means of that weight.

    The fields are ``(t^/sqrt(q~^), q^ - t^²/q~^, p^ - t^)``: amplitude and variance of the field on a counted weight along
    the frozen field of the reference and beside it, and the pull towards the reference itself; with a teacher, ``R^`` comes
    before the last. With mean weights ``m`` and forces ``f``, those of the reference ``m~, f~`` given ``x`` alone, ``phi``
    is stationary where

    .. math::

        q = E[m^2], \quad t = E[m \tilde m], \quad p = E[m \tilde w], \quad \hat q = \alpha E[f^2], \quad
        \hat t = \alpha E[f \tilde f], \quad \phi'(d) = 2\,(\hat p - \alpha E[f \tilde f(x, w)])

    and the last force is that on the reference given both ``x`` and ``w``. With a kernel ``Q``, overlaps become ``Q`` of
    them in ``G_E`` and each conjugate gains ``Q'``. Neither end of the curve is singular in these fields: the second
    vanishes at the maximum of equal margins and as ``d -> 0``, the last is zero at the maximum and ``ln(1/d)/2`` for small
    ``d``.

    At equal margins, or a small margin of the reference, the branch ends at a small distance: rows beyond say so, and a
    piece that reappears below such a gap is not looked for. Close to an end the slope is less accurate than elsewhere, as
    its error estimate says. Where a reference of larger margin leaves the counted solutions free (``q^`` below 0.02, at
    small distances) rounding decides two order parameters: entropies do not feel it, slopes are given with an error of a
    few 1e-7.

    With a teacher, the reference is a typical solution for its labels, of overlap ``R~`` with it, and ``R`` that of a
    counted one. The fields gain ``R^``; the probability that the reference is a solution becomes twice that it
    is and the teacher gives the label,

        P[z > theta, (R~/sqrt(q~)) x + b y + sqrt(1 - R~²/q~ - b²) y' > 0 | x, w],      b = (R - R~ t/q~) / sqrt(g)

    with ``w = r z + sqrt(1-r²) y``; ``R^ = alpha E[f f*]`` with the force ``f*`` of the label on the teacher.

    Args:
        model: weights x architecture x constraint of the counted solutions.
        reference_margin: margin of the reference, in units of the pre-activation, at most `thresholds.kappa_max`; a typical
            solution at that margin is drawn, under a constraint of the kind that is counted.
        nodes: nodes in ``x`` and in ``w`` of the energetic integral, and in ``x`` and in ``y`` of the entropic one.
        reference: in place of a margin, what references are drawn with: `Temperature`, `CrossEntropy`, or any constraint.
            With a loss they have errors of their own, of which `fmjax.thermodynamics` tells the number.

    Raises:
        TypeError: ``model`` is none, or ``reference`` no constraint.
        ValueError: both a margin and a constraint, or neither; of a teacher, a reference not drawn with a margin; other
            ``nodes`` than four whole numbers.
    """

    model: Model
    reference: Constraint
    nodes: tuple[int, int, int, int] = eqx.field(static=True, converter=nodes_of(52, 52, 80, 40))

    control: ClassVar[str] = "distance"
    order: ClassVar[type[FranzParisiOrder]] = FranzParisiOrder

    def __init__(
        self,
        model: Model,
        reference_margin: Float[Array, ""] | float | None = None,
        nodes: tuple[int, int, int, int] = (52, 52, 80, 40),
        *,
        reference: Constraint | None = None,
    ):
        refuse_another("model", model, Model, "fmjax.Perceptron(margin=0.0)")
        if reference is None and reference_margin is not None:
            drawn = model.with_margin(reference_margin).constraint
        elif reference is not None and reference_margin is None:
            drawn = reference
        else:
            raise ValueError("a reference is drawn with a margin or another constraint: give reference_margin or reference")
        refuse_another("reference", drawn, Constraint, "fmjax.CrossEntropy(beta=1.0)")
        if model.teacher and not isinstance(drawn, Margin):
            kind = type(drawn).__name__
            raise ValueError(f"references that learn from a teacher have a margin, and are not drawn with a {kind}")
        self.model, self.reference, self.nodes = model, drawn, nodes

    @property
    def reference_margin(self) -> Float[Array, ""] | float:
        """The margin of the reference, in units of the pre-activation."""
        return self.reference.margin

    @property
    def equilibrium(self) -> Equilibrium:
        """The functional of which references are typical solutions."""
        return Equilibrium(self.model.with_constraint(self.reference))

    def controls(self, alpha: _Scalar, reference: EquilibriumOrder, tilt: _Scalar | float = 0.0) -> FranzParisiControls:
        """Those of `saddle`, around a ``reference``: the distance follows from the fields."""
        return FranzParisiControls(alpha, jnp.zeros(()), reference, tilt)

    @property
    def positive(self) -> np.ndarray:
        """The variance of a counted field beside the reference's."""
        return np.array([False, True, False, False])[: 3 + self.model.teacher]

    @property
    def scale(self) -> np.ndarray:
        """One, and a thousandth for what vanishes."""
        return np.where(self.positive, 1e-3, 1.0)

    def saddle(
        self, fields: Float[Array, " fields"], controls: FranzParisiControls, clusters: Clusters | None = None
    ) -> Saddle:
        """What ``(t_hat / sqrt(q~_hat), q_hat - t_hat^2 / q~_hat, p_hat - t_hat)``, and ``R_hat`` of a teacher, imply."""
        shared, own, eta, R_hat = (*fields, jnp.zeros_like(fields[0]))[:4]
        alpha, root = controls.alpha, jnp.sqrt(controls.reference.q_hat + FAINT)
        overlaps, (entropic, rigidity, *inner_site) = self._site(shared, own, eta, R_hat, controls, clusters)
        inside = Inside.of(clusters, self.model.architecture, inner_site)
        pattern, at = self._pattern(overlaps, controls, inside)
        counted, chance, force = pattern.counted, pattern.counted.over.probability, pattern.counted.force
        slope_q, slope_p, slope_t, slope_R = at.slopes
        others = slope_t * chance * pattern.reference_force
        forces, shared_forces, pull, label, energetic, softness, *inner_pattern = counted.over.sums(
            chance * force**2,
            others * force,
            (slope_p * pattern.reference_change - others) * force,  # of the reference itself, beyond that of others like it
            pattern.teacher_change * force,
            chance * counted.log_weight,
            chance * counted.susceptibility**2,
            *(chance * values for values in counted.inner),
        )
        shared_implied = alpha * shared_forces / root
        residual = [
            shared - shared_implied,
            own - (alpha * slope_q * forces - shared_implied**2),
            R_hat - alpha * slope_R * label,
        ]
        q_hat, t_hat, p = own + shared**2, shared * root, 1.0 - overlaps.p_gap
        apart = (1.0 - overlaps.across) * overlaps.reference_gap  # p - t
        interaction = -0.5 * q_hat * overlaps.gap - p * eta - apart * t_hat - overlaps.R * R_hat
        return Saddle(
            residual=jnp.stack(residual[: fields.size - 1]),
            position=jnp.log(overlaps.p_gap) - jnp.log(2.0 - overlaps.p_gap),
            value=interaction + entropic + alpha * energetic,
            slope=2.0 * (eta + root * residual[0] - alpha * pull),
            replicon=replicon(alpha, slope_q, at.bend, forces, softness, rigidity),
            order=FranzParisiOrder(
                q=1.0 - overlaps.gap,
                t=overlaps.t,
                q_hat=q_hat,
                t_hat=t_hat,
                p_hat=eta + t_hat,
                gap=overlaps.gap,
                R=overlaps.R,
                R_hat=R_hat,
            ),
            broken=None if inside is None else inside.broken(1.0 - overlaps.gap, q_hat, alpha, inner_site, inner_pattern),
        )

    def __call__(self, order: FranzParisiOrder, controls: FranzParisiControls) -> _Scalar:
        """The free entropy of any order parameters, at a reference of any overlaps and fields."""
        p, root = 1.0 - 2.0 * controls.distance, jnp.sqrt(controls.reference.q_hat)
        shared = order.t_hat / root
        fields = (shared, jnp.maximum(order.q_hat - shared**2, 0.0), order.p_hat - order.t_hat, order.R_hat)
        _, (entropic, _) = self._site(*fields, controls, None)
        pattern, _ = self._pattern(Overlaps.of_order(order, p, controls.reference), controls, None)
        interaction = -0.5 * order.q_hat * order.gap - p * order.p_hat + order.t * order.t_hat - order.R * order.R_hat
        (energetic,) = pattern.counted.over(pattern.counted.log_weight)
        return interaction + entropic + controls.alpha * energetic

    def start(self, reference: EquilibriumOrder, typical: EquilibriumOrder) -> Float[Array, " fields"]:
        """A guess of the fields at the maximum, where counted solutions are ``typical`` ones of their margin.

        There ``p = t``, so that a reference of the same margin is one of them: then it is the answer.
        """
        share = jnp.sqrt(jnp.minimum(reference.q_hat, typical.q_hat) / jnp.maximum(reference.q_hat, typical.q_hat))
        shared = jnp.sqrt(typical.q_hat) * share
        own = jnp.maximum(typical.q_hat - shared**2, 0.0)
        return jnp.stack([shared, own, jnp.zeros_like(shared), typical.R_hat][: self.positive.size])

    def _site(
        self,
        shared: _Scalar,
        own: _Scalar,
        eta: _Scalar,
        R_hat: _Scalar,
        controls: FranzParisiControls,
        clusters: Clusters | None,
    ) -> tuple[Overlaps, Float[Array, " means"]]:
        """A counted weight in its fields: overlaps, as correlations with the weights of the reference and the teacher.

        Also ``G_S``, the mean square of the weight's variance, and what clusters ask for.
        """
        weights, reference = self.model.weights, controls.reference

        def given_teacher(weight):
            at = LocalField(
                reference_q_hat=reference.q_hat + FAINT,
                reference_R_hat=weight * reference.R_hat,
                shared=shared,
                own=own + FAINT,
                eta=eta,
                R_hat=weight * R_hat,
            )
            return weights.local(at, self.nodes[2:])

        teacher = jnp.zeros(1)
        site = given_teacher(1.0)
        if self.model.teacher:
            signs = jnp.array([1.0, -1.0])
            site = jax.vmap(given_teacher)(signs)
            site = eqx.tree_at(lambda s: s.probability, site, 0.5 * site.probability)
            teacher = signs.reshape(2, *[1] * (site.field.ndim - 1))
        found = Magnetisations.of(weights, site, controls.tilt, clusters)
        others = found.log_partition, found.variance**2, *found.inner
        return Overlaps.of_weights(found, site.weight, site.mean, teacher, *others)

    def _pattern(
        self, overlaps: Overlaps, controls: FranzParisiControls, inside: Inside | None
    ) -> tuple[_Pattern, Covariances]:
        """A pattern in its fields ``a x + v w``, weighted with the probability that the reference is a solution."""
        at = Covariances.of(overlaps, self.model.architecture)
        constraint, reference = self.model.unit_constraint, self.reference.divided(self.model.deviation)
        x, w, spacing = jax.lax.stop_gradient(pattern_nodes(at, reference, constraint, self.nodes[:2]))

        def satisfied(reference_mean, teacher_mean):
            """That the reference is a solution given ``x`` and ``w``, in logs; and twice that the label is the teacher's."""
            rest = at.std * at.rest
            value = reference.log_weight(reference_mean, rest)
            if not self.model.teacher:
                return value, jnp.ones_like(value)
            # The reference is a solution where its own rest exceeds `tail`, the label positive where the teacher's rest
            # does not exceed `bound`; of what they have in common, w knows a part.
            spread = jnp.sqrt(1.0 - at.along**2 - at.beside**2)
            tail, bound = (reference.margin - reference_mean) / rest, teacher_mean / spread
            return value, 2.0 * probability_given_tail(bound, tail, at.beside * at.ratio / (at.rest * spread))

        frozen = at.scale * x
        norm, reference_force = jax.jvp(lambda mean: reference.log_weight(mean, at.std), (frozen,), (jnp.ones_like(x),))
        means = frozen[:, None] + at.std * at.ratio * w, at.along * x[:, None] + at.beside * w
        one, zero = jnp.ones_like(w), jnp.zeros_like(w)
        (log_chance, label), (force, label_change) = jax.jvp(satisfied, means, (one, zero))
        chance = spacing * jnp.exp((log_normal_density(x) - norm)[:, None] + log_normal_density(w) + log_chance)
        probability, reference_change, teacher_change = chance * label, chance * (force * label + label_change), zero
        if self.model.teacher:
            teacher_change = chance * jax.jvp(satisfied, means, (zero, one))[1][1]
        over = Average(probability, twins(self.nodes[0])[:, None], controls.tilt)
        counted = Tilted.of(constraint, at.a * x[:, None] + at.v * w, at.width, over, inside)
        return _Pattern(counted, reference_force[:, None], reference_change, teacher_change), at

    def resized(self, factor: float) -> FranzParisi:
        """``factor`` times as many nodes in every dimension."""
        pattern_x, w, site_x, y = (int(factor * size) for size in self.nodes)
        return FranzParisi(self.model, nodes=(pattern_x, w, site_x, y), reference=self.reference)
