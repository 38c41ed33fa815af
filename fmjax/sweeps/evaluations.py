"""What a sweep computes at one grid point: functions from the values of its controls to its outputs and status.

They are compiled and batched as a `Quantity` says; what fails inside is a status, as nobody can be asked there.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmjax import message_passing
from fmjax.models import Model, named_model
from fmjax.replica import Equilibrium, FranzParisi, RobustEnsemble
from fmjax.solvers import clusters, curve, outcome, solve
from fmjax.solvers.clusters import UNKNOWN
from fmjax.special import log_H
from fmjax.sweeps.quantity import Values
from fmjax.thresholds import Threshold


def model_of(values: Values) -> Model:
    """The model that the controls choose, or what is wrong with them as a `ValueError`."""
    parts = {name: values[name] for name in ("weights", "constraint", "architecture", "task")}
    activation = None if values["activation"] == "none" else values["activation"]
    return named_model(**parts, activation=activation, margin=values.get("margin"))


def _known(status: Any, **numbers: Any) -> dict[str, Any]:
    """Outputs that mean something only where a solve converged: NaN elsewhere, so that nobody draws them."""
    return {name: jnp.where(status == outcome.CONVERGED, number, jnp.nan) for name, number in numbers.items()}


def first_moment(values: Values) -> dict[str, Any]:
    """Entropy of the mean number of solutions of a perceptron."""
    return {"entropy": jnp.log(2.0) + values["alpha"] * log_H(values["margin"]), "result": jnp.asarray(0)}


def entropy(values: Values) -> dict[str, Any]:
    """Typical solutions."""
    point = solve(Equilibrium(model_of(values)), alpha=values["alpha"])
    numbers = {
        "entropy": point.entropy,
        "overlap": point.order.q,
        "conjugate": point.order.q_hat,
        "distance": point.distance,
        "teacher_overlap": point.order.R,
    }
    return numbers | {"error_estimate": point.error_estimate, "residual": point.residual, "result": point.status}


def _around(values: Values) -> FranzParisi:
    """The local entropy around a reference of the margin in question."""
    return FranzParisi(model_of(values), values["reference_margin"])


def franz_parisi(values: Values) -> dict[str, Any]:
    """A curve of local entropy."""
    found = curve(_around(values), alpha=values["alpha"], distance=values["distance"])
    numbers = {"entropy": found.entropy, "slope": found.slope, "overlap": found.order.q, "cross_overlap": found.order.t}
    numbers |= {"teacher_overlap": found.order.R}
    known = _known(found.status, **numbers, error_estimate=found.error_estimate)
    return known | {"residual": found.residual, "result": found.status}


def one_step(values: Values) -> dict[str, Any]:
    """A curve of local entropy, clusters and all."""
    found = clusters(_around(values), alpha=values["alpha"], distance=values["distance"])
    status = found.status
    numbers = {"symmetric_entropy": found.symmetric.entropy, "symmetric_replicon": found.symmetric.replicon}
    names = ("entropy", "slope", "q0", "q1", "m", "complexity", "internal_entropy", "error_estimate")
    numbers |= {name: getattr(found, name) for name in names}
    phase = jnp.where(status == outcome.CONVERGED, found.code, UNKNOWN)
    counts = {"stable_clusters": jnp.sum(found.roots.stable, axis=-1), "phase": phase}
    return _known(status, **numbers) | counts | {"residual": found.residual, "result": status}


def robust_ensemble(values: Values) -> dict[str, Any]:
    """A curve of the entropy of replicas."""
    functional = RobustEnsemble(model_of(values), values["replicas"])
    found = curve(functional, alpha=values["alpha"], distance=values["distance"])
    numbers = {"entropy": found.entropy, "slope": found.slope, "cross_overlap": found.order.q0}
    return numbers | {"error_estimate": found.error_estimate, "residual": found.residual, "result": found.status}


def threshold(solver: Callable[..., Threshold], *arguments: str) -> Callable[[Values], dict[str, Any]]:
    """A critical point, found by a ``solver`` of the model and of the controls named by ``arguments``."""

    def evaluate(values: Values) -> dict[str, Any]:
        found = solver(model_of(values), *(values[name] for name in arguments))
        numbers = {"value": found.value, "error_estimate": found.error_estimate, "at_distance": found.distance}
        return numbers | {"result": found.status}

    return evaluate


def focused(values: Values) -> dict[str, Any]:
    """One instance, solved or not."""
    key = jax.random.key(values["seed"])
    instance = message_passing.Instance.random(key, values["size"], values["alpha"], values["margin"])
    found = message_passing.focusing(instance)
    stability = jnp.min(instance.sums(found.weights).astype(float), initial=jnp.inf) / jnp.sqrt(1.0 * instance.size)
    return {"errors": found.errors, "sweeps": found.sweeps, "min_stability": stability, "result": found.status}


def trained_networks(values: Values) -> dict[str, Any]:
    """One network, trained."""
    from fmjax.networks import Config, load_task, train

    task = load_task(values["dataset"])
    if values["patterns"] > len(task.labels):
        return {"train_error": np.nan, "loss": np.nan, "result": 2}
    sizes = (task.inputs.shape[1], *(values["width"],) * values["depth"], task.outputs)
    # One choice of patterns for all networks: solutions are compared that solve the same problem.
    chosen = np.random.default_rng(0).permutation(len(task.labels))[: values["patterns"]]
    config = Config(sizes, (values["patterns"],), seeds=1, epochs=values["epochs"])
    trained = train(config, task.inputs[chosen], task.labels[chosen], jax.random.key(values["seed"]))
    error = float(trained.error[0, 0])
    return {"train_error": error, "loss": float(trained.loss[-1, 0, 0]), "result": int(error > 0)}
