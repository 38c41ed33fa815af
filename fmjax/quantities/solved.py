"""What the theory says at one point: functions from the values of a quantity's controls to its outputs and its status.

Sweeps compile and batch them as a `Quantity` says; what fails inside is a status, as nobody can be asked there.
"""

import pkgutil
from typing import Any

import jax.numpy as jnp
import numpy as np

from fmjax.checks import is_traced
from fmjax.models import Loss, Model, named_loss, named_model
from fmjax.quantities.parts import MODEL
from fmjax.quantities.quantity import Values
from fmjax.replica import CentredEnsemble, Equilibrium, FranzParisi, RobustEnsemble, UltrametricEnsemble
from fmjax.solvers import clusters, curve, outcome, solve, thermodynamics
from fmjax.solvers.clusters import ClusterPoint
from fmjax.solvers.potential import cluster_potential
from fmjax.special import log_H


def with_model(values: Values) -> dict[str, Any]:
    """The controls that choose a model replaced by that model, at a margin that is possible."""
    return {name: value for name, value in values.items() if name not in MODEL} | {"model": model_of(values)}


def model_of(values: Values) -> Model:
    """The model that the controls choose, or what is wrong with them as a `ValueError`."""
    if "model" in values:
        return values["model"].with_margin(values["margin"]) if "margin" in values else values["model"]
    parts: dict[str, Any] = {name: values[name] for name in (*MODEL, "margin") if name in values}
    if parts["activation"] == "none":
        del parts["activation"]
    return named_model(**parts)


def ensemble_of(values: Values) -> RobustEnsemble:
    """Replicas of the model that the controls choose, or what is wrong with them as a `ValueError`."""
    return RobustEnsemble(model_of(values), values["replicas"])


def groups_of(values: Values) -> RobustEnsemble | UltrametricEnsemble:
    """The same of one group, else groups of replicas, or what is wrong with them as a `ValueError`."""
    if values["groups"] == 1:
        return ensemble_of(values)
    return UltrametricEnsemble(model_of(values), values["groups"], values["replicas"])


def centred_of(values: Values) -> CentredEnsemble:
    """Replicas around a centre, typical ones where their number is not given, or what is wrong as a `ValueError`."""
    margin = values.get("centre_margin")
    centre = "free" if margin is None else "solution"
    return CentredEnsemble(model_of(values), values.get("replicas", "typical"), centre, margin)


def _known(status: Any, **numbers: Any) -> dict[str, Any]:
    """Outputs that mean something only where a solve converged: NaN elsewhere, so that nobody draws them."""
    where = jnp.where if is_traced(status) else np.where  # for one answer nothing more is compiled
    return {name: where(status == outcome.CONVERGED, number, np.nan) for name, number in numbers.items()}


def _first(status: Any, chosen: Any, numbers: Any) -> Any:
    """Along the last axis the first number that is chosen; NaN where none is."""
    xp: Any = jnp if is_traced(status) else np
    place = xp.argmax(chosen, axis=-1)[..., None]
    return xp.take_along_axis(xp.where(chosen, numbers, xp.nan), place, axis=-1)[..., 0]


def _of_teacher(model: Model, order: Any) -> dict[str, Any]:
    guessed = np.full(np.shape(order.R), 0.5)
    error = model.generalisation_error(order.R) if model.teacher else guessed
    return {"teacher_overlap": order.R, "generalisation_error": error}


def first_moment(values: Values) -> dict[str, Any]:
    """Entropy of the mean number of solutions of a perceptron."""
    return {"entropy": jnp.log(2.0) + values["alpha"] * log_H(values["margin"]), "result": jnp.asarray(0)}


def entropy(values: Values) -> dict[str, Any]:
    """Typical solutions."""
    model = model_of(values)
    point = solve(Equilibrium(model), alpha=values["alpha"])
    numbers = {
        "entropy": point.entropy,
        "overlap": point.order.q,
        "conjugate": point.order.q_hat,
        "distance": point.distance,
        **_of_teacher(model, point.order),
        "teacher_conjugate": point.order.R_hat,
        "replicon": point.replicon,
        "error_estimate": point.error_estimate,
    }
    return _known(point.status, **numbers) | {"residual": point.residual, "steps": point.steps, "result": point.status}


def _around(values: Values) -> FranzParisi:
    """The local entropy around a reference of the margin in question."""
    return FranzParisi(model_of(values), values["reference_margin"])


def franz_parisi(values: Values) -> dict[str, Any]:
    """A curve of local entropy."""
    local = _around(values)
    found = curve(local, alpha=values["alpha"], distance=values["distance"])
    numbers = {
        "entropy": found.entropy,
        "slope": found.slope,
        "overlap": found.order.q,
        "cross_overlap": found.order.t,
        **_of_teacher(local.model, found.order),
        "replicon": found.replicon,
        "error_estimate": found.error_estimate,
    }
    return _known(found.status, **numbers) | {"residual": found.residual, "result": found.status}


