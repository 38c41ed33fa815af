"""A pattern of a group of replicas whose common centre solves it as well.

The field that all groups share is along ``z``, the rest of the centre's frozen field along ``z'``, and ``w`` is what the
replicas of a group share beyond, of which the centre's own knows a part.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.models import Architecture, Constraint
from fmjax.quadrature import Layered, offset, twins
from fmjax.replica import blocks
from fmjax.replica.centre_site import GroupOverlaps
from fmjax.replica.clusters import FAINT
from fmjax.replica.functional import Average, Kernels

__all__ = ["CentrePattern", "Implied"]

_Scalar = Float[Array, ""]


class Implied(eqx.Module):
    """What patterns imply, times ``alpha``: fields, ``joint``: the conjugate of ``p`` if it were free; free entropies.

    These are per replica, ``energy`` that of one replica alone.
    """

    amplitude: _Scalar
    along: _Scalar
    beside: _Scalar
    stretch_hat: _Scalar
    joint: _Scalar
    potential: _Scalar
    energy: _Scalar


class CentrePattern(eqx.Module):
    """A pattern of a group whose centre solves it too, in frozen fields of both: a block of replicas, and the centre.

    ``replicas``: their block, with what the centre adds in its ``potential``; ``force``: mean force on the centre;
    ``joint``: mean product of the forces on the centre and on a replica. ``slopes``: of the kernel at ``q0, q1``, at the
    overlap of centres, at ``p`` and at ``t``.
    """

    replicas: blocks.Block
    force: Float[Array, "z c"]
    joint: Float[Array, "z c"]
    slopes: Float[Array, " 5"]

    def implied(self, over: Average, y: _Scalar, alpha: _Scalar) -> Implied:
        """Fields, and free entropies per replica."""
        block, (between, inside, own, held, shared) = self.replicas, self.slopes
        values = (block.slope**2, block.scatter, self.force * block.slope, self.joint, block.potential, block.energy)
        common, single, product, *others = over(*values)
        (rest,) = over((self.force - product / common * block.slope) ** 2)  # what the replicas' force does not explain
        amplitude = jnp.sqrt(alpha * between * common)
        joint, *entropies = others
        means = jnp.stack([y * (inside - between) * common + inside * single, held * joint, *entropies])
        return Implied(
            amplitude,
            alpha * shared * product / amplitude,
            alpha * (own * rest + (own - shared**2 / between) * product**2 / common),
            *(alpha * means),
        )

    @staticmethod
    def of(
        overlaps: GroupOverlaps,
        y: _Scalar,
        architecture: Architecture,
        constraint: Constraint,
        centre: Constraint,
        nodes: tuple[int, ...],
        tilt: _Scalar | float,
    ) -> tuple[CentrePattern, Average]:
        """By ``nodes`` in ``z``, ``z'`` and ``w``, for constraints on the replicas and on the ``centre``."""
        at, apart_gap = overlaps, overlaps.gap + overlaps.stretch / y
        t_gap = at.p_gap + at.together
        close = Kernels.beside_one(architecture, apart_gap, at.gap, at.centre_gap, at.p_gap, t_gap)
        far = Kernels.of(architecture, at.q0, at.centre, at.t)
        apart, gap, centre_gap, p_gap, far_gap = close.value
        q0, centre_q, t = far.value
        rise = y * (apart - gap)
        rise = jnp.where(rise > 0.0, rise, 0.0)  # by rounding, where replicas do not interact
        # What a kernel adds to each is nothing for the identity, where differences of large numbers would have no digits.
        together = at.together + ((far_gap - t_gap) - (p_gap - at.p_gap))
        spread, kernel_spread = at.stretch / y + FAINT, rise / y + FAINT
        free = at.free + ((centre_gap - at.centre_gap) - (together**2 / kernel_spread - at.together**2 / spread))
        frozen = at.frozen + ((centre_q - at.centre) - (t**2 / q0 - at.t**2 / at.q0))
        free, frozen = (jnp.where(left > 0.0, left, 0.0) + FAINT for left in (free, frozen))
        spread, width, rest, scale = jnp.sqrt(kernel_spread), jnp.sqrt(gap), jnp.sqrt(free), jnp.sqrt(q0)
        follows, along, beside = together / spread, t / scale, jnp.sqrt(frozen)
        std = jnp.sqrt(free + follows**2)

        edges, own_edges = constraint.edges()[:, None], centre.edges()[:, None]
        smeared = jnp.sqrt(frozen + std**2)
        steep = jnp.concatenate([jnp.full(edges.shape[0], scale / width), jnp.full(own_edges.shape[0], along / smeared)])
        z, chance = Layered(nodes[0])(steep, jnp.concatenate([-edges[:, 0] / width, -own_edges[:, 0] / smeared]))
        field = scale * z
        # Where the centre's own edge is, with replicas that pull at it or not.
        pulled = y * spread * blocks.deficit(constraint, field) / (width**2 + y * spread**2)
        layers = jnp.concatenate([along * z - own_edges, along * z + follows * pulled - own_edges])
        widths = jnp.repeat(jnp.stack([std, rest]), own_edges.shape[0])[:, None]
        own, weight = Layered(nodes[1])(beside / widths + jnp.zeros_like(layers), layers / widths, start=offset(z.size))
        frozen_field = along * z[:, None] + beside * own
        w, log_weights = _common(constraint, centre, field, frozen_field, (spread, width, follows, rest), y, nodes[2])

        means = frozen_field[..., None] + follows * w, field[:, None, None] + spread * w
        (solves, force) = jax.jvp(lambda mean: centre.log_weight(mean, rest), means[:1], (jnp.ones_like(w),))
        (value, slope) = jax.jvp(lambda mean: constraint.log_weight(mean, width), means[1:], (jnp.ones_like(w),))
        exponent = y * value + solves + log_weights
        total = jax.nn.logsumexp(exponent, axis=-1)
        tilted = jnp.exp(exponent - total[..., None])

        def mean(values: Float[Array, "z c w"]) -> Float[Array, "z c"]:
            return jnp.sum(tilted * values, axis=-1)

        common = mean(slope)
        scatter = y * mean((slope - common[..., None]) ** 2)
        block = blocks.Block(total / y, common, scatter, jnp.zeros_like(common), mean(value))
        pattern = CentrePattern(block, mean(force), mean(force * slope), close.slope)
        return pattern, Average(chance[:, None] * weight, twins(z.size)[:, None], tilt)


