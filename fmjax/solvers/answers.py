"""Thresholds made of what was found: from roots, critical points and shrinking volumes."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.compilation import Program
from fmjax.models import Model
from fmjax.replica import CentredEnsemble, Equilibrium, RobustEnsemble, UltrametricEnsemble, UltrametricOrder
from fmjax.solvers.folds import CriticalPoint
from fmjax.solvers.newton import Root
from fmjax.solvers.outcome import CONVERGED, known
from fmjax.solvers.saddle import order_of, replicon_of
from fmjax.solvers.shrinking import breaking_volume, shrinking_volume
from fmjax.solvers.threshold import Threshold, a_load, a_margin
from fmjax.solvers.zero_entropy import margin_of

__all__ = [
    "around_reference",
    "between_groups",
    "between_replicas",
    "breaking",
    "hardest",
    "largest",
    "load_around_reference",
    "shrinking",
]

_Scalar = Float[Array, ""]


@Program
def largest(functional: Equilibrium, root: Root) -> Threshold:
    """The load of a ``root``, its last unknown."""
    gap, alpha, error = order_of(root).gap, root.unknowns[-1], root.unknown_errors[-1]
    return a_load(alpha, error, jnp.asarray(functional.model.margin), 0.5 * gap, root.status, replicon_of(root))


@Program
def hardest(root: Root, model: Model, alpha: _Scalar) -> Threshold:
    """The margin of a ``root``, whose last unknown is its hardness."""
    margin, slope = jax.value_and_grad(partial(margin_of, model))(root.unknowns[-1])
    error = jnp.abs(slope) * root.unknown_errors[-1]
    return a_margin(model, margin, error, alpha, 0.5 * order_of(root).gap, root.status, replicon_of(root))


@Program
def around_reference(point: CriticalPoint, model: Model, alpha: _Scalar) -> Threshold:
    """The margin of the reference."""
    margin, error = (unknowns.margin * model.deviation for unknowns in (point.at, point.errors))
    return a_margin(model, margin, error, alpha, jax.nn.sigmoid(point.at.position), point.status)


@Program
def load_around_reference(point: CriticalPoint, model: Model) -> Threshold:
    """The load, with the margin of the reference there."""
    margin, distance = point.at.margin * model.deviation, jax.nn.sigmoid(point.at.position)
    return known(a_load(point.at.alpha, point.errors.alpha, margin, distance, point.status), "margin")


@Program
def between_replicas(functional: RobustEnsemble | CentredEnsemble, point: CriticalPoint) -> Threshold:
    """The load, with the distance of replicas, from each other or from their centre, there."""
    margin, distance = jnp.asarray(functional.model.margin), jax.nn.sigmoid(point.at.position)
    return a_load(point.at.alpha, point.errors.alpha, margin, distance, point.status)


@Program
def between_groups(functional: UltrametricEnsemble, root: Root) -> Threshold:
    """The load of a ``root``, its last unknown, with the distance of replicas of one group."""
    margin, order = jnp.asarray(functional.model.margin), UltrametricOrder(*root.numbers[3:])
    return a_load(root.unknowns[-1], root.unknown_errors[-1], margin, 0.5 * (1.0 - order.q2), root.status)


@Program
def shrinking(model: Model) -> Threshold:
    """The load at which symmetric solutions of continuous weights shrink to a point."""
    value, error, replicon = shrinking_volume(model)
    return a_load(value, error, jnp.asarray(model.margin), jnp.zeros_like(value), jnp.asarray(CONVERGED), replicon)


@Program
def breaking(model: Model, root: Root) -> Threshold:
    """The same with one step of breaking, at the ``root`` of its equations, with the distance of clusters."""
    value, error, distance, status = breaking_volume(model, root)
    return a_load(value, error, jnp.asarray(model.margin), distance, status)