def thermal(values: Values) -> dict[str, Any]:
    """Weights drawn with a loss, at a margin that is the loss's own."""
    model = _soft_model_of(values)
    point = thermodynamics(Equilibrium(model), alpha=values["alpha"])
    names = ("free_entropy", "energy", "entropy", "error", "distance", "replicon", "error_estimate")
    numbers = {name: getattr(point, name) for name in names} | {"overlap": point.order.q}
    return _known(point.status, **numbers) | {"residual": point.residual, "result": point.status}


def around_loss(values: Values) -> dict[str, Any]:
    """A curve of local entropy around weights drawn with a loss of margin 0."""
    local = FranzParisi(model_of(values), reference=_loss_of(values, 0.0))
    found = curve(local, alpha=values["alpha"], distance=values["distance"])
    names = ("entropy", "slope", "replicon", "error_estimate")
    overlaps = {"overlap": found.order.q, "cross_overlap": found.order.t}
    numbers = {name: getattr(found, name) for name in names} | overlaps
    return _known(found.status, **numbers) | {"residual": found.residual, "result": found.status}


def _loss_of(values: Values, margin: Any) -> Loss:
    parts = {name: values[name] for name in ("loss", "beta", "sharpness") if name in values}
    return named_loss(margin=margin, **parts)


def _soft_model_of(values: Values) -> Model:
    """The model that the controls choose, with a loss in place of the constraint."""
    return model_of(values).with_constraint(_loss_of(values, values["margin"]))


def one_step(values: Values) -> dict[str, Any]:
    """A curve of local entropy, clusters and all."""
    local = _around(values)
    return read_one_step(local.model, clusters(local, alpha=values["alpha"], distance=values["distance"]))


def read_one_step(model: Model, found: ClusterPoint) -> dict[str, Any]:
    """What is reported of a one-step solution."""
    symmetric, status = found.symmetric, found.status
    numbers = {
        "entropy": found.entropy,
        "symmetric_entropy": symmetric.entropy,
        "slope": found.slope,
        "overlap": found.q0,
        "cluster_overlap": found.q1,
        "cross_overlap": symmetric.order.t,
        "block_size": found.m,
        "complexity": found.complexity,
        "internal_entropy": found.internal_entropy,
        **_of_teacher(model, symmetric.order),
        "replicon": symmetric.replicon,
        "error_estimate": found.error_estimate,
    }
    unstable = ~found.roots.stable & (found.roots.q1 < 1.0)
    for name, of_roots in {"barrier_overlap": found.roots.q1, "barrier_complexity": found.roots.complexity}.items():
        numbers[name] = _first(status, unstable, of_roots)
    counts = {"stable_clusters": found.roots.stable.sum(axis=-1), "phase": found.code}
    return _known(status, **numbers) | counts | {"residual": found.residual, "result": status}


def potential(values: Values) -> dict[str, Any]:
    """A potential of clusters along the overlap inside them."""
    at = {name: values[name] for name in ("alpha", "distance", "rise")}
    found = cluster_potential(_around(values), **at)
    symmetric, curve = found.symmetric, found.potential
    residual, status = (jnp.broadcast_to(one, curve.q1.shape) for one in (symmetric.residual, symmetric.status))
    numbers = {"cluster_overlap": curve.q1, "potential": curve.excess, "error_estimate": found.error_estimate}
    return _known(status, **numbers) | {"residual": residual, "result": status}


def robust_ensemble(values: Values) -> dict[str, Any]:
    """A curve of the entropy of replicas."""
    functional = ensemble_of(values)
    found = curve(functional, alpha=values["alpha"], distance=values["distance"])
    numbers = {
        "entropy": found.entropy,
        "slope": found.slope,
        "cross_overlap": found.order.q0,
        "conjugate": found.order.q0_hat,
        "stretch": found.order.stretch,
        "stretch_conjugate": found.order.stretch_hat,
        **_of_teacher(functional.model, found.order),
        "error_estimate": found.error_estimate,
    }
    return _known(found.status, **numbers) | {"residual": found.residual, "result": found.status}


def centred_ensemble(values: Values) -> dict[str, Any]:
    """A curve of the local entropy around centres."""
    found = curve(centred_of(values), alpha=values["alpha"], distance=values["distance"])
    order = found.order
    numbers = {
        "entropy": order.local_entropy,
        "centre_entropy": order.centre_entropy,
        "free_entropy": order.replicas * order.local_entropy + order.centre_entropy,
        "replicas_found": order.replicas,
        "pull": 0.5 * found.slope,
        "overlap": order.q1,
        "cross_overlap": order.q0,
        "centre_overlap": order.centre,
        "error_estimate": found.error_estimate,
    }
    return _known(found.status, **numbers) | {"residual": found.residual, "result": found.status}


def threshold(function: str, arguments: tuple[str, ...], values: Values) -> dict[str, Any]:
    """A critical point, by a ``function`` of the model and of the controls named by ``arguments``."""
    # Of a loss, any inverse temperature will do: those are what is looked for.
    model = _soft_model_of({"beta": 1.0, **values}) if "loss" in values else model_of(values)
    found = pkgutil.resolve_name(function)(model, *(values[name] for name in arguments))
    names = ("value", "error_estimate", "alpha", "margin", "distance", "replicon")
    return {name: getattr(found, name) for name in names} | {"reference_margin": found.margin, "result": found.status}