def _common(
    constraint: Constraint,
    centre: Constraint,
    field: Float[Array, " z"],
    frozen: Float[Array, "z c"],
    widths: tuple[_Scalar, _Scalar, _Scalar, _Scalar],
    y: _Scalar,
    nodes: int,
) -> tuple[Float[Array, "z c w"], Float[Array, "z c w"]]:
    """Nodes in ``w`` and logarithms of their Gaussian weights.

    Both log weights are nearly parabolas outside the allowed sets: the peak is where one of them, both or none are felt.
    """
    spread, width, follows, rest = widths
    replicas, own = y * spread / width**2, follows / rest**2
    lacking, own_lacking = blocks.deficit(constraint, field)[:, None], blocks.deficit(centre, frozen)
    steep, own_steep = spread * replicas, follows * own
    by_replicas = replicas * lacking / (1.0 + steep)
    by_centre = own * own_lacking / (1.0 + own_steep)
    by_both = (replicas * lacking + own * own_lacking) / (1.0 + steep + own_steep)
    peaks = jnp.stack(jnp.broadcast_arrays(jnp.zeros_like(frozen), by_replicas, by_centre, by_both))

    def cost(w):
        missed, own_missed = jnp.maximum(lacking - spread * w, 0.0), jnp.maximum(own_lacking - follows * w, 0.0)
        return w**2 + y * (missed / width) ** 2 + (own_missed / rest) ** 2

    peak = jnp.take_along_axis(peaks, jnp.argmin(cost(peaks), axis=0)[None], axis=0)[0]
    narrow = 1.0 / jnp.sqrt(1.0 + steep + own_steep)
    edges, own_edges = constraint.edges()[:, None, None], centre.edges()[:, None, None]
    shape = frozen.shape
    slopes = [jnp.full((len(edges), *shape), spread / width), jnp.full((len(own_edges), *shape), follows / rest)]
    offsets = [(field[:, None] - edges) / width + jnp.zeros((1, *shape)), (frozen - own_edges) / rest]
    slopes.append(jnp.full((1, *shape), 1.0 / narrow))
    offsets.append(-peak[None] / narrow)
    ends = peak - blocks.PEAK.reach, peak + blocks.PEAK.reach
    start = np.broadcast_to(offset(shape[0])[:, None], shape)
    return Layered(nodes).log_rule(jnp.concatenate(slopes), jnp.concatenate(offsets), *ends, start)
