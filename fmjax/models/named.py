"""Models by the names of their parts, for whoever has words and no objects: commands and sweeps."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax.core
from jaxtyping import Array, Float

from fmjax import names
from fmjax.models import constraint as constraints, losses, weights as priors
from fmjax.models.activation import LeakyReLU
from fmjax.models.architecture import Architecture, PerceptronArchitecture
from fmjax.models.committee import CommitteeArchitecture
from fmjax.models.cross_entropy import CrossEntropy
from fmjax.models.losses import Loss
from fmjax.models.model import Model

__all__ = ["named_loss", "named_model"]


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
    kind = getattr(constraints, names.Constraint(constraint).kind)
    at: Any = kind.usual if margin is None else margin
    if kind.positive and not isinstance(at, jax.core.Tracer) and not at > 0.0:
        wrong = f"margin = {float(at):g} leaves nothing to a {constraint} constraint"
        raise ValueError(f"{wrong}: it must be positive, try {kind.usual:g}")
    prior, teacher = getattr(priors, names.Weights(weights).kind), task == names.Task.TEACHER_STUDENT
    return Model(prior(), _architecture(activation, slope), kind(at), teacher)


def named_loss(
    loss: str,
    beta: Float[Array, ""] | float,
    margin: Float[Array, ""] | float = 0.0,
    sharpness: Float[Array, ""] | float = 1.0,
) -> Loss:
    """A loss at an inverse temperature.

    Args:
        loss: one of `fmjax.names.Loss`.
        beta: inverse temperature, or power.
        margin: in units of the pre-activation.
        sharpness: of a cross-entropy; the others have none.

    Raises:
        ValueError: ``beta`` or ``sharpness`` is negative.

    Example:
        >>> named_loss("hinge", 2.0).beta
        2.0
    """
    if loss == names.Loss.CROSS_ENTROPY:
        return CrossEntropy(beta, margin, sharpness)
    return getattr(losses, names.Loss(loss).kind)(beta, margin)


@lru_cache  # inside a program, the kernel of a committee could not be checked
def _architecture(activation: str | None, slope: float | None) -> Architecture:
    if activation is None:
        return PerceptronArchitecture()
    return CommitteeArchitecture.of(activation if slope is None else LeakyReLU(slope), (0.0,))
