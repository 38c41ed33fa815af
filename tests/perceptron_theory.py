"""Typical solutions and local entropies of the perceptron, compiled once for all tests of a file."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import fmjax


@jax.jit
def typical(alpha, margin):
    return fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(margin=margin)), alpha=alpha)


@partial(jax.jit, static_argnames="finer")
def local_padded(alpha, margin, reference_margin, distance, finer):
    functional = fmjax.FranzParisi(fmjax.Perceptron(margin=margin), reference_margin=reference_margin)
    return fmjax.curve(functional.resized(1.5) if finer else functional, alpha=alpha, distance=distance)


def local(alpha, margin, reference_margin, distance, finer=False):
    """Every curve has 32 distances, the last one repeated: compiled once for all tests."""
    size = distance.shape[0]
    padded = jnp.concatenate([distance, jnp.broadcast_to(distance[-1], 32 - size)])
    found = local_padded(*(jnp.asarray(x, float) for x in (alpha, margin, reference_margin)), padded, finer=finer)
    return jax.tree.map(lambda leaf: leaf[:size], found)


def binary_entropy(d):
    return -d * np.log(d) - (1 - d) * np.log1p(-d)
