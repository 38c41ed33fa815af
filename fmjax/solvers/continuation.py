"""Curves of entropy against distance, and how they move with all that they depend on.

Each is one compiled program, and its derivatives are another, small one, over the points that were found: the loop that
finds them is never differentiated, and not compiled again for a gradient.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models import Model
from fmjax.replica import (
    Equilibrium,
    FranzParisi,
    FranzParisiControls,
    FranzParisiOrder,
    RobustEnsemble,
    RobustEnsembleControls,
    RobustEnsembleOrder,
)
from fmjax.solvers.follower import Follower, Track
from fmjax.solvers.newton import Root, response, still
from fmjax.solvers.outcome import BRANCH_ENDED, CONVERGED, COUNTED_FAILED, REFERENCE_FAILED, resolved
from fmjax.solvers.saddle import SaddlePoint, error_of, numbers_of, order_of, typical_equations, typical_root

__all__ = ["NO_SOLUTIONS", "Curve", "ensemble_curve", "ensemble_track", "local_curve", "local_track", "position_of"]

_Scalar = Float[Array, ""]
NO_SOLUTIONS = -1e-9  # an entropy below it


class Curve(eqx.Module):
    """Points of a curve, their fields, and the typical solutions that it starts from: references, or counted ones."""

    points: SaddlePoint
    fields: Float[Array, "rows n"]
    typical: Root


def _local_equations(inputs, fields, tilt):
    functional, alpha, reference = inputs
    saddle = functional.saddle(fields, FranzParisiControls(alpha, jnp.zeros(()), reference, tilt))
    return jnp.append(saddle.residual, saddle.position), numbers_of(saddle)


def _ensemble_equations(inputs, fields, tilt):
    functional, alpha = inputs
    saddle = functional.saddle(fields, RobustEnsembleControls(alpha, jnp.zeros(()), tilt))
    return jnp.append(saddle.residual, saddle.position), numbers_of(saddle)


def position_of(distance: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``logit(distance)``."""
    return jnp.log(distance) - jnp.log1p(-distance)


def local_track(functional: FranzParisi, alpha: _Scalar, distance: Float[Array, " n"]) -> tuple[Root, Track]:
    """The reference, and local entropies around it, without derivatives."""
    model = functional.model
    margins = jnp.stack([jnp.asarray(functional.reference_margin), jnp.asarray(model.margin)])
    both = jax.lax.map(lambda margin: typical_root(Equilibrium(model.with_margin(margin)), alpha), margins)
    reference, own = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))
    start = functional.start(order_of(reference), order_of(own))
    inputs = (functional, alpha, order_of(reference))
    shape = functional.positive, functional.scale
    track = Follower()(_local_equations, inputs, start, position_of(distance), *shape, both=True)
    exists = reference.status == CONVERGED
    if model.weights.discrete:
        exists = exists & (reference.numbers[0] > NO_SOLUTIONS)
    status = jnp.where(own.status == CONVERGED, track.status, COUNTED_FAILED)
    return reference, _marked(track, model, jnp.where(exists, status, REFERENCE_FAILED))


def ensemble_track(functional: RobustEnsemble, alpha: _Scalar, distance: Float[Array, " n"], typical: Root) -> Track:
    """Entropies of replicas, followed inwards from the distance of ``typical`` solutions, without derivatives."""
    shape = functional.positive, functional.scale
    start, inputs = functional.start(order_of(typical)), (functional, alpha)
    track = Follower()(_ensemble_equations, inputs, start, position_of(distance), *shape, both=False)
    closer = distance < 0.5 * order_of(typical).gap
    status = jnp.where(closer, track.status, BRANCH_ENDED)
    return _marked(track, functional.model, jnp.where(typical.status == CONVERGED, status, COUNTED_FAILED))


def _marked(track: Track, model: Model, status: Array) -> Track:
    """With another ``status``, and no fields or numbers where it says that there are none."""
    status = resolved(status, 1.0 + jnp.abs(track.numbers[:, 1]), error_of(model, track.errors.T, track.numbers.T))
    known = jnp.where(status == CONVERGED, 1.0, jnp.nan)[:, None]
    fields, numbers = track.fields * known, track.numbers * known
    return eqx.tree_at(lambda t: (t.fields, t.numbers, t.status), track, (fields, numbers, status))


