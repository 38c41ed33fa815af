"""Entropy of several real replicas at a given mutual overlap: solutions that lie in dense regions."""

from __future__ import annotations

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.models import Binary, Model
from fmjax.quadrature import Layered
from fmjax.replica import blocks
from fmjax.replica.functional import Functional

__all__ = ["RobustEnsemble", "RobustEnsembleControls", "RobustEnsembleOrder"]

_Scalar = Float[Array, ""]

# 1/D stays above this. As d -> 0 it becomes exponentially small for y = infinity, and the entropy differs by less than a
# hundredth of it from its limit, in which the patterns constrain nothing.
_SMALLEST = 1e-6

_MOST = 64.0  # finite replicas: entropies agree with twice the nodes; at 1000 they are off by 6 %

_DROP = 0.9  # the largest relative decrease of a coordinate's exponential in one Newton step
_LONGEST = 2.0


class RobustEnsembleControls(eqx.Module):
    """``alpha`` patterns per weight, and the ``distance`` of any two of the replicas."""

    alpha: Float[Array, "*batch"]
    distance: Float[Array, "*batch"]


class RobustEnsembleOrder(eqx.Module):
    """Order parameters of the replicas.

    ``q1``: overlap of two replicas of one ensemble (given); ``q0``: of replicas of two ensembles on the same patterns;
    ``q0_hat``: conjugate of ``q0``; ``stretch = y (q1 - q0)`` and ``stretch_hat = y (q1_hat - q0_hat)``, which stay finite
    as ``y -> inf``.
    """

    q1: Float[Array, "*batch"]
    q0: Float[Array, "*batch"]
    q0_hat: Float[Array, "*batch"]
    stretch: Float[Array, "*batch"]
    stretch_hat: Float[Array, "*batch"]


class Overlaps(eqx.Module):
    """Overlaps, and the same in kernels: ``kernel0 = Q(q0)``, ``rise = y (Q(q1) - Q(q0))``, ``kernel_gap = 1 - Q(q1)``."""

    q1: _Scalar
    gap: _Scalar
    stretch: _Scalar
    kernel0: _Scalar
    rise: _Scalar
    kernel_gap: _Scalar


