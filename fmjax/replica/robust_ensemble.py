"""Entropy of several real replicas at a given mutual overlap: solutions that lie in dense regions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import is_traced, number
from fmjax.models import Binary, Model, refuse_loss
from fmjax.quadrature import Layered, offset, twins
from fmjax.replica import blocks
from fmjax.replica.clusters import FAINT, Clusters
from fmjax.replica.equilibrium import Equilibrium, EquilibriumOrder
from fmjax.replica.functional import Average, Functional, Kernels, Saddle, nodes_of
from fmjax.replica.teacher import Label, nodes_of_fields
from fmjax.special import log_2cosh

__all__ = ["RobustEnsemble", "RobustEnsembleControls", "RobustEnsembleOrder", "replicas_of"]

_Scalar = Float[Array, ""]
_NO_OVERLAP = 1e-30  # the same for an overlap that is computed without cancellation
_CUSP = 1e13  # slope of a layer at a cusp
_MOST_REPLICAS = 64.0  # finite replicas: entropies agree with twice the nodes; at 1000 they are off by 6 %


class RobustEnsembleControls(eqx.Module):
    """``alpha`` patterns per weight, the ``distance`` of any two of the replicas, and the ``tilt`` of the quadrature."""

    alpha: Float[Array, "*batch"]
    distance: Float[Array, "*batch"]
    tilt: Float[Array, "*batch"] | float = 0.0


class RobustEnsembleOrder(eqx.Module):
    """Order parameters of the replicas.

    ``q1``: overlap of two replicas of one ensemble (given); ``q0``: of replicas of two ensembles on the same patterns;
    ``q0_hat``: conjugate of ``q0``; ``stretch = y (q1 - q0)`` and ``stretch_hat = y (q1_hat - q0_hat)``, which stay finite
    as ``y -> inf``; ``R``: overlap with the teacher (zero for random labels), ``R_hat``: its conjugate.
    """

    q1: Float[Array, "*batch"]
    q0: Float[Array, "*batch"]
    q0_hat: Float[Array, "*batch"]
    stretch: Float[Array, "*batch"]
    stretch_hat: Float[Array, "*batch"]
    R: Float[Array, "*batch"]
    R_hat: Float[Array, "*batch"]


class _Slopes(eqx.Module):
    """Of the kernel: at ``q0``, between groups, at ``q1``, inside one, and at ``R``; ``rising = y (Q'(q1) - Q'(q0))``."""

    between: _Scalar
    inside: _Scalar
    teacher: _Scalar
    rising: _Scalar


def replicas_of(replicas: Any) -> float:
    """A number of replicas; `ValueError` for what is none."""
    allowed = f"must be a number from 1 up to {_MOST_REPLICAS:g}, or inf"
    return number("replicas", replicas, lambda y: 1 <= y <= _MOST_REPLICAS or y == math.inf, allowed, infinite=True)


class RobustEnsemble(Functional):
    r"""Entropy per replica of ``y`` solutions at mutual distance ``d``, ``q1 = 1 - 2d`` (Baldassi et al., PNAS 2016, 2020).

    .. math::

        \phi &= \mathop{\mathrm{ext}} -\tfrac12 [\hat q_1 - (1-y) q_1 \hat q_1 - y q_0 \hat q_0] + G_S + \alpha G_E, \\
        G_S &= \tfrac1y \int\! Dx \ln \int\! Du\, [2\cosh(\sqrt{\hat q_0} x + \sqrt{\hat q_1 - \hat q_0} u)]^y, \\
        G_E &= \tfrac1y \int\! Dx \ln \int\! Du\, H^y[(\kappa - \sqrt{q_0} x - \sqrt{q_1 - q_0} u) / \sqrt{1-q_1}]

    in nats per weight and replica, and for ``y`` = infinity, with ``D = y (q1 - q0)`` and ``D^ = y (q1^ - q0^)``,

    .. math:: \phi = \mathop{\mathrm{ext}} -\tfrac12 [\hat q (1-q_1) + q_1 \hat D + \hat q D] + \int\! Dz \max_u [
        -\tfrac{u^2}2 + \ln 2\cosh(\sqrt{\hat q} z + \sqrt{\hat D} u)] + \alpha \int\! Dz \max_u [-\tfrac{u^2}2 + \ln H].

    The maximum of ``phi`` over ``d`` is the entropy of typical solutions, at their distance; the replicas attract each other
    (``q1 > q0``) closer than that, and only these distances can be solved for.

    Exactly, ``phi`` does not increase with ``y`` (Han's inequality for exchangeable variables). The ansatz, symmetric
    between groups, obeys it only where the logarithm of the number of groups, ``-y² dphi/dy`` per weight, is positive: at
    alpha = 0.6, d = 0.05 its values are 0.0910, 0.0886, 0.0924, 0.0951 for ``y`` = 8, 16, 64, infinity, and the smallest
    over ``y`` is the best bound. Thresholds at ``y`` = infinity are those of the ansatz: for a perceptron at margin 0 the
    curve is monotonic up to ``alpha`` = 0.755302026 (`thresholds.robust_alpha_u`: its slope vanishes at ``d`` = 0.0402)
    and nowhere negative up to 0.814218475 (`thresholds.robust_capacity`: ``d`` = 0.0823). In print, an estimate from a few
    replicas is 0.784; the curve of 4 replicas turns negative at 0.78438.

    As ``d -> 0`` at ``y`` = infinity ``phi`` tends to the entropy of all configurations at ``(1 - sqrt(q1))/2`` from a
    centre: ``D`` grows, and the branch may be lost; such rows say so.

    The fields are ``sqrt(q0^)``, the amplitude of the field that all groups share, and ``D^``, which vanishes where replicas
    do not interact. Of infinitely many replicas it is the logarithm of the amplitude: without one all patterns would be
    solved at no cost, which is stationary as well. With the mean weight ``m`` and the force ``f`` of one replica and means
    ``<.>`` over a group, ``phi`` is stationary where

    .. math:: q_0 = E\langle m\rangle^2, \quad q_1 = E\langle m^2\rangle, \quad \hat q_0 = \alpha E\langle f\rangle^2, \quad
        \phi'(d) = (1 - \tfrac1y)\,[\hat D - \alpha y\,(E\langle f^2\rangle - E\langle f\rangle^2)]

    With a teacher of overlap ``R = E[<m>]`` with every replica, ``phi`` has the term ``-R R^``, weights feel ``R^`` beside
    the shared field, and a pattern of shared field ``x`` comes with the probability ``2 H(-R x / sqrt(q0 - R²))`` of its
    label; a third field is ``R^ = alpha E[<f> f*]``, with the force ``f*`` of the label on the teacher.

    Args:
        model: weights x architecture x constraint; the weights are binary.
        replicas: ``y``, from 1 (typical solutions) to 64, beyond which the inner integrals are not resolved, or infinite.
            Finite numbers share a compiled program; the entropy of groups is ``-y² dphi/dy``.
        nodes: of the outer and of the inner integrals; with 168 inner ones some slopes are off by more than their estimates.

    Raises:
        ValueError: other numbers of replicas or nodes, infinitely many with an even constraint (groups and their opposites,
            which have no overlap, leave no finite ``D``) or with a teacher (whose field moves the cusp of a weight away from
            zero: not implemented), or weights that are not binary, or a loss.
        TypeError: clusters of replicas, which are a cluster already.
    """

    model: Model
    replicas: float | _Scalar
    nodes: tuple[int, int] = eqx.field(static=True, converter=nodes_of(160, 192))
    infinite: bool = eqx.field(static=True)

    control: ClassVar[str] = "distance"
    order: ClassVar[type[RobustEnsembleOrder]] = RobustEnsembleOrder

    def __init__(self, model: Model, replicas: Any, nodes: tuple[int, int] = (160, 192)):
        self.model, self.nodes = model, nodes
        self.replicas = replicas if (traced := is_traced(replicas)) else replicas_of(replicas)
        self.infinite = not traced and math.isinf(self.replicas)

    def __check_init__(self):
        super().__check_init__()
        refuse_loss("replicas", constraint := self.model.constraint)
        if constraint.even and self.infinite:
            kind = type(constraint).__name__
            never = f"has no limit with a {kind}, where groups and their opposites have no overlap"
            raise ValueError(f"replicas = inf {never}: try 3")
        if not isinstance(self.model.weights, Binary):
            kind = type(self.model.weights).__name__
            raise ValueError(f"the replicas of a robust ensemble have binary weights, not {kind} ones")  # noqa: TRY004  (part of a model)
        if self.model.teacher and self.infinite:
            raise ValueError("infinitely many replicas of a teacher's students are not implemented: try 12")

    @property
    def equilibrium(self) -> Equilibrium:
        """The functional of typical solutions, as far apart as which replicas do not interact."""
        return Equilibrium(self.model)

    def farthest(self, typical: EquilibriumOrder) -> _Scalar:
        """Where the curve starts: the distance of typical solutions, beyond which replicas do not attract each other."""
        return 0.5 * typical.gap

    def controls(self, alpha: _Scalar, reference: EquilibriumOrder, tilt: _Scalar | float = 0.0) -> RobustEnsembleControls:
        """Those of `saddle`, whatever the ``reference``: the distance follows from the fields."""
        return RobustEnsembleControls(alpha, jnp.zeros(()), tilt)

    @property
    def positive(self) -> np.ndarray:
        """All but that of the teacher, and a logarithm."""
        return np.array([not self.infinite, True, False])[: 2 + self.model.teacher]

    @property
    def scale(self) -> np.ndarray:
        """That of the amplitude is small: it counts in the exponent of many replicas."""
        return np.array([1.0 if self.infinite else 1e-6, 1e-3, 1e-3])[: 2 + self.model.teacher]

    def saddle(
        self, fields: Float[Array, " fields"], controls: RobustEnsembleControls, clusters: Clusters | None = None
    ) -> Saddle:
        """What ``sqrt(q0_hat)``, ``D^``, and ``R_hat`` of a teacher, imply; replicas are a cluster already."""
        if clusters is not None:
            raise TypeError("a robust ensemble has no clusters of its own: its replicas are one")
        amplitude, stretch_hat, R_hat = (*fields, jnp.zeros_like(fields[0]))[:3]
        amplitude = jnp.exp(amplitude) if self.infinite else amplitude
        share = 1.0 / self.replicas  # zero for infinitely many
        site, over_site = self.site(amplitude, R_hat, stretch_hat, controls)
        of_teacher = self.model.teacher * site.slope
        gap, scatter, entropic, q0, R = over_site(site.bend, site.scatter, site.potential, site.slope**2, of_teacher)
        stretch = scatter + self.cusp(site.slope, amplitude)
        pattern, over, label_change, slopes = self.pattern(gap, stretch, q0, R, controls)
        chance = over.probability
        terms = chance * pattern.slope**2, chance * pattern.scatter, chance * pattern.potential
        common, single, energetic, label = over.sums(*terms, label_change * pattern.slope)
        q1, q0_hat = 1.0 - gap, amplitude**2
        implied = controls.alpha * (slopes.rising * common + slopes.inside * single)
        interaction = -0.5 * ((q0_hat + share * stretch_hat) * gap + q1 * stretch_hat + q0_hat * stretch) - R * R_hat
        shared = jnp.sqrt(controls.alpha * slopes.between * common)
        residual = [
            jnp.log(amplitude / shared) if self.infinite else amplitude - shared,
            R_hat - controls.alpha * slopes.teacher * label,
        ]
        return Saddle(
            residual=jnp.stack(residual[: fields.size - 1]),
            position=jnp.log(gap) - jnp.log(2.0 - gap),
            value=interaction + entropic + controls.alpha * energetic,
            slope=(1.0 - share) * (stretch_hat - implied),
            replicon=jnp.asarray(jnp.nan),
            order=RobustEnsembleOrder(q1, q1 - share * stretch, q0_hat, stretch, stretch_hat, R, R_hat),
        )

    def __call__(self, order: RobustEnsembleOrder, controls: RobustEnsembleControls) -> _Scalar:
        """The free entropy of any order parameters."""
        share = 1.0 / self.replicas  # zero for infinitely many
        gap = 2.0 * controls.distance
        site, over_site = self.site(jnp.sqrt(order.q0_hat), order.R_hat, order.stretch_hat, controls)
        q0 = 1.0 - gap - share * order.stretch
        pattern, over, *_ = self.pattern(gap, order.stretch, q0, order.R, controls)
        single = (order.q0_hat + share * order.stretch_hat) * gap
        interaction = -0.5 * (single + (1.0 - gap) * order.stretch_hat + order.q0_hat * order.stretch)
        (entropic,), (energetic,) = over_site(site.potential), over(pattern.potential)
        return interaction - order.R * order.R_hat + entropic + controls.alpha * energetic

    def start(self, reference: EquilibriumOrder, typical: EquilibriumOrder) -> Float[Array, " fields"]:
        """The fields at the distance of ``typical`` solutions, where replicas do not interact; any ``reference`` will do."""
        amplitude = 0.5 * jnp.log(typical.q_hat) if self.infinite else jnp.sqrt(typical.q_hat)
        return jnp.stack([amplitude, jnp.zeros_like(typical.q_hat), typical.R_hat][: self.positive.size])

    def site(
        self, amplitude: _Scalar, R_hat: _Scalar, stretch_hat: _Scalar, controls: RobustEnsembleControls
    ) -> tuple[blocks.Block, Average]:
        """A weight of a group in fields ``amplitude x + R_hat``, which ``stretch_hat`` scatters, at these ``controls``."""
        if self.infinite:  # a cusp at 0, where the larger of two maxima changes: from there on
            x, probability = Layered(2 * self.nodes[0])(jnp.array([_CUSP]), jnp.zeros(1), 0.0, 9.0)
            probability = 2.0 * probability
        else:  # all replicas of a group turn together, the faster the more there are
            x, probability = Layered(self.nodes[0])(self.replicas * amplitude[None], self.replicas * R_hat[None])
        over = Average(probability, twins(x.size), controls.tilt)
        field = amplitude * x + R_hat
        if self.infinite:
            return blocks.largest_weight(field, jnp.sqrt(stretch_hat + FAINT)), over
        spread = jnp.sqrt((stretch_hat + FAINT) / (size := jnp.asarray(self.replicas)))
        rule = blocks.weight_rule(field, spread, size, self.nodes[1], offset(x.size))
        return blocks.block(log_2cosh, field, spread, size, rule), over

    def cusp(self, mean: Float[Array, " x"], amplitude: _Scalar) -> _Scalar:
        """What infinitely many replicas of ``mean`` weights scatter in a field of zero, where all of them turn together."""
        if not self.infinite:
            return jnp.zeros_like(amplitude)
        return mean[0] * math.sqrt(2.0 / math.pi) / amplitude

    def pattern(
        self, gap: _Scalar, stretch: _Scalar, q0: _Scalar, R: _Scalar, controls: RobustEnsembleControls
    ) -> tuple[blocks.Block, Average, Float[Array, " x"], _Slopes]:
        """A pattern of a group, in fields with a layer of the width of ``ln H`` at each edge, and where a teacher decides.

        At ``gap = 1 - q1``, ``stretch``, ``q0``, ``R`` and ``controls``; also how the probability of a field changes with
        the teacher's own mean.
        """
        constraint, architecture = self.model.unit_constraint, self.model.architecture
        apart = gap + (1.0 / self.replicas) * stretch  # 1 - q0
        close = Kernels.beside_one(architecture, gap, apart)
        far, width = Kernels.of(architecture, q0, R), jnp.sqrt(close.value[0])
        if self.infinite:
            rise, rising = close.slope[0] * stretch, close.bend[0] * stretch
        else:
            rise, rising = (self.replicas * (pair[1] - pair[0]) for pair in (close.value, -close.slope))
            rise += jax.lax.stop_gradient(jnp.maximum(-rise, 0.0))  # by rounding, where replicas do not interact
        slopes = _Slopes(between=close.slope[1], inside=close.slope[0], teacher=far.slope[1], rising=rising)
        edges, scale = constraint.edges(), jnp.sqrt(far.value[0] + _NO_OVERLAP)
        steep, offsets = jnp.broadcast_to(scale / width, edges.shape), -edges / width
        if self.infinite:
            # The maximum is singular deeper inside the allowed set: where 1 = top^2 d^2 ln H, in complex fields.
            deep = jnp.sqrt(4.0 + 2.0 * jnp.log1p(rise / width**2))
            inwards = jnp.where(edges == constraint.support()[0], 1.0, -1.0)
            steep, offsets = steep * deep / 1.7, (offsets - inwards * deep) * deep / 1.7
        label = Label.of(self.model, far.value[1] / scale)
        x, probability, change = nodes_of_fields(Layered(self.nodes[0]), steep, offsets, label)
        over, field = Average(probability, twins(x.size), controls.tilt), scale * x
        if self.infinite:
            return blocks.largest_pattern(constraint, field, jnp.sqrt(rise + FAINT), width), over, change, slopes
        spread = jnp.sqrt((rise + FAINT) / (size := jnp.asarray(self.replicas)))
        rule = blocks.pattern_rule(constraint, field, spread, width, size, self.nodes[1], offset(x.size))
        return blocks.block(lambda at: constraint.log_weight(at, width), field, spread, size, rule), over, change, slopes

    def resized(self, factor: float) -> RobustEnsemble:
        """``factor`` times as many nodes in every dimension."""
        outer, inner = (int(factor * size) for size in self.nodes)
        return RobustEnsemble(self.model, self.replicas, (outer, inner))
