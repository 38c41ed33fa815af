"""Are counted solutions clustered, and is replica symmetry right? All one-step solutions at m = 1, and below where needed.

At ``m = 1`` the replica-symmetric order parameters are stationary whatever ``q1``, and ``q1^`` fixes ``q1``: the one-step
equations are a single equation in ``q1^``, whose roots a scan finds, all of them. Where one of the clusters found has a
negative complexity, the symmetric entropy counts what typical instances do not have, and the solution is followed to the
``m < 1`` at which its complexity vanishes.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from fmjax.replica import Clusters, OneStep
from fmjax.solvers.clusters import (
    BROKEN,
    CLUSTERED,
    EMPTY,
    FROZEN,
    UNDECIDED,
    UNKNOWN,
    ClusterPoint,
    ClusterPotential,
    ClusterRoots,
)
from fmjax.solvers.newton import CONVERGED, STALLED, Equations, Root, blank, known, newton
from fmjax.solvers.saddle import SaddlePoint

__all__ = ["breaking_at", "one_step_root"]

_FAINTEST, _STRONGEST, _SCAN = 1e-3, 40.0, 64  # of q1^ - q0^; at 40, 1 - q1 is below 1e-7
_MOST = 4  # roots kept at m = 1; two is the most that was met
_LONGEST = 1.0  # of a step in the two coordinates of the clusters
_STEPS = 20
_MOVE, _SMALLEST_M, _TRIALS = 0.04, 0.02, 60  # of m
_BALANCED = 1e-10  # a complexity that is zero
_VANISHING = 1e-7  # the largest complexity at which the search for that may end


class _State(eqx.Module):
    """A one-step solution, or several: coordinates, and the numbers that describe it."""

    free: Float[Array, "*roots n"]
    m: Float[Array, "*roots"]
    entropy: Float[Array, "*roots"]
    complexity: Float[Array, "*roots"]
    residual: Float[Array, "*roots"]
    status: Int[Array, "*roots"]


def one_step_root(
    one: OneStep, guess: Float[Array, " n"], controls: Any, m: Float[Array, ""], rule: Any = None
) -> tuple[Root, Float[Array, ""], Float[Array, ""]]:
    """A one-step solution at a given ``m``, its ``phi`` and its complexity ``-m² dphi/dm``.

    Newton in all coordinates: ``dphi = 0`` in the symmetric ones, ``dX = 0`` in the two of the clusters. The rule is laid at
    the guess unless given.
    """
    own = guess.size - 2
    rule = one.symmetric.rule_at(guess[:own], controls) if rule is None else rule

    def equations(free):
        symmetric = jax.grad(one.symmetric.with_rule)(free[:own], controls, rule)
        excess = jax.grad(one.excess)(free, controls, m, rule)
        residual = jnp.concatenate([symmetric + (m - 1.0) * excess[:own], excess[own:]])
        return residual, residual

    def retract(free, step):
        clusters = free[own:] + jnp.clip(step[own:], -_LONGEST, _LONGEST)
        return jnp.concatenate([one.symmetric.retract(free[:own], step[:own]), clusters])

    def system(free):
        matrix, residual = jax.jacfwd(equations, has_aux=True)(free)
        return Equations(residual, matrix)

    root = newton(system, guess, retract=retract, max_steps=_STEPS)
    excess, change = jax.value_and_grad(lambda m: one.excess(root.value, controls, m, rule))(m)
    entropy = one.symmetric.with_rule(root.value[:own], controls, rule) + (m - 1.0) * excess
    return root, entropy, -(m**2) * (excess + (m - 1.0) * change)


class _Scan(eqx.Module):
    """Coordinates of the clusters, what is left of the equation for ``q1``, ``q1`` and ``X``."""

    free: Float[Array, "*scan 2"]
    left: Float[Array, "*scan"]
    q1: Float[Array, "*scan"]
    excess: Float[Array, "*scan"]


def _scan(one: OneStep, symmetric: Array, controls: Any, rule: Any) -> _Scan:
    """At ``m = 1`` and many ``q1^ - q0^``."""
    split = one.symmetric.sizes[0]
    overlaps = one.symmetric.overlaps(symmetric[:split], controls)
    conjugates = one.symmetric.conjugates(symmetric[split:], controls)
    m = jnp.ones_like(controls.alpha)

    def at(rise_hat):
        def site(rise_hat):
            return one.site(conjugates, Clusters(jnp.zeros_like(m), overlaps.gap, rise_hat), controls, m)

        def excess(logit):
            return one.excess(jnp.concatenate([symmetric, jnp.stack([logit, jnp.log(rise_hat)])]), controls, m, rule)

        q1 = 2.0 * jax.grad(site)(rise_hat)
        logit = jnp.log(q1 - overlaps.q) - jnp.log1p(-q1)
        value, left = jax.value_and_grad(excess)(logit)
        return _Scan(jnp.stack([logit, jnp.log(rise_hat)]), left / ((q1 - overlaps.q) * (1.0 - q1)), q1, value)

    return jax.lax.map(at, jnp.geomspace(_FAINTEST, _STRONGEST, _SCAN))


class _Search(eqx.Module):
    """A solution at ``m = 1``, and followed down: where its complexity is negative last, and positive first."""

    root: _State
    below: _State
    above: _State
    bracketed: Bool[Array, ""]
    trials: Int[Array, ""]


def _follow(one: OneStep, guess: Array, stable: Bool[Array, ""], controls: Any, rule: Any) -> tuple[_State, _State]:
    """The solution at ``m = 1`` near a guess; if it is stable and of negative complexity, where that vanishes."""

    def proceed(search):
        low, high = search.below, search.above
        solved = (low.status == CONVERGED) & (high.status == CONVERGED)
        unbalanced = (low.complexity < -_BALANCED) & ~(search.bracketed & (high.complexity < _BALANCED))
        within = (search.trials < _TRIALS) & (low.m > _SMALLEST_M)
        return (search.trials == 0) | (stable & solved & unbalanced & within)

    def body(search):
        low, high, first = search.below, search.above, search.trials == 0
        gap = high.complexity - low.complexity
        # Every third trial halves: the secant alone would keep one end.
        part = jnp.where(search.trials % 3 == 2, 0.5, -low.complexity / jnp.where(search.bracketed, gap, 1.0))
        part = jnp.where(search.bracketed, part, 0.0)
        down = jnp.where(first, low.m, low.m - _MOVE * (0.2 + 0.8 * low.m))
        m = jnp.where(search.bracketed, low.m + part * (high.m - low.m), down)
        guess = low.free + part * (high.free - low.free)
        root, entropy, complexity = one_step_root(one, guess, controls, m, rule)
        there = _State(root.value, m, entropy, complexity, root.residual, root.status)
        positive = complexity > 0.0

        def take(new, old):
            return jax.tree.map(lambda a, b: jnp.where(new, a, b), there, old)

        return _Search(
            root=take(first, search.root),
            below=take(first | ~positive, low),
            above=take(first | positive, high),
            bracketed=search.bracketed | (positive & ~first),
            trials=search.trials + 1,
        )

    unit = jnp.ones_like(controls.alpha)
    start = _State(guess, unit, unit, unit, unit, jnp.asarray(CONVERGED))
    search = jax.lax.while_loop(proceed, body, _Search(start, start, start, jnp.asarray(False), jnp.asarray(0)))
    nearer = search.bracketed & (jnp.abs(search.above.complexity) < jnp.abs(search.below.complexity))
    last = jax.tree.map(lambda a, b: jnp.where(nearer, a, b), search.above, search.below)
    lost = stable & (last.complexity < -_VANISHING) & (last.status == CONVERGED)
    return search.root, eqx.tree_at(lambda s: s.status, last, jnp.where(lost, STALLED, last.status))


def _solutions(
    one: OneStep, scan: _Scan, symmetric: Array, controls: Any, rule: Any
) -> tuple[_State, _State, Bool[Array, " roots"]]:
    """All solutions at ``m = 1``, where `_follow` leads from there, and which are stable: where ``left`` falls through 0."""
    frees, left = scan.free, scan.left
    crossing = left[:-1] * left[1:] < 0.0  # false where one of them is not a number
    places = jnp.sort(jnp.where(crossing, jnp.arange(_SCAN - 1), _SCAN))[:_MOST]

    @jax.jit
    def refine(place):
        stable = left[place] > 0.0
        part = left[place] / (left[place] - left[place + 1])
        guess = jnp.append(symmetric, frees[place] + part * (frees[place + 1] - frees[place]))
        return *_follow(one, guess, stable, controls, rule), stable

    def skip(place):
        return eqx.tree_at(lambda found: found[0].status, blank(refine, place), jnp.asarray(STALLED))

    return jax.lax.map(lambda place: jax.lax.cond(place < _SCAN, refine, skip, place), places)


def breaking_at(one: OneStep, symmetric: SaddlePoint, free: Float[Array, " n"], controls: Any) -> ClusterPoint:
    """One-step answer at one point, from the replica-symmetric one there and its free coordinates."""
    one, free, controls = jax.lax.stop_gradient((one, free, controls))
    rule = one.symmetric.rule_at(free, controls)
    split = one.symmetric.sizes[0]
    scan = _scan(one.coarse(), free, controls, rule)
    roots, ends, stable = _solutions(one, scan, free, controls, rule)
    good = roots.status == CONVERGED

    def q1_of(free):
        return 1.0 - one.clusters(free, controls).gap

    # Of the stable ones that of which there are fewest decides.
    first = jnp.argmin(jnp.where(good & stable, roots.complexity, jnp.inf))
    clustered = (good & stable)[first]
    chosen, complexity = jax.tree.map(lambda leaf: leaf[first], (ends, roots.complexity))
    broken = clustered & (complexity < 0.0)

    def refined(state):
        """Error and slope, those of the stationary free entropy at fixed order parameters."""
        fine = one.refined()
        again = fine.symmetric.rule_at(state.free[:-2], controls)

        def along(position):
            return fine.with_rule(state.free, one.symmetric.move(controls, position), state.m, again)

        value, slope = jax.value_and_grad(along)(getattr(controls, one.symmetric.control))
        return 3.0 * jnp.abs(value - state.entropy) + symmetric.error_estimate, slope

    error, slope = jax.lax.cond(broken, refined, lambda _: (symmetric.error_estimate, symmetric.slope), chosen)
    frozen = symmetric.entropy
    entropy = jnp.where(broken, chosen.entropy, frozen)
    m = jnp.where(broken, chosen.m, 1.0)
    complexity = jnp.where(clustered, chosen.complexity, frozen)
    at = jnp.where(broken, chosen.free[:-2], free)
    q0 = one.symmetric.overlaps(at[:split], controls).q
    q0_hat = one.symmetric.conjugates(at[split:], controls).q_hat
    unstable = symmetric.replicon < 0.0
    code = jnp.select([entropy < 0.0, broken, clustered, unstable], [EMPTY, BROKEN, CLUSTERED, UNDECIDED], FROZEN)
    residual = jnp.where(clustered, chosen.residual, symmetric.residual)
    status = jnp.where(symmetric.converged & clustered, chosen.status, symmetric.status)
    # A stable solution that the scan saw and Newton lost: nothing can be said without it.
    status = jnp.where(symmetric.converged & jnp.any(stable & ~good), STALLED, status)
    code = jnp.where(status == CONVERGED, code, UNKNOWN)
    nan = jnp.where(good, 0.0, jnp.nan)
    found = ClusterPoint(
        symmetric=symmetric,
        entropy=entropy,
        slope=slope,
        q0=q0,
        q1=jnp.where(clustered, q1_of(chosen.free), 1.0),
        q0_hat=q0_hat,
        q1_hat=jnp.where(clustered, q0_hat + jnp.exp(chosen.free[-1]), jnp.inf),
        m=m,
        complexity=complexity,
        internal_entropy=entropy - complexity / m,
        roots=ClusterRoots(
            q1=jax.vmap(q1_of)(roots.free) + nan,
            complexity=roots.complexity + nan,
            internal_entropy=roots.entropy - roots.complexity + nan,
            stable=good & stable,
        ),
        potential=ClusterPotential(scan.q1, scan.excess),
        residual=residual,
        error_estimate=error,
        code=code,
        status=status,
    )
    overlaps = ("q0", "q1", "q0_hat", "q1_hat", "m")
    return known(found, "entropy", "slope", *overlaps, "complexity", "internal_entropy", "error_estimate")
