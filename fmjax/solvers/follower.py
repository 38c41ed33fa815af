"""A curve of saddle points, followed from where it starts towards both ends: one loop, one evaluation in it.

The unknowns are fields; the equations are those that the fields imply themselves, and, last, that the position at which a
point lies is the one that was asked for. Steps in between and positions asked for are the same thing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from fmjax.solvers.newton import Equations, Expansion, expand, solve
from fmjax.solvers.outcome import BRANCH_ENDED, CONVERGED, OUT_OF_STEPS, STALLED

__all__ = ["Follower", "Track"]

_Scalar = Float[Array, ""]


class Track(eqx.Module):
    """Points of a curve at the positions that were asked for, one a row; what was not reached is NaN.

    ``fields``, ``numbers`` and ``errors`` of the numbers; the largest equation left over (of what is missing, where the
    branch was lost); evaluations of the equations for the whole curve, and why a row is missing.
    """

    fields: Float[Array, "rows n"]
    numbers: Float[Array, "rows numbers"]
    errors: Float[Array, "rows numbers"]
    residual: Float[Array, " rows"]
    steps: Int[Array, " rows"]
    status: Int[Array, " rows"]


class _Point(NamedTuple):
    """A point of the curve and ``d fields / d position`` there, or several."""

    position: Float[Array, "*points"]
    fields: Float[Array, "*points n"]
    tangent: Float[Array, "*points n"]


class _Path(eqx.Module):
    """How far a curve is known: to where, the ``last`` points that predict more, how many they are, and the first of all."""

    reached: _Scalar
    last: _Point
    count: Int[Array, ""]
    origin: _Point
    upwards: Bool[Array, ""]
    step: _Scalar
    over: Bool[Array, ""]


class _Trial(NamedTuple):
    """What one evaluation says of a point: where Newton moves it, what holds there, and whether it is settled.

    ``begun``: as the start of the curve, at ``position``; ``done``: as a point of it; ``failed``: as none.
    """

    point: _Point
    position: _Scalar
    numbers: Float[Array, " numbers"]
    errors: Float[Array, " numbers"]
    residual: _Scalar
    begun: Bool[Array, ""]
    done: Bool[Array, ""]
    failed: Bool[Array, ""]


class _State(NamedTuple):
    """Where the loop is: the point that is being solved, the path so far, and what was found."""

    fields: Float[Array, " n"]
    guess: Float[Array, " n"]
    position: _Scalar
    starting: Bool[Array, ""]
    tries: Int[Array, ""]
    path: _Path
    rows: Float[Array, "numbers rows"]
    found: Bool[Array, " rows"]
    residual: _Scalar
    evaluations: Int[Array, ""]


class Follower(eqx.Module):
    """How a curve is followed: lengths are in its position, ``logit(distance)``.

    Attributes:
        first: step from the start, where one point and its tangent predict the next.
        longest: step between points: beyond 0.8 predictions were found to miss by more than Newton likes.
        shortest: step below which the branch is given up: it ends, or turns, here.
        apart: smallest distance of points that predict: closer ones amplify what Newton leaves.
        shrink: of a step after which Newton did not converge.
        growth: of a step after which it took two evaluations at most.
        window: points whose fields and tangents predict the next one.
        sweeps: of the equations as a map, fields to overlaps to fields, with which the search for the start begins: they
            come closer from anywhere.
        tries: evaluations at one position before it counts as failed, and, tenfold, for the start.
        tolerance: largest move, relative to the scale of a field plus the field itself, that is taken without looking again.
        jump: largest distance from its prediction, measured likewise, of a point that cannot be on another branch.
    """

    first: float = eqx.field(static=True, default=0.1)
    longest: float = eqx.field(static=True, default=0.6)
    shortest: float = eqx.field(static=True, default=1e-3)
    apart: float = eqx.field(static=True, default=3e-3)
    shrink: float = eqx.field(static=True, default=0.4)
    growth: float = eqx.field(static=True, default=1.5)
    window: int = eqx.field(static=True, default=4)
    sweeps: int = eqx.field(static=True, default=6)
    tries: int = eqx.field(static=True, default=8)
    tolerance: float = eqx.field(static=True, default=3e-6)
    jump: float = eqx.field(static=True, default=1.0)

    def __call__(
        self,
        equations: Equations,
        inputs: Any,
        start: Float[Array, " n"],
        targets: Float[Array, " rows"],
        positive: np.ndarray,
        scale: np.ndarray,
        *,
        numbers: int,
        both: bool,
    ) -> Track:
        """Follow a curve to all ``targets`` that it reaches.

        Args:
            equations: ``(inputs, fields, tilt) -> (residual, numbers)``, the last residual being the position.
            inputs: their first argument.
            start: a guess of the fields where the curve starts, at which the last one is what it is here.
            targets: positions, in any order.
            positive: which fields cannot be negative.
            scale: of each field, see `fmjax.replica.Functional.scale`.
            numbers: how many of them the equations have.
            both: whether to go upwards as well, after going downwards.
        """
        inputs, start, targets = jax.lax.stop_gradient((inputs, start, targets))
        size, rows = start.size, targets.size
        most = 12 * rows + 400

        def body(s: _State) -> _State:
            trial = self._try(s, expand(equations, inputs, s.fields), positive, scale)
            path = self._extend(s, trial, targets, both)
            result = jnp.concatenate([trial.point.fields, trial.numbers, trial.errors, trial.residual[None]])
            hit = trial.done & (targets == s.position)
            settled = trial.done | trial.failed
            position = jnp.where(settled, _onwards(path, targets), jnp.where(trial.begun, trial.position, s.position))
            ahead = _predict(path.last, path.count, position)
            ahead = jnp.where(positive, jnp.maximum(ahead, 0.03 * path.last.fields[0]), ahead)
            return _State(
                fields=jnp.where(settled, ahead, trial.point.fields),
                guess=jnp.where(settled, ahead, jnp.where(s.starting, trial.point.fields, s.guess)),
                position=position,
                starting=s.starting & ~trial.begun,
                tries=jnp.where(settled | trial.begun, 0, s.tries + 1),
                path=path,
                rows=jnp.where(hit, result[:, None], s.rows),
                found=s.found | hit,
                residual=jnp.where(trial.failed & jnp.isfinite(trial.residual), trial.residual, s.residual),
                evaluations=s.evaluations + 1,
            )

        zero, no = jnp.zeros(()), jnp.asarray(False)
        origin = _Point(zero, jnp.zeros(size), jnp.zeros(size))
        last = jax.tree.map(lambda leaf: jnp.zeros((self.window, *leaf.shape)), origin)
        path = _Path(zero, last, jnp.asarray(0), origin, no, jnp.asarray(self.first), no)
        state = _State(
            fields=start,
            guess=start,
            position=zero,
            starting=~no,
            tries=jnp.asarray(0),
            path=path,
            rows=jnp.full((size + 2 * numbers + 1, rows), jnp.nan),
            found=jnp.zeros(rows, bool),
            residual=zero,
            evaluations=jnp.asarray(0),
        )
        # Two conditions: see `root_of`.
        state = jax.lax.while_loop(lambda s: ~s.path.over & (s.evaluations < most), body, state)
        fields, found, errors, residual = jnp.split(state.rows.T, np.cumsum([size, numbers, numbers]), axis=1)
        followed = jnp.where(state.path.over, BRANCH_ENDED, OUT_OF_STEPS)
        missing = jnp.where(state.path.count == 0, STALLED, followed)
        return Track(
            fields=fields,
            numbers=found,
            errors=errors,
            residual=jnp.where(state.found, residual[:, 0], state.residual),
            steps=jnp.broadcast_to(state.evaluations, rows),
            status=jnp.where(state.found, CONVERGED, missing),
        )

    def _try(self, s: _State, at: Expansion, positive: np.ndarray, scale: np.ndarray) -> _Trial:
        """A Newton step from where the equations were evaluated, and what follows from its length."""
        size = s.fields.size

        def length(fields, move):
            return jnp.max(jnp.abs(move) / (scale + jnp.abs(fields)))

        # While the start is looked for, the last field is held where it is instead of the position where it is asked for.
        last = jnp.zeros(size).at[-1].set(1.0)
        here, slope = at.residual[-1], at.jacobian[-1]
        matrix = at.jacobian.at[-1].set(jnp.where(s.starting, jnp.append(last, 0.0), slope))
        residual = at.residual.at[-1].set(jnp.where(s.starting, 0.0, here - s.position))
        columns = solve(matrix[:, :size], jnp.stack([-residual, -matrix[:, size], last], axis=1))
        move, shift, tangent = columns.T
        move = jnp.where(s.starting & (s.tries < self.sweeps), -residual, move)
        finite = jnp.all(jnp.isfinite(move))
        move = jnp.where(finite, move, 0.0)
        moved = s.fields + move
        new = jnp.where(positive, jnp.maximum(moved, 0.1 * s.fields), moved)

        small = finite & (length(s.fields, move) < jnp.where(s.starting, 1e-3, self.tolerance))
        astray = length(s.guess, new - s.guess) > self.jump
        late = s.tries >= jnp.where(s.starting, 10 * self.tries, self.tries)
        return _Trial(
            point=_Point(s.position, new, tangent),
            position=here + slope[:size] @ move,
            numbers=at.numbers + at.slopes[:, :size] @ move,
            errors=at.number_errors(shift),
            residual=jnp.max(jnp.abs(residual)),
            begun=s.starting & small & (s.tries >= self.sweeps),
            done=~s.starting & small & ~astray,
            failed=~finite | (late & ~small) | (~s.starting & small & astray),
        )

    def _extend(self, s: _State, trial: _Trial, targets: Float[Array, " rows"], both: bool) -> _Path:
        """The path, longer by a point or with a shorter step, or turned round where nothing more is found downwards."""
        path, done, failed = s.path, trial.done, trial.failed
        first = path.count == 0
        pushed = jax.tree.map(lambda kept, one: jnp.roll(kept, 1, axis=0).at[0].set(one), path.last, trial.point)
        kept = done & (first | (jnp.abs(s.position - path.last.position[0]) > self.apart))
        last = jax.tree.map(lambda a, b: jnp.where(kept, a, b), pushed, path.last)
        count = jnp.where(kept, jnp.minimum(path.count + 1, self.window), path.count)
        reached = jnp.where(done, s.position, path.reached)
        origin = jax.tree.map(lambda a, b: jnp.where(done & first, a, b), trial.point, path.origin)
        longer = jnp.where(s.tries < 2, jnp.minimum(self.growth * path.step, self.longest), path.step)
        step = jnp.where(done, longer, jnp.where(failed, self.shrink * path.step, path.step))

        lost = (step < self.shortest) | (failed & (s.starting | first))
        turn = ~path.upwards & ~s.starting & (count > 0) & (lost | (done & ~jnp.any(targets < reached)))
        last = jax.tree.map(lambda kept, one: jnp.where(turn, kept.at[0].set(one), kept), last, origin)
        reached = jnp.where(turn, origin.position, reached)
        upwards = path.upwards | turn
        ended = upwards & ((lost & ~turn) | ((done | turn) & ~jnp.any(targets > reached)))
        return _Path(
            reached=reached,
            last=last,
            count=jnp.where(turn, 1, count),
            origin=origin,
            upwards=upwards,
            step=jnp.where(turn, self.first, step),
            over=ended | (turn & (not both)) | (lost & (count == 0)),
        )


def _onwards(path: _Path, targets: Float[Array, " rows"]) -> _Scalar:
    """The next position: the nearest target, or a step towards it."""
    above = jnp.min(jnp.where(targets > path.reached, targets, jnp.inf))
    below = jnp.max(jnp.where(targets < path.reached, targets, -jnp.inf))
    goal = jnp.where(path.upwards, above, below)
    gap = goal - path.reached
    return jnp.where(jnp.abs(gap) <= path.step, goal, path.reached + jnp.sign(gap) * path.step)


def _predict(last: _Point, count: Int[Array, ""], position: _Scalar) -> Float[Array, " n"]:
    """The polynomial through the ``last`` points with their tangents (Hermite interpolation), at ``position``."""
    known = jnp.arange(last.position.size) < count
    pair = known[:, None] & known & ~np.eye(last.position.size, dtype=bool)
    apart = jnp.where(pair, last.position[:, None] - last.position, 1.0)
    away = position - last.position
    basis = jnp.where(known, jnp.prod(jnp.where(pair, away / apart, 1.0), axis=1), 0.0) ** 2
    bend = 2.0 * jnp.sum(jnp.where(pair, 1.0 / apart, 0.0), axis=1)
    return (basis * (1.0 - away * bend)) @ last.fields + (basis * away) @ last.tangent
