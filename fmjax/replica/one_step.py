r"""One step of replica-symmetry breaking: a correction to any replica-symmetric free entropy.

Counted solutions come in clusters: ``q1`` is the overlap of two of the same cluster, ``q0`` that of two of different ones,
and ``m`` the number of replicas in a cluster. With ``Delta = q1 - q0`` and ``Delta^ = q1^ - q0^`` the fields of a cavity of
the symmetric theory, taken at ``q0, q0^``, are those that all clusters share, and each potential ``f`` becomes that of a
block of replicas, ``F_m(h) = (1/m) ln ∫Du exp(m f(h + spread u))``.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models import Binary
from fmjax.quadrature import Layered
from fmjax.replica import blocks
from fmjax.replica.functional import ReplicaSymmetric

__all__ = ["Clusters", "OneStep"]

_Scalar = Float[Array, ""]
_DEGREE = 11  # of the polynomials between tabulated values


class Clusters(eqx.Module):
    """``rise = q1 - q0``, ``gap = 1 - q1`` and ``rise_hat = q1_hat - q0_hat``."""

    rise: _Scalar
    gap: _Scalar
    rise_hat: _Scalar


class OneStep(eqx.Module):
    r"""One-step free entropy of the solutions that a replica-symmetric functional counts.

        phi(m) = phi_RS(q0, q0^, ...) + (m - 1) X
        X = -(q0^ Delta + Delta^ q1)/2 + E_site[(F_m - F_1)/(m-1)] + alpha E_pattern[(F_m - F_1)/(m-1)]

    in nats per weight, which is ``-q1^/2 + (1-m) q1 q1^/2 + m q0 q0^/2 + ... + G_S + alpha G_E`` (Krauth and Mezard 1989 for
    typical solutions; the supplement of Baldassi et al. 2021 around a reference) with what does not depend on ``m`` taken
    out: ``F_1`` is a closed form, and in it ``phi`` is the replica-symmetric entropy whatever ``q1`` and ``q1^``. Where
    ``Delta = Delta^ = 0``, ``X`` vanishes for every ``m``. Stationarity in ``Delta, Delta^`` is that of ``X``, at ``m = 1``
    as well, where ``X = dphi/dm``.

    The *complexity* ``-m² dphi/dm`` is the logarithm of the number of clusters, the *internal entropy* ``phi + m dphi/dm``
    that of the solutions in one of them, and ``m phi`` is the first plus ``m`` times the second. As ``q1 -> 1`` (frozen:
    every solution a cluster of its own) ``phi(m) = phi_RS/m``: no internal entropy, and the complexity ``phi_RS`` itself.

    A block's potential is a function of one field, so that it is tabulated and read at the many fields of a pattern.

    Args:
        symmetric: `Equilibrium` or `FranzParisi` of a model with binary weights.
        nodes: of the table, and of the inner integrals of a pattern and of a weight.

    Raises:
        TypeError: the weights are not binary.

    Methods take ``m`` and ``free``, the coordinates of the symmetric functional and two for ``Delta, Delta^``; ``controls``,
    ``overlaps``, ``conjugates`` and the energetic ``rule`` are those of the symmetric functional.
    """

    symmetric: ReplicaSymmetric
    nodes: tuple[int, int, int] = eqx.field(static=True, default=(240, 96, 64))

    def __check_init__(self):
        weights = self.symmetric.model.weights
        if not isinstance(weights, Binary):
            raise TypeError(f"clusters are those of binary weights, not of {type(weights).__name__}: use weights=Binary()")

    @property
    def size(self) -> int:
        """How many coordinates: those of the symmetric functional, and two."""
        return sum(self.symmetric.sizes) + 2

    def clusters(self, free: Float[Array, " n"], controls: Any) -> Clusters:
        """The part ``sigmoid(free[-2])`` of ``1 - q0`` that ``Delta`` covers, and ``Delta^ = exp(free[-1])``."""
        whole = self.symmetric.overlaps(free[: self.symmetric.sizes[0]], controls).gap
        return Clusters(whole * jax.nn.sigmoid(free[-2]), whole * jax.nn.sigmoid(-free[-2]), jnp.exp(free[-1]))

    def excess(self, free: Float[Array, " n"], controls: Any, m: _Scalar, rule: Any) -> _Scalar:
        """``X``; ``rule`` is that of the symmetric energetic term."""
        split = self.symmetric.sizes[0]
        overlaps = self.symmetric.overlaps(free[:split], controls)
        conjugates = self.symmetric.conjugates(free[split:-2], controls)
        clusters = self.clusters(free, controls)
        coupled = conjugates.q_hat * clusters.rise + clusters.rise_hat * (overlaps.q + clusters.rise)
        return (
            -0.5 * coupled
            + self.site(conjugates, clusters, controls, m)
            + controls.alpha * self.pattern(overlaps, clusters, controls, m, rule)
        )

    def site(self, conjugates: Any, clusters: Clusters, controls: Any, m: _Scalar) -> _Scalar:
        """``E_site[(F_m - F_1)/(m - 1)]``."""
        field, probability = self.symmetric.site(conjugates, controls)
        fields, spread = field.ravel(), jnp.sqrt(clusters.rise_hat)
        rule = blocks.weight_rule(fields, *jax.lax.stop_gradient((spread, jnp.maximum(m, 1.0))), self.nodes[2])
        return probability.ravel() @ blocks.weight_excess(fields, spread, m, rule)

    def pattern(self, overlaps: Any, clusters: Clusters, controls: Any, m: _Scalar, rule: Any) -> _Scalar:
        """``E_pattern[(F_m - F_1)/(m - 1)]``."""
        model = self.symmetric.model
        mean, std, probability = self.symmetric.pattern(overlaps, controls, rule)
        gap = model.architecture.complement(clusters.gap)
        width, spread = jnp.sqrt(gap), jnp.sqrt(std**2 - gap)
        constraint = model.unit_constraint

        # The potential changes on the scale of `std` near an edge: equidistant in a variable with a layer there.
        edges, scale = jax.lax.stop_gradient((constraint.edges(), std))
        still = jax.lax.stop_gradient(mean)
        slopes, offsets = jnp.broadcast_to(1.0 / scale, edges.shape), -edges / scale
        table, _ = Layered(self.nodes[0])(slopes, offsets, jnp.min(still), jnp.max(still))
        inner = blocks.pattern_excess_rule(constraint, table, *jax.lax.stop_gradient((spread, width, m)), self.nodes[1])
        values = blocks.pattern_excess(constraint, table, spread, width, m, inner)

        def stretched(field):
            layers = jnp.arcsinh(0.5 * (slopes * field[..., None] + offsets))
            return field + jnp.sum(layers, axis=-1)

        first, second = stretched(table[:1])[0], stretched(table[1:2])[0]
        return jnp.sum(probability * interpolate(values, (stretched(mean) - first) / (second - first)))

    def __call__(self, free: Float[Array, " n"], controls: Any, m: _Scalar) -> _Scalar:
        """The free entropy per weight."""
        return self.with_rule(free, controls, m, self.symmetric.rule_at(free[:-2], controls))

    def with_rule(self, free: Float[Array, " n"], controls: Any, m: _Scalar, rule: Any) -> _Scalar:
        """The free entropy per weight, computed with the quadrature nodes of a given ``rule``."""
        return self.symmetric.with_rule(free[:-2], controls, rule) + (m - 1.0) * self.excess(free, controls, m, rule)

    def coarse(self) -> OneStep:
        """Two thirds of the nodes in the integrals of the blocks: for a scan."""
        table, pattern, weight = (2 * size // 3 for size in self.nodes)
        return OneStep(self.symmetric, (table, pattern, weight))

    def refined(self) -> OneStep:
        """Half as many nodes again, in every integral."""
        table, pattern, weight = (3 * size // 2 for size in self.nodes)
        return OneStep(self.symmetric.resized(1.5), (table, pattern, weight))


def interpolate(values: Float[Array, " n"], position: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """A table, ``values[i]`` at position ``i``, read in between: Newton's polynomial through the nearest 12 values."""
    differences = [values]
    for _ in range(_DEGREE):
        differences.append(jnp.diff(differences[-1]))
    first = jnp.floor(jax.lax.stop_gradient(position)).astype(int) - _DEGREE // 2
    first = jnp.clip(first, 0, values.size - _DEGREE - 1)
    offset = position - first
    result = differences[_DEGREE][first]
    for k in range(_DEGREE - 1, -1, -1):
        result = differences[k][first] + (offset - k) / (k + 1) * result
    return result
