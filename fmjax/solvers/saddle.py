"""Stationary points of free-entropy functionals."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from fmjax.replica import Equilibrium, EquilibriumControls, Functional, ReplicaSymmetric, expand, replicon
from fmjax.solvers.newton import Outcome, Root, blank, implicit_root, newton, solve_scaled

__all__ = [
    "SaddlePoint",
    "equilibrium",
    "equilibrium_root",
    "quadrature_error",
    "read",
    "saddle_root",
    "settled_root",
    "stability_at",
    "tangent",
]

# What rounding alone does to a sum of a few thousand terms of order one, with room to spare.
_ROUNDING = 2e-14
_SWEEPS = 100
_STEADY = 1e-12
_MOVED = 0.1  # nodes laid for coordinates further away than this are laid again


class SaddlePoint(eqx.Module, Outcome):
    """A stationary point of a free-entropy functional, or a batch of them.

    Attributes:
        entropy: value of the functional, nats per weight.
        slope: its derivative along the functional's own control: ``d entropy / d distance`` for a local entropy,
            ``d entropy / d alpha`` for typical solutions.
        order: order parameters (``.q``, ``.q_hat``, ...).
        reference: those of the reference of a local entropy; None otherwise.
        distance: Hamming distance per weight: from the reference, between two typical solutions, or between two replicas.
        alpha: patterns per weight.
        residual: largest saddle equation left over, in free coordinates (entropy per unit of relative change).
        replicon: positive where replica symmetry is locally stable (`fmjax.replica.stability`); NaN for a robust ensemble.
        error_estimate: absolute bound on the errors of ``entropy`` and ``slope`` from a quadrature with half as many
            nodes again in each dimension.
        steps: evaluations of the saddle equations that Newton needed.
        status: integer code behind `result`.
    """

    entropy: Float[Array, "*batch"]
    slope: Float[Array, "*batch"]
    order: Any
    reference: Any
    distance: Float[Array, "*batch"]
    alpha: Float[Array, "*batch"]
    residual: Float[Array, "*batch"]
    replicon: Float[Array, "*batch"]
    error_estimate: Float[Array, "*batch"]
    steps: Int[Array, "*batch"]
    status: Int[Array, "*batch"]


def saddle_root(
    functional: Functional, guess: Float[Array, " n"], controls: Any, rule: Any = None, **options: Any
) -> tuple[Root, Any]:
    """Newton on the saddle equations of ``functional`` from ``guess``, and the quadrature rule that it used.

    The rule is laid at the guess unless given. No derivatives: see `implicit_root` and `read`.
    """
    functional, controls, guess = jax.lax.stop_gradient((functional, controls, guess))
    rule = functional.rule_at(guess, controls) if rule is None else rule
    return newton(lambda y: expand(functional, y, controls, rule), guess, retract=functional.retract, **options), rule


def settled_root(functional: Functional, guess: Float[Array, " n"], controls: Any, **options: Any) -> tuple[Root, Any]:
    """Newton from a ``guess`` that may be far away: with a rule laid for the guess, and again for where that leads."""

    @jax.jit
    def solve(guess):
        return saddle_root(functional, guess, controls, **options)

    def moved(state):
        guess, (root, _), rounds = state
        return (rounds == 0) | ((rounds < 3) & root.converged & (jnp.max(jnp.abs(root.value - guess)) > _MOVED))

    def again(state):
        guess, (root, _), rounds = state
        guess, steps = jnp.where(rounds == 0, guess, root.value), root.steps
        root, rule = solve(guess)
        return guess, (eqx.tree_at(lambda r: r.steps, root, root.steps + steps), rule), rounds + 1

    return jax.lax.while_loop(moved, again, (guess, blank(solve, guess), jnp.asarray(0)))[1]


def tangent(root: Root) -> Float[Array, " n"]:
    """``dy/dcontrol`` of the saddle point ``y``, from the implicit function theorem.

    A prediction is best off when coordinates that are hardly resolved stay where they are.
    """
    return -solve_scaled(root.at.matrix, root.at.mixed, _STEADY)


def read(
    functional: Functional, root: Root, controls: Any, rule: Any
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, " n"]]:
    """Entropy, slope and free coordinates at a saddle point, with derivatives of every order.

    Newton's last step is small and was not evaluated: entropy to second order in it, slope to first. The numbers are those
    of Newton; their derivatives those of the saddle point that they approximate.
    """
    at, step = root.at, root.step
    entropy = at.value + 0.5 * (at.left.T @ at.residual) @ step
    found = jax.lax.stop_gradient((rule, (entropy, at.slope + at.mixed @ step, root.value)))
    return _numbers(((functional, controls), found))


@jax.custom_jvp
def _numbers(point):
    _, (_, numbers) = point
    return numbers


@_numbers.defjvp
def _(primals, tangents):
    ((inputs, (rule, (_, _, free))),), ((input_tangents, _),) = primals, tangents

    def exact(functional, controls):
        def gradient(free):
            return jax.grad(functional.with_rule)(free, controls, rule)

        saddle = implicit_root(gradient, free)

        def along(position):
            return functional.with_rule(saddle, functional.move(controls, position), rule)

        return *jax.value_and_grad(along)(getattr(controls, functional.control)), saddle

    return _numbers(*primals), jax.jvp(exact, inputs, input_tangents)[1]


def quadrature_error(functional: Functional, root: Root, controls: Any) -> Float[Array, ""]:
    """Bound on the errors of entropy and slope at a saddle point, from a finer rule.

    With ``y`` the saddle of the rule in use and ``g`` the gradient of a finer ``phi`` there, the finer saddle lies at
    ``y - H^-1 g``: its entropy differs by ``phi_fine(y) - phi(y) - g H^-1 g / 2`` and its slope by
    ``slope_fine(y) - slope(y) + g . dy/dcontrol``.
    """
    at, fine = root.at, functional.refined()
    rule = fine.rule_at(root.point, controls)

    def along(free, position):
        return fine.with_rule(free, functional.move(controls, position), rule)

    value, (gradient, slope) = jax.value_and_grad(along, (0, 1))(root.point, getattr(controls, functional.control))
    difference = gradient - at.left.T @ at.residual
    entropy_error = jnp.abs(value - at.value) + 0.5 * jnp.abs(difference @ solve_scaled(at.matrix, difference))
    # The largest the last term can be: along directions frozen by `solve_scaled` its sign is not known.
    slope_error = jnp.abs(slope - at.slope) + jnp.sum(jnp.abs(difference * tangent(root)))
    return 3.0 * jnp.maximum(entropy_error, slope_error) + _ROUNDING * (1.0 + jnp.abs(at.slope))


def stability_at(functional: ReplicaSymmetric, root: Root, controls: Any, rule: Any) -> Float[Array, ""]:
    """The replicon where Newton stopped, without derivatives."""
    functional, root, controls, rule = jax.lax.stop_gradient((functional, root, controls, rule))
    return replicon(functional, root.value, controls, rule)


def equilibrium_root(functional: Equilibrium, alpha: Float[Array, ""]) -> tuple[Float[Array, " n"], Root, Any]:
    """Free coordinates of the typical solutions, with derivatives, how Newton got there, and the rule that it used.

    Newton starts where a few sweeps of the saddle equations, iterated as maps ``q_hat -> q -> q_hat``, have come to:
    these converge from any start, only slowly near capacity.
    """
    controls = EquilibriumControls(alpha)
    split = functional.sizes[0]
    couplings = jnp.array(2 * functional.couplings)

    def natural(free):
        return functional.natural(free, controls)

    def sweep(free, _):
        # Each order parameter o comes with a term c o o^: with dphi/do = c o^ + alpha dG_E/do, and so for o^, the map is
        # o^ -> o^ - (dphi/do) / c, o -> o - (dphi/do^) / c.
        gradient = jnp.linalg.solve(jax.jacfwd(natural)(free).T, jax.grad(functional)(free, controls))
        moved = natural(free) - jnp.roll(gradient, split) / couplings
        return functional.free(functional.of_natural(moved)), None

    guess, _ = jax.lax.scan(sweep, jnp.zeros(2 * split), None, length=_SWEEPS)
    # Only with a teacher may the sweeps end far from where Newton does; two nested loops take seconds more to compile.
    solve = settled_root if functional.model.teacher else saddle_root
    root, rule = solve(functional, guess, controls)
    free = implicit_root(lambda free: jax.grad(functional)(free, controls), root.value)
    return free, root, rule


def equilibrium(functional: Equilibrium, alpha: Float[Array, ""]) -> SaddlePoint:
    """Typical solutions at ``alpha``."""
    _, root, rule = equilibrium_root(functional, alpha)
    controls = EquilibriumControls(alpha)
    entropy, slope, free = read(functional, root, controls, rule)
    error = quadrature_error(*jax.lax.stop_gradient((functional, root, controls)))
    order, stability = functional.order(free, controls), stability_at(functional, root, controls, rule)
    numbers = (0.5 * order.gap, alpha, root.residual, stability, error, root.steps, root.status)
    return SaddlePoint(entropy, slope, order, None, *numbers)
