"""Typical solutions with one step of replica-symmetry breaking."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models import Model
from fmjax.quadrature import GaussHermite, Layered
from fmjax.replica import blocks
from fmjax.replica.functional import Functional

__all__ = ["OneStepControls", "OneStepEquilibrium", "OneStepOrder"]

_Scalar = Float[Array, ""]


class OneStepControls(eqx.Module):
    """``alpha`` patterns per weight, and the number ``m`` of replicas in a block."""

    alpha: Float[Array, "*batch"]
    m: Float[Array, "*batch"]


class OneStepOrder(eqx.Module):
    """Overlaps inside (``q1``) and between (``q0``) clusters, their conjugates, and ``gap = 1 - q1``."""

    q0: Float[Array, "*batch"]
    q1: Float[Array, "*batch"]
    q0_hat: Float[Array, "*batch"]
    q1_hat: Float[Array, "*batch"]
    gap: Float[Array, "*batch"]

    def free(self) -> Float[Array, " 4"]:
        """``logit q0``, ``logit`` of the part of the way from ``q0`` to 1 that ``q1`` covers, and logs of the fields."""
        apart = jnp.log(self.q1 - self.q0) - jnp.log(self.gap)
        fields = jnp.log(self.q0_hat), jnp.log(self.q1_hat - self.q0_hat)
        return jnp.stack([jnp.log(self.q0) - jnp.log1p(-self.q0), apart, *fields])


class OneStepOverlaps(eqx.Module):
    """``q0``, ``rise = q1 - q0``, ``gap = 1 - q1`` and the same differences of kernels: nothing cancels."""

    q0: _Scalar
    rise: _Scalar
    gap: _Scalar
    kernel0: _Scalar
    kernel_rise: _Scalar
    kernel_gap: _Scalar


class OneStepEquilibrium(Functional):
    r"""One-step free entropy of the solutions of a random instance at block size ``m`` (Krauth and Mezard, 1989).

        phi(m) = ext  -q1^ (1 - q1)/2 - m (q1 q1^ - q0 q0^)/2 + G_S + alpha G_E
        G_S = (1/m) ∫Dx ln ∫Du [2cosh(sqrt(q0^) x + sqrt(q1^ - q0^) u)]^m
        G_E = (1/m) ∫Dx ln ∫Du H( (kappa - sqrt(q0) x - sqrt(q1-q0) u)/sqrt(1-q1) )^m

    in nats per weight. With ``q1 = q0`` and ``q1^ = q0^`` it is the replica-symmetric entropy for every ``m``, and so it is
    at ``m = 1`` whatever ``q1`` and ``q1^``. The control is ``m``: the slope gives the complexity ``-m² dphi/dm`` and the
    entropy of one cluster ``phi + m dphi/dm``. As ``q1 -> 1`` (frozen), ``phi(m) = phi_RS / m`` with the replica-symmetric
    ``alpha`` and margin.

    Args:
        model: weights x architecture x constraint; the weights are binary.
        nodes: of the outer and of the inner integrals.
    """

    model: Model
    nodes: tuple[int, int] = eqx.field(static=True, default=(128, 80))

    control: ClassVar[str] = "m"

    @property
    def sizes(self) -> tuple[int, int]:
        """``q0, q1``; ``q0_hat, q1_hat``."""
        return (2, 2)

    def overlaps(self, free: Float[Array, " 2"], controls: OneStepControls) -> OneStepOverlaps:
        """Kernels from logits, and overlaps from kernels."""
        architecture = self.model.architecture
        kernel0, apart = jax.nn.sigmoid(free[0]), jax.nn.sigmoid(-free[0])
        kernel_rise, kernel_gap = apart * jax.nn.sigmoid(free[1]), apart * jax.nn.sigmoid(-free[1])
        gap = architecture.inverse_complement(kernel_gap)
        rise = architecture.inverse_complement(apart) - gap
        return OneStepOverlaps(1.0 - rise - gap, rise, gap, kernel0, kernel_rise, kernel_gap)

    def conjugates(self, free: Float[Array, " 2"], controls: OneStepControls) -> tuple[_Scalar, _Scalar]:
        """``q0_hat`` and ``q1_hat - q0_hat``, from their logarithms."""
        return jnp.exp(free[0]), jnp.exp(free[1])

    def interaction(
        self, overlaps: OneStepOverlaps, conjugates: tuple[_Scalar, _Scalar], controls: OneStepControls
    ) -> _Scalar:
        """``-q1^ (1-q1)/2 - m (q1^ q1 - q0^ q0)/2``, the last difference as ``(q1^ - q0^) q1 + q0^ (q1 - q0)``."""
        q0_hat, rise_hat = conjugates
        q1 = overlaps.q0 + overlaps.rise
        products = rise_hat * q1 + q0_hat * overlaps.rise
        return -0.5 * ((q0_hat + rise_hat) * overlaps.gap + controls.m * products)

    def entropic(self, conjugates: tuple[_Scalar, _Scalar], controls: OneStepControls) -> _Scalar:
        """``G_S``."""
        scale, spread = jnp.sqrt(conjugates[0]), jnp.sqrt(conjugates[1])
        x, weight = GaussHermite(self.nodes[0])()
        rule = blocks.weight_rule(scale * x, *jax.lax.stop_gradient((spread, controls.m)), self.nodes[1])
        return weight @ blocks.weight_block(scale * x, spread, controls.m, rule)

    def rule(self, overlaps: OneStepOverlaps, controls: OneStepControls) -> tuple:
        """Outer nodes and weights, with a layer of the width of ``ln H`` at each edge, and inner ones."""
        overlaps, size = jax.lax.stop_gradient((overlaps, controls.m))
        constraint = self.model.unit_constraint
        edges, scale, width = constraint.edges(), jnp.sqrt(overlaps.kernel0), jnp.sqrt(overlaps.kernel_gap)
        x, weight = Layered(self.nodes[0])(jnp.broadcast_to(scale / width, edges.shape), -edges / width)
        inner = blocks.pattern_rule(constraint, scale * x, jnp.sqrt(overlaps.kernel_rise), width, size, self.nodes[1])
        return x, weight, inner

    def energetic(self, overlaps: OneStepOverlaps, controls: OneStepControls, rule: tuple) -> _Scalar:
        """``G_E``."""
        x, weight, inner = rule
        field, spread = jnp.sqrt(overlaps.kernel0) * x, jnp.sqrt(overlaps.kernel_rise)
        width = jnp.sqrt(overlaps.kernel_gap)
        return weight @ blocks.pattern_block(self.model.unit_constraint, field, spread, width, controls.m, inner)

    def natural(self, free: Float[Array, " 4"], controls: OneStepControls) -> Float[Array, " 4"]:
        """``(q0, q1, q0_hat, q1_hat)``."""
        overlaps, (q0_hat, rise_hat) = self.overlaps(free[:2], controls), self.conjugates(free[2:], controls)
        return jnp.stack([overlaps.q0, overlaps.q0 + overlaps.rise, q0_hat, q0_hat + rise_hat])

    def order(self, free: Float[Array, " 4"], controls: OneStepControls) -> OneStepOrder:
        """Order parameters from free coordinates."""
        q0, q1, q0_hat, q1_hat = self.natural(free, controls)
        return OneStepOrder(q0, q1, q0_hat, q1_hat, self.overlaps(free[:2], controls).gap)

    def resized(self, factor: float) -> OneStepEquilibrium:
        """``factor`` times as many nodes in every dimension."""
        outer, inner = (int(factor * size) for size in self.nodes)
        return OneStepEquilibrium(self.model, (outer, inner))
