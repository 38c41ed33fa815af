"""Single instances, looked at without the package: errors in integers, finite numbers."""

import jax
import numpy as np

FORMS = ("amp", "edge")


def key(seed):
    return jax.random.key(seed)


def count_errors(instance, weights):
    """In NumPy integers, independently of the package."""
    sums = np.asarray(instance.patterns, dtype=np.int64) @ np.asarray(weights, dtype=np.int64)
    return int((sums < instance.threshold).sum())


def assert_finite(tree):
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(tree))
