"""A model is weights x architecture x constraint, on labels that are random or a teacher's."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models.architecture import Architecture, PerceptronArchitecture
from fmjax.models.committee import CommitteeArchitecture
from fmjax.models.constraint import Constraint, Margin
from fmjax.models.weights import Binary, Weights

__all__ = ["Model", "Perceptron", "TreeCommittee"]


class Model(eqx.Module):
    """What is learned: a prior on weights, an architecture and a constraint per pattern.

    Array leaves (the margin) are differentiable; everything else is static structure.

    Attributes:
        weights: prior of one weight.
        architecture: how weights become a pre-activation.
        constraint: what a pattern asks of the pre-activation, its sign counted from the label.
        teacher: whether labels are those of a network of the same prior and architecture, with random weights, instead of
            random. It classifies at margin 0.

    Raises:
        ValueError: a teacher, and another constraint than `Margin`.
        TypeError: a part of another kind, or ``teacher`` is not a bool.

    Example:
        `Perceptron` and `TreeCommittee` make the usual ones; this is the symmetric binary perceptron.

        >>> import fmjax
        >>> from fmjax.models import PerceptronArchitecture
        >>> model = fmjax.Model(fmjax.Binary(), PerceptronArchitecture(), fmjax.SymmetricMargin(1.0))
        >>> model.margin
        1.0
    """

    weights: Weights
    architecture: Architecture
    constraint: Constraint
    teacher: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        for name, kind, usual in (
            ("weights", Weights, "fmjax.Binary()"),
            ("architecture", Architecture, "fmjax.models.PerceptronArchitecture()"),
            ("constraint", Constraint, "fmjax.Margin(0.0)"),
        ):
            if not isinstance(given := getattr(self, name), kind):
                raise TypeError(f"the {name} of a model must be an object like {usual}, not {given!r}")
        if not isinstance(self.teacher, bool):
            raise TypeError(f"teacher must be True or False, not {self.teacher!r}")
        if self.teacher and not isinstance(self.constraint, Margin):
            kind = type(self.constraint).__name__
            raise ValueError(f"the labels of a teacher are signs, which a {kind} does not follow: use a margin")

    @property
    def margin(self) -> Float[Array, ""] | float:
        """The margin of the constraint, in units of the pre-activation."""
        return self.constraint.margin

    @property
    def deviation(self) -> Float[Array, ""]:
        """Standard deviation of the pre-activation, in units of the margin."""
        return jnp.sqrt(jnp.asarray(self.architecture.variance()))

    @property
    def unit_constraint(self) -> Constraint:
        """The constraint on the pre-activation divided by its standard deviation: what the replica theory works with."""
        return self.constraint.divided(self.deviation)

    def generalisation_error(self, overlap: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """Probability ``arccos(Q(R)) / pi`` that a solution at overlap ``R`` with the teacher mislabels a new pattern.

        Their two pre-activations are Gaussian of correlation ``Q(R)``: the error of one solution drawn at random, not of
        a vote over solutions.

        Args:
            overlap: ``R``, in [-1, 1], any shape.
        """
        correlation = jnp.vectorize(self.architecture.kernel)(overlap)
        return jnp.arccos(jnp.clip(correlation, -1.0, 1.0)) / jnp.pi

    def with_constraint(self, constraint: Constraint) -> Model:
        """The same model under another ``constraint``, in units of the pre-activation.

        Raises:
            ValueError: labels are those of a teacher, and it is no margin.
        """
        return Model(self.weights, self.architecture, constraint, self.teacher)

    def with_margin(self, margin: Float[Array, ""] | float) -> Model:
        """The same model at another ``margin``, in units of the pre-activation."""
        return eqx.tree_at(lambda model: model.constraint.margin, self, margin)


def Perceptron(margin: Float[Array, ""] | float = 0.0, *, weights: Weights | None = None, teacher: bool = False) -> Model:
    """Perceptron with stability ``Delta = w . xi / sqrt(N) >= margin`` for each of ``alpha N`` random patterns.

    Args:
        margin: margin in units of the stability (a pattern has unit variance per weight).
        weights: prior of the weights, `Binary` by default.
        teacher: labels from a teacher perceptron instead of random ones.

    Returns:
        A `Model`, differentiable with respect to ``margin``.

    Example:
        >>> import fmjax, jax.numpy as jnp
        >>> fmjax.Perceptron(margin=0.1).margin
        0.1
        >>> print(f"{fmjax.Perceptron(teacher=True).generalisation_error(jnp.asarray(0.5)):.6f}")  # arccos(1/2) / pi
        0.333333
    """
    return Model(weights or Binary(), PerceptronArchitecture(), Margin(margin), teacher)


def TreeCommittee(
    activation: Any,
    margin: Float[Array, ""] | float = 0.0,
    *,
    kinks: tuple[float, ...] = (0.0,),
    weights: Weights | None = None,
    teacher: bool = False,
) -> Model:
    """Tree committee of many hidden units ``g(lambda_l)``, with pre-activation ``Delta >= margin`` for each pattern.

    ``Delta = K^{-1/2} sum_l c_l g(lambda_l)``, see `CommitteeArchitecture`. The margin is in units of ``Delta``, whose
    variance is ``Q(1)``.

    Args:
        activation: ``g``, one of sign, relu, leaky-relu, erf, tanh, gelu, or any function of one number that JAX can
            trace; of a Module or `jax.tree_util.Partial`, array leaves are differentiable.
        margin: margin in units of the pre-activation.
        kinks: where ``g`` or its slope jumps: ``(-1.0, 1.0)`` for ``jnp.clip(u, -1, 1)``. The quadrature is cut there.
        weights: prior of the weights, `Binary` by default.
        teacher: labels from a teacher committee instead of random ones.

    Returns:
        A `Model`, differentiable with respect to ``margin`` and the parameters of the activation.

    Raises:
        ValueError: the activation is not callable, not finite, constant or even, or its kernel was not resolved, which says
            that a kink is missing.

    Example:
        >>> import fmjax
        >>> print(f"{fmjax.thresholds.capacity(fmjax.TreeCommittee('relu')).value:.8f}")
        0.90398628
    """
    return Model(weights or Binary(), CommitteeArchitecture.of(activation, kinks), Margin(margin), teacher)
