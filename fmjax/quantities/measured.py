"""What is measured in one experiment: functions from the values of a quantity's controls to its outputs and its status."""

import hashlib
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmjax import message_passing, networks
from fmjax.message_passing.checks import committee_size
from fmjax.message_passing.experiment import instance_of, measure
from fmjax.networks import data
from fmjax.progress import inner
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


def images_of(values: Values) -> str:
    """Which images a data set is made of: there are subsets, and other versions."""
    images, labels = data.load(data.TASKS[values["dataset"]][0])
    return f"{values['dataset']} {hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()[:16]}"


def trained_networks(values: Values) -> dict[str, Any]:
    """An ensemble, trained, matched and disturbed: over ``(seed, fraction)``."""
    seeds, fractions, size = values["seed"], values["fraction"], values["patterns"]
    task = networks.load_task(values["dataset"])
    if size > len(task.labels):
        nothing = np.full((len(seeds), len(fractions)), np.nan)
        return dict.fromkeys(("train_error", "loss", "overlap", "local_energy"), nothing) | {"result": 2}
    sizes = (task.inputs.shape[1], *(values["width"],) * values["depth"], task.outputs)
    # One choice of patterns for all networks: solutions are compared that solve the same problem.
    chosen = np.random.default_rng(0).permutation(len(task.labels))[:size]
    inputs, labels = task.inputs[chosen], task.labels[chosen]
    keys = jax.vmap(jax.random.key)(seeds)
    config = networks.Config(sizes, (size,), seeds=len(seeds), epochs=values["epochs"])
    trained = networks.train(config, inputs, labels, keys, progress=inner)
    layers = [np.asarray(matrix[0]) for matrix in trained.weights]
    disturbed = {"draws": values["draws"], "parts": [0]}
    energy = [
        networks.local_energy([w[i : i + 1] for w in layers], inputs, labels, fractions, key, **disturbed)[0, 0]
        for i, key in enumerate(jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys))
    ]
    overlap, error = networks.overlaps_with_others(layers, inner), np.asarray(trained.error[0])
    of_networks = {"train_error": error, "loss": trained.loss[-1, 0], "overlap": overlap}
    along = {name: np.repeat(np.reshape(one, (-1, 1)), len(fractions), axis=1) for name, one in of_networks.items()}
    return along | {"local_energy": np.mean(energy, axis=-1), "result": along["train_error"] > 0}
