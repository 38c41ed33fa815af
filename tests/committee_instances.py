"""Committees of finitely many units, looked at without the package: sums, stabilities, errors."""

import math

import jax
import numpy as np


def key(seed):
    return jax.random.key(seed)


def stability(committee, sums, inputs):
    """``Delta`` in NumPy, independently of the package."""
    functions = {"sign": lambda u: np.where(u >= 0, 1, -1), "relu": lambda u: np.maximum(u, 0), "tanh": np.tanh}
    half = np.arange(committee.units) < committee.units // 2
    signs = np.where(half, 1, -1) if committee.activation == "relu" else 1
    return np.sum(signs * functions[committee.activation](sums / math.sqrt(inputs)), axis=-1) / math.sqrt(committee.units)


def sums_of(instance, weights):
    committee, patterns = instance.committee, np.asarray(instance.patterns, dtype=int)
    by_unit = np.asarray(weights, dtype=int).reshape(committee.units, -1)
    parts = patterns.reshape(len(patterns), committee.units if committee.tree else 1, -1)
    return np.sum(parts * by_unit, axis=2)


def count_errors(instance, weights):
    found = stability(instance.committee, sums_of(instance, weights), instance.inputs)
    found = found if instance.labels is None else found * np.asarray(instance.labels)
    return int(np.sum(~(found > 1e-6) if instance.margin == 0 else ~(found >= instance.margin - 1e-6)))
