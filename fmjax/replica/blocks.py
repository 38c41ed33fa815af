r"""What one block of replicas feels: free entropies of a weight and of a pattern with one step of symmetry breaking.

Replicas of the same block share a field ``h + spread u``, ``u ~ N(0, 1)``, where ``h`` is shared by all blocks. With ``f``
the potential of one replica (``ln 2cosh`` of a weight, ``ln H`` of a pattern) and ``m`` replicas in a block,

    F(h) = (1/m) ln ∫Du exp(m f(h + spread u)),

a log-mean-exp, so that nothing overflows inside the power. For ``m`` = infinity with ``m spread² = stretch²`` kept,
``F(h) = max_v [-v²/2 + f(h + stretch v)]``. Means ``<.>`` of derivatives of ``f`` are over the tilted measure
``Du exp(m f)``, or at the maximum.

Nodes depend on ``h``: ``u`` runs over nine deviations around the peak of the integrand, with layers at the kink of ``f`` and
at that peak. They carry no derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.models import Constraint, Margin
from fmjax.quadrature import Layered, log_normal_density
from fmjax.special import derivatives, log_2cosh

__all__ = [
    "PEAK",
    "Block",
    "block",
    "cluster_rule",
    "deficit",
    "largest_pattern",
    "largest_weight",
    "pattern_rule",
    "weight_rule",
]

_Scalar = Float[Array, ""]
_Fields = Float[Array, " h"]
_Rule = tuple[Float[Array, "h u"], Float[Array, "h u"]]
_Potential = Callable[[Array], Array]


class _Peak(NamedTuple):
    """How the peak of a block is found, and how much of it is integrated.

    Attributes:
        reach: deviations to both sides of it. Potentials lose 1e-6 at 5 and 7e-12 at 7, and nothing from 8 on; nodes are the
            thinner the farther they reach: 160 of them leave 5e-12 of a sharp pattern at 9, and 1e-9 at 12.
        steps: of Newton's method to the peak of infinitely many replicas; fewer than it takes end before it.
        descents: the same with a margin, where the start is close: 4 were enough for a ``stretch`` from 1e-3 to 1e60.
        flattest: curvature below which such a step goes by the slope. A pattern, whose logarithm is concave, has at least 1.
    """

    reach: float = 9.0
    steps: int = 60
    descents: int = 8
    flattest: float = 1e-3


PEAK = _Peak()


class Block(eqx.Module):
    """A block of replicas in each of several fields.

    Attributes:
        potential: ``F(h)``.
        slope: ``<f'> = F'(h)``, the mean magnetisation or force.
        scatter: ``m (<f'^2> - <f'>^2)``, finite for infinitely many replicas.
        bend: ``<f''>``.
        energy: ``<f>``.
    """

    potential: Float[Array, "*h"]
    slope: Float[Array, "*h"]
    scatter: Float[Array, "*h"]
    bend: Float[Array, "*h"]
    energy: Float[Array, "*h"]


def block(potential: _Potential, field: _Fields, spread: _Scalar, size: _Scalar, rule: _Rule) -> Block:
    """``size`` replicas of a ``potential`` that acts on each element of its argument."""
    u, log_weights = rule
    at = field[:, None] + spread * u
    value, (slope, bend) = potential(at), derivatives(potential, at)
    exponent = size * value + log_weights
    highest = jax.lax.stop_gradient(jnp.max(exponent, axis=1))
    chance = jnp.exp(exponent - highest[:, None])
    total = jnp.sum(chance, axis=1)
    chance = chance / total[:, None]
    mean = jnp.sum(chance * slope, axis=1)
    scatter = size * jnp.sum(chance * (slope - mean[:, None]) ** 2, axis=1)
    bend, energy = (jnp.sum(chance * values, axis=1) for values in (bend, value))
    return Block((highest + jnp.log(total)) / size, mean, scatter, bend, energy)


def largest_weight(field: Float[Array, "*h"], stretch: _Scalar) -> Block:
    """Infinitely many replicas of a weight in fields that are not negative, or in the sizes of others."""
    start = jnp.broadcast_to(stretch, field.shape)
    return _largest(lambda _, at: log_2cosh(at), None, field, stretch, start, PEAK.steps)


def largest_pattern(
    constraint: Constraint, field: Float[Array, "*h"], stretch: Float[Array, "*#h"], width: _Scalar
) -> Block:
    """Infinitely many replicas of a pattern: its logarithm is concave, so that there is one maximum."""
    if isinstance(constraint, Margin):
        start, steps = _deep(constraint, field, stretch, width), PEAK.descents
    else:
        start, steps = stretch * deficit(constraint, field) / (width**2 + stretch**2), PEAK.steps

    def log_weight(inputs, at):
        constraint, width = inputs
        return constraint.log_weight(at, width)

    return _largest(log_weight, (constraint, width), field, stretch, start, steps)


def _deep(constraint: Margin, field: Array, stretch: Array, width: _Scalar) -> Array:
    """Just above the maximum of a pattern whose allowed set has a lower edge alone.

    It lies ``y`` widths inside the set, where ``stretch² slope(y) = width y - gain`` with the ``gain`` of the field beyond
    the edge: by Newton for the logarithm of this, of a tail that is nearly one. From the edge it would come down by a width
    at a step.
    """
    size = jax.lax.stop_gradient(stretch / width)
    gain = jax.lax.stop_gradient((field - constraint.margin) / width)
    least = jnp.maximum(gain, 0.0)

    def deeper(_, y):
        left = jnp.maximum(y - gain, 1e-12)
        return jnp.maximum(y + (log_normal_density(y) + jnp.log(size**2 / left)) / (y + 1.0 / left), least)

    y = jax.lax.fori_loop(0, PEAK.descents, deeper, least + jnp.sqrt(2.0 * jnp.log1p(size**2)))
    return jnp.maximum(y - gain, 0.0) / size


def _largest(
    potential: Callable[[Any, Array], Array], inputs: Any, field: Array, stretch: Array, start: Array, steps: int
) -> Block:
    """Infinitely many replicas: ``max_v [-v²/2 + potential(inputs, field + stretch v)]``.

    From a ``start`` above it, Newton comes down to the maximum. It is found without derivatives and then moved by two steps
    that carry them, after which they are right up to third order.
    """

    def move(inputs, field, stretch, v):
        slope, bend = derivatives(lambda at: potential(inputs, at), field + stretch * v)
        # Away from the maximum of a function that is not concave there, the curvature may vanish: go by the slope.
        return v - (stretch * slope - v) / jnp.minimum(stretch**2 * bend - 1.0, -PEAK.flattest)

    still, v = jax.lax.stop_gradient(((inputs, field, stretch), start))
    v = jax.lax.fori_loop(0, steps, lambda _, v: move(*still, v), v)
    for _ in range(2):
        v = move(inputs, field, stretch, v)
    at = field + stretch * v
    slope, bend = derivatives(lambda at: potential(inputs, at), at)
    scatter = stretch**2 * bend**2 / (1.0 - stretch**2 * bend)
    energy = potential(inputs, at)
    return Block(energy - 0.5 * v**2, slope, scatter, bend, energy)


def weight_rule(field: _Fields, spread: _Scalar, size: _Scalar, nodes: int, start: np.ndarray) -> _Rule:
    """Nodes in ``u`` and logarithms of their Gaussian weights, for a weight: ``cosh^m`` shifts by ``m spread``."""
    reach = PEAK.reach + size * spread
    slopes = jnp.broadcast_to(spread, (1, *field.shape))
    return Layered(nodes).log_rule(slopes, field[None], -reach, reach, start)


def deficit(constraint: Constraint, field: Array) -> Array:
    """How far a field is from the allowed set; negative from above."""
    low, high = constraint.support()
    return jnp.maximum(low - field, 0.0) - jnp.maximum(field - high, 0.0)


def pattern_rule(
    constraint: Constraint,
    field: _Fields,
    spread: _Scalar,
    width: _Scalar,
    size: _Scalar,
    nodes: int,
    start: np.ndarray,
    edge: _Scalar | None = None,
) -> _Rule:
    """Nodes in ``u`` and logarithms of their Gaussian weights, for a pattern.

    Below the margin ``ln H`` is nearly a parabola: the integrand peaks at ``m spread deficit / (width² + m spread²)`` and
    is narrower than the Gaussian there by ``width / sqrt(width² + m spread²)``. At the margin it changes within ``width``,
    or within ``edge`` where what has the parabola is a block itself.
    """
    total = width**2 + size * spread**2
    narrow = width / jnp.sqrt(total)
    edge = width if edge is None else edge
    edges = constraint.edges()[:, None]
    peak = size * spread * deficit(constraint, field) / total
    slopes = jnp.concatenate([jnp.full((edges.size, field.size), spread / edge), jnp.full((1, field.size), 1.0 / narrow)])
    offsets = jnp.concatenate([(field - edges) / edge, -peak[None] / narrow])
    return Layered(nodes).log_rule(slopes, offsets, peak - PEAK.reach, peak + PEAK.reach, start)


def cluster_rule(
    constraint: Constraint, field: _Fields, spread: _Scalar, width: _Scalar, size: _Scalar, nodes: int
) -> _Rule:
    """`pattern_rule` for few replicas, of order one: for blocks of ``size`` of them and of one.

    Where their peaks are narrow they lie at an edge, and the layer there resolves them.
    """
    sizes = jnp.stack([size, jnp.ones_like(size)])[:, None]
    peaks = sizes * spread / (width**2 + sizes * spread**2) * deficit(constraint, field)
    edges = constraint.edges()[:, None]
    slopes = jnp.full((edges.size, field.size), spread / width)
    ends = jnp.min(peaks, axis=0) - PEAK.reach, jnp.max(peaks, axis=0) + PEAK.reach
    return Layered(nodes).log_rule(slopes, (field - edges) / width, *ends)
