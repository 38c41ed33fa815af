"""A model is weights x architecture x constraint."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models.architecture import Architecture, PerceptronArchitecture
from fmjax.models.constraint import Constraint, Margin
from fmjax.models.weights import Binary, Weights

__all__ = ["Model", "Perceptron"]


class Model(eqx.Module):
    """What is learned: a prior on weights, an architecture and a constraint per pattern.

    Array leaves (the margin) are differentiable; everything else is static structure.
    """

    weights: Weights
    architecture: Architecture
    constraint: Constraint

    @property
    def margin(self) -> Float[Array, ""] | float:
        """The margin of the constraint, in units of the pre-activation."""
        return self.constraint.margin

    @property
    def unit_constraint(self) -> Constraint:
        """The constraint on the pre-activation divided by its standard deviation: what the replica theory works with."""
        scale = jnp.sqrt(jnp.asarray(self.architecture.variance()))
        return eqx.tree_at(lambda constraint: constraint.margin, self.constraint, self.margin / scale)

    def with_margin(self, margin: Float[Array, ""] | float) -> Model:
        """The same model at another margin."""
        return eqx.tree_at(lambda model: model.constraint.margin, self, margin)


def Perceptron(margin: Float[Array, ""] | float = 0.0, *, weights: Weights | None = None) -> Model:
    """Perceptron with stability ``Delta = w . xi / sqrt(N) >= margin`` for each of ``alpha N`` random patterns.

    Args:
        margin: margin in units of the stability (a pattern has unit variance per weight).
        weights: prior of the weights, `Binary` by default.
    """
    return Model(weights or Binary(), PerceptronArchitecture(), Margin(margin))
