"""Stationary points of free-entropy functionals."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from fmjax.compilation import Program
from fmjax.models import Model
from fmjax.replica import Equilibrium, EquilibriumControls, EquilibriumOrder, Saddle
from fmjax.solvers.implicit import implicit
from fmjax.solvers.newton import Root, root_of
from fmjax.solvers.outcome import Symmetric, both_resolved, known

__all__ = [
    "SaddlePoint",
    "entropy_of",
    "equilibrium",
    "error_of",
    "number_of_numbers",
    "numbers_of",
    "order_of",
    "typical_equations",
    "typical_point",
    "typical_root",
]

NEARLY_NONE = 1e-2  # fields; none at all are a fixed point, stable or not, where a constraint is symmetric


class SaddlePoint(eqx.Module, Symmetric):
    """A stationary point of a free-entropy functional, or a batch of them.

    Attributes:
        entropy: value of the functional, nats per weight; of a `Loss`, the free entropy, see `thermodynamics`.
        slope: its derivative along the functional's own control: ``d entropy / d distance`` for a local entropy,
            ``d entropy / d alpha`` for typical solutions.
        order: order parameters (``.q``, ``.q_hat``, ...).
        reference: those of the reference of a local entropy; None otherwise.
        distance: Hamming distance per weight: from the reference, between two typical solutions, or between two replicas.
        alpha: patterns per weight.
        residual: largest saddle equation left over where they were last evaluated, one Newton step before the answer.
        replicon: positive where replica symmetry is locally stable (`fmjax.replica.stability`); NaN for a robust ensemble.
            Like ``residual`` and ``error_estimate``, it says how far to trust an answer, and has no derivative: zero.
        error_estimate: absolute bound on the errors of ``entropy`` and ``slope``: half the difference of the twin rules of
            which the quadrature consists (`fmjax.quadrature`).
        steps: evaluations of the saddle equations that it took.
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


def numbers_of(saddle: Saddle) -> Float[Array, " numbers"]:
    """``(value, slope, replicon, *order)``: what is reported of a saddle point."""
    return jnp.stack([saddle.value, saddle.slope, saddle.replicon, *jax.tree.leaves(saddle.order)])


def number_of_numbers(order: type) -> int:
    """How many these are, where order parameters are of this class."""
    return 3 + len(dataclasses.fields(order))


def order_of(root: Root) -> EquilibriumOrder:
    """Order parameters of typical solutions."""
    return EquilibriumOrder(*root.numbers[3 : number_of_numbers(EquilibriumOrder)])


def entropy_of(functional: Equilibrium, alpha: Float[Array, ""], root: Root) -> Float[Array, ""]:
    """Of the measure of typical solutions: ``phi + beta alpha energy``, where patterns have a loss."""
    constraint, phi = functional.model.constraint, root.numbers[0]
    if not constraint.strength:
        return phi
    energy, _ = functional.losses(order_of(root), EquilibriumControls(alpha))
    return phi + getattr(constraint, constraint.strength) * alpha * energy


def replicon_of(root: Root) -> Float[Array, ""]:
    """Of typical solutions."""
    return jax.lax.stop_gradient(root.numbers[2])


def error_of(
    model: Model, errors: Float[Array, " numbers *batch"], numbers: Float[Array, " numbers *batch"]
) -> Float[Array, "*batch"]:
    """One bound for entropy and slope from those of all numbers."""
    return jnp.maximum(errors[0], errors[1]) + model.architecture.accuracy * (1.0 + jnp.abs(numbers[1]))


def typical_equations(
    inputs: tuple[Equilibrium, Float[Array, ""]], fields: Float[Array, " n"], tilt: Float[Array, ""]
) -> tuple[Float[Array, " n"], Float[Array, " numbers"]]:
    """Of the fields of typical solutions, given the functional and ``alpha``: see `fmjax.solvers.newton`."""
    functional, alpha = inputs
    saddle = functional.saddle(fields, EquilibriumControls(alpha, tilt))
    return saddle.residual, numbers_of(saddle)


@Program
def _typical_root(functional: Equilibrium, alpha: Float[Array, ""]) -> Root:
    positive = functional.positive
    start = jnp.full(positive.size, NEARLY_NONE)
    numbers = number_of_numbers(EquilibriumOrder)
    return root_of(
        typical_equations,
        (functional, alpha),
        start,
        numbers=numbers,
        positive=positive,
        fixed_point=True,
        logarithmic=functional.unbounded,
        tolerance=1e-9,  # the replicon is not carried over the last step to first order
    )


# Fields of the typical solutions, of a functional and alpha, and what they imply. Fields imply overlaps and these imply
# fields, a map that increases in all its arguments: from nearly no fields one comes to its smallest stable fixed point, the
# branch that starts at alpha = 0, and no further.
typical_root = implicit(typical_equations, _typical_root)


@Program
def typical_point(root: Root, model: Model, alpha: Float[Array, ""]) -> SaddlePoint:
    """Typical solutions from their fields."""
    entropy, slope, replicon, *_ = root.numbers
    order, (replicon, error) = (
        order_of(root),
        jax.lax.stop_gradient((replicon, error_of(model, root.number_errors, root.numbers))),
    )
    status = both_resolved(root.status, root.numbers, root.number_errors)
    rest = (0.5 * order.gap, alpha, root.residual, replicon, error, root.steps, status)
    point = SaddlePoint(entropy, slope, order, None, *rest)
    return known(point, "entropy", "slope", "order", "replicon", "error_estimate", "distance")


def equilibrium(functional: Equilibrium, alpha: Float[Array, ""]) -> SaddlePoint:
    """Typical solutions at ``alpha``."""
    return typical_point(typical_root(functional, alpha), functional.model, alpha)
