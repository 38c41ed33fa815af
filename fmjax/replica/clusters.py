r"""One step of replica-symmetry breaking: counted solutions that come in clusters, and what that changes.

``q1`` is the overlap of two solutions of the same cluster, ``q0`` that of two of different ones, and ``m`` the number of
replicas in a cluster. The fields of a cavity of the symmetric theory, taken at ``q0, q0^``, are those that all clusters
share, and each potential becomes that of a block of replicas (`fmjax.replica.blocks`): mean weights and forces become means
``<.>`` over a cluster, and one more overlap has one more conjugate,

    q0 = E_site[<m>²],  q1 = E_site[<m²>],  q0^ = alpha Q'(q0) E_pattern[<f>²],  q1^ = alpha Q'(q1) E_pattern[<f²>].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.models import Architecture, Constraint
from fmjax.replica import blocks

__all__ = ["FAINT", "Broken", "Clusters", "Inside"]

_Scalar = Float[Array, ""]
FAINT = 1e-15  # a variance that changes nothing, where the root of zero would have no derivative


class Broken(eqx.Module):
    """What clusters add to a saddle point.

    Attributes:
        residual: ``q1^ - q0^`` minus what the overlaps imply.
        gap: ``1 - q1``.
        value: what the free entropy gains.
        complexity: ``-m² dphi/dm``, logarithm of the number of clusters per weight.
    """

    residual: _Scalar
    gap: _Scalar
    value: _Scalar
    complexity: _Scalar


class Clusters(eqx.Module):
    """Clusters of ``m`` replicas whose fields differ by a variance ``rise_hat = q1^ - q0^``.

    A block's potential is a function of one field, so that it is tabulated and read at the many fields of a cavity.

    Args:
        m: replicas in a cluster; 1 where the symmetric entropy is exact.
        rise_hat: ``q1^ - q0^``.
        nodes: of the tables, and of the inner integrals of a pattern and of a weight.
        degree: of the polynomials between tabulated values. In tables of 480 nodes, 5 was found to leave 2e-9 of a curvature
            and 7 1e-11; from 9 on it is the places of the nodes that limit, and at 17 rounding, to 2e-10.
        halvings: with which nodes of a table are put where it says they are. Each halves what that leaves of a potential:
            1e-10 at 40, 3e-12 at 45, and rounding at 60.
    """

    m: _Scalar
    rise_hat: _Scalar
    nodes: tuple[int, int, int] = eqx.field(static=True)
    degree: int = eqx.field(static=True, default=11)
    halvings: int = eqx.field(static=True, default=45)

    def of_weights(self, potential: Callable[[Array], Array], field: Float[Array, "*nodes"]) -> blocks.Block:
        """Blocks of a weight in each ``field``."""
        spread = jnp.sqrt(self.rise_hat + FAINT)

        def at(fields):
            still = jax.lax.stop_gradient((fields, spread, jnp.maximum(self.m, 1.0)))
            rule = blocks.weight_rule(*still, self.nodes[2], np.full(fields.size, 0.5))
            return blocks.block(potential, fields, spread, self.m, rule)

        return self._tabulated(at, field, jnp.zeros(1), jnp.ones(()))

    def of_pattern(self, constraint: Constraint, mean: Float[Array, "*nodes"], std: _Scalar, width: _Scalar) -> blocks.Block:
        """Blocks of a pattern under a ``constraint``, for each ``mean``; of ``std``, ``width`` is left inside a cluster."""
        spread = jnp.sqrt(jnp.maximum(std**2 - width**2, 0.0) + FAINT)

        def at(fields):
            # For blocks of m replicas and of one: narrow peaks lie at an edge, whose layer resolves them.
            still = jax.lax.stop_gradient((constraint, fields, spread, width, self.m))
            rule = blocks.cluster_rule(*still, self.nodes[1])
            return blocks.block(lambda h: constraint.log_weight(h, width), fields, spread, self.m, rule)

        return self._tabulated(at, mean, *jax.lax.stop_gradient((constraint.edges(), std)))

    def _tabulated(
        self,
        function: Callable[[Float[Array, " n"]], blocks.Block],
        field: Float[Array, "*nodes"],
        centres: Float[Array, " c"],
        width: _Scalar,
    ) -> blocks.Block:
        """``function(field)`` by a table, equidistant in a variable with a layer of ``width`` at each of ``centres``."""
        size, still = self.nodes[0], jax.lax.stop_gradient(field)

        def stretched(h):
            return h + jnp.sum(jnp.arcsinh((h[..., None] - centres) / (2.0 * width)), axis=-1)

        low, high = jnp.min(still), jnp.max(still) + 1e-6
        ends = stretched(jnp.stack([low, high]))
        step = (ends[1] - ends[0]) / (size - 1)
        targets = ends[0] + step * np.arange(size)

        def halve(_, bracket):
            middle = 0.5 * (bracket[0] + bracket[1])
            below = stretched(middle) < targets
            return jnp.where(below, middle, bracket[0]), jnp.where(below, bracket[1], middle)

        bracket = jnp.broadcast_to(low, size), jnp.broadcast_to(high, size)
        nodes = jax.lax.fori_loop(0, self.halvings, halve, bracket)[0]
        position, table = (stretched(field) - ends[0]) / step, function(jax.lax.stop_gradient(nodes))
        return jax.tree.map(lambda values: interpolate(values, position, self.degree), table)


class Inside(eqx.Module):
    """Clusters, the deviation ``width = sqrt(1 - Q(q1))`` of a pre-activation inside one, and ``slope = Q'(q1)``."""

    clusters: Clusters
    width: _Scalar
    slope: _Scalar

    @staticmethod
    def of(clusters: Clusters | None, architecture: Architecture, gap: list[_Scalar]) -> Inside | None:
        """From ``gap = [1 - q1]``; None without clusters."""
        if clusters is None:
            return None
        value, slope = jax.jvp(architecture.complement, (gap[0],), (jnp.ones_like(gap[0]),))
        return Inside(clusters, jnp.sqrt(value), slope)

    def broken(
        self, q: _Scalar, q_hat: _Scalar, alpha: _Scalar, site: Sequence[_Scalar], pattern: Sequence[_Scalar]
    ) -> Broken:
        """From means over the fields of a cavity.

        Args:
            q: ``q0``.
            q_hat: ``q0^``.
            alpha: patterns per weight.
            site: of ``<1 - m²>``, ``F`` and the mean potential of one replica, for a weight.
            pattern: of ``<f²>``, ``F`` and the mean potential, for a pattern.
        """
        (gap, *weight), (forces, *energies) = site, pattern
        m, rise_hat, q1 = self.clusters.m, self.clusters.rise_hat, 1.0 - gap
        rising = alpha * self.slope * forces - q_hat
        freedom = (weight[0] - weight[1]) + alpha * (energies[0] - energies[1])
        value = -0.5 * (rise_hat * (gap + m * q1) + (m - 1.0) * q_hat * (q1 - q))
        complexity = 0.5 * m**2 * (rise_hat * q1 + q_hat * (q1 - q)) + m * freedom
        return Broken(rise_hat - rising, gap, value, complexity)


def interpolate(values: Float[Array, " n"], position: Float[Array, "*shape"], degree: int) -> Float[Array, "*shape"]:
    """A table, ``values[i]`` at position ``i``, read in between: Newton's polynomial through the nearest ``degree + 1``."""
    differences = [values]
    for _ in range(degree):
        differences.append(jnp.diff(differences[-1]))
    first = jnp.floor(jax.lax.stop_gradient(position)).astype(int) - degree // 2
    first = jnp.clip(first, 0, values.size - degree - 1)
    offset = position - first
    result = differences[degree][first]
    for k in range(degree - 1, -1, -1):
        result = differences[k][first] + (offset - k) / (k + 1) * result
    return result
