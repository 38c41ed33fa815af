"""Newton's method for a few unknowns, with an error estimate from twin rules; derivatives are in `implicit`.

Equations come as ``equations(inputs, unknowns, tilt) -> (residual, numbers)``: the ``residual`` is zero at the solution, and
``numbers`` is whatever is wanted there. One forward-mode Jacobian in the unknowns and in the ``tilt`` between twin
quadrature rules (`fmjax.quadrature`) serves the step, the numbers one step further, and their errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from fmjax.solvers.outcome import CONVERGED, NOT_FINITE, OUT_OF_STEPS, STALLED

__all__ = ["Equations", "Expansion", "Root", "expand", "root_of", "solve"]

_Vector = Float[Array, " n"]
_FACTOR = np.log(3.0)  # an unknown that Newton moves by factors triples at most in one step, as it does in `_towards`
Equations = Callable[[Any, _Vector, Float[Array, ""]], tuple[_Vector, Float[Array, " numbers"]]]


class Expansion(eqx.Module):
    """Equations at a point, to first order in the unknowns and, last column, in the tilt between twin rules."""

    residual: Float[Array, " n"]
    jacobian: Float[Array, "n columns"]
    numbers: Float[Array, " numbers"]
    slopes: Float[Array, "numbers columns"]

    def number_errors(self, shift: Float[Array, " n"]) -> Float[Array, " numbers"]:
        """Bounds on the errors of the numbers, from half the difference between the twins' unknowns, ``shift``.

        Where the two have parts that happen to cancel they do not here.
        """
        return jnp.abs(self.slopes[:, -1]) + jnp.abs(self.slopes[:, :-1]) @ jnp.abs(shift)


class Root(eqx.Module):
    """Where Newton stopped: unknowns and numbers with their errors, the largest equation left over, evaluations, status."""

    unknowns: Float[Array, "*batch n"]
    numbers: Float[Array, "*batch numbers"]
    unknown_errors: Float[Array, "*batch n"]
    number_errors: Float[Array, "*batch numbers"]
    residual: Float[Array, "*batch"]
    steps: Int[Array, "*batch"]
    status: Int[Array, "*batch"]


def expand(equations: Equations, inputs: Any, unknowns: _Vector) -> Expansion:
    """Value and Jacobian by one evaluation."""

    def at(point):
        found = equations(inputs, point[:-1], point[-1])
        return found, found

    (jacobian, slopes), (residual, numbers) = jax.jacfwd(at, has_aux=True)(jnp.append(unknowns, 0.0))
    return Expansion(residual, jacobian, numbers, slopes)


def solve(matrix: Float[Array, "n n"], columns: Float[Array, "n columns"]) -> Float[Array, "n columns"]:
    """``matrix^-1 columns``, rows scaled and pivoted; up to four by Gauss and Jordan, written out.

    For those a library call costs as much as the equations themselves, and more under `jax.vmap`; for ten, elimination
    written out is a quarter of a program.
    """
    size = matrix.shape[0]
    scale = jnp.max(jnp.abs(matrix), axis=1, keepdims=True) + 1e-300
    matrix, columns = matrix / scale, columns / scale
    if size > 4:
        return jnp.linalg.solve(matrix, columns)
    index = np.arange(size)[:, None]

    def exchanged(rows, k, place):
        return jnp.where(index == k, rows[place], jnp.where(index == place, rows[k], rows))

    # The columns are linear in whatever they hold, and are not mixed with the matrix.
    for k in range(size):
        if k < size - 1:
            pivot = k + jnp.argmax(jnp.abs(matrix[k:, k]))
            matrix, columns = exchanged(matrix, k, pivot), exchanged(columns, k, pivot)
        row, right, factors = matrix[k] / matrix[k, k], columns[k] / matrix[k, k], matrix[:, k : k + 1]
        matrix = jnp.where(index == k, row, matrix - factors * row)
        columns = jnp.where(index == k, right, columns - factors * right)
    return columns


def root_of(
    equations: Equations,
    inputs: Any,
    guess: _Vector,
    *,
    numbers: int,
    positive: np.ndarray,
    floor: np.ndarray | float = 1e-12,
    fixed_point: bool | Bool[Array, ""] = False,
    logarithmic: np.ndarray | None = None,
    tolerance: float = 1e-7,
    max_steps: int = 60,
) -> Root:
    """A zero of ``equations`` by Newton steps that are shortened until they help.

    A trial step is accepted when the *simplified* Newton correction, computed with the old Jacobian at the new point, is
    shorter than the step was (Deuflhard's natural monotonicity test), both relative to the size of the unknowns: unlike the
    norm of the residual, this does not depend on how the equations are scaled. The last step is taken without looking
    again: it squares the error. No derivatives: see `implicit`.

    Args:
        equations: see the module; ``inputs`` are handed to them.
        inputs: their first argument.
        guess: start, shape ``(n,)``.
        numbers: how many of them there are.
        positive: which unknowns cannot be negative; in one step they decrease to a tenth at most.
        floor: size of an unknown below which its relative accuracy does not matter.
        fixed_point: whether the residual is unknowns minus an increasing function of them, and the guess lies below its
            smallest fixed point. Steps of that map come up to it from there; Newton's do so faster once they point the same
            way, and none has to be shortened.
        logarithmic: which unknowns of a fixed point Newton moves by factors: those that grow like a power of what their map
            leaves of them.
        tolerance: on the relative size of the last step.
        max_steps: evaluations of the equations.
    """
    inputs, guess = jax.lax.stop_gradient((inputs, guess))

    def length(unknowns, step):
        return jnp.max(jnp.abs(step) / (floor + jnp.abs(unknowns)))

    def moved(unknowns, step):
        return jnp.where(positive, jnp.maximum(unknowns + step, 0.1 * unknowns), unknowns + step)

    def body(state):
        unknowns, jacobian, step, damping, root = state
        trial = moved(unknowns, damping * step)
        at = expand(equations, inputs, trial)
        finite = jnp.all(jnp.isfinite(at.jacobian)) & jnp.all(jnp.isfinite(at.residual))
        correction = -solve(jacobian, at.residual[:, None])[:, 0]
        first = root.steps == 0  # the guess itself: there is nothing yet to compare it with
        helps = (
            jnp.asarray(fixed_point) | first | (length(trial, correction) <= (1.0 - 0.25 * damping) * length(trial, step))
        )
        move, shift = -solve(at.jacobian[:, :-1], jnp.stack([at.residual, at.jacobian[:, -1]], axis=1)).T
        if logarithmic is not None:
            move = _by_factors(trial, at, logarithmic)
        if fixed_point is not False:
            move = jnp.where(fixed_point, _towards(trial, at.residual, move), move)
        small = length(trial, move) < tolerance
        accept = finite & (helps | small)
        count = root.steps + 1
        damping = jnp.where(accept, jnp.minimum(1.0, 2.0 * damping), 0.5 * damping)
        failure = jnp.where(finite, STALLED, NOT_FINITE)
        tired = jnp.where(fixed_point, STALLED, OUT_OF_STEPS)
        status = jnp.select(
            [accept & small, (damping < 1e-4) | (first & ~finite), count >= max_steps],
            [CONVERGED, failure, tired],
            root.status,
        )
        found = Root(
            unknowns=moved(trial, jnp.where(small, move, 0.0)),
            numbers=at.numbers + at.slopes[:, :-1] @ move,
            unknown_errors=jnp.abs(shift),
            number_errors=at.number_errors(shift),
            residual=jnp.max(jnp.abs(at.residual)),
            steps=count,
            status=status,
        )
        kept = eqx.tree_at(lambda r: (r.steps, r.status), root, (count, status))
        new, old = (trial, at.jacobian[:, :-1], move, found), (unknowns, jacobian, step, kept)
        unknowns, jacobian, step, root = jax.tree.map(lambda a, b: jnp.where(accept, a, b), new, old)
        return unknowns, jacobian, step, damping, root

    def unfinished(state):
        # The count says nothing new, but in a condition on one number XLA looks for a loop counter, through all that this
        # number depends on and again in every pass: a quarter of a compilation.
        return (state[-1].status < 0) & (state[-1].steps < max_steps)

    nothing = jnp.full(numbers, jnp.nan)
    start = Root(guess, nothing, guess, nothing, jnp.asarray(jnp.nan), jnp.asarray(0), jnp.asarray(-1))
    state = (guess, jnp.eye(guess.size), jnp.zeros_like(guess), jnp.ones(()), start)
    return jax.lax.while_loop(unfinished, body, state)[-1]


def _by_factors(unknowns: _Vector, at: Expansion, which: np.ndarray) -> _Vector:
    """Newton's step for the logarithms of the unknowns ``which`` and of those that they imply."""
    implied, unit = unknowns - at.residual, np.eye(unknowns.size)
    residual = jnp.where(which, jnp.log(unknowns / implied), at.residual)
    jacobian = at.jacobian[:, :-1]
    rows = unit / unknowns[:, None] - (unit - jacobian) / implied[:, None]
    jacobian = jnp.where(which[:, None], rows, jacobian) * jnp.where(which, unknowns, 1.0)
    step = -solve(jacobian, residual[:, None])[:, 0]
    return jnp.where(which, unknowns * jnp.expm1(jnp.minimum(step, _FACTOR)), step)


def _towards(unknowns: _Vector, residual: _Vector, move: _Vector) -> _Vector:
    """A step to a fixed point from below: that of the map where Newton's turns back from it, else Newton's.

    Where that is about to change its direction it is long and says nothing: it at most triples an unknown.
    """
    far = jnp.max(jnp.abs(move) / (2.0 * (jnp.abs(unknowns) + jnp.abs(residual)) + 1e-300))
    return jnp.where(jnp.any(move * residual > 0.0), -residual, move / jnp.maximum(1.0, far))