def _points(track: Track, model: Model, order: Any, reference: Any, distance: Array, alpha: Array) -> SaddlePoint:
    entropy, slope, replicon, *rest = track.numbers.T
    alphas, reference = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, distance.shape), (alpha, reference))
    return SaddlePoint(
        entropy=entropy,
        slope=slope,
        order=order(*rest),
        reference=reference,
        distance=distance,
        alpha=alphas,
        residual=track.residual,
        replicon=replicon,
        error_estimate=error_of(model, track.errors.T, track.numbers.T),
        steps=track.steps,
        status=track.status,
    )


def _moving(points: SaddlePoint, numbers: Array, order: Any, reference: Any, distance: Array, alpha: Array) -> SaddlePoint:
    """The tangent of points from those of their numbers, and of what they were asked for."""
    entropy, slope, _, *rest = numbers.T
    alphas, reference = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, distance.shape), (alpha, reference))
    return eqx.tree_at(
        lambda p: (p.entropy, p.slope, p.order, p.reference, p.distance, p.alpha),
        still(points),
        (entropy, slope, order(*rest), reference, distance, alphas),
        is_leaf=lambda leaf: leaf is None,
    )


@jax.custom_jvp
def local_curve(functional: FranzParisi, alpha: _Scalar, distance: Float[Array, " n"]) -> Curve:
    """Local entropy at several distances from the same reference, with derivatives."""
    return _local_curve(functional, alpha, distance)


@jax.jit
def _local_curve(functional: FranzParisi, alpha: _Scalar, distance: Float[Array, " n"]) -> Curve:
    reference, track = local_track(functional, alpha, distance)
    points = _points(track, functional.model, FranzParisiOrder, order_of(reference), distance, alpha)
    return Curve(points, track.fields, reference)


@local_curve.defjvp
def _(primals, tangents):
    curve = local_curve(*primals)
    return curve, _local_tangent(primals, curve, tangents)


@jax.jit
def _local_tangent(primals, curve, tangents):
    (functional, alpha, distance), (d_functional, d_alpha, d_distance) = primals, tangents

    def typical_at(functional, alpha):
        return Equilibrium(functional.model.with_margin(functional.reference_margin)), alpha

    typical, d_typical = jax.jvp(typical_at, (functional, alpha), (d_functional, d_alpha))
    moved = response(typical_equations, typical, curve.typical.unknowns, d_typical)
    root = eqx.tree_at(lambda r: (r.unknowns, r.numbers), still(curve.typical), moved)

    def row(fields, distance, d_distance):
        inputs = (functional, alpha, order_of(curve.typical)), distance
        return response(
            _at_distance(_local_equations), inputs, fields, ((d_functional, d_alpha, order_of(root)), d_distance)
        )

    fields, numbers = jax.vmap(row)(curve.fields, distance, d_distance)
    return Curve(_moving(curve.points, numbers, FranzParisiOrder, order_of(root), d_distance, d_alpha), fields, root)


@jax.custom_jvp
def ensemble_curve(functional: RobustEnsemble, alpha: _Scalar, distance: Float[Array, " n"]) -> Curve:
    """Entropy of replicas at several mutual distances, with derivatives."""
    return _ensemble_curve(functional, alpha, distance)


@jax.jit
def _ensemble_curve(functional: RobustEnsemble, alpha: _Scalar, distance: Float[Array, " n"]) -> Curve:
    typical = typical_root(Equilibrium(functional.model), alpha)
    track = ensemble_track(functional, alpha, distance, typical)
    return Curve(_points(track, functional.model, RobustEnsembleOrder, None, distance, alpha), track.fields, typical)


@ensemble_curve.defjvp
def _(primals, tangents):
    curve = ensemble_curve(*primals)
    return curve, _ensemble_tangent(primals, curve, tangents)


@jax.jit
def _ensemble_tangent(primals, curve, tangents):
    (functional, alpha, distance), (d_functional, d_alpha, d_distance) = primals, tangents

    def row(fields, distance, d_distance):
        inputs, changes = ((functional, alpha), distance), ((d_functional, d_alpha), d_distance)
        return response(_at_distance(_ensemble_equations), inputs, fields, changes)

    fields, numbers = jax.vmap(row)(curve.fields, distance, d_distance)
    points = _moving(curve.points, numbers, RobustEnsembleOrder, None, d_distance, d_alpha)
    return Curve(points, fields, still(curve.typical))


def _at_distance(equations):
    """The same equations, for a point that stays at a distance, the second input."""

    def held(inputs, fields, tilt):
        residual, numbers = equations(inputs[0], fields, tilt)
        return residual.at[-1].add(-position_of(inputs[1])), numbers

    return held
