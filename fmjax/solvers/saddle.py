"""Stationary points of free-entropy functionals."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from fmjax.replica import Equilibrium, EquilibriumControls, EquilibriumOrder, Functional, saddle_system
from fmjax.solvers.newton import CONVERGED, Root, describe, implicit_root, newton, solve_scaled

__all__ = ["SaddlePoint", "equilibrium"]

# What rounding alone does to a sum of a few thousand terms of order one, with room to spare.
_ROUNDING = 2e-14
_SWEEPS = 100
_SMALLEST = 1e-12


class SaddlePoint(eqx.Module):
    """A stationary point of a free-entropy functional, or a batch of them.

    Attributes:
        entropy: value of the functional, nats per weight.
        slope: its derivative along the functional's own control: ``d entropy / d distance`` for a local entropy,
            ``d entropy / d alpha`` for typical solutions.
        order: order parameters (``.q``, ``.q_hat``, ...).
        distance: Hamming distance per weight: from the reference, or between two typical solutions.
        alpha: patterns per weight.
        residual: largest saddle equation left over, in free coordinates (entropy per unit of relative change).
        error_estimate: absolute bound on the errors of ``entropy`` and ``slope`` from a quadrature with half as many
            nodes again in each dimension.
        steps: evaluations of the saddle equations that Newton needed.
        status: integer code behind `result`.
    """

    entropy: Float[Array, "*batch"]
    slope: Float[Array, "*batch"]
    order: Any
    distance: Float[Array, "*batch"]
    alpha: Float[Array, "*batch"]
    residual: Float[Array, "*batch"]
    error_estimate: Float[Array, "*batch"]
    steps: Int[Array, "*batch"]
    status: Int[Array, "*batch"]

    @property
    def converged(self) -> Bool[Array, "*batch"]:
        """Whether the numbers mean anything; usable under `jax.jit`."""
        return self.status == CONVERGED

    @property
    def result(self) -> str | np.ndarray:
        """``"converged"``, or a sentence that says why not; an object array of them for a batch."""
        return describe(self.status)


def measure(
    functional: Functional,
    free: Float[Array, " n"],
    controls: Any,
    control: str,
    tangent: Float[Array, " n"],
    hessian: Array,
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Entropy, slope, residual and error estimate at a saddle point.

    With ``y`` the saddle of the rule in use and ``g`` the gradient of a finer ``phi`` there, the finer saddle lies at
    ``y - H^-1 g``: its entropy differs by ``phi_fine(y) - phi(y) - g H^-1 g / 2`` and its slope by
    ``slope_fine(y) - slope(y) + g . dy/dcontrol``.
    """

    def evaluate(functional):
        def value(free, position):
            return functional(free, eqx.tree_at(lambda c: getattr(c, control), controls, position))

        return jax.value_and_grad(value, argnums=(0, 1))(free, getattr(controls, control))

    entropy, (gradient, slope) = evaluate(functional)
    fine_entropy, (fine_gradient, fine_slope) = evaluate(functional.refined())
    shift = -solve_scaled(hessian, fine_gradient)
    entropy_error = jnp.abs(fine_entropy - entropy) + 0.5 * jnp.abs(fine_gradient @ shift)
    # The largest the last term can be: along directions frozen by `solve_scaled` its sign is not known.
    slope_error = jnp.abs(fine_slope - slope) + jnp.sum(jnp.abs(fine_gradient * tangent))
    scale = _ROUNDING * (1.0 + jnp.abs(slope))
    error = jax.lax.stop_gradient(3.0 * jnp.maximum(entropy_error, slope_error) + scale)
    return entropy, slope, jnp.max(jnp.abs(jax.lax.stop_gradient(gradient))), error


def tangent_along(
    functional: Functional, free: Float[Array, " n"], controls: Any, control: str, hessian: Array
) -> Float[Array, " n"]:
    """``dy/dcontrol`` of the saddle point ``y``, from the implicit function theorem."""

    def gradient(position):
        return jax.grad(functional)(free, eqx.tree_at(lambda c: getattr(c, control), controls, position))

    position = getattr(controls, control)
    return -solve_scaled(hessian, jax.jvp(gradient, (position,), (jnp.ones_like(position),))[1])


def saddle_root(functional: Functional, guess: Float[Array, " n"], controls: Any, **options: Any) -> Root:
    """Newton on the saddle equations of ``functional`` from ``guess`` (no derivatives: see `implicit_root`)."""
    functional, controls, guess = jax.lax.stop_gradient((functional, controls, guess))
    rule = functional.rule_at(guess, controls)
    return newton(lambda free: saddle_system(functional, free, controls, rule), guess, **options)


def equilibrium_root(functional: Equilibrium, alpha: Float[Array, ""]) -> tuple[Float[Array, " 2"], Root]:
    """Free coordinates of the typical solutions, with derivatives, and how Newton got there.

    Newton starts where a few sweeps of the saddle equations, iterated as maps ``q_hat -> q -> q_hat``, have come to:
    these converge from any start, only slowly near capacity.
    """
    controls = EquilibriumControls(alpha)

    def natural_gradient(free):
        return jax.grad(functional)(free, controls) / jnp.diagonal(jax.jacfwd(functional.natural)(free, controls))

    def sweep(free, _):
        # d phi/d q = q_hat/2 + alpha dG_E/dq and d phi/d q_hat = (q - 1)/2 + dG_S/dq_hat.
        q, q_hat = functional.natural(free, controls)
        gradient = natural_gradient(free)
        # Where the saddle is at q = 0 (a symmetric constraint) rounding must not carry the map across it.
        q, gap = (jnp.maximum(value, _SMALLEST) for value in (q - 2.0 * gradient[1], 1.0 - q + 2.0 * gradient[1]))
        return EquilibriumOrder(q, jnp.maximum(q_hat - 2.0 * gradient[0], _SMALLEST), gap).free(), None

    guess, _ = jax.lax.scan(sweep, jnp.zeros(2), None, length=_SWEEPS)
    root = saddle_root(functional, jax.lax.stop_gradient(guess), controls)
    free = implicit_root(lambda free: jax.grad(functional)(free, controls), root.value)
    return free, root


def equilibrium(functional: Equilibrium, alpha: Float[Array, ""]) -> SaddlePoint:
    """Typical solutions at ``alpha``."""
    free, root = equilibrium_root(functional, alpha)
    controls = EquilibriumControls(alpha)
    tangent = tangent_along(functional, free, controls, "alpha", root.matrix)
    entropy, slope, residual, error = measure(functional, free, controls, "alpha", tangent, root.matrix)
    order = EquilibriumOrder.from_free(free)
    return SaddlePoint(entropy, slope, order, 0.5 * order.gap, alpha, residual, error, root.steps, root.status)
