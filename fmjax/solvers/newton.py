"""Newton's method for small square systems, globalised, with implicit derivatives of every order."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

__all__ = [
    "BRANCH_ENDED",
    "CONVERGED",
    "NOT_FINITE",
    "OUT_OF_STEPS",
    "STALLED",
    "Root",
    "describe",
    "implicit_root",
    "newton",
]

_Vector = Float[Array, " n"]
_Matrix = Float[Array, "n n"]

CONVERGED, STALLED, OUT_OF_STEPS, NOT_FINITE, BRANCH_ENDED, REFERENCE_FAILED, NO_CANDIDATE = range(7)

_SENTENCES = (
    "converged",
    "no Newton step reduces the residual any further: there is no solution nearby",
    "the number of Newton steps ran out before the residual reached its tolerance",
    "the equations are not finite at the start or at every trial step",
    "the branch could not be followed to this distance: it ends, or turns, before it",
    "the reference has no solution at this alpha and margin",
    "a scan over the whole range found no point where this threshold could lie",
)


def describe(status: Int[Array, "*batch"] | int) -> str | np.ndarray:
    """The sentence for a status code; an array of sentences for an array of codes."""
    codes = np.asarray(status)
    return _SENTENCES[int(codes)] if codes.ndim == 0 else np.asarray(_SENTENCES, dtype=object)[codes]


_FROZEN = 1e-14
_NEGLIGIBLE = 1e-6
_RESOLVED = 1e-6


class Root(eqx.Module):
    """Where Newton stopped, and why.

    ``residual`` is the largest absolute equation at the last point the system was evaluated at, ``matrix`` the
    matrix ``M`` there (`newton`); ``value`` is one Newton step further if it converged. ``steps`` counts evaluations of
    the system and ``status`` is one of the module's codes.
    """

    value: Float[Array, "*batch n"]
    residual: Float[Array, "*batch"]
    matrix: Float[Array, "*batch n n"]
    steps: Int[Array, "*batch"]
    status: Int[Array, "*batch"]

    @property
    def converged(self) -> Bool[Array, "*batch"]:
        """Whether the residual reached its tolerance."""
        return self.status == CONVERGED


def solve_scaled(matrix: _Matrix, vector: Float[Array, n * columns]) -> Float[Array, n * columns]:
    """``matrix^-1 vector`` for a matrix of second derivatives of an entropy of order one.

    Near ``d = 0`` some order parameters are exponentially small, and the entropy does not depend on them to the accuracy
    at which it can be computed. These directions are frozen by a diagonal of the size of what cannot be resolved (a unit
    change of such a coordinate moves the entropy by 1e-14), and rows are scaled, or pivoting would go astray.
    """
    diagonal = jnp.diagonal(matrix)
    matrix = matrix + jnp.diag(jnp.where(diagonal < 0, -_FROZEN, _FROZEN))
    size = jnp.max(jnp.abs(matrix), axis=1)
    scaled = vector / (size if vector.ndim == 1 else size[:, None])
    return jnp.linalg.solve(matrix / size[:, None], scaled)


def newton(
    system: Callable[[_Vector], tuple[_Vector, _Matrix, _Matrix]],
    guess: _Vector,
    *,
    tolerance: float = 1e-11,
    loose: float = 1e-5,
    max_steps: int = 60,
    longest: float = 2.0,
) -> Root:
    """Find a zero of a square system by Newton steps that are shortened until they help.

    The system gives, at ``y``, its residual ``r``, a matrix ``A`` and a matrix ``M``; the Newton step solves
    ``M step = -A^T r``. With ``A`` the identity, ``M`` is the Jacobian. Saddle equations come as gradients with respect
    to the order parameters, ``A`` being the derivative of these with respect to the free coordinates: ``r`` does not
    vanish merely because a coordinate runs off to infinity, as the gradient in free coordinates ``A^T r`` does.

    A trial step is accepted when the *simplified* Newton correction, computed with the old matrices at the new point, is
    shorter than the step was (Deuflhard's natural monotonicity test), both measured as changes ``A step`` of the order
    parameters: unlike the norm of the residual, this does not depend on how the equations are scaled. Steps that leave the
    domain, where the system is not finite, are shortened too.

    Args:
        system: ``y -> (r, A, M)``, shapes ``(n,)``, ``(n, n)`` and ``(n, n)``.
        guess: start, shape ``(n,)``.
        tolerance: on the largest component of ``A^T r``: for saddle equations, entropy per unit of relative change of an
            order parameter, which is as far as quadrature and rounding let the equations be trusted.
        loose: on the largest component of ``r`` where it can be resolved: tells a solution from a coordinate that ran off.
        max_steps: evaluations of the system.
        longest: largest change of any coordinate in one step.
    """

    def direction(residual, left, matrix):
        # Each coordinate on its own: one that the equations hardly depend on must not slow down the others.
        return jnp.clip(-solve_scaled(matrix, left.T @ residual), -longest, longest)

    def body(state):
        value, (residual, left, matrix), step, damping, count, _ = state
        trial = value + damping * step
        at_trial = system(trial)
        finite = jnp.all(jnp.isfinite(at_trial[0])) & jnp.isfinite(jnp.sum(at_trial[2]))
        correction = -solve_scaled(matrix, left.T @ at_trial[0])
        # The first trial is the guess itself: there is nothing yet to compare it with.
        shrink = (1.0 - 0.25 * damping) * jnp.linalg.norm(left @ step)
        helps = (jnp.linalg.norm(left @ correction) <= shrink) | (count == 0)
        next_step = direction(*at_trial)
        scaled = jnp.abs(at_trial[1].T @ at_trial[0])
        unscaled = scaled / (jnp.linalg.norm(at_trial[1], axis=0) + _RESOLVED)
        # A negligible next step is taken without looking again: it squares the error.
        small = (jnp.max(scaled) < tolerance) | (jnp.max(jnp.abs(at_trial[1] @ next_step)) < _NEGLIGIBLE)
        done = finite & small & (jnp.max(unscaled) < loose)
        accept = done | (finite & helps)
        value, at_value, step = jax.tree.map(
            lambda new, old: jnp.where(accept, new, old),
            (trial, at_trial, next_step),
            (value, (residual, left, matrix), step),
        )
        damping = jnp.where(accept, jnp.minimum(1.0, 2.0 * damping), 0.5 * damping)
        count = count + 1
        status = jnp.select(
            [done, (damping < 1e-4) | ((count == 1) & ~finite), count >= max_steps],
            [CONVERGED, jnp.where(finite, STALLED, NOT_FINITE), OUT_OF_STEPS],
            -1,
        )
        return value, at_value, step, damping, count, status

    zero, eye = jnp.zeros_like(guess), jnp.eye(guess.size, dtype=guess.dtype)
    start = (guess, (zero, eye, eye), zero, jnp.ones_like(guess[0]), jnp.asarray(0), jnp.asarray(-1))
    value, (residual, left, matrix), step, _, steps, status = jax.lax.while_loop(lambda state: state[-1] < 0, body, start)
    value = jnp.where((status == CONVERGED) & (jnp.max(jnp.abs(left @ step)) < _NEGLIGIBLE), value + step, value)
    return Root(value, jnp.max(jnp.abs(left.T @ residual)), matrix, steps, status)


def implicit_root(residual: Callable[[_Vector], _Vector], root: _Vector) -> _Vector:
    """``root``, carrying the derivatives of the zero of ``residual`` that it approximates.

    The implicit function theorem through `jax.lax.custom_root`: derivatives of every order with respect to whatever
    ``residual`` closes over, in forward and reverse mode, independent of how the root was found.
    """

    def tangent_solve(linear, target):
        return solve_scaled(jax.jacfwd(linear)(target), target)

    return jax.lax.custom_root(residual, jax.lax.stop_gradient(root), lambda _, value: value, tangent_solve)
