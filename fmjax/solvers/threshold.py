"""What a threshold is, what may be asked for one, and how it is made of what was found."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from fmjax.models import Model, refuse_loss
from fmjax.solvers.asking import is_concrete, one_number, require, require_margin
from fmjax.solvers.outcome import Symmetric, known, resolved

__all__ = [
    "Threshold",
    "a_load",
    "a_margin",
    "check_alpha",
    "check_continuous",
    "check_discrete",
    "check_learnable",
    "check_margin",
    "check_model",
    "check_reference",
]

_Scalar = Float[Array, ""]
_LAST_DIGITS = 2e-14  # of a threshold, relative to its size and unit: its rounding


class Threshold(eqx.Module, Symmetric):
    """A critical point; ``value`` is NaN where it was not found.

    Attributes:
        value: the threshold: a margin in units of the pre-activation (``kappa_max``, ``kappa_min``, ``kappa_u``), or
            patterns per weight (the others).
        error_estimate: absolute bound on its error, from the twin rules of the quadrature (`fmjax.quadrature`).
        alpha: patterns per weight there.
        margin: margin there: of the reference (``kappa_min``, ``kappa_u``, ``alpha_u``) or of the solutions (the others).
        distance: Hamming distance per weight at which it happens, from the reference or between replicas; for the others
            that of two typical solutions, which is 0 at the capacity of continuous weights.
        status: integer code behind ``result``.
        replicon: positive where replica symmetry of typical solutions is stable; where it is negative, the answer is that
            of a symmetric ansatz. NaN for local entropies, robust ensembles, and one step of breaking.
    """

    value: Float[Array, "*batch"]
    error_estimate: Float[Array, "*batch"]
    alpha: Float[Array, "*batch"]
    margin: Float[Array, "*batch"]
    distance: Float[Array, "*batch"]
    status: Int[Array, "*batch"]
    replicon: Float[Array, "*batch"]


def check_model(model: Any) -> None:
    """`TypeError` for anything else; `ValueError` for several at once, a margin that leaves nothing, and a loss."""
    if not isinstance(model, Model):
        raise TypeError(f"expected a model, and not {type(model).__name__}: try fmjax.Perceptron()")
    one_number("the margin of a model", model.margin)
    require_margin("margin", model.margin, model.constraint)
    refuse_loss("thresholds", model.constraint)


def check_alpha(alpha: Any) -> None:
    """`ValueError` for a load that is not one positive number."""
    one_number("alpha", alpha)
    require("alpha", alpha, lambda a: a > 0, "the number of patterns per weight must be positive, try alpha = 0.5")


def check_discrete(model: Model) -> None:
    """`ValueError` for a model whose entropy is not that of a number of solutions."""
    check_model(model)
    if not model.weights.discrete:
        kind = type(model.weights).__name__
        raise ValueError(
            f"this threshold needs references of zero entropy, which {kind} weights do not have: use binary weights"
        )


def check_continuous(model: Model) -> None:
    """`ValueError` for a model whose solutions do not shrink to a point at a finite load."""
    check_margin(model)
    if model.weights.discrete or model.teacher:
        kind = f"{type(model.weights).__name__} weights" if model.weights.discrete else "students of a teacher"
        raise ValueError(f"{kind} do not shrink to a point: use spherical weights and random labels, or capacity")
    if is_concrete(model) and np.isinf(model.architecture.steepness()):
        raise ValueError("solutions of units that jump do not end at a finite load: use a continuous activation")


def check_reference(model: Model, alpha: Any) -> None:
    """`ValueError` for what has no hardest margin, or none that is looked for at this load."""
    check_discrete(model)
    check_alpha(alpha)
    fewest, law = model.constraint.fewest, model.constraint.law
    allowed = f"loads from {fewest:g} on are supported; of the hardest margin below it is known that {law}"
    require("alpha", alpha, lambda load: load >= fewest, allowed)


def check_margin(model: Model) -> None:
    """`ValueError` for a margin that nothing satisfies, or everything."""
    check_model(model)
    if is_concrete(model):
        with jax.ensure_compile_time_eval():  # inside another program, too
            limit = 20.0 * float(model.deviation)
        allowed = f"margins between -{limit:.6g} and {limit:.6g} are supported, 20 deviations of the pre-activation"
        require("margin", model.margin, lambda k: np.abs(k) < limit, allowed)


def check_learnable(model: Model) -> None:
    """`ValueError` for a model that does not come to know its teacher."""
    check_model(model)
    if not (model.teacher and model.weights.discrete):
        raise ValueError("students come to know a teacher of discrete weights alone: use binary weights, and teacher=True")
    require("margin", model.margin, lambda k: k == 0, "the teacher classifies at margin 0 and is no solution at another one")


def a_load(
    alpha: _Scalar,
    error: _Scalar,
    margin: _Scalar,
    distance: _Scalar,
    status: Int[Array, ""],
    replicon: _Scalar | float = np.nan,
) -> Threshold:
    """A threshold that is a number of patterns per weight."""
    error, status = _judged(alpha, error, jnp.ones(()), status)
    found = Threshold(alpha, error, alpha, margin, distance, status, jnp.asarray(replicon))
    return known(found, "value", "error_estimate", "alpha", "distance", "replicon")


def a_margin(
    model: Model,
    margin: _Scalar,
    error: _Scalar,
    alpha: _Scalar,
    distance: _Scalar,
    status: Int[Array, ""],
    replicon: _Scalar | float = np.nan,
) -> Threshold:
    """A threshold that is a margin."""
    error, status = _judged(margin, error, jnp.asarray(model.deviation), status)
    found = Threshold(margin, error, jnp.asarray(alpha), margin, distance, status, jnp.asarray(replicon))
    return known(found, "value", "error_estimate", "margin", "distance", "replicon")


def _judged(value: _Scalar, error: _Scalar, unit: _Scalar, status: Int[Array, ""]) -> tuple[_Scalar, Int[Array, ""]]:
    """The error of a threshold with that of rounding, and the status, given that."""
    size = jax.lax.stop_gradient(unit + jnp.abs(value))
    error = jnp.where(jnp.isinf(value), 0.0, jax.lax.stop_gradient(error) + _LAST_DIGITS * size)  # an infinite load is exact
    return error, resolved(status, size, error)
