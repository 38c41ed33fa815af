"""Where the energetic integral of a local entropy is evaluated: nodes in the fields of a pattern."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models import Constraint
from fmjax.quadrature import TAIL, Layered, offset
from fmjax.replica.franz_parisi_order import Covariances

__all__ = ["pattern_nodes"]


def pattern_nodes(
    at: Covariances, reference: Constraint, counted: Constraint, sizes: tuple[int, int]
) -> tuple[Float[Array, " x"], Float[Array, "x w"], Float[Array, "x w"]]:
    """Nodes in ``x``, in ``w`` for each of them, and what they stand for without the Gaussian densities.

    ``w = r z + sqrt(1-r^2) y`` with ``z`` in the allowed interval of the reference, or, where that is not hard, between
    it and zero, and ``y`` standard normal: beyond 8.5 deviations nothing is left. Layers are the reference's turns, in
    ``w`` its edges smeared by ``y``, and the counted edges.
    """
    reference_edges, edges = reference.edges(), counted.edges()
    smeared = jnp.sqrt(at.v**2 + at.width**2)
    turns, steepness = reference.turns(at.std)
    slopes = jnp.concatenate([at.scale * steepness, jnp.full(edges.shape, at.a / smeared)])
    offsets = jnp.concatenate([-turns * steepness, -edges / smeared])
    x, spacing = Layered(sizes[0]).spaced(slopes, offsets, -TAIL, TAIL)

    low, high = ((end - at.scale * x) / at.std for end in reference.support())
    least, most = jnp.minimum(high, 0.0) - TAIL, jnp.maximum(low, 0.0) + TAIL
    if reference.hard:
        least, most = jnp.maximum(low, least), jnp.minimum(high, most)
    ends = at.ratio * jnp.stack([least, most])
    cuts = (reference_edges[:, None] - at.scale * x) / at.std
    inner_slopes = jnp.concatenate([jnp.full((edges.size, x.size), at.v / at.width), jnp.full(cuts.shape, 1.0 / at.rest)])
    inner_offsets = jnp.concatenate([(at.a * x - edges[:, None]) / at.width, -at.ratio * cuts / at.rest])
    reach = TAIL * at.rest
    w, inner = Layered(sizes[1]).spaced(
        inner_slopes, inner_offsets, jnp.min(ends, axis=0) - reach, jnp.max(ends, axis=0) + reach, offset(x.size)
    )
    return x, w, spacing[:, None] * inner
