"""Square systems for critical points of local entropies: where one touches zero, or ceases to be monotonic."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from fmjax.models import Model
from fmjax.replica import (
    Equilibrium,
    EquilibriumControls,
    FranzParisi,
    FranzParisiControls,
    RobustEnsemble,
    RobustEnsembleControls,
)
from fmjax.solvers.newton import NO_CANDIDATE
from fmjax.solvers.scan import Start
from fmjax.solvers.zero_entropy import square_root

__all__ = [
    "CriticalPoint",
    "Unknowns",
    "ensemble_fold",
    "ensemble_touching_zero",
    "fold_in_alpha",
    "fold_in_margin",
    "touching_zero",
]

_Scalar = Float[Array, ""]


class Unknowns(eqx.Module):
    """One point of a system: free coordinates of the reference and of the counted solutions, ``logit(distance)``, the margin
    of the reference in deviations of the pre-activation, then what is special.
    """

    reference: Float[Array, " r"]
    free: Float[Array, " n"]
    position: _Scalar
    margin: _Scalar
    moving: Float[Array, " n"] | None = None  # d free / d position along the curve
    alpha: _Scalar | None = None

    def functionals(self, model: Model, alpha: _Scalar, level: int) -> tuple[Equilibrium, FranzParisi, FranzParisiControls]:
        """Functionals at quadrature ``level`` and the controls of the second."""
        size, margin = 1.5 if level else 1.0, self.margin * model.deviation
        equilibrium = Equilibrium(model.with_margin(margin)).resized(size)
        functional = FranzParisi(model, margin).resized(size)
        reference = equilibrium.order(self.reference, EquilibriumControls(alpha))
        return equilibrium, functional, FranzParisiControls(alpha, jax.nn.sigmoid(self.position), reference)


class CriticalPoint(NamedTuple):
    """The zero of a system if Newton's ``status`` says so: unknowns and their errors, with the margin itself."""

    at: Unknowns
    errors: Unknowns
    status: Int[Array, ""]


def _gradients(functional, controls, free, distance):
    """``(phi, d phi/d free, d phi/d distance)`` at fixed quadrature nodes."""
    rule = jax.lax.stop_gradient(functional.rule_at(free, controls))

    def value(free, distance):
        return functional.with_rule(free, eqx.tree_at(lambda c: c.distance, controls, distance), rule)

    phi, (gradient, slope) = jax.value_and_grad(value, argnums=(0, 1))(free, distance)
    return phi, gradient, slope


def _saddle_of_reference(equilibrium, alpha, reference_free):
    return jax.value_and_grad(equilibrium)(reference_free, EquilibriumControls(alpha))


def _row_and_tangent(functional, controls_at, start):
    """Free coordinates and ``logit(distance)`` at a row of a scan, with the tangent from its neighbours."""

    def free(row):
        return functional.free(row.order, controls_at(row)), jnp.log(row.distance) - jnp.log1p(-row.distance)

    frees, positions = jax.vmap(free)(start.neighbours)
    moving = (frees[1] - frees[0]) / (positions[1] - positions[0])
    return *free(start.row), jnp.where(jnp.all(start.neighbours.converged), moving, 0.0)


def _initial(model, alpha, start):
    """Unknowns around a reference."""

    def controls_at(row):
        return FranzParisiControls(alpha, row.distance, row.reference)

    free, position, moving = _row_and_tangent(FranzParisi(model, start.margin), controls_at, start)
    reference = Equilibrium(model.with_margin(start.margin)).free(start.row.reference)
    return Unknowns(reference, free, position, start.margin / model.deviation, moving)


def _fold_equations(functional, controls, free, position, moving):
    """Saddle equations, ``phi' = 0``, and their derivative along the curve: ``moving`` is ``d free/d position``."""

    def equations(free, position):
        _, gradient, slope = _gradients(functional, controls, free, jax.nn.sigmoid(position))
        return jnp.append(gradient, slope)

    return jnp.concatenate(jax.jvp(equations, (free, position), (moving, jnp.ones_like(position))))


