"""Models by the names of their parts, for whoever has words and no objects: commands and sweeps."""

from __future__ import annotations

from functools import lru_cache

import jax.core
from jaxtyping import Array, Float

from fmjax import names
from fmjax.models.activation import LeakyReLU
from fmjax.models.architecture import Architecture, PerceptronArchitecture
from fmjax.models.committee import CommitteeArchitecture
from fmjax.models.constraint import Margin, SymmetricMargin
from fmjax.models.model import Model
from fmjax.models.weights import Binary, Spherical

__all__ = ["named_model"]

_WEIGHTS = {names.Weights.BINARY: Binary, names.Weights.SPHERICAL: Spherical}
_CONSTRAINTS = {names.Constraint.MARGIN: Margin, names.Constraint.SYMMETRIC: SymmetricMargin}
_USUAL = {names.Constraint.MARGIN: 0.0, names.Constraint.SYMMETRIC: 1.0}  # margins of who is not asked for one


def named_model(
    *,
    weights: str = names.Weights.BINARY,
    constraint: str = names.Constraint.MARGIN,
    architecture: str = names.Architecture.PERCEPTRON,
    activation: str | None = None,
    slope: float | None = None,
    task: str = names.Task.STORAGE,
    margin: Float[Array, ""] | float | None = None,
    flag: str = "",
) -> Model:
    """The model of these parts.

    Args:
        weights: one of `fmjax.names.Weights`.
        constraint: one of `fmjax.names.Constraint`.
        architecture: one of `fmjax.names.Architecture`.
        activation: hidden units of a committee, one of `fmjax.names.Activation`.
        slope: that of leaky-relu below zero, 0.1 unless given.
        task: one of `fmjax.names.Task`.
        margin: in units of the pre-activation; any that is possible, unless given.
        flag: what comes before the name of a part where it is asked for: ``--`` on a command line.

    Raises:
        ValueError: parts that do not belong together.

    Example:
        >>> named_model(architecture="committee", activation="relu", margin=0.1).margin
        0.1
    """
    committee, leaky = architecture == names.Architecture.COMMITTEE, names.Activation.LEAKY_RELU
    if committee and activation is None:
        allowed = ", ".join(names.Activation)
        raise ValueError(f"a committee needs hidden units, not none: add {flag}activation, one of {allowed}")
    if activation is not None and not committee:
        raise ValueError(f"{flag}activation {activation} has no place in a perceptron: add {flag}architecture committee")
    if slope is not None and activation != leaky:
        raise ValueError(f"{flag}slope is that of {leaky}: add {flag}architecture committee, {flag}activation {leaky}")
    margin = _USUAL[names.Constraint(constraint)] if margin is None else margin
    symmetric = constraint == names.Constraint.SYMMETRIC
    if symmetric and not isinstance(margin, jax.core.Tracer) and not margin > 0.0:
        raise ValueError(f"margin = {float(margin):g} leaves nothing to a symmetric constraint: it must be positive, try 1")
    kind = _CONSTRAINTS[names.Constraint(constraint)]
    teacher = task == names.Task.TEACHER_STUDENT
    return Model(_WEIGHTS[names.Weights(weights)](), _architecture(activation, slope), kind(margin), teacher)


@lru_cache  # inside a program, the kernel of a committee could not be checked
def _architecture(activation: str | None, slope: float | None) -> Architecture:
    if activation is None:
        return PerceptronArchitecture()
    return CommitteeArchitecture.of(activation if slope is None else LeakyReLU(slope), (0.0,))
