"""Curves of entropy against distance, and how they move with all that they depend on.

Each is one compiled program, and its derivatives are small ones, over the points that were found: the loop that finds them
is never differentiated, and not compiled again for a gradient.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.compilation import Call, Program, compile_ahead, run
from fmjax.replica import CentredEnsemble, Equilibrium, FranzParisi, RobustEnsemble
from fmjax.solvers.follower import Follower, Track
from fmjax.solvers.implicit import along, response, slopes_of, still
from fmjax.solvers.newton import Root
from fmjax.solvers.outcome import (
    BRANCH_ENDED,
    CENTRE_FAILED,
    CONVERGED,
    COUNTED_FAILED,
    CROWDED,
    REFERENCE_FAILED,
    STALLED,
    both_resolved,
)
from fmjax.solvers.saddle import (
    SaddlePoint,
    entropy_of,
    error_of,
    number_of_numbers,
    numbers_of,
    order_of,
    typical_equations,
    typical_root,
)

__all__ = ["NO_SOLUTIONS", "Curve", "curve_of", "follow", "position_of", "typical_of"]

_Scalar = Float[Array, ""]
_Local = FranzParisi | RobustEnsemble | CentredEnsemble
NO_SOLUTIONS = -1e-9  # an entropy below it
_BEFORE = (-3.5, -0.5, 25)  # logit of the distances, 0.03 to 0.38, at which the start of a curve is looked for


class Curve(eqx.Module):
    """Points of a curve, their fields, and the typical solutions that it is about: references, or counted ones."""

    points: SaddlePoint
    fields: Float[Array, "rows n"]
    typical: Root


def _equations(inputs, fields, tilt):
    """Of a point of a curve, given the functional, ``alpha`` and the order parameters of the reference: see `newton`."""
    functional, alpha, reference = inputs
    saddle = functional.saddle(fields, functional.controls(alpha, reference, tilt))
    return jnp.append(saddle.residual, saddle.position), numbers_of(saddle)


def position_of(distance: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``logit(distance)``."""
    return jnp.log(distance) - jnp.log1p(-distance)


def typical_of(functional: _Local, alpha: _Scalar) -> tuple[Root, Root]:
    """Typical solutions that are references, and those of the kind that is counted."""
    model = functional.model
    drawn, counted = functional.equilibrium.model.constraint, model.constraint
    if jax.tree.structure(drawn) != jax.tree.structure(counted):
        return typical_root(functional.equilibrium, alpha), typical_root(Equilibrium(model), alpha)
    # Of one kind, they share a program.
    constraints = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), drawn, counted)
    both = jax.lax.map(lambda kind: typical_root(Equilibrium(model.with_constraint(kind)), alpha), constraints)
    reference, own = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))
    return reference, own


def follow(functional: _Local, alpha: _Scalar, distance: Float[Array, " n"], typical: tuple[Root, Root]) -> Track:
    """The curve from where it starts, solutions that are `typical_of` it, without derivatives."""
    reference, own = typical
    order, model = order_of(reference), functional.model
    missing = REFERENCE_FAILED if isinstance(functional, FranzParisi) else COUNTED_FAILED
    if isinstance(functional, CentredEnsemble) and functional.solving:
        missing = CENTRE_FAILED
    local = missing != COUNTED_FAILED
    follower, begins = Follower(), None
    if isinstance(functional, CentredEnsemble) and (begins := functional.before) is not None:
        # From a point of another curve Newton is close.
        follower, start = Follower(sweeps=0), functional.following(_where_it_begins(begins, alpha, typical))
    else:
        start = functional.start(order, order_of(own))
    track = follower(
        _equations,
        (functional, alpha, order),
        start,
        position_of(distance),
        functional.positive,
        functional.scale,
        numbers=number_of_numbers(functional.order),
        both=local or begins is not None,
    )
    exists = reference.status == CONVERGED
    if local and model.weights.discrete:
        exists &= entropy_of(functional.equilibrium, alpha, reference) > NO_SOLUTIONS
    reached = True if isinstance(functional, FranzParisi) else distance < functional.farthest(order)
    status = jnp.where(reached, track.status, BRANCH_ENDED)
    status = jnp.where(own.status == CONVERGED, status, COUNTED_FAILED)
    status = jnp.where(exists, status, missing)
    status = both_resolved(status, track.numbers.T, track.errors.T)
    if isinstance(functional, CentredEnsemble):
        crowded = functional.crowded(_order_of(functional, track.numbers))
        if functional.typical:  # beyond the farthest point there are ever more replicas, where there are solutions
            beyond = reached & (distance > jnp.max(jnp.where(track.status == CONVERGED, distance, 0.0)))
            solvable = entropy_of(Equilibrium(model), alpha, own) > NO_SOLUTIONS
            crowded |= ((status == BRANCH_ENDED) | (status == STALLED)) & beyond & solvable
        status = jnp.where(crowded, CROWDED, status)
    known = jnp.where(status == CONVERGED, 1.0, jnp.nan)[:, None]
    found = track.fields * known, track.numbers * known, status
    return eqx.tree_at(lambda t: (t.fields, t.numbers, t.status), track, found)


def _where_it_begins(functional: CentredEnsemble, alpha: _Scalar, typical: tuple[Root, Root]) -> Float[Array, " fields"]:
    """On this curve, where the entropy of centres is closest to zero; of infinitely many replicas, its farthest point."""
    distances = jax.nn.sigmoid(jnp.linspace(*_BEFORE))
    track = follow(functional, alpha, distances, typical)
    away = -distances if functional.infinite else jnp.abs(_order_of(functional, track.numbers).centre_entropy)
    return track.fields[jnp.argmin(jnp.where(track.status == CONVERGED, away, jnp.inf))]