def _solve(residual: Callable[[Unknowns, int], list[Array]], guess: Unknowns, model: Model, found) -> CriticalPoint:
    """Where all equations of ``residual(unknowns, level)`` hold."""
    start, unravel = ravel_pytree(guess)
    y, error, root = square_root(lambda y, level: jnp.hstack(residual(unravel(y), level)), start)
    at, errors = (
        eqx.tree_at(lambda unknowns: unknowns.margin, unravel(numbers), replace_fn=lambda margin: margin * model.deviation)
        for numbers in (y, error)
    )
    return CriticalPoint(at, errors, jnp.where(found, root.status, NO_CANDIDATE))


@jax.jit
def touching_zero(model: Model, alpha: _Scalar, start: Start) -> CriticalPoint:
    """Where the lowest point of a local entropy vanishes as the margin of the reference varies: ``phi = phi' = 0``."""

    def residual(at, level):
        equilibrium, functional, controls = at.functionals(model, alpha, level)
        _, reference_gradient = _saddle_of_reference(equilibrium, alpha, at.reference)
        phi, gradient, slope = _gradients(functional, controls, at.free, controls.distance)
        return [reference_gradient, gradient, phi, slope]

    guess = _initial(*jax.lax.stop_gradient((model, alpha, start)))
    guess = eqx.tree_at(lambda guess: guess.moving, guess, None)
    return _solve(residual, guess, model, start.found)


@jax.jit
def fold_in_margin(model: Model, alpha: _Scalar, start: Start) -> CriticalPoint:
    """Where a local entropy ceases to be monotonic as the margin of the reference varies: ``phi' = phi'' = 0``."""

    def residual(at, level):
        equilibrium, functional, controls = at.functionals(model, alpha, level)
        _, reference_gradient = _saddle_of_reference(equilibrium, alpha, at.reference)
        return [reference_gradient, _fold_equations(functional, controls, at.free, at.position, at.moving)]

    guess = _initial(*jax.lax.stop_gradient((model, alpha, start)))
    return _solve(residual, guess, model, start.found)


@jax.jit
def fold_in_alpha(model: Model, start: Start) -> CriticalPoint:
    """The same as ``alpha`` varies, around references of zero entropy."""

    def residual(at, level):
        equilibrium, functional, controls = at.functionals(model, at.alpha, level)
        entropy, reference_gradient = _saddle_of_reference(equilibrium, at.alpha, at.reference)
        return [reference_gradient, _fold_equations(functional, controls, at.free, at.position, at.moving), entropy]

    guess = _initial(jax.lax.stop_gradient(model), start.alpha, start)
    guess = eqx.tree_at(lambda guess: guess.alpha, guess, start.alpha, is_leaf=lambda leaf: leaf is None)
    return _solve(residual, guess, model, start.found)


def _of_ensemble(functional, start, residual, with_tangent):
    """Where a curve of a robust ensemble is special: ``residual(functional, controls, position, free)`` vanishes.

    Where the tangent of the curve is an unknown, too, it follows ``free``.
    """
    still = jax.lax.stop_gradient(functional)
    free, position, moving = _row_and_tangent(still, lambda row: RobustEnsembleControls(start.alpha, row.distance), start)
    guess = jax.lax.stop_gradient((position, start.alpha, free, *([moving] if with_tangent else [])))
    guess, unravel = ravel_pytree(guess)

    def equations(y, level):
        position, alpha, *unknowns = unravel(y)
        controls = RobustEnsembleControls(alpha, jax.nn.sigmoid(position))
        return residual(functional.refined() if level else functional, controls, position, *unknowns)

    y, errors, root = square_root(equations, guess)
    return y[:2], errors[:2], jnp.where(start.found, root.status, NO_CANDIDATE)


@jax.jit
def ensemble_fold(functional: RobustEnsemble, start: Start) -> tuple[Array, Array, Int[Array, ""]]:
    """``logit(distance)`` and alpha at which the entropy of a robust ensemble ceases to be monotonic, errors, and status."""

    def residual(functional, controls, position, free, moving):
        return _fold_equations(functional, controls, free, position, moving)

    return _of_ensemble(functional, start, residual, with_tangent=True)


@jax.jit
def ensemble_touching_zero(functional: RobustEnsemble, start: Start) -> tuple[Array, Array, Int[Array, ""]]:
    """The same where its lowest point vanishes."""

    def residual(functional, controls, _, free):
        phi, gradient, slope = _gradients(functional, controls, free, controls.distance)
        return jnp.hstack([gradient, phi, slope])

    return _of_ensemble(functional, start, residual, with_tangent=False)
