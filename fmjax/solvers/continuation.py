"""A curve of local entropy against distance: from its maximum towards both ends, with a tangent predictor.

The curve is followed in a few adaptive steps in ``logit(distance)``; each leaves a knot, the coordinates of the saddle point
and how they vary. The distances asked for are then solved from what the knots around them predict, which is so close that
Newton needs one or two evaluations.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from fmjax.replica import (
    Equilibrium,
    EquilibriumControls,
    EquilibriumOrder,
    FranzParisi,
    FranzParisiControls,
    FranzParisiOrder,
)
from fmjax.solvers.entry import beside_maximum
from fmjax.solvers.newton import BRANCH_ENDED, CONVERGED, REFERENCE_FAILED, STALLED, Root, blank
from fmjax.solvers.peak import Peak
from fmjax.solvers.saddle import (
    SaddlePoint,
    equilibrium_root,
    quadrature_error,
    read,
    saddle_root,
    settled_root,
    stability_at,
    tangent,
)

__all__ = ["local_entropy"]

_LONGEST = 0.8  # in logit(distance)
_SHORTEST = 1e-3
_KNOTS = 48  # room for those of one segment
_WINDOW = 4  # knots that predict a point between them
_JUMP = 0.02  # an overlap that ends further than this from its prediction may have changed branch
_FARTHEST = 2.0
# Below this q_hat, and how far slopes may then be off, relative to 1 + |slope|: measured, 2e-7 at a slope of 4.
_FAINT, _UNRESOLVED = 0.02, 4e-8
_ROOM = 100.0  # second order of Newton's last step, relative to the first, per relative change of the order parameters
_SLACK = 0.3  # of a coordinate that vanishes, beyond its values at the knots around
_STEPS = 20  # evaluations of the saddle equations at a point between knots
_NEARER = 0.65  # of what is left to the maximum, towards which coordinates run off like logarithms: the longest step
_SECTIONS = 4  # below and above the maximum, inwards and outwards of the two starts


class _Knots(eqx.Module):
    """Points of a curve in the order in which they were reached, ``position = logit(distance)``, and their rules."""

    position: Float[Array, "*knots"]
    free: Float[Array, "*knots n"]
    tangent: Float[Array, "*knots n"]
    error: Float[Array, "*knots"]
    rule: tuple[Float[Array, "*knots x w"], Float[Array, "*knots x w"]]


def _controls(alpha, reference, position):
    return FranzParisiControls(alpha, jax.nn.sigmoid(position), reference)


def _predict(window: list[Array], known: Bool[Array, " knots"], position: Float[Array, ""]) -> Float[Array, " n"]:
    """The polynomial through some knots with their tangents (Hermite interpolation), at ``position``.

    The window holds their positions, coordinates and tangents, of which only those ``known`` count.
    """
    positions, frees, tangents = window
    pair = known[:, None] & known & ~jnp.eye(known.size, dtype=bool)
    apart = jnp.where(pair, positions[:, None] - positions, 1.0)
    offset = position - positions
    basis = jnp.where(known, jnp.prod(jnp.where(pair, offset / apart, 1.0), axis=1), 0.0) ** 2
    bend = 2.0 * jnp.sum(jnp.where(pair, 1.0 / apart, 0.0), axis=1)
    return (basis * (1.0 - offset * bend)) @ frees + (basis * offset) @ tangents


def _follow(
    functional: FranzParisi, alpha, reference, start, free, goal, maximum
) -> tuple[_Knots, Int[Array, ""], Int[Array, ""]]:
    """Knots from ``start`` (where ``free`` is a guess) to ``goal`` or as far as the branch goes: how many, and the steps."""
    inwards = jnp.abs(goal - maximum) < jnp.abs(start - maximum)

    def proceed(state):
        _, count, reached, step, _ = state
        return ((count == 0) | (reached != goal)) & (step > _SHORTEST) & (count < _KNOTS)

    def body(state):
        knots, count, reached, step, steps = state
        remaining = goal - reached
        longest = jnp.where(inwards, jnp.minimum(step, _NEARER * jnp.abs(reached - maximum)), step)
        move = jnp.where(count == 0, 0.0, jnp.clip(remaining, -longest, longest))
        position = jnp.where((jnp.abs(remaining) <= longest) & (count > 0), goal, reached + move)
        last = jnp.maximum(count - 1, 0)
        first = jnp.maximum(last - 1, 0)
        pair = [jax.lax.dynamic_slice_in_dim(leaf, first, 2) for leaf in (knots.position, knots.free, knots.tangent)]
        guess = _predict(pair, first + jnp.arange(2) <= last, position)
        # Where the entropy hardly depends on a coordinate its tangent is noise: it must not send the coordinate far away.
        guess = knots.free[last] + jnp.clip(guess - knots.free[last], -_FARTHEST, _FARTHEST)
        controls = _controls(alpha, reference, position)
        root, rule = settled_root(functional, guess, controls, max_steps=12)
        overlaps = slice(0, functional.sizes[0])
        predicted, found = (functional.natural(free, controls)[overlaps] for free in (guess, root.value))
        good = root.converged & ((count == 0) | jnp.all(jnp.abs(found - predicted) < _JUMP))
        distance = controls.distance
        knot = _Knots(
            position,
            root.value,
            distance * (1.0 - distance) * tangent(root),
            quadrature_error(functional, root, controls),
            rule,
        )
        # A point that is no good is written over by the next one.
        knots = jax.tree.map(lambda leaf, new: leaf.at[count].set(jnp.where(good, new, leaf[count])), knots, knot)
        step = jnp.where(good, jnp.minimum(1.5 * step, _LONGEST), jnp.where(count == 0, 0.0, 0.4 * jnp.abs(move)))
        return knots, count + good, jnp.where(good, position, reached), step, steps + root.steps

    # The first place holds the guess, without a tangent, until it is solved.
    rule = jax.eval_shape(functional.rule_at, free, _controls(alpha, reference, start))
    rules = jax.tree.map(lambda leaf: jnp.zeros((_KNOTS, *leaf.shape), leaf.dtype), rule)
    single, vector = jnp.zeros(_KNOTS), jnp.zeros((_KNOTS, *free.shape))
    empty = _Knots(single, vector, vector, single, rules)
    empty = eqx.tree_at(lambda k: (k.position, k.free), empty, (empty.position.at[0].set(start), empty.free.at[0].set(free)))
    state = (empty, jnp.asarray(0), start, jnp.asarray(0.5 * _LONGEST), jnp.asarray(0))
    knots, count, _, _, steps = jax.lax.while_loop(proceed, body, state)
    return knots, count, steps


class _Trace(eqx.Module):
    """Knots of all sections, how many and how far from their start; for each target its section and its way from there."""

    knots: _Knots
    counts: Int[Array, " sections"]
    travelled: Float[Array, "sections knots"]
    section: Int[Array, " targets"]
    away: Float[Array, " targets"]
    steps: Int[Array, ""]


def _trace(functional: FranzParisi, alpha, typical: EquilibriumOrder, positions: Float[Array, " targets"]) -> _Trace:
    """Follow the curve to all targets; ``typical`` are the reference's order parameters and those of the counted margin."""
    reference, own = (jax.tree.map(lambda leaf, i=i: leaf[i], typical) for i in (0, 1))
    starts, frees = beside_maximum(functional, alpha, reference, own)

    # Each section runs from one of the two starts: below the maximum, 0 outwards and 1 inwards; above it, 2 and 3.
    middle = jnp.mean(starts)
    above = positions > middle
    start = starts[above.astype(int)]
    away = jnp.abs(positions - start)
    inwards = jnp.abs(positions - middle) < jnp.abs(start - middle)
    section = 2 * above + inwards
    index = jnp.arange(_SECTIONS)
    length = jnp.max(jnp.where(section == index[:, None], away, 0.0), axis=1)
    origin = starts[index // 2]
    goal = origin + jnp.where((index == 1) | (index == 2), length, -length)

    def follow(item):
        origin, free, goal = item
        return _follow(functional, alpha, reference, origin, free, goal, middle)

    knots, counts, steps = jax.lax.map(follow, (origin, frees[index // 2], goal))
    travelled = jnp.where(jnp.arange(_KNOTS) < counts[:, None], jnp.abs(knots.position - origin[:, None]), jnp.inf)
    return _Trace(knots, counts, travelled, section, away, jnp.sum(steps))


def _between(functional: FranzParisi, guess, line, rule, controls: FranzParisiControls) -> tuple[Root, Any]:
    """Newton between knots, from ``guess`` with the given rule; if that fails, from ``line`` with a rule laid there."""

    @jax.jit
    def solve(start, rule):
        return saddle_root(functional, start, controls, rule, max_steps=_STEPS)

    def attempt(state):
        _, _, rounds = state
        start, laid = jax.lax.cond(rounds == 0, lambda: (guess, rule), lambda: (line, functional.rule_at(line, controls)))
        return *solve(start, laid), rounds + 1

    def unsolved(state: Any):
        root, _, rounds = state
        return (rounds == 0) | ((rounds == 1) & ~root.converged)

    root, rule, _ = jax.lax.while_loop(unsolved, attempt, (*blank(solve, guess, rule), jnp.asarray(0)))
    return root, rule


def _slope_error(root: Root, overlaps: slice, order: FranzParisiOrder) -> Float[Array, ""]:
    """What Newton leaves: the second order of its last step, and what is not resolved where ``q_hat`` is nearly nothing.

    There rounding decides ``g`` and ``residual_hat``. Entropies do not feel it, but a few slopes in a hundred were found to
    depend on the quadrature rule by 1e-8 to 2e-7.
    """
    changes = jnp.abs(root.at.left @ root.step)
    relative = jnp.max(changes.at[overlaps].divide(order.gap))
    faint = order.q_hat < _FAINT
    # A coordinate may be a logarithm of what is small beside all others: its own step says how far it is from linear.
    own = jnp.where(faint, 0.0, jnp.abs(root.step))
    nonlinear = jnp.minimum(1.0, jnp.maximum(_ROOM * relative, own))
    second_order = jnp.sum(jnp.abs(root.at.mixed * root.step) * nonlinear)
    unresolved = jnp.where(faint, _UNRESOLVED * (1.0 + jnp.abs(root.at.slope)), 0.0)
    return second_order + unresolved


def local_entropy(functional: FranzParisi, alpha: Float[Array, ""], distance: Float[Array, " distances"]) -> SaddlePoint:
    """Local entropy at several distances from the same reference, batched over the leading axis."""
    model = functional.model

    def typical_at(margin):
        equilibrium = Equilibrium(model.with_margin(margin))
        free, root, _ = equilibrium_root(equilibrium, alpha)
        return equilibrium.order(free), equilibrium(free, EquilibriumControls(alpha)), root.converged

    margins = jnp.stack([jnp.asarray(functional.reference_margin), jnp.asarray(model.margin)])
    typical, entropies, exist = jax.vmap(typical_at)(margins)
    reference = jax.tree.map(lambda leaf: leaf[0], typical)
    peak = Peak(margins[0] == margins[1], entropies[1], jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), typical))

    still_functional, still_alpha, still_typical, inside = jax.lax.stop_gradient((functional, alpha, typical, distance))
    inside = jnp.clip(inside, 1e-12, 1.0 - 1e-12)
    positions = jnp.log(inside) - jnp.log1p(-inside)
    positions, close = jax.lax.stop_gradient(peak.aside(positions))
    traced = _trace(still_functional, still_alpha, still_typical, positions)

    def solve(item):
        position, asked, close, section, away = item
        distance = jnp.where(close, jax.nn.sigmoid(position), asked)

        # Only what is needed: a knot's rule is large.
        def here(leaf, first, size):
            start = [jnp.asarray(index, int) for index in (section, first, *[0] * (leaf.ndim - 2))]
            return jax.lax.dynamic_slice(leaf, start, (1, size, *leaf.shape[2:]))[0]

        knots, count = traced.knots, traced.counts[section]
        after = jnp.searchsorted(traced.travelled[section], away)  # the first knot at least as far
        before = jnp.maximum(after - 1, 0)
        first = jnp.clip(after - _WINDOW // 2, 0, jnp.maximum(count - _WINDOW, 0))
        window = [here(leaf, first, _WINDOW) for leaf in (knots.position, knots.free, knots.tangent)]
        guess = _predict(window, first + jnp.arange(_WINDOW) < count, position)
        # Where one knot is resolved and the next is not, the polynomial may lead out of sight.
        ends = here(knots.free, before, 2)
        ends = jnp.where(after > before, ends, ends[0])
        bounded = jnp.clip(guess, jnp.min(ends, axis=0) - _SLACK, jnp.max(ends, axis=0) + _SLACK)
        guess = jnp.where(functional.vanishing, bounded, guess)
        error, reach = here(knots.error, before, 2), here(traced.travelled, before, 2)
        fraction = jnp.where(after > before, (away - reach[0]) / (reach[1] - reach[0]), 0.0)
        rule = functional.blend(jax.tree.map(lambda leaf: here(leaf, before, 2), knots.rule), fraction)
        controls = FranzParisiControls(alpha, distance, reference)
        still_controls = jax.lax.stop_gradient(controls)
        line = ends[0] + fraction * (ends[1] - ends[0])
        root, rule = _between(still_functional, guess, line, rule, still_controls)
        entropy, slope, free = read(functional, root, controls, rule)
        order = functional.order(free, controls)
        overlaps = slice(0, functional.sizes[0])
        found, *guesses = (still_functional.natural(y, still_controls)[overlaps] for y in (root.value, guess, line))
        # A knot beside the maximum may spoil the polynomial, and not the line.
        near = jnp.any(jnp.all(jnp.abs(found - jnp.stack(guesses)) < _JUMP, axis=1))
        # Twice: between two knots the quadrature error may be larger than at either of them (by a half, in 750 points).
        error = 2.0 * jnp.where(after > before, jnp.max(error), error[0]) + _slope_error(root, overlaps, order)
        status = jnp.where(after < count, jnp.where(root.converged & near, CONVERGED, STALLED), BRANCH_ENDED)
        stability = stability_at(functional, root, controls, rule)
        entropy, slope, order, error = peak.between(close, asked, distance, (entropy, slope, order, error))
        return entropy, slope, root.residual, stability, jax.lax.stop_gradient(error), order, root.steps, status

    entropy, slope, residual, stability, error, order, evaluations, status = jax.lax.map(
        solve, (positions, distance + (inside - jax.lax.stop_gradient(distance)), close, traced.section, traced.away)
    )
    status = jnp.where(jnp.all(exist), status, REFERENCE_FAILED)
    alphas, references = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, distance.shape), (alpha, reference))
    steps = evaluations + traced.steps
    return SaddlePoint(entropy, slope, order, references, distance, alphas, residual, stability, error, steps, status)