@jax.custom_jvp
def curve_of(functional: _Local, alpha: _Scalar, distance: Float[Array, " n"]) -> Curve:
    """Entropy at several distances, with derivatives."""
    return _curve(functional, alpha, distance)


@Program
def _curve(functional: _Local, alpha: _Scalar, distance: Float[Array, " n"]) -> Curve:
    typical = typical_of(functional, alpha)
    track = follow(functional, alpha, distance, typical)
    entropy, slope, replicon, *_ = track.numbers.T
    alphas, reference = _repeated(functional, (alpha, order_of(typical[0])), distance)
    points = SaddlePoint(
        entropy=entropy,
        slope=slope,
        order=_order_of(functional, track.numbers),
        reference=reference,
        distance=distance,
        alpha=alphas,
        residual=track.residual,
        replicon=replicon,
        error_estimate=error_of(functional.model, track.errors.T, track.numbers.T),
        steps=track.steps,
        status=track.status,
    )
    return Curve(points, track.fields, typical[0])


def _order_of(functional: _Local, numbers: Float[Array, "rows numbers"]) -> Any:
    return functional.order(*numbers.T[3:])


def _repeated(functional: _Local, inputs: tuple[_Scalar, Any], distance: Float[Array, " n"]) -> tuple[Array, Any]:
    """``alpha`` and the reference, if points have one, at every distance."""
    alphas, reference = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, distance.shape), inputs)
    return alphas, reference if isinstance(functional, FranzParisi) else None


@curve_of.defjvp
def _(primals, tangents):
    functional, alpha, _ = primals
    compile_ahead(lambda call, f, a, distance: _entropy_slopes(call, f, a, call(_curve, f, a, distance)), *primals)
    curve = curve_of(*primals)
    # Who asks for derivatives of entropies alone does not wait for the rest: what is to be computed again is so on demand.
    numbers, fields, root = jax.checkpoint(_tangent)(primals, curve, tangents)
    entropy = _along(_entropy_slopes(run, functional, alpha, curve), curve.points.slope, tangents)
    _, d_alpha, d_distance = tangents
    alphas, reference = _repeated(functional, (d_alpha, order_of(root)), d_distance)
    moved = eqx.tree_at(
        lambda p: (p.entropy, p.slope, p.order, p.reference, p.distance, p.alpha),
        still(curve.points),
        (entropy, numbers[:, 1], _order_of(functional, numbers), reference, d_distance, alphas),
        is_leaf=lambda leaf: leaf is None,
    )
    return curve, Curve(moved, fields, root)


def _entropy_slopes(call: Call, functional: _Local, alpha: _Scalar, curve: Curve) -> tuple[Any, Any]:
    """Of the entropies alone, and of the order parameters of the reference that they depend on."""
    return call(_entropy_slopes_at, functional, alpha, curve), call(_typical_slopes, functional, alpha, curve.typical)


@Program
def _entropy_slopes_at(functional: _Local, alpha: _Scalar, curve: Curve) -> Any:
    """A row for each point, with respect to the functional, ``alpha`` and the reference.

    The functional is stationary in all order parameters: they may be held.
    """
    typical = order_of(curve.typical)

    def row(order, distance):
        def at(functional, alpha, reference):
            controls = eqx.tree_at(lambda c: c.distance, functional.controls(alpha, reference), distance)
            held = order if curve.points.reference is None else order.around(typical, 1.0 - 2.0 * distance, reference)
            return functional(held, controls)

        return jax.grad(at, (0, 1, 2))(functional, alpha, typical)

    *direct, by_reference = jax.vmap(row)(curve.points.order, curve.points.distance)
    return tuple(direct), jnp.stack(jax.tree.leaves(by_reference), axis=1)


@Program
def _typical_slopes(functional: _Local, alpha: _Scalar, typical: Root) -> Any:
    """A row for each order parameter of the reference, with respect to the functional and ``alpha``."""
    reference, pull_back = jax.vjp(lambda functional: functional.equilibrium, functional)

    def orders(inputs, fields, tilt):
        residual, numbers = typical_equations(inputs, fields, tilt)
        return residual, numbers[3:]

    by_typical, by_alpha = slopes_of(orders, (reference, alpha), typical.unknowns)
    (by_functional,) = jax.vmap(pull_back)(by_typical)
    return jax.tree.map(lambda slopes: slopes[typical.unknowns.size :], (by_functional, by_alpha))


@Program
def _along(slopes, by_distance, tangents):
    """The directional derivative of each row."""
    (direct, by_reference), typical = slopes
    *moving, d_distances = tangents
    moved = by_reference @ along(typical, tuple(moving))
    return along(direct, tuple(moving)) + moved + by_distance * d_distances


@Program
def _tangent(primals, curve, tangents):
    """Of all numbers, of the fields, and of the root of the reference, by the implicit function theorem."""
    *given, distances = primals
    *moving, d_distances = tangents
    of_reference = jax.jvp(lambda functional, alpha: (functional.equilibrium, alpha), tuple(given), tuple(moving))
    moved = response(typical_equations, of_reference[0], curve.typical.unknowns, of_reference[1])
    root = eqx.tree_at(lambda r: (r.unknowns, r.numbers), still(curve.typical), moved)
    inputs, moving = (*given, order_of(curve.typical)), (*moving, order_of(root))

    def held(inputs, fields, tilt):
        residual, numbers = _equations(inputs[0], fields, tilt)
        return residual.at[-1].add(-position_of(inputs[1])), numbers

    def row(fields, distance, d_distance):
        return response(held, (inputs, distance), fields, (moving, d_distance))

    fields, numbers = jax.vmap(row)(curve.fields, distances, d_distances)
    return numbers, fields, root
