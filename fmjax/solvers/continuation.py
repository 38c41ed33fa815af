"""A curve of local entropy against distance: from its maximum towards both ends, with a tangent predictor."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.replica import Equilibrium, EquilibriumOrder, FranzParisi, FranzParisiControls, FranzParisiOrder
from fmjax.solvers.newton import BRANCH_ENDED, CONVERGED, REFERENCE_FAILED, STALLED, implicit_root, solve_scaled
from fmjax.solvers.saddle import SaddlePoint, equilibrium_root, measure, saddle_root, tangent_along

__all__ = ["local_entropy"]

# The maximum is approached to this value of |p_hat - t_hat|, not to 0: with equal margins the counted field is a function of
# the reference's frozen field there (g = 0), a point at infinity of the free coordinates.
_ENTRY = 0.1
_SWEEPS = 12
_LONGEST = 1.5  # in logit(distance)
_SHORTEST = 1e-3
_RESIDUAL = 1e-6  # of a point worth reporting; what is left is part of its error estimate
_FARTHEST = 2.0
_JUMP = 0.1  # an overlap that ends further than this from its prediction may have changed branch


class _Track(eqx.Module):
    """The last point reached: ``position = logit(distance)``, coordinates, and how they vary there."""

    position: Float[Array, ""]
    free: Float[Array, " n"]
    tangent: Float[Array, " n"]
    curvature: Float[Array, " n"]
    hessian: Float[Array, "n n"]


def _controls(alpha, reference, position):
    return FranzParisiControls(alpha, jax.nn.sigmoid(position), reference)


def _tangent(functional, free, alpha, reference, position, hessian):
    """``d free / d logit(distance)``."""
    controls = _controls(alpha, reference, position)
    distance = controls.distance
    return distance * (1.0 - distance) * tangent_along(functional, free, controls, "distance", hessian)


def _enter(
    functional: FranzParisi, alpha: Array, reference: EquilibriumOrder, typical: EquilibriumOrder, eta: Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, " n"]]:
    """A point near the maximum, where ``p_hat - t_hat = eta``: ``logit(distance)`` and free coordinates.

    At fixed ``eta`` the saddle equations are iterated as maps, fields to overlaps to fields: slow near capacity, but
    converging from any start. They come from autodiff: ``(q, t, p)`` from the gradient of ``G_S`` with respect to the
    conjugates, ``(q_hat, t_hat)`` from that of ``G_E`` with respect to the overlaps.
    """

    def controls(position):
        return FranzParisiControls(alpha, jax.nn.sigmoid(position), reference)

    def order(fields, overlaps):
        return FranzParisiOrder(
            q=overlaps[0], t=overlaps[1], q_hat=fields[0], t_hat=fields[1], p_hat=fields[1] + eta, gap=1.0 - overlaps[0]
        )

    def natural_gradient(scalar, natural, free):
        """Gradient of ``scalar(free)`` with respect to ``natural(free)``."""
        return jnp.linalg.solve(jax.jacfwd(natural)(free).T, jax.grad(scalar)(free))

    def entropic(site):
        return functional.entropic(functional.conjugates(site, controls(0.0)), controls(0.0))

    def energetic(point):
        at = controls(point[2])
        overlaps = functional.overlaps(point[:2], at)
        return alpha * functional.energetic(overlaps, at, functional.rule(overlaps, at))

    def conjugates_of(site):
        value = functional.conjugates(site, controls(0.0))
        return jnp.stack([value.q_hat, value.t_hat, value.eta + value.t_hat])

    def overlaps_of(point):
        value = functional.overlaps(point[:2], controls(point[2]))
        return jnp.stack([value.q, value.t, value.p])

    def sweep(state, _):
        fields, overlaps, _ = state
        site = functional.free(order(fields, overlaps), controls(0.0))[2:]
        response = natural_gradient(entropic, conjugates_of, site)
        overlaps = jnp.stack([1.0 - 2.0 * response[0], -response[1], response[2]])
        position = jnp.log1p(-overlaps[2]) - jnp.log1p(overlaps[2])
        point = jnp.append(functional.free(order(fields, overlaps), controls(position))[:2], position)
        response = natural_gradient(energetic, overlaps_of, point)
        return (jnp.stack([-2.0 * response[0], -response[1]]), overlaps, position), None

    t = 0.9 * jnp.sqrt(typical.q * reference.q)
    fields = jnp.stack([typical.q_hat, 0.9 * jnp.sqrt(typical.q_hat * reference.q_hat)])
    start = (fields, jnp.stack([typical.q, t, t]), jnp.zeros_like(t))
    (fields, overlaps, position), _ = jax.lax.scan(sweep, start, None, length=_SWEEPS)
    return position, functional.free(order(fields, overlaps), controls(position))


def _follow(functional: FranzParisi, alpha, reference, track: _Track, target):
    """Advance ``track`` to ``logit(distance) = target`` in as many steps as it takes; ``(track, steps, arrived)``."""

    def proceed(state):
        track, _, _, failed = state
        return (track.position != target) & ~failed

    def body(state):
        track, step, count, _ = state
        remaining = target - track.position
        move = jnp.clip(remaining, -step, step)
        position = jnp.where(jnp.abs(remaining) <= step, target, track.position + move)
        # Where the entropy hardly depends on a coordinate its tangent is noise: it must not send the coordinate far away.
        guess = track.free + jnp.clip(track.tangent * move + 0.5 * track.curvature * move**2, -_FARTHEST, _FARTHEST)
        controls = _controls(alpha, reference, position)
        root = saddle_root(functional, guess, controls, max_steps=8)
        # Newton keeps the nodes placed for its start: again, with nodes placed for the solution. Without this, a poor
        # prediction leaves a poor tangent, which makes the next prediction poor.
        steps = root.steps
        root = saddle_root(functional, root.value, controls, max_steps=6)
        overlaps = slice(0, functional.sizes[0])
        predicted, found = (functional.natural(free, controls)[overlaps] for free in (guess, root.value))
        good = root.converged & jnp.all(jnp.abs(found - predicted) < _JUMP)
        tangent = _tangent(functional, root.value, alpha, reference, position, root.matrix)
        curvature = (tangent - track.tangent) / jnp.where(move == 0, 1.0, move)
        reached = _Track(position, root.value, tangent, curvature, root.matrix)
        track = jax.tree.map(lambda new, old: jnp.where(good, new, old), reached, track)
        # The quadratic term comes from the last two tangents: after a rejected step it is the least trustworthy part.
        track = eqx.tree_at(lambda t: t.curvature, track, jnp.where(good, track.curvature, 0.0))
        step = jnp.where(good, jnp.minimum(1.5 * step, _LONGEST), 0.4 * jnp.abs(move))
        return track, step, count + steps + root.steps, step < _SHORTEST

    start = (track, jnp.asarray(0.6), jnp.asarray(0), jnp.asarray(False))
    track, _, count, failed = jax.lax.while_loop(proceed, body, start)
    return track, count, ~failed


def _trace(functional, alpha, reference, typical, positions):
    """Free coordinates, Hessian, steps and success at every position, in the order given."""
    etas = jnp.array([_ENTRY, -_ENTRY])
    starts, frees = jax.vmap(lambda eta: _enter(functional, alpha, reference, typical, eta))(etas)

    def settle(position, free):
        controls = _controls(alpha, reference, position)
        root = saddle_root(functional, free, controls)
        tangent = _tangent(functional, root.value, alpha, reference, position, root.matrix)
        return _Track(position, root.value, tangent, jnp.zeros_like(tangent), root.matrix), root

    tracks, roots = jax.vmap(settle)(starts, frees)
    middle = jnp.mean(starts)

    # Visit the lower side from the maximum down, then start again and visit the upper side from the maximum up.
    upper = positions > middle
    visit = jnp.lexsort((jnp.abs(positions - middle), upper))
    first_of_side = jnp.concatenate([jnp.ones(1, bool), upper[visit][1:] != upper[visit][:-1]])

    def advance(carry, item):
        target, is_upper, fresh = item
        side = jax.tree.map(lambda pair: pair[is_upper.astype(int)], (tracks, roots.converged))
        # Points between the two starts are reached from a start and left: with equal margins the maximum, where g = 0,
        # is a dead end for the free coordinates.
        between = jnp.abs(target - middle) < jnp.abs(side[0].position - middle)
        track, alive = jax.tree.map(lambda new, old: jnp.where(fresh | between, new, old), side, carry)
        aim = jnp.where(alive, target, track.position)
        track, count, arrived = _follow(functional, alpha, reference, track, aim)
        alive = alive & arrived
        carry = jax.tree.map(lambda new, old: jnp.where(between, new, old), side, (track, alive))
        return carry, (track.free, track.hessian, count, alive)

    carry = (jax.tree.map(lambda pair: pair[0], tracks), jnp.asarray(True))
    _, visited = jax.lax.scan(advance, carry, (positions[visit], upper[visit], first_of_side))
    back = jnp.argsort(visit)
    return jax.tree.map(lambda leaf: leaf[back], visited)


def local_entropy(functional: FranzParisi, alpha: Float[Array, ""], distance: Float[Array, " distances"]) -> SaddlePoint:
    """Local entropy at several distances from the same reference, batched over the leading axis."""
    model = functional.model
    reference_free, reference_root = equilibrium_root(Equilibrium(model.with_margin(functional.reference_margin)), alpha)
    _, typical_root = equilibrium_root(Equilibrium(model), alpha)
    reference = EquilibriumOrder.from_free(reference_free)

    still = jax.lax.stop_gradient
    inside = jnp.clip(still(distance), 1e-12, 1.0 - 1e-12)
    positions = jnp.log(inside) - jnp.log1p(-inside)
    frees, hessians, steps, arrived = _trace(
        still(functional), still(alpha), still(reference), EquilibriumOrder.from_free(typical_root.value), positions
    )

    def finish(free, hessian, distance):
        controls = FranzParisiControls(alpha, distance, reference)
        # Chord steps with the nodes placed for the solution (those of the curve were placed for its prediction), kept while
        # they lower the residual.
        still_here = still((functional, controls))

        def gradient(y):
            return jax.grad(still_here[0])(y, still_here[1])

        def improve(_, state):
            y, residual = state
            trial = y - solve_scaled(hessian, residual)
            there = gradient(trial)
            better = jnp.max(jnp.abs(there)) < jnp.max(jnp.abs(residual))
            return jnp.where(better, trial, y), jnp.where(better, there, residual)

        free, _ = jax.lax.fori_loop(0, 3, improve, (free, gradient(free)))
        free = implicit_root(lambda free: jax.grad(functional)(free, controls), free)
        tangent = tangent_along(functional, free, controls, "distance", hessian)
        entropy, slope, residual, error = measure(functional, free, controls, "distance", tangent, hessian)
        return entropy, slope, residual, error, functional.order(free, controls)

    entropy, slope, residual, error, order = jax.vmap(finish)(frees, hessians, distance)
    status = jnp.where(arrived, jnp.where(residual < _RESIDUAL, CONVERGED, STALLED), BRANCH_ENDED)
    status = jnp.where(reference_root.converged & typical_root.converged, status, REFERENCE_FAILED)
    return SaddlePoint(
        entropy, slope, order, distance, jnp.broadcast_to(alpha, distance.shape), residual, error, steps, status
    )
