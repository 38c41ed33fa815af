"""Small networks: random ones with their symmetries, and ones that learned 40 digits."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from fmjax import networks

KEY = jax.random.key(11)


def signs(rng, *shape):
    return rng.choice(np.array([-1, 1], np.int8), size=shape)


def network(rng, sizes):
    return [signs(rng, *shape) for shape in pairwise(sizes)]


def distinct_neurons(weights):
    """Whether no two neurons of a hidden layer have the same incoming weights, up to sign."""
    return all(np.abs(w.T.astype(int) @ w - len(w) * np.eye(w.shape[1])).max() < len(w) for w in weights[:-1])


def symmetry(rng, sizes):
    permutations = tuple(rng.permutation(size) for size in sizes[1:-1])
    return networks.Symmetry(permutations, tuple(signs(rng, size) for size in sizes[1:-1]))


# Odd inputs, odd widths and odd integers: no pre-activation is ever 0.
odd_sizes = st.lists(st.integers(1, 5).map(lambda n: 2 * n + 1), min_size=1, max_size=4).map(lambda hidden: (31, *hidden, 3))
generators = st.integers(0, 2**31).map(np.random.default_rng)


@pytest.fixture(scope="module")
def digits():
    task = networks.load_task("digits")
    return jnp.asarray(task.inputs), jnp.asarray(task.labels)


@pytest.fixture(scope="module")
def solved(digits):
    """Networks that learned 40 digits."""
    config = networks.Config((64, 21, 21, 10), (20, 40), seeds=3, epochs=150, batch=20)
    return config, networks.train(config, *digits, KEY)