class RobustEnsemble(Functional):
    r"""Entropy per replica of ``y`` solutions at mutual distance ``d``, ``q1 = 1 - 2d`` (Baldassi et al., PNAS 2016, 2020).

        phi = ext_{q0, q0^, q1^}  -q1^/2 + (1-y) q1 q1^/2 + y q0 q0^/2 + G_S + alpha G_E
        G_S = (1/y) ∫Dx ln ∫Du [2cosh(sqrt(q0^) x + sqrt(q1^ - q0^) u)]^y
        G_E = (1/y) ∫Dx ln ∫Du H( (kappa - sqrt(q0) x - sqrt(q1 - q0) u)/sqrt(1-q1) )^y

    in nats per weight and replica, and for ``y`` = infinity, with ``D = y (q1 - q0)`` and ``D^ = y (q1^ - q0^)``,

        phi = ext_{q^, D^, D}  -q^(1-q1)/2 - (q1 D^ + q^ D)/2 + ∫Dz max_u [-u²/2 + ln 2cosh(sqrt(q^) z + sqrt(D^) u)]
                 + alpha ∫Dz max_u [-u²/2 + ln H( (kappa - sqrt(q1) z - sqrt(D) u)/sqrt(1-q1) )].

    The maximum of ``phi`` over ``d`` is the entropy of typical solutions, at their distance; the replicas attract each other
    (``q1 > q0``) closer than that, and only these distances can be solved for.

    Exactly, ``phi`` does not increase with ``y`` (Han's inequality for exchangeable variables). The ansatz, symmetric
    between groups, obeys it only where the logarithm of the number of groups, ``-y² dphi/dy`` per weight, is positive: at
    alpha = 0.6, d = 0.05 its values are 0.0910, 0.0886, 0.0924, 0.0951 for ``y`` = 8, 16, 64, infinity, and the smallest
    over ``y`` is the best bound. So the thresholds at ``y`` = infinity are those of the ansatz: for a perceptron at margin 0
    the curve is monotonic up to ``alpha`` = 0.755302026 (`thresholds.robust_alpha_u`: its slope vanishes at ``d`` = 0.0402)
    and nowhere negative up to 0.814218475 (`thresholds.robust_capacity`: ``d`` = 0.0823), the same with twice the nodes. The
    smallest over ``y`` = 4, 8, ..., 24 is monotonic up to 0.78 and not at 0.80 (``d`` from 0.01 on). In print, the
    large-deviation ``alpha_U`` is about 0.77 and an estimate from a few replicas 0.784; the curve of 4 replicas turns
    negative at 0.78438. Monotonic curves around typical solutions of the largest margin end at ``alpha'_U`` = 0.729033.

    As ``d -> 0`` at ``y`` = infinity the patterns constrain nothing, and ``phi`` tends to the entropy of all configurations
    at distance ``(1 - sqrt(q1))/2`` from a centre. There (``d`` below 0.005 at ``alpha`` = 0.6) ``D`` exceeds 1e5 and
    Newton may lose the branch; such rows say so.

    Args:
        model: weights x architecture x constraint; the weights are binary.
        replicas: ``y``, from 1 (typical solutions) to 64, beyond which the inner integrals are not resolved, or infinite.
        nodes: of the outer and of the inner integrals.

    Raises:
        ValueError: another number of replicas, or a model with a teacher.
        TypeError: the weights are not binary.
    """

    model: Model
    replicas: float = eqx.field(static=True)
    nodes: tuple[int, int] = eqx.field(static=True, default=(128, 80))

    control: ClassVar[str] = "distance"

    def __check_init__(self):
        if not (1.0 <= self.replicas <= _MOST or math.isinf(self.replicas)):
            raise ValueError(
                f"replicas = {self.replicas:g} is not possible: give a number from 1 up to {_MOST:g}, or inf; try 3"
            )
        weights = self.model.weights
        if not isinstance(weights, Binary):
            kind = type(weights).__name__
            raise TypeError(f"the replicas of a robust ensemble have binary weights, not {kind} ones: use weights=Binary()")
        if self.model.teacher:
            raise ValueError("a robust ensemble of a teacher's students is not implemented: use a model with teacher=False")

    @property
    def sizes(self) -> tuple[int, int]:
        """``D``; ``q0_hat`` and ``D^``."""
        return (1, 2)

    def overlaps(self, free: Float[Array, " 1"], controls: RobustEnsembleControls) -> Overlaps:
        """``ln`` of ``D`` in kernels, bent such that ``q0`` stays positive: ``Q(q1) - Q(q0) = D / (y + D/Q(q1))``."""
        architecture = self.model.architecture
        gap = 2.0 * controls.distance
        kernel_gap = architecture.complement(gap)
        kernel1 = 1.0 - kernel_gap
        rise = 1.0 / (jnp.exp(-free[0]) + _SMALLEST)
        if math.isinf(self.replicas):
            back = jax.jvp(architecture.inverse_complement, (kernel_gap,), (rise,))[1]
            return Overlaps(1.0 - gap, gap, back, kernel1, rise, kernel_gap)
        rise = rise / (1.0 + rise / (self.replicas * kernel1))
        part = rise / self.replicas
        stretch = self.replicas * (architecture.inverse_complement(kernel_gap + part) - gap)
        return Overlaps(1.0 - gap, gap, stretch, kernel1 - part, rise, kernel_gap)

    def conjugates(self, free: Float[Array, " 2"], controls: RobustEnsembleControls) -> tuple[_Scalar, _Scalar]:
        """``q0_hat`` and ``D^``, from their logarithms."""
        return jnp.exp(free[0]), jnp.exp(free[1])

    def interaction(
        self, overlaps: Overlaps, conjugates: tuple[_Scalar, _Scalar], controls: RobustEnsembleControls
    ) -> _Scalar:
        """``-(q0^ + D^/y)(1-q1)/2 - (q1 D^ + q0^ D)/2``."""
        q0_hat, stretch_hat = conjugates
        single = (q0_hat + stretch_hat / self.replicas) * overlaps.gap
        return -0.5 * (single + overlaps.q1 * stretch_hat + q0_hat * overlaps.stretch)

    def entropic(self, conjugates: tuple[_Scalar, _Scalar], controls: RobustEnsembleControls) -> _Scalar:
        """``G_S``, of positive ``x`` alone: where the larger of two maxima changes, at ``x = 0``, it has a cusp."""
        scale, spread = jnp.sqrt(conjugates[0]), jnp.sqrt(conjugates[1])
        x, weight = _positive(self.nodes[0])
        if math.isinf(self.replicas):
            return weight @ blocks.largest_weight(scale * x, spread)
        size = jnp.asarray(self.replicas)
        spread = spread / jnp.sqrt(size)
        rule = blocks.weight_rule(scale * x, *jax.lax.stop_gradient((spread, size)), self.nodes[1])
        return weight @ blocks.weight_block(scale * x, spread, size, rule)

    def rule(self, overlaps: Overlaps, controls: RobustEnsembleControls) -> tuple:
        """Outer nodes and weights, with a layer of the width of ``ln H`` at each edge, and inner ones."""
        overlaps = jax.lax.stop_gradient(overlaps)
        constraint = self.model.unit_constraint
        edges, scale, width = constraint.edges(), jnp.sqrt(overlaps.kernel0), jnp.sqrt(overlaps.kernel_gap)
        x, weight = Layered(self.nodes[0])(jnp.broadcast_to(scale / width, edges.shape), -edges / width)
        if math.isinf(self.replicas):
            return x, weight, ()
        size = jnp.asarray(self.replicas)
        spread = jnp.sqrt(overlaps.rise / size)
        return x, weight, blocks.pattern_rule(constraint, scale * x, spread, width, size, self.nodes[1])

    def energetic(self, overlaps: Overlaps, controls: RobustEnsembleControls, rule: tuple) -> _Scalar:
        """``G_E``."""
        x, weight, inner = rule
        constraint = self.model.unit_constraint
        field, width = jnp.sqrt(overlaps.kernel0) * x, jnp.sqrt(overlaps.kernel_gap)
        if math.isinf(self.replicas):
            return weight @ blocks.largest_pattern(constraint, field, jnp.sqrt(overlaps.rise), width)
        size = jnp.asarray(self.replicas)
        return weight @ blocks.pattern_block(constraint, field, jnp.sqrt(overlaps.rise / size), width, size, inner)

    def natural(self, free: Float[Array, " 3"], controls: RobustEnsembleControls) -> Float[Array, " 3"]:
        """``(D/(1 + D), sqrt(q0_hat), D^)``: of order one also where ``D`` grows without bound and ``q0_hat ~ 1/D^2``."""
        stretch, (q0_hat, stretch_hat) = self.overlaps(free[:1], controls).stretch, self.conjugates(free[1:], controls)
        return jnp.stack([stretch / (1.0 + stretch), jnp.sqrt(q0_hat), stretch_hat])

    def retract(self, free: Float[Array, " 3"], step: Float[Array, " 3"]) -> Float[Array, " 3"]:
        """Decreasing order parameters change in proportion to a step: ``D`` and ``D^`` vanish at the maximum."""
        return free + jnp.where(step < 0, jnp.log1p(jnp.maximum(step, -_DROP)), jnp.minimum(step, _LONGEST))

    def order(self, free: Float[Array, " 3"], controls: RobustEnsembleControls) -> RobustEnsembleOrder:
        """Order parameters from free coordinates."""
        overlaps = self.overlaps(free[:1], controls)
        q0_hat, stretch_hat = self.conjugates(free[1:], controls)
        q0 = overlaps.q1 - overlaps.stretch / self.replicas
        return RobustEnsembleOrder(overlaps.q1, q0, q0_hat, overlaps.stretch, stretch_hat)

    def free(self, order: RobustEnsembleOrder, controls: RobustEnsembleControls) -> Float[Array, " 3"]:
        """Free coordinates of order parameters: the inverse of `order`."""
        complement, gap = self.model.architecture.complement, 2.0 * controls.distance
        kernel_gap = complement(gap)
        if math.isinf(self.replicas):
            rise = jax.jvp(complement, (gap,), (order.stretch,))[1]
        else:
            rise = self.replicas * (complement(gap + order.stretch / self.replicas) - kernel_gap)
            rise = rise / (1.0 - rise / (self.replicas * (1.0 - kernel_gap)))
        return jnp.stack([-jnp.log(1.0 / rise - _SMALLEST), jnp.log(order.q0_hat), jnp.log(order.stretch_hat)])

    def resized(self, factor: float) -> RobustEnsemble:
        """``factor`` times as many nodes in every dimension."""
        outer, inner = (int(factor * size) for size in self.nodes)
        return RobustEnsemble(self.model, self.replicas, (outer, inner))


def _positive(size: int) -> tuple[Float[Array, " size"], Float[Array, " size"]]:
    """Gauss-Legendre nodes in ``s`` with ``x = 9 s²`` and weights of ``E[f(|x|)]``: dense at 0, where ``f`` changes fast."""
    s, weight = np.polynomial.legendre.leggauss(size)
    s = 0.5 * (s + 1.0)
    x = 9.0 * s**2
    return jnp.asarray(x), jnp.asarray(18.0 * s * weight * np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi))
