r"""What one block of replicas feels: free entropies of a weight and of a pattern with one step of symmetry breaking.

Replicas of the same block share a field ``h + spread u``, ``u ~ N(0, 1)``, where ``h`` is shared by all blocks. With ``f``
the potential of one replica (``ln 2cosh`` of a weight, ``ln H`` of a pattern) and ``m`` replicas in a block,

    F(h) = (1/m) ln ∫Du exp(m f(h + spread u)),

a log-mean-exp, so that nothing overflows inside the power. For ``m`` = infinity with ``m spread² = stretch²`` kept,
``F(h) = max_v [-v²/2 + f(h + stretch v)]``.

Nodes depend on ``h``: ``u`` runs over nine deviations around the peak of the integrand, with layers at the kink of ``f`` and
at that peak. They carry no derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models import Constraint
from fmjax.quadrature import Layered
from fmjax.special import log_2cosh

__all__ = [
    "largest_pattern",
    "largest_weight",
    "pattern_block",
    "pattern_excess",
    "pattern_excess_rule",
    "pattern_rule",
    "weight_block",
    "weight_excess",
    "weight_rule",
]

_Scalar = Float[Array, ""]
_Rule = tuple[Float[Array, "h u"], Float[Array, "h u"]]

_REACH = 9.0  # standard deviations
_SMALL = 0.3  # of a logarithm that log1p takes
_NEAR = 1e-3  # of the arguments of series
_NEWTON_STEPS = 60  # of the maximisation: where ``stretch`` is large the way into the tail of ln H is long, 25 at 1e4


def _block(potential: Float[Array, "h u"], log_weights: Float[Array, "h u"], size: _Scalar) -> Float[Array, " h"]:
    """``(1/m) ln sum_u exp(log_weights + m potential)``."""
    exponent = size * potential + log_weights
    largest = jax.lax.stop_gradient(jnp.max(exponent, axis=1))
    return (largest + jnp.log(jnp.sum(jnp.exp(exponent - largest[:, None]), axis=1))) / size


def _excess(potential: Float[Array, "h u"], log_weights: Float[Array, "h u"], single: Array, size: _Scalar) -> Array:
    """``[F_m - F_1]/(m - 1)``, with ``single = F_1(h) = ln ∫Du exp f`` known in closed form; at ``m = 1`` the derivative.

    With ``g = f - F_1`` and the mean ``<.>`` over ``Du exp g`` it is ``ln <exp((m-1) g)> / (m (m-1))``, whose logarithm
    is taken as ``log1p`` of a small number where it is one.
    """
    shift = size - 1.0
    g = potential - single[:, None]
    exponent = log_weights + jnp.maximum(g, size * g)
    whole = jax.nn.logsumexp(log_weights + size * g, axis=1)
    small = jnp.abs(whole) < _SMALL
    # Where it is not small the exponentials may overflow, and their values do not matter.
    mean = jnp.sum(g * jnp.exp(jnp.where(small[:, None], exponent, 0.0)) * _expm1_ratio(-jnp.abs(shift * g)), axis=1)
    mean = jnp.where(small, mean, 0.0)
    large = jnp.where(small, 0.0, whole) / jnp.where(shift == 0.0, 1.0, shift)
    return jnp.where(small, mean * _log1p_ratio(jnp.where(small, shift * mean, 0.0)), large) / size


def _expm1_ratio(x: Array) -> Array:
    """``(exp(x) - 1)/x``, and its derivatives, at 0 as well."""
    near = jnp.abs(x) < _NEAR
    far = jnp.where(near, 1.0, x)
    return jnp.where(near, 1.0 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x / 720)))), jnp.expm1(far) / far)


def _log1p_ratio(x: Array) -> Array:
    """``ln(1 + x)/x``, and its derivatives, at 0 as well."""
    near = jnp.abs(x) < _NEAR
    far = jnp.where(near, 1.0, x)
    return jnp.where(near, 1.0 - x * (1 / 2 - x * (1 / 3 - x * (1 / 4 - x * (1 / 5 - x / 6)))), jnp.log1p(far) / far)


def weight_rule(field: Float[Array, " h"], spread: _Scalar, size: _Scalar, nodes: int) -> _Rule:
    """Nodes in ``u`` and logarithms of their Gaussian weights for `weight_block`: ``cosh^m`` shifts by ``m spread``."""
    reach = _REACH + size * spread

    def at(field):
        return Layered(nodes).log_rule(spread[None], field[None], -reach, reach)

    return jax.vmap(at)(jax.lax.stop_gradient(field))


def weight_block(field: Float[Array, " h"], spread: _Scalar, size: _Scalar, rule: _Rule) -> Float[Array, " h"]:
    """``(1/m) ln ∫Du [2cosh(field + spread u)]^m`` for every field."""
    u, log_weights = rule
    return _block(log_2cosh(field[:, None] + spread * u), log_weights, size)


def weight_excess(field: Float[Array, " h"], spread: _Scalar, size: _Scalar, rule: _Rule) -> Float[Array, " h"]:
    """``[F_m - F_1]/(m - 1)`` of `weight_block`, where ``F_1 = ln 2cosh(field) + spread²/2``."""
    u, log_weights = rule
    potential = log_2cosh(field[:, None] + spread * u)
    return _excess(potential, log_weights, log_2cosh(field) + 0.5 * spread**2, size)


def _deficit(constraint: Constraint, field: Array) -> Array:
    """How far a field is from the allowed set; negative from above."""
    low, high = constraint.support()
    return jnp.maximum(low - field, 0.0) - jnp.maximum(field - high, 0.0)


def pattern_rule(
    constraint: Constraint, field: Float[Array, " h"], spread: _Scalar, width: _Scalar, size: _Scalar, nodes: int
) -> _Rule:
    """Nodes in ``u`` and logarithms of their Gaussian weights for `pattern_block`.

    Below the margin ``ln H`` is nearly a parabola: the integrand peaks at ``m spread deficit / (width² + m spread²)`` and
    is narrower than the Gaussian there by ``width / sqrt(width² + m spread²)``.
    """
    total = width**2 + size * spread**2
    narrow = width / jnp.sqrt(total)
    edges = constraint.edges()

    def at(field):
        peak = size * spread * _deficit(constraint, field) / total
        slopes = jnp.append(jnp.broadcast_to(spread / width, edges.shape), 1.0 / narrow)
        offsets = jnp.append((field - edges) / width, -peak / narrow)
        return Layered(nodes).log_rule(slopes, offsets, peak - _REACH, peak + _REACH)

    return jax.vmap(at)(jax.lax.stop_gradient(field))


def pattern_excess_rule(
    constraint: Constraint, field: Float[Array, " h"], spread: _Scalar, width: _Scalar, size: _Scalar, nodes: int
) -> _Rule:
    """`pattern_rule` for `pattern_excess`: for blocks of ``m`` replicas of order one, and of one.

    Where their peaks are narrow they lie at an edge, and the layer there resolves them.
    """
    sizes = jnp.stack([size, jnp.ones_like(size)])
    rises = sizes * spread / (width**2 + sizes * spread**2)
    edges = constraint.edges()
    slopes = jnp.broadcast_to(spread / width, edges.shape)

    def at(field):
        peaks = rises * _deficit(constraint, field)
        offsets = (field - edges) / width
        return Layered(nodes).log_rule(slopes, offsets, jnp.min(peaks) - _REACH, jnp.max(peaks) + _REACH)

    return jax.vmap(at)(jax.lax.stop_gradient(field))


def pattern_block(
    constraint: Constraint, field: Float[Array, " h"], spread: _Scalar, width: _Scalar, size: _Scalar, rule: _Rule
) -> Float[Array, " h"]:
    """``(1/m) ln ∫Du exp(m log_weight(field + spread u, width))`` for every field: of ``H^m`` for a margin."""
    u, log_weights = rule
    mean = field[:, None] + spread * u
    return _block(constraint.log_weight(mean, jnp.broadcast_to(width, mean.shape)), log_weights, size)


def pattern_excess(
    constraint: Constraint, field: Float[Array, " h"], spread: _Scalar, width: _Scalar, size: _Scalar, rule: _Rule
) -> Float[Array, " h"]:
    """``[F_m - F_1]/(m - 1)`` of `pattern_block`, where ``F_1 = log_weight(field, sqrt(width² + spread²))``."""
    u, log_weights = rule
    mean = field[:, None] + spread * u
    potential = constraint.log_weight(mean, jnp.broadcast_to(width, mean.shape))
    single = constraint.log_weight(field, jnp.broadcast_to(jnp.sqrt(width**2 + spread**2), field.shape))
    return _excess(potential, log_weights, single, size)


def _largest(potential: Callable, inputs: Any, start: Float[Array, " h"]) -> Float[Array, " h"]:
    """``max_v [-v²/2 + potential(inputs, v)]`` from a start above which Newton comes down to the maximum, elementwise.

    The maximiser is found without derivatives and then moved by one Newton step that carries them: it responds to first
    order, and because the maximum is stationary in it, the value has the right derivatives up to third order.
    """

    def slope(inputs, v):
        return -v + jax.grad(lambda v: jnp.sum(potential(inputs, v)))(v)

    def slope_and_curvature(inputs, v):
        return jax.jvp(lambda v: slope(inputs, v), (v,), (jnp.ones_like(v),))

    still, start = jax.lax.stop_gradient((inputs, start))

    def step(_, v):
        value, curvature = slope_and_curvature(still, v)
        # Away from the maximum of a function that is not concave there, the curvature may vanish: go by the slope.
        return v - value / jnp.minimum(curvature, -1e-3)

    found = jax.lax.fori_loop(0, _NEWTON_STEPS, step, start)
    _, curvature = slope_and_curvature(still, found)
    best = found - slope(inputs, found) / curvature
    return -0.5 * best**2 + potential(inputs, best)


def largest_weight(field: Float[Array, " h"], stretch: _Scalar) -> Float[Array, " h"]:
    """``max_v [-v²/2 + ln 2cosh(field + stretch v)]`` for fields >= 0: the maximum is at ``0 < v < stretch``.

    For ``stretch > 1`` and small fields there is a second, lower maximum at negative ``v``. Between ``v = 0`` and the
    global one the slope is concave, so that Newton from ``v = stretch`` comes down to it and stops there.
    """

    def potential(inputs, v):
        field, stretch = inputs
        return log_2cosh(field + stretch * v)

    return _largest(potential, (field, stretch), jnp.broadcast_to(stretch, field.shape))


def largest_pattern(
    constraint: Constraint, field: Float[Array, " h"], stretch: _Scalar, width: _Scalar
) -> Float[Array, " h"]:
    """``max_v [-v²/2 + log_weight(field + stretch v, width)]``: the logarithm is concave, so the maximum is the only one."""
    start = stretch * _deficit(constraint, field) / (width**2 + stretch**2)

    def potential(inputs, v):
        constraint, field, stretch, width = inputs
        return constraint.log_weight(field + stretch * v, jnp.broadcast_to(width, field.shape))

    return _largest(potential, (constraint, field, stretch, width), start)
