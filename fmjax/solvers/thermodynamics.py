"""Energy and entropy of patterns with a loss, and the inverse temperature at which they take given values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from fmjax.compilation import Program
from fmjax.models import Model
from fmjax.replica import Equilibrium, EquilibriumControls, EquilibriumOrder
from fmjax.solvers.implicit import implicit
from fmjax.solvers.newton import Root, root_of
from fmjax.solvers.outcome import CONVERGED, NO_CANDIDATE, Symmetric, both_resolved, known
from fmjax.solvers.saddle import (
    NEARLY_NONE,
    entropy_of,
    error_of,
    number_of_numbers,
    numbers_of,
    order_of,
    typical_root,
)

__all__ = ["Thermodynamics", "at_energy", "at_entropy", "thermodynamics_at"]

_Scalar = Float[Array, ""]


class Thermodynamics(eqx.Module, Symmetric):
    """Typical configurations at an inverse temperature, or a batch of them.

    Attributes:
        free_entropy: ``phi``, log of the sum of all weights, nats per weight.
        energy: mean loss of a pattern, ``-(1/alpha) dphi/dbeta``; zero for a set of solutions.
        entropy: ``s = phi + beta alpha energy``, log of the number of typical configurations; negative: there are none.
        error: fraction of patterns below the margin: at margin 0 the training error.
        distance: Hamming distance per weight of two of them.
        order: order parameters.
        replicon: positive where replica symmetry is locally stable.
        error_estimate: absolute bound on the errors of the four numbers, from the twin rules of the quadrature.
        residual: largest saddle equation left over where they were last evaluated.
        status: integer code behind `result`.
    """

    free_entropy: Float[Array, "*batch"]
    energy: Float[Array, "*batch"]
    entropy: Float[Array, "*batch"]
    error: Float[Array, "*batch"]
    distance: Float[Array, "*batch"]
    order: EquilibriumOrder
    replicon: Float[Array, "*batch"]
    error_estimate: Float[Array, "*batch"]
    residual: Float[Array, "*batch"]
    status: Int[Array, "*batch"]


_NUMBERS = number_of_numbers(EquilibriumOrder)


def _strength(functional: Equilibrium) -> _Scalar | float:
    constraint = functional.model.constraint
    return getattr(constraint, constraint.strength) if constraint.strength else 0.0


def _equations(inputs, fields, tilt):
    """Those of typical solutions; the numbers end in energy, error and entropy."""
    functional, alpha = inputs
    controls = EquilibriumControls(alpha, tilt)
    saddle = functional.saddle(fields, controls)
    energy, error = functional.losses(saddle.order, controls)
    entropy = saddle.value + _strength(functional) * alpha * energy
    return saddle.residual, jnp.append(numbers_of(saddle), jnp.stack([energy, error, entropy]))


@Program
def _search(functional: Equilibrium, alpha: _Scalar) -> Root:
    positive = functional.positive
    start = jnp.full(positive.size, NEARLY_NONE)
    return root_of(
        _equations,
        (functional, alpha),
        start,
        numbers=_NUMBERS + 3,
        positive=positive,
        fixed_point=True,
        logarithmic=functional.unbounded,
        tolerance=1e-9,
    )


_root = implicit(_equations, _search)


@Program
def _point(root: Root, model: Model) -> Thermodynamics:
    energy, error, entropy = root.numbers[_NUMBERS:]
    numbers, errors = jax.lax.stop_gradient((root.numbers, root.number_errors))
    order = order_of(root)
    bound = jnp.maximum(error_of(model, errors, numbers), jnp.max(errors[_NUMBERS:]))
    rest = (0.5 * order.gap, order, numbers[2], bound, root.residual, both_resolved(root.status, numbers, errors))
    point = Thermodynamics(root.numbers[0], energy, entropy, error, *rest)
    names = "free_entropy", "energy", "entropy", "error", "distance", "order", "replicon", "error_estimate"
    return known(point, *names)


def thermodynamics_at(functional: Equilibrium, alpha: _Scalar) -> Thermodynamics:
    """At the inverse temperature of the constraint."""
    return _point(_root(functional, alpha), functional.model)


class _Bracket(NamedTuple):
    """Where an inverse temperature is looked for before Newton goes to it.

    Attributes:
        ends: of its logarithm, from 1e-4 to 1e4.
        halvings: of that interval: 12 leave half a percent.
    """

    ends: tuple[float, float] = (-9.210340371976184, 9.210340371976184)
    halvings: int = 12


_BRACKET = _Bracket()


def _at_strength(functional: Equilibrium, log_strength: _Scalar) -> Equilibrium:
    strength = functional.model.constraint.strength
    return eqx.tree_at(lambda f: getattr(f.model.constraint, strength), functional, jnp.exp(log_strength))


def _conditions(number: int) -> Callable[..., Any]:
    """Saddle equations, and that a number, counted from the end of all of them, takes its value."""

    def equations(inputs, unknowns, tilt):
        functional, alpha, value = inputs
        residual, numbers = _equations((_at_strength(functional, unknowns[-1]), alpha), unknowns[:-1], tilt)
        return jnp.append(residual, numbers[number] - value), numbers

    return equations


def _looked_for(number: int, reading: Callable[[Equilibrium, _Scalar, Root], _Scalar]) -> Callable[..., Root]:
    """Fields and logarithm of the inverse temperature at which a decreasing ``reading`` takes a value."""
    equations = _conditions(number)

    @Program
    def search(functional: Equilibrium, alpha: _Scalar, value: _Scalar) -> Root:
        def halve(_, state):
            low, high, _ = state
            middle = 0.5 * (low + high)
            at = _at_strength(functional, middle)
            root = typical_root(at, alpha)
            above = (root.status == CONVERGED) & (reading(at, alpha, root) > value)
            return jnp.where(above, middle, low), jnp.where(above, high, middle), root.unknowns

        ends = jnp.asarray(_BRACKET.ends[0]), jnp.asarray(_BRACKET.ends[1])
        start = (*ends, jnp.full(functional.positive.size, NEARLY_NONE))
        low, high, fields = jax.lax.fori_loop(0, _BRACKET.halvings, halve, start)
        root = root_of(
            equations,
            (functional, alpha, value),
            jnp.append(fields, 0.5 * (low + high)),
            numbers=_NUMBERS + 3,
            positive=np.append(functional.positive, False),
            floor=1e-2,
        )
        inside = (low > _BRACKET.ends[0]) & (high < _BRACKET.ends[1])
        status = jnp.where(inside, root.status, NO_CANDIDATE)
        return eqx.tree_at(lambda r: r.status, root, status)

    return implicit(equations, search)


def _energy_of(functional: Equilibrium, alpha: _Scalar, root: Root) -> _Scalar:
    return functional.losses(order_of(root), EquilibriumControls(alpha))[0]


at_energy = _looked_for(-3, _energy_of)
at_entropy = _looked_for(-1, entropy_of)
