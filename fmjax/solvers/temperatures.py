"""The front door to patterns with a loss: energies and entropies at an inverse temperature, and the way back."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.compilation import Program
from fmjax.models import Loss, Model
from fmjax.replica import Equilibrium
from fmjax.solvers.asking import one_number, require
from fmjax.solvers.front import as_float64, check, in_float64
from fmjax.solvers.newton import Root
from fmjax.solvers.saddle import order_of, replicon_of
from fmjax.solvers.thermodynamics import Thermodynamics, at_energy, at_entropy, thermodynamics_at
from fmjax.solvers.threshold import Threshold, a_load, check_alpha

__all__ = ["freezing", "inverse_temperature", "thermodynamics"]

_Scalar = Float[Array, ""]
_Real = float | int | Float[Array, ""] | np.ndarray


@in_float64
def thermodynamics(functional: Equilibrium, *, alpha: _Real) -> Thermodynamics:
    r"""Energy, entropy and errors of typical configurations, where a pattern that is not satisfied has a loss.

    .. math:: \epsilon = -\frac1\alpha \frac{\partial \phi}{\partial \beta}, \qquad s = \phi + \beta \alpha \epsilon

    As ``phi`` is stationary in all order parameters, ``epsilon`` is the mean loss of a pattern at the saddle point. A
    constraint without a loss has the energy 0.

    Args:
        functional: `Equilibrium` of a model whose constraint is a `Temperature`, `Hinge`, `CrossEntropy` or `Power`.
        alpha: patterns per weight, positive.

    Returns:
        A `fmjax.solvers.Thermodynamics`; entropies in nats per weight, the energy per pattern. Differentiable with respect
        to ``alpha`` and the fields of the constraint.

    Raises:
        ValueError: ``alpha`` not positive, arrays in place of numbers, or tracing with float64 off.
        TypeError: another functional.

    Example:
        >>> import fmjax
        >>> model = fmjax.Perceptron().with_constraint(fmjax.Temperature(2.0))
        >>> point = fmjax.thermodynamics(fmjax.Equilibrium(model), alpha=0.5)
        >>> print(f"{point.energy:.6f} {point.entropy:.6f}")
        0.138234 0.540153
    """
    check(functional, (Equilibrium,), alpha, None)
    return thermodynamics_at(*as_float64((functional, alpha)))


@in_float64
def inverse_temperature(model: Model, alpha: float | _Scalar, energy: float | _Scalar) -> Threshold:
    """Inverse temperature ``beta`` at which the mean loss of a pattern is ``energy``: the inverse of `thermodynamics`.

    The ``gamma`` of a `Power`. It is looked for between 1e-4 and 1e4; beyond `freezing` the entropy is negative there.

    Args:
        model: one whose constraint is a loss; its own inverse temperature does not matter.
        alpha: patterns per weight, positive.
        energy: mean loss per pattern.

    Raises:
        ValueError: ``alpha`` not positive, ``energy`` not finite, or a constraint without a loss.
        TypeError: what is no model.

    Example:
        >>> import fmjax
        >>> model = fmjax.Perceptron().with_constraint(fmjax.Temperature(1.0))
        >>> print(f"{fmjax.thresholds.inverse_temperature(model, 0.5, 0.01).value:.6f}")
        5.216296
    """
    _check_loss(model)
    check_alpha(alpha)
    one_number("energy", energy)
    require("energy", energy, np.isfinite, "it must be a finite number")
    functional, alpha, energy = as_float64((Equilibrium(model), alpha, energy))
    return _temperature(at_energy(functional, alpha, energy), functional.model, alpha)


@in_float64
def freezing(model: Model, alpha: float | _Scalar) -> Threshold:
    """Inverse temperature at which the entropy of typical configurations vanishes: those of least energy.

    Of discrete weights there are none beyond it, so that it is to a loss what `kappa_max` is to a margin. Where solutions
    have no loss, as below the capacity those of a `Temperature` or `Hinge`, entropies do not vanish, and ``result`` says so.
    ``model`` and ``alpha`` are those of `inverse_temperature`.

    Raises:
        ValueError: as for `inverse_temperature`, or weights that are not discrete.
        TypeError: what is no model.

    Example:
        >>> import fmjax
        >>> model = fmjax.Perceptron().with_constraint(fmjax.CrossEntropy(1.0))
        >>> print(f"{fmjax.thresholds.freezing(model, 0.5).value:.6f}")
        101.568147
    """
    _check_loss(model)
    check_alpha(alpha)
    if not model.weights.discrete:
        kind = type(model.weights).__name__
        raise ValueError(f"the entropy of {kind} weights is not that of a number of them: use binary weights")
    functional, alpha, none = as_float64((Equilibrium(model), alpha, 0.0))
    return _temperature(at_entropy(functional, alpha, none), functional.model, alpha)


def _check_loss(model: Any) -> None:
    if not isinstance(model, Model):
        raise TypeError(f"expected a model, and not {type(model).__name__}: try fmjax.Perceptron()")
    if not isinstance(model.constraint, Loss):
        kind = type(model.constraint).__name__
        raise ValueError(f"a {kind} has no temperature: try model.with_constraint(fmjax.CrossEntropy(1.0))")  # noqa: TRY004  (part of a model)


@Program
def _temperature(root: Root, model: Model, alpha: _Scalar) -> Threshold:
    """The last unknown is the logarithm."""
    beta = jnp.exp(root.unknowns[-1])
    error = beta * root.unknown_errors[-1]
    found = a_load(beta, error, jnp.asarray(model.margin), 0.5 * order_of(root).gap, root.status, replicon_of(root))
    return Threshold(found.value, found.error_estimate, alpha, found.margin, found.distance, found.status, found.replicon)
