"""Are counted solutions clustered, and is replica symmetry right? All one-step solutions at m = 1, and below where needed.

At ``m = 1`` the replica-symmetric fields are stationary whatever ``q1``, and ``q1^`` fixes ``q1``: the one-step equations
are a single equation in ``q1^``, whose roots a scan finds, all of them. Where one of the clusters found has a negative
complexity, the symmetric entropy counts what typical instances do not have, and the solution is followed to the ``m < 1`` at
which its complexity vanishes.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from fmjax.replica import Broken, OneStep, Saddle
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
from fmjax.solvers.newton import root_of
from fmjax.solvers.outcome import CONVERGED, STALLED, known
from fmjax.solvers.saddle import SaddlePoint

__all__ = ["ClusterSearch"]

_Scalar = Float[Array, ""]


class _State(eqx.Module):
    """A one-step solution, or several: fields and ``q1^ - q0^``, ``m``, and what they imply."""

    unknowns: Float[Array, "*roots n"]
    m: Float[Array, "*roots"]
    numbers: Float[Array, "*roots 6"]
    residual: Float[Array, "*roots"]
    status: Int[Array, "*roots"]

    @property
    def entropy(self) -> Float[Array, "*roots"]:
        """Free entropy per weight."""
        return self.numbers[..., 0]

    @property
    def complexity(self) -> Float[Array, "*roots"]:
        """Logarithm of the number of clusters per weight."""
        return self.numbers[..., 1]

    @property
    def gap(self) -> Float[Array, "*roots"]:
        """``1 - q1``."""
        return self.numbers[..., 2]


def _numbers(saddle: Saddle, broken: Broken) -> Float[Array, " 6"]:
    """Entropy, complexity, ``1 - q1``, slope, ``q0`` and ``q0^``."""
    order = saddle.order
    return jnp.stack([saddle.value + broken.value, broken.complexity, broken.gap, saddle.slope, order.q, order.q_hat])


def _equations(inputs: Any, unknowns: Float[Array, " n"], tilt: _Scalar) -> tuple[Array, Array]:
    """Of ``(*fields, q1^ - q0^)``: all of them imply themselves, at the position of the symmetric answer, if it has one."""
    one, controls, m, position = inputs
    saddle, broken = one(unknowns, eqx.tree_at(lambda c: c.tilt, controls, tilt), m)
    where = [] if position is None else [(saddle.position - position)[None]]
    return jnp.concatenate([saddle.residual, *where, broken.residual[None]]), _numbers(saddle, broken)


class _Scan(eqx.Module):
    """``q1^ - q0^``, what is left of the equation for ``q1``, ``1 - q1`` and ``X = dphi/dm``."""

    rise_hat: Float[Array, "*scan"]
    left: Float[Array, "*scan"]
    gap: Float[Array, "*scan"]
    excess: Float[Array, "*scan"]


class _Search(eqx.Module):
    """A solution at ``m = 1``, and followed down: where its complexity is negative last, and positive first."""

    root: _State
    below: _State
    above: _State
    bracketed: Bool[Array, ""]
    trials: Int[Array, ""]


class ClusterSearch(eqx.Module):
    """How one-step solutions are looked for; ``rise`` is ``q1^ - q0^``.

    Attributes:
        faintest: smallest rise of the scan at ``m = 1``.
        strongest: largest one: there ``1 - q1`` is below 1e-7.
        points: of the scan.
        roots: solutions kept at ``m = 1``; two is the most that was met.
        move: step in ``m`` from 1 downwards, of which a fifth is left where ``m`` vanishes.
        smallest: ``m`` at which the way down ends.
        trials: values of ``m`` that are tried.
        balanced: size of a complexity that is zero.
        vanishing: largest complexity at which the search for zero may end.
        steps: of Newton for one solution; from the solution before it takes a few.
    """

    faintest: float = eqx.field(static=True, default=1e-3)
    strongest: float = eqx.field(static=True, default=40.0)
    points: int = eqx.field(static=True, default=64)
    roots: int = eqx.field(static=True, default=4)
    move: float = eqx.field(static=True, default=0.04)
    smallest: float = eqx.field(static=True, default=0.02)
    trials: int = eqx.field(static=True, default=60)
    balanced: float = eqx.field(static=True, default=1e-10)
    vanishing: float = eqx.field(static=True, default=1e-7)
    steps: int = eqx.field(static=True, default=25)

    def __call__(
        self, one: OneStep, symmetric: SaddlePoint, fields: Float[Array, " n"], controls: Any, position: _Scalar | None
    ) -> ClusterPoint:
        """One-step answer at one point, from the replica-symmetric one there and its fields.

        ``controls`` are those of the symmetric functional, and ``position`` is where a functional that holds a distance is.
        """
        one, fields, controls, position = jax.lax.stop_gradient((one, fields, controls, position))
        scan = self._scan(one.coarse(), fields, controls)
        roots, ends, stable = self._solutions(one, scan, fields, controls, position)
        good = roots.status == CONVERGED

        # Of the stable ones that of which there are fewest decides.
        first = jnp.argmin(jnp.where(good & stable, roots.complexity, jnp.inf))
        clustered = (good & stable)[first]
        chosen, complexity = jax.tree.map(lambda leaf: leaf[first], (ends, roots.complexity))
        broken = clustered & (complexity < 0.0)

        def finer(state):
            """Error of the stationary free entropy, at fixed fields."""
            value = _numbers(*one.refined()(state.unknowns, controls, state.m))[0]
            return 3.0 * jnp.abs(value - state.entropy) + symmetric.error_estimate

        error = jax.lax.cond(broken, finer, lambda _: symmetric.error_estimate, chosen)
        frozen = symmetric.entropy
        entropy = jnp.where(broken, chosen.entropy, frozen)
        m = jnp.where(broken, chosen.m, 1.0)
        complexity = jnp.where(clustered, chosen.complexity, frozen)
        there, here = chosen.numbers[3:], (symmetric.slope, symmetric.order.q, symmetric.order.q_hat)
        slope, q0, q0_hat = (jnp.where(broken, one, other) for one, other in zip(there, here, strict=True))
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
            q1=jnp.where(clustered, 1.0 - chosen.gap, 1.0),
            q0_hat=q0_hat,
            q1_hat=jnp.where(clustered, q0_hat + chosen.unknowns[-1], jnp.inf),
            m=m,
            complexity=complexity,
            internal_entropy=entropy - complexity / m,
            roots=ClusterRoots(
                q1=1.0 - roots.gap + nan,
                complexity=roots.complexity + nan,
                internal_entropy=roots.entropy - roots.complexity + nan,
                stable=good & stable,
            ),
            potential=ClusterPotential(1.0 - scan.gap, scan.excess),
            residual=residual,
            error_estimate=error,
            code=code,
            status=status,
        )
        overlaps = ("q0", "q1", "q0_hat", "q1_hat", "m")
        return known(found, "entropy", "slope", *overlaps, "complexity", "internal_entropy", "error_estimate")

    def _scan(self, one: OneStep, fields: Array, controls: Any) -> _Scan:
        """At ``m = 1`` and many ``q1^ - q0^``."""

        def at(rise_hat):
            _, broken = one(jnp.append(fields, rise_hat), controls, jnp.ones(()))
            return _Scan(rise_hat, -0.5 * broken.residual, broken.gap, -broken.complexity)

        return jax.lax.map(at, jnp.geomspace(self.faintest, self.strongest, self.points))

    def _solutions(
        self, one: OneStep, scan: _Scan, fields: Array, controls: Any, position: _Scalar | None
    ) -> tuple[_State, _State, Bool[Array, " roots"]]:
        """All solutions at ``m = 1``, where `_follow` leads from there, and which are stable: ``left`` falls through 0."""
        left = scan.left
        crossing = left[:-1] * left[1:] < 0.0  # false where one of them is not a number
        places = jnp.sort(jnp.where(crossing, jnp.arange(self.points - 1), self.points))[: self.roots]

        @jax.jit
        def refine(place):
            stable = left[place] > 0.0
            part = left[place] / (left[place] - left[place + 1])
            rise_hat = scan.rise_hat[place] ** (1.0 - part) * scan.rise_hat[place + 1] ** part
            return *self._follow(one, jnp.append(fields, rise_hat), stable, controls, position), stable

        def skip(place):
            nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(refine, place))
            return eqx.tree_at(lambda found: found[0].status, nothing, jnp.asarray(STALLED))

        return jax.lax.map(lambda place: jax.lax.cond(place < self.points, refine, skip, place), places)

    def _follow(
        self, one: OneStep, guess: Array, stable: Bool[Array, ""], controls: Any, position: _Scalar | None
    ) -> tuple[_State, _State]:
        """The solution at ``m = 1`` near a guess; if it is stable and of negative complexity, where that vanishes."""

        def proceed(search):
            low, high = search.below, search.above
            solved = (low.status == CONVERGED) & (high.status == CONVERGED)
            unbalanced = (low.complexity < -self.balanced) & ~(search.bracketed & (high.complexity < self.balanced))
            within = (search.trials < self.trials) & (low.m > self.smallest)
            return (search.trials == 0) | (stable & solved & unbalanced & within)

        def body(search):
            low, high, first = search.below, search.above, search.trials == 0
            gap = high.complexity - low.complexity
            # Every third trial halves: the secant alone would keep one end.
            part = jnp.where(search.trials % 3 == 2, 0.5, -low.complexity / jnp.where(search.bracketed, gap, 1.0))
            part = jnp.where(search.bracketed, part, 0.0)
            down = jnp.where(first, low.m, low.m - self.move * (0.2 + 0.8 * low.m))
            m = jnp.where(search.bracketed, low.m + part * (high.m - low.m), down)
            there = self._solve(one, low.unknowns + part * (high.unknowns - low.unknowns), controls, m, position)
            positive = there.complexity > 0.0

            def take(new, old):
                return jax.tree.map(lambda a, b: jnp.where(new, a, b), there, old)

            return _Search(
                root=take(first, search.root),
                below=take(first | ~positive, low),
                above=take(first | positive, high),
                bracketed=search.bracketed | (positive & ~first),
                trials=search.trials + 1,
            )

        start = _State(guess, jnp.ones(()), jnp.ones(6), jnp.ones(()), jnp.asarray(CONVERGED))
        search = jax.lax.while_loop(proceed, body, _Search(start, start, start, jnp.asarray(False), jnp.asarray(0)))
        nearer = search.bracketed & (jnp.abs(search.above.complexity) < jnp.abs(search.below.complexity))
        last = jax.tree.map(lambda a, b: jnp.where(nearer, a, b), search.above, search.below)
        lost = stable & (last.complexity < -self.vanishing) & (last.status == CONVERGED)
        return search.root, eqx.tree_at(lambda s: s.status, last, jnp.where(lost, STALLED, last.status))

    def _solve(self, one: OneStep, guess: Array, controls: Any, m: _Scalar, position: _Scalar | None) -> _State:
        """A one-step solution at a given ``m``: Newton in all unknowns."""
        functional = one.symmetric
        root = root_of(
            _equations,
            (one, controls, m, position),
            guess,
            numbers=6,
            positive=np.append(functional.positive, True),
            floor=np.append(functional.scale, 1e-3),
            tolerance=1e-9,
            max_steps=self.steps,
        )
        return _State(root.unknowns, m, root.numbers, root.residual, root.status)
