"""The entropy of a robust ensemble against distance: from typical solutions, where the replicas do not interact, inwards."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.replica import Equilibrium, RobustEnsemble, RobustEnsembleControls
from fmjax.solvers.newton import BRANCH_ENDED, CONVERGED, REFERENCE_FAILED
from fmjax.solvers.saddle import SaddlePoint, equilibrium, quadrature_error, read, saddle_root, tangent

__all__ = ["robust_entropy"]

_FIRST, _KNOTS = 4.0, 64
_RATE = 4.0  # of D and of D^ with the distance from typical solutions, roughly
_FARTHEST = 2.0  # the furthest that a position may lie from its predecessor on the branch


def robust_entropy(functional: RobustEnsemble, alpha: Float[Array, ""], distances: Float[Array, " n"]) -> SaddlePoint:
    """Entropy per replica at each of some mutual distances, followed in ``logit(d / d_typical)`` with a tangent predictor.

    The coordinates vary like ``ln(d_typical - d)`` near typical solutions and like ``ln d`` far from them, so they are
    smooth functions of that position. The distances asked for are visited in order, with knots in between.
    """
    typical = equilibrium(Equilibrium(functional.model), alpha)
    still_alpha, largest, field = jax.lax.stop_gradient((alpha, typical.distance, typical.order.q_hat))
    inside = jax.lax.stop_gradient((distances > 0) & (distances < largest))
    wanted = jax.lax.stop_gradient(jnp.where(inside, distances, 0.5 * largest))
    positions = jnp.log(wanted) - jnp.log(largest - wanted)
    knots = jnp.linspace(jnp.maximum(_FIRST, jnp.max(positions)), jnp.minimum(jnp.min(positions), 0.0), _KNOTS)
    visited = jnp.concatenate([positions, knots])
    order = jnp.argsort(-visited)

    def controls(position):
        return RobustEnsembleControls(still_alpha, largest * jax.nn.sigmoid(position))

    def visit(state, position):
        last, free, direction = state
        root, rule = saddle_root(functional, free + direction * (position - last), controls(position))
        good = root.converged & (jnp.abs(position - last) < _FARTHEST)
        bent = tangent(root) * controls(position).distance * jax.nn.sigmoid(-position)
        following = position, root.value, bent
        return jax.tree.map(lambda new, old: jnp.where(good, new, old), following, state), (root, rule, good)

    first = visited[order[0]]
    start = jnp.log(_RATE * largest * jax.nn.sigmoid(-first))
    guess = jnp.stack([start, jnp.log(field), start])
    state = first, guess, jnp.zeros(3)
    _, found = jax.lax.scan(visit, state, visited[order])
    back = jnp.argsort(order)[: distances.size]
    root, rule, good = jax.tree.map(lambda leaf: leaf[back], found)

    def at(inputs):
        distance, root, rule = inputs
        here = RobustEnsembleControls(alpha, distance)
        entropy, slope, free = read(functional, root, here, rule)
        error = quadrature_error(*jax.lax.stop_gradient((functional, root, here)))
        return entropy, slope, functional.order(free, here), error

    entropy, slope, parameters, error = jax.lax.map(at, (jnp.where(inside, distances, wanted), root, rule))
    status = jnp.where(good, CONVERGED, jnp.where(root.converged, BRANCH_ENDED, root.status))
    status = jnp.where(inside, status, BRANCH_ENDED)
    status = jnp.where(typical.converged, status, REFERENCE_FAILED)
    alphas = jnp.broadcast_to(alpha, jnp.shape(distances))
    return SaddlePoint(
        entropy=entropy,
        slope=slope,
        order=parameters,
        reference=None,
        distance=distances,
        alpha=alphas,
        residual=root.residual,
        replicon=jnp.full_like(alphas, jnp.nan),
        error_estimate=error,
        steps=root.steps,
        status=status,
    )
