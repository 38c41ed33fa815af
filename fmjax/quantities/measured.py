"""What is measured in one experiment: functions from the values of a quantity's controls to its outputs and its status."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmjax import message_passing, networks
from fmjax.message_passing.checks import committee_size
from fmjax.message_passing.experiment import instance_of, measure
from fmjax.quantities.quantity import Values


def focused(values: Values) -> dict[str, Any]:
    """One instance, solved or not."""
    key = jax.random.key(values["seed"])
    instance = message_passing.Instance.random(key, values["size"], values["alpha"], values["margin"])
    found = message_passing.focusing(instance)
    stability = jnp.min(instance.sums(found.weights).astype(float), initial=jnp.inf) / jnp.sqrt(1.0 * instance.size)
    return {"errors": found.errors, "sweeps": found.sweeps, "min_stability": stability, "result": found.status}


def committee_of(values: Values) -> message_passing.Committee | None:
    """That of the activation and the units, None for a perceptron; refuses a size that its units cannot share."""
    return _committee(values["activation"], values["units"], values["size"])


@lru_cache(maxsize=64)
def _committee(activation: str, units: int, size: int) -> message_passing.Committee | None:
    if activation == "none":
        if units != 1:
            raise ValueError(f"units = {units} are those of a committee: give an activation, or leave units out")
        return None
    committee = message_passing.Committee(activation, units, tree=True)
    committee_size(size, units)
    return committee


def around_found(values: Values) -> dict[str, Any]:
    """Local entropies around a solution of one instance."""
    asked = values["size"], values["alpha"], values["margin"]
    instance = instance_of(values["seed"], *asked, committee=committee_of(values))
    found, local = measure(instance, values["gamma"], values.get("damping"))
    return local | {"errors": found["errors"], "result": local["status"]}


def trained_networks(values: Values) -> dict[str, Any]:
    """One network, trained."""
    task = networks.load_task(values["dataset"])
    if values["patterns"] > len(task.labels):
        return {"train_error": np.nan, "loss": np.nan, "result": 2}
    sizes = (task.inputs.shape[1], *(values["width"],) * values["depth"], task.outputs)
    # One choice of patterns for all networks: solutions are compared that solve the same problem.
    chosen = np.random.default_rng(0).permutation(len(task.labels))[: values["patterns"]]
    config = networks.Config(sizes, (values["patterns"],), seeds=1, epochs=values["epochs"])
    trained = networks.train(config, task.inputs[chosen], task.labels[chosen], jax.random.key(values["seed"]))
    error = float(trained.error[0, 0])
    return {"train_error": error, "loss": float(trained.loss[-1, 0, 0]), "result": int(error > 0)}
