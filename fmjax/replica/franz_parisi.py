"""Local entropy around a typical reference: the replica-symmetric Franz-Parisi potential."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.models import Constraint, LocalField, Model
from fmjax.quadrature import Layered, Trapezoid, log_normal_density
from fmjax.replica.franz_parisi_order import Conjugates, FranzParisiControls, FranzParisiOrder, Overlaps
from fmjax.replica.functional import ReplicaSymmetric
from fmjax.replica.teacher import probability_given_tail
from fmjax.special import fast_log

__all__ = ["FranzParisi"]

_Scalar = Float[Array, ""]

# Sharper steps than this are not resolved further: where the reference's margin cuts the counted field this sharply,
# the integrand there is itself smaller than the width of the step (both are exponentially small in (kt - k)^2 / d), so
# what is lost is the square of this number.
_SHARPEST = 1e-6

# The variance of a counted weight's mean, relative to all that is left to it, and residual_hat stay above this. Where they
# are smaller (exponentially so as d -> 0) nothing depends on them: the entropy is stationary, so the square of this number
# is lost, times the few patterns that feel it.
_SMALLEST = 1e-7

_DROP = 0.99  # the largest relative decrease of g and residual_hat in one Newton step
_LONGEST = 5.0  # the largest change of a free coordinate in one Newton step

_EDGE = 1e-12  # relative distance from the boundary of the domain at which order parameters outside it are put

_STEEPEST = 0.99  # of its largest value: what is beyond the other overlaps in ``R`` outside the domain

_TAIL = 8.0  # standard deviations: exp(-32) is left out


def _sech2(x: _Scalar) -> _Scalar:
    """``1/cosh(x)^2`` without overflow."""
    decay = jnp.exp(-2.0 * jnp.abs(x))
    return 4.0 * decay / jnp.square(1.0 + decay)


class _Fields(eqx.Module):
    """Scales of the Gaussian fields: reference ``mean_scale x + std (ratio w + rest ...)``, counted ``a x + v w``."""

    reference: Constraint
    mean_scale: _Scalar
    std: _Scalar
    v: _Scalar
    ratio: _Scalar
    rest: _Scalar
    width: _Scalar


class FranzParisi(ReplicaSymmetric):
    r"""Entropy of solutions at distance ``d`` from a typical solution of margin ``reference_margin`` (Franz, Parisi).

        phi(d) = ext_{q, t, R, q^, t^, R^, p^}  -q^(1-q)/2 - p p^ + t t^ - R R^ + G_S + alpha G_E,      p = 1 - 2d
        G_S = ∫Dx (1 + tanh(sqrt(q~^) x)) ∫Dy ln 2cosh( t^/sqrt(q~^) x + sqrt(q^ - t^²/q~^) y + p^ - t^ )
        G_E = ∫Dx ∫Dw  H((theta - r w)/sqrt(1-r²)) / H(theta)  ln H( (k - a x - v w)/sqrt(1-q) )

    in nats per weight, with ``theta = (kt - sqrt(q~) x)/sqrt(1-q~)``, ``a = t/sqrt(q~)``, ``c = (p-t)/sqrt(1-q~)``,
    ``v² = q - a²``, ``r = c/v``: ``x`` is the frozen field of the reference, ``v w`` the rest of the counted field, and
    the ratio of ``H`` the probability that the reference is a solution given both. The integrand is smooth in ``x``; in
    ``w`` it has the kink of ``ln H`` (width ``sqrt(1-q)/v``) and a step (width ``sqrt(1-r²)``), which a layered rule
    resolves, so that the error is uniform in ``d``.

    With a teacher, the reference is a typical solution for its labels, of overlap ``R~`` with it, and ``R`` that of a
    counted one. The fields gain ``R~^`` and ``R^``; the probability that the reference is a solution becomes twice that it
    is and the teacher gives the label,

        P[z > theta, (R~/sqrt(q~)) x + b y + sqrt(1 - R~²/q~ - b²) y' > 0 | x, w],      b = (R - R~ t/q~) / sqrt(g)

    with ``w = r z + sqrt(1-r²) y``. For random labels ``R = R^ = 0``, and the two coordinates are absent.

    Args:
        model: weights x architecture x constraint of the counted solutions.
        reference_margin: margin of the reference, in units of the pre-activation, at most `thresholds.kappa_max`; a typical
            solution at that margin is drawn.
        nodes: nodes in ``x`` and in ``w`` of the energetic integral, and in ``u`` and in ``x`` of the entropic one.
    """

    model: Model
    reference_margin: Float[Array, ""] | float
    nodes: tuple[int, int, int] = eqx.field(static=True, default=(32, 120, 120))

    control: ClassVar[str] = "distance"

    @property
    def sizes(self) -> tuple[int, int]:
        """Two coordinates and three conjugates, one more each with a teacher."""
        return (3, 4) if self.model.teacher else (2, 3)

    @property
    def couplings(self) -> tuple[float, ...]:
        """The free entropy holds ``(q-1) q_hat / 2 + t t_hat - R R_hat``."""
        return (0.5, 1.0, -1.0)[: self.sizes[0]]

    @property
    def vanishing(self) -> np.ndarray:
        """Coordinates that are logarithms of what becomes exponentially small: those of ``g`` and ``residual_hat``."""
        return np.isin(np.arange(sum(self.sizes)), (0, self.sizes[0]))

    def overlaps(self, free: Float[Array, " overlaps"], controls: FranzParisiControls) -> Overlaps:
        """Overlaps of weights from free coordinates, and the covariances of pre-activations that they imply.

        ``t - p q~`` is ``tanh(free[1])`` times its largest value, and of the variance then left to a counted weight,
        ``sigmoid(free[0])`` is the fraction of its mean in a cavity and ``1 - q`` the rest: all overlaps that weights can
        have, and only those, but for a sliver at both ends. With a teacher, what ``R`` is beyond what the others imply is
        ``tanh(free[2])`` times its largest value. A kernel makes covariances of them, so ``g`` is positive, too.
        """
        kernel, complement = self.model.architecture.kernel, self.model.architecture.complement
        reference, p_gap = controls.reference, 2.0 * controls.distance
        p, square = 1.0 - p_gap, reference.q * reference.gap
        span = p_gap * (2.0 - p_gap)
        excess, left = jnp.sqrt(span * square) * jnp.tanh(free[1]), span * _sech2(free[1])
        share, others = (_SMALLEST + (1.0 - 2.0 * _SMALLEST) * jax.nn.sigmoid(sign * free[0]) for sign in (1.0, -1.0))
        gap, t, variance = left * others, p * reference.q + excess, left * share

        # What a kernel adds to each of these, which is nothing for the identity: where weights have nearly no variance,
        # the difference of large numbers would have no digits.
        q_ref, gap_ref, kernel_gap, kernel_p_gap = kernel(reference.q), *map(complement, (reference.gap, gap, p_gap))
        kernel_p = 1.0 - kernel_p_gap
        kernel_excess = excess + ((kernel(t) - t) - (kernel_p * q_ref - p * reference.q))
        kernel_t, kernel_span = kernel_p * q_ref + kernel_excess, kernel_p_gap * (2.0 - kernel_p_gap)
        squares = jnp.square(kernel_excess) / (q_ref * gap_ref) - jnp.square(excess) / square
        g = variance + ((kernel_span - span) - squares - (kernel_gap - gap))
        R = b = jnp.zeros_like(g)
        if self.model.teacher:
            R_ref, along = kernel(reference.R), reference.R * t / reference.q
            beyond = jnp.sqrt(variance * (1.0 - reference.R**2 / reference.q)) * jnp.tanh(free[2])
            R = along + beyond
            b = (beyond + ((kernel(R) - R) - (R_ref * kernel_t / q_ref - along))) / jnp.sqrt(g)
        return Overlaps(
            p=p,
            q=1.0 - gap,
            gap=gap,
            t=t,
            kernel_gap=kernel_gap,
            a=kernel_t / jnp.sqrt(q_ref),
            c=(kernel_p * gap_ref - kernel_excess) / jnp.sqrt(gap_ref),
            g=g,
            R=R,
            b=b,
        )

    def conjugates(self, free: Float[Array, " conjugates"], controls: FranzParisiControls) -> Conjugates:
        """``q_hat - t_hat**2/q~_hat = exp(free[0])``; ``t_hat, p_hat - t_hat, R_hat`` are ``sinh`` of the others."""
        residual, t_hat = _SMALLEST + jnp.exp(free[0]), jnp.sinh(free[1])
        q_hat = residual + t_hat**2 / controls.reference.q_hat
        R_hat = jnp.sinh(free[3]) if self.model.teacher else jnp.zeros_like(t_hat)
        return Conjugates(q_hat=q_hat, t_hat=t_hat, eta=jnp.sinh(free[2]), residual=residual, R_hat=R_hat)

    def interaction(self, overlaps: Overlaps, conjugates: Conjugates, controls: FranzParisiControls) -> _Scalar:
        """``-q_hat (1-q)/2 - p p_hat + t t_hat - R R_hat``."""
        coupled = overlaps.p * conjugates.eta + (overlaps.p - overlaps.t) * conjugates.t_hat
        return -0.5 * conjugates.q_hat * overlaps.gap - coupled - overlaps.R * conjugates.R_hat

    def site(self, conjugates: Conjugates, controls: FranzParisiControls) -> tuple[Float[Array, ...], Float[Array, ...]]:
        """Fields on a counted weight, over those of the reference."""
        reference = controls.reference

        def given_teacher(weight):
            at = LocalField(
                reference_q_hat=reference.q_hat,
                reference_R_hat=weight * reference.R_hat,
                q_hat=conjugates.q_hat,
                t_hat=conjugates.t_hat,
                residual_hat=conjugates.residual,
                eta=conjugates.eta,
                R_hat=weight * conjugates.R_hat,
            )
            return self.model.weights.local(at, self.nodes[2])

        if not self.model.teacher:
            return given_teacher(1.0)
        field, probability = jax.vmap(given_teacher)(jnp.array([1.0, -1.0]))
        return field, 0.5 * probability

    def rule(self, overlaps: Overlaps, controls: FranzParisiControls) -> tuple[Float[Array, "x w"], Float[Array, "x w"]]:
        """Nodes in ``w`` for every node in ``x``, and the logarithms of their Gaussian weights.

        ``w = r z + sqrt(1-r^2) y`` with ``z`` in the allowed interval of the reference and ``y`` standard normal: beyond
        eight deviations nothing is left. Layers: the reference's edges, smeared by ``y``, and the counted ones.
        """
        fields = self._fields(overlaps, controls)
        reference, edges = fields.reference, self.model.unit_constraint.edges()

        def given_reference_field(x):
            mean = fields.mean_scale * x
            low, high = ((end - mean) / fields.std for end in reference.support())
            low, high = (
                jnp.maximum(low, jnp.minimum(high, 0.0) - _TAIL),
                jnp.minimum(high, jnp.maximum(low, 0.0) + _TAIL),
            )
            ends = jnp.stack([fields.ratio * low, fields.ratio * high])
            cuts = (reference.edges() - mean) / fields.std
            smear = jnp.maximum(fields.rest, _SHARPEST)
            slopes = (jnp.broadcast_to(1.0 / smear, cuts.shape), jnp.broadcast_to(fields.v / fields.width, edges.shape))
            offsets = (-fields.ratio * cuts / smear, (overlaps.a * x - edges) / fields.width)
            return Layered(self.nodes[1]).log_rule(
                jnp.concatenate(slopes),
                jnp.concatenate(offsets),
                jnp.min(ends) - _TAIL * fields.rest,
                jnp.max(ends) + _TAIL * fields.rest,
            )

        x, _ = Trapezoid(self.nodes[0])()
        return jax.vmap(given_reference_field)(x)

    @staticmethod
    def blend(rules: tuple[Float[Array, "2 x w"], Float[Array, "2 x w"]], fraction: Float[Array, ""]) -> tuple:
        """A rule between two: nodes on the weighted mean of their maps, which is smooth and monotonic as well.

        Laying a rule costs more than using it; one that is blended costs little. ``rules`` are two, stacked; ``fraction`` is
        the share of the second.
        """
        nodes, log_weights = rules
        share = jnp.stack([1.0 - fraction, fraction])
        spacing = jnp.tensordot(share, jnp.exp(log_weights - log_normal_density(nodes)), axes=1)
        nodes = jnp.tensordot(share, nodes, axes=1)
        return nodes, fast_log(spacing) + log_normal_density(nodes)

    def pattern(
        self, overlaps: Overlaps, controls: FranzParisiControls, rule: tuple
    ) -> tuple[Float[Array, "x w"], _Scalar, Float[Array, "x w"]]:
        """Means ``a x + v w``, weighted with the probability that the reference is a solution given both."""
        fields = self._fields(overlaps, controls)
        reference = fields.reference
        x, weight = Trapezoid(self.nodes[0])()
        w, log_weight = rule
        mean = (fields.mean_scale * x)[:, None]
        log_satisfied = reference.log_weight(mean + fields.std * fields.ratio * w, fields.std * fields.rest)
        log_norm = reference.log_weight(mean, fields.std)
        probability = weight[:, None] * jnp.exp(log_weight + log_satisfied - log_norm)
        if self.model.teacher:
            # The reference is a solution where its own rest exceeds `tail`, the label positive where the teacher's rest
            # does not exceed `bound`.
            tail = (reference.margin - mean - fields.std * fields.ratio * w) / (fields.std * fields.rest)
            along = self.model.architecture.kernel(controls.reference.R) / fields.mean_scale
            spread = jnp.sqrt(1.0 - along**2 - jnp.square(overlaps.b * fields.rest))
            bound = (along * x[:, None] + overlaps.b * fields.rest * w) / spread
            probability *= 2.0 * probability_given_tail(bound, tail, overlaps.b * fields.ratio / spread)
        return overlaps.a * x[:, None] + fields.v * w, fields.width, probability

    def _fields(self, overlaps: Overlaps, controls: FranzParisiControls) -> _Fields:
        architecture = self.model.architecture
        variance = overlaps.g + overlaps.c**2
        v = jnp.sqrt(variance)
        return _Fields(
            reference=self.model.with_margin(self.reference_margin).unit_constraint,
            mean_scale=jnp.sqrt(architecture.kernel(controls.reference.q)),
            std=jnp.sqrt(architecture.complement(controls.reference.gap)),
            v=v,
            ratio=overlaps.c / v,
            rest=jnp.sqrt(overlaps.g / variance),
            width=jnp.sqrt(overlaps.kernel_gap),
        )

    def natural(self, free: Float[Array, " n"], controls: FranzParisiControls) -> Float[Array, " n"]:
        """``(q - 1, t, R, q_hat, t_hat, p_hat, R_hat)``: the shift keeps ``q`` apart from 1."""
        order = self.order(free, controls)
        overlaps, conjugates = [-order.gap, order.t, order.R], [order.q_hat, order.t_hat, order.p_hat, order.R_hat]
        split, rest = self.sizes
        return jnp.stack(overlaps[:split] + conjugates[:rest])

    def retract(self, free: Float[Array, " n"], step: Float[Array, " n"]) -> Float[Array, " n"]:
        """Where a Newton step leads: ``g`` and ``residual_hat`` change in proportion to it, not their logarithms.

        The saddle equations are smooth in these two where both become exponentially small: a step that takes them to a
        hundredth is as good as any. In their logarithms Newton would come down by one unit at a time.
        """
        change = jnp.where(self.vanishing, jnp.log1p(jnp.maximum(step, -_DROP)), step)
        # Below its floor residual_hat would no longer respond to its coordinate, and nothing would hold q.
        floor = jnp.where(jnp.arange(free.size) == self.sizes[0], jnp.log(_SMALLEST), -jnp.inf)
        return jnp.maximum(free + jnp.clip(change, -_LONGEST, _LONGEST), floor)

    def order(self, free: Float[Array, " n"], controls: FranzParisiControls) -> FranzParisiOrder:
        """Order parameters from free coordinates."""
        split = self.sizes[0]
        overlaps, conjugates = self.overlaps(free[:split], controls), self.conjugates(free[split:], controls)
        return FranzParisiOrder(
            q=overlaps.q,
            t=overlaps.t,
            q_hat=conjugates.q_hat,
            t_hat=conjugates.t_hat,
            p_hat=conjugates.eta + conjugates.t_hat,
            gap=overlaps.gap,
            R=overlaps.R,
            R_hat=conjugates.R_hat,
        )

    def free(self, order: FranzParisiOrder, controls: FranzParisiControls) -> Float[Array, " n"]:
        """Free coordinates of order parameters: the inverse of `order`.

        Order parameters outside the domain are mapped to its edge, which is where an iteration that left it should go on.
        """
        reference, p_gap = controls.reference, 2.0 * controls.distance
        span = p_gap * (2.0 - p_gap)
        sine = (order.t - (1.0 - p_gap) * reference.q) / jnp.sqrt(span * reference.q * reference.gap)
        sine = jnp.clip(sine, -1.0 + _EDGE, 1.0 - _EDGE)
        variance = jnp.maximum(span * (1.0 - sine**2) - order.gap, 0.0)
        left = variance + order.gap
        share, others = (jnp.maximum(part / left - _SMALLEST, _EDGE) for part in (variance, order.gap))
        residual = jnp.maximum(order.q_hat - order.t_hat**2 / reference.q_hat - _SMALLEST, _EDGE)
        overlaps = [jnp.log(share) - jnp.log(others), jnp.arctanh(sine)]
        conjugates = [jnp.log(residual), jnp.arcsinh(order.t_hat), jnp.arcsinh(order.p_hat - order.t_hat)]
        if self.model.teacher:
            beyond = order.R - reference.R * order.t / reference.q
            largest = jnp.sqrt(left * (_SMALLEST + share) * (1.0 - reference.R**2 / reference.q))
            overlaps.append(jnp.arctanh(jnp.clip(beyond / largest, -_STEEPEST, _STEEPEST)))
            conjugates.append(jnp.arcsinh(order.R_hat))
        return jnp.stack(overlaps + conjugates)

    def resized(self, factor: float) -> FranzParisi:
        """``factor`` times as many nodes in every dimension."""
        x, w, site = (int(factor * size) for size in self.nodes)
        return FranzParisi(self.model, self.reference_margin, (x, w, site))
