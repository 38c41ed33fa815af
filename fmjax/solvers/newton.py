"""Newton's method for small square systems, globalised, with implicit derivatives of every order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

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
    "Equations",
    "Outcome",
    "Root",
    "System",
    "blank",
    "describe",
    "implicit_root",
    "known",
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


def describe(code: Int[Array, "*batch"] | int, sentences: tuple[str, ...] = _SENTENCES) -> str | np.ndarray:
    """The sentence for a code, of a status unless others are given; an array of sentences for an array of codes."""
    codes = np.asarray(code)
    return sentences[int(codes)] if codes.ndim == 0 else np.asarray(sentences, dtype=object)[codes]


class Outcome:
    """Mixed into Modules of numbers that may not have been found: their ``status`` is one of the codes of this module."""

    status: Int[Array, "*batch"]

    @property
    def converged(self) -> Bool[Array, "*batch"]:
        """Whether the numbers mean anything; usable under `jax.jit`."""
        return self.status == CONVERGED

    @property
    def result(self) -> str | np.ndarray:
        """``"converged"``, or a sentence that says why not; an object array of them for a batch."""
        return describe(self.status)


_Found = TypeVar("_Found", bound=Outcome)


def known(found: _Found, *names: str) -> _Found:
    """The same, with NaN in the fields of these ``names`` where nothing was found: what Newton left there means nothing."""

    def masked(field):
        return jax.tree.map(lambda leaf: jnp.where(found.converged, leaf, jnp.nan), field)

    return eqx.tree_at(lambda point: [getattr(point, name) for name in names], found, replace_fn=masked)


_FROZEN = 1e-14
_NEGLIGIBLE = 1e-6
_SHORT = 3e-5
_RESOLVED = 1e-6


class System(Protocol):
    """A square system of equations at a point: residual ``r``, and the matrices ``A`` and ``M`` of `newton`."""

    @property
    def residual(self) -> _Vector:
        """``r``."""
        ...

    @property
    def left(self) -> _Matrix:
        """``A``."""
        ...

    @property
    def matrix(self) -> _Matrix:
        """``M``."""
        ...


class Equations(eqx.Module):
    """A system with its Jacobian: ``A = 1``."""

    residual: _Vector
    matrix: _Matrix

    @property
    def left(self) -> _Matrix:
        """The identity."""
        return jnp.eye(self.residual.size, dtype=self.residual.dtype)


class Root(eqx.Module):
    """Where Newton stopped, and why.

    ``at`` is the system at the last ``point`` it was evaluated at and ``residual`` its largest absolute equation ``A^T r``;
    ``value`` is a ``step`` further (zero unless converged). ``steps`` counts evaluations of the system and ``status`` is one
    of the module's codes.
    """

    value: Float[Array, "*batch n"]
    point: Float[Array, "*batch n"]
    step: Float[Array, "*batch n"]
    at: Any
    residual: Float[Array, "*batch"]
    steps: Int[Array, "*batch"]
    status: Int[Array, "*batch"]

    @property
    def converged(self) -> Bool[Array, "*batch"]:
        """Whether the residual reached its tolerance."""
        return self.status == CONVERGED


def solve_scaled(matrix: _Matrix, vector: Float[Array, n * columns], frozen: float = _FROZEN) -> Float[Array, n * columns]:
    """``matrix^-1 vector`` for a matrix of second derivatives of an entropy of order one.

    Near ``d = 0`` some order parameters are exponentially small, and the entropy does not depend on them to the accuracy
    at which it can be computed. These directions are ``frozen`` by a diagonal of the size of what cannot be resolved (a
    unit change of such a coordinate moves the entropy by 1e-14), and rows are scaled, or pivoting would go astray.
    """
    diagonal = jnp.diagonal(matrix)
    matrix = matrix + jnp.diag(jnp.where(diagonal < 0, -frozen, frozen))
    size = jnp.max(jnp.abs(matrix), axis=1)
    scaled = vector / (size if vector.ndim == 1 else size[:, None])
    return jnp.linalg.solve(matrix / size[:, None], scaled)


def blank(function: Callable[..., Any], *arguments: Any) -> Any:
    """Zeros in the shapes of ``function(*arguments)``, from which a loop can start.

    ``function`` is one of `jax.jit`: it is traced once then, for its shapes and for the loop, and tracing takes seconds.
    """
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(function, *arguments))


def newton(
    system: Callable[[_Vector], System],
    guess: _Vector,
    *,
    tolerance: float = 1e-9,
    loose: float = 1e-5,
    max_steps: int = 60,
    retract: Callable[[_Vector, _Vector], _Vector] = jnp.add,
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
        system: ``y -> System``, whose shapes are ``(n,)``, ``(n, n)`` and ``(n, n)``.
        guess: start, shape ``(n,)``.
        tolerance: on the largest component of ``A^T r``: for saddle equations, entropy per unit of relative change of an
            order parameter, for a step that is short but not negligible.
        loose: on the largest component of ``r`` where it can be resolved: tells a solution from a coordinate that ran off.
        max_steps: evaluations of the system.
        retract: ``(y, step) -> y`` near ``y + step``: where a step of that length leads in these coordinates.
    """
    system = jax.jit(system)

    def full_step(at):
        return -solve_scaled(at.matrix, at.left.T @ at.residual)

    def body(state):
        value, at, step, damping, count, _ = state
        trial = retract(value, damping * step)
        there = system(trial)
        finite = jnp.all(jnp.isfinite(there.residual)) & jnp.isfinite(jnp.sum(there.matrix))
        correction = -solve_scaled(at.matrix, at.left.T @ there.residual)
        # The first trial is the guess itself: there is nothing yet to compare it with.
        shrink = (1.0 - 0.25 * damping) * jnp.linalg.norm(at.left @ step)
        helps = (jnp.linalg.norm(at.left @ correction) <= shrink) | (count == 0)
        next_step = full_step(there)
        scaled = jnp.abs(there.left.T @ there.residual)
        unscaled = scaled / (jnp.linalg.norm(there.left, axis=0) + _RESOLVED)
        # The last step is taken without looking again: it squares the error.
        length = jnp.max(jnp.abs(there.left @ next_step))
        small = (length < _NEGLIGIBLE) | ((jnp.max(scaled) < tolerance) & (length < _SHORT))
        done = finite & small & (jnp.max(unscaled) < loose)
        accept = done | (finite & helps)
        value, at, step = jax.tree.map(
            lambda new, old: jnp.where(accept, new, old), (trial, there, next_step), (value, at, step)
        )
        damping = jnp.where(accept, jnp.minimum(1.0, 2.0 * damping), 0.5 * damping)
        count = count + 1
        status = jnp.select(
            [done, (damping < 1e-4) | ((count == 1) & ~finite), count >= max_steps],
            [CONVERGED, jnp.where(finite, STALLED, NOT_FINITE), OUT_OF_STEPS],
            -1,
        )
        return value, at, step, damping, count, status

    start = (guess, blank(system, guess), jnp.zeros_like(guess), jnp.ones_like(guess[0]), jnp.asarray(0), jnp.asarray(-1))

    def unfinished(state):
        # The count says nothing new, but in a condition on one number XLA looks for a loop counter, through all that this
        # number depends on and again in every pass: a quarter of the compilation of a curve.
        *_, count, status = state
        return (status < 0) & (count < max_steps)

    value, at, step, _, steps, status = jax.lax.while_loop(unfinished, body, start)
    residual = jnp.max(jnp.abs(at.left.T @ at.residual))
    # Where rounding leaves nothing to improve although the step is not short: the step is part of the error estimates.
    status = jnp.where((status != NOT_FINITE) & (residual < tolerance), CONVERGED, status)
    step = jnp.where(status == CONVERGED, step, 0.0)
    return Root(retract(value, step), value, step, at, residual, steps, status)


def implicit_root(residual: Callable[[_Vector], _Vector], root: _Vector) -> _Vector:
    """``root``, carrying the derivatives of the zero of ``residual`` that it approximates.

    The implicit function theorem through `jax.lax.custom_root`: derivatives of every order with respect to whatever
    ``residual`` closes over, in forward and reverse mode, independent of how the root was found.
    """

    def tangent_solve(linear, target):
        return solve_scaled(jax.jacfwd(linear)(target), target)

    return jax.lax.custom_root(residual, jax.lax.stop_gradient(root), lambda _, value: value, tangent_solve)
