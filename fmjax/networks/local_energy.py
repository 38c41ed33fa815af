r"""Local energy: train error of a network after some of its weights were flipped.

Every weight is flipped independently with probability f, the mean distance from the network. The mean of the train error
over flips, :math:`E(f)`, says how wide the minimum is in which the network sits: it is flat when E stays near E(0).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from fmjax.checks import Handed, Number, number, random_key, whole
from fmjax.networks.binary import Weights, mistakes
from fmjax.networks.checks import (
    Arrays,
    fractions_of,
    images_of,
    labels_of,
    layers_of,
    matrices_of,
    numbers_of,
    require_known,
)
from fmjax.progress import Progress, silent

_BLOCK = 8  # networks evaluated at a time: with 10,000 patterns and widths of 101, 30 MB; larger is no faster on 2 cores


def flipped(weights: Weights, fractions: Handed, key: PRNGKeyArray) -> tuple[Array, ...]:
    """A network after flipping each weight of layer l with probability ``fractions[l]``.

    The same key flips, at a larger fraction, the same weights and more.

    Args:
        weights: layers of ±1, any shapes.
        fractions: of each layer, in [0, 1].
        key: random key.

    Returns:
        Layers of the shapes and types of ``weights``.

    Raises:
        ValueError: weights that are not ±1, not one fraction for each layer, or one outside [0, 1].

    Example:
        >>> import jax
        >>> from fmjax.networks import flipped
        >>> layer = jax.numpy.ones((3, 2))
        >>> print(flipped([layer, layer], jax.numpy.array([0.0, 1.0]), jax.random.key(0))[1])
        [[-1. -1.]
         [-1. -1.]
         [-1. -1.]]
    """
    layers = list(map(jnp.asarray, matrices_of("weights", weights)))
    return _flip(layers, _noise(layers, random_key(key)), fractions_of(fractions, len(layers)))


def _noise(weights: Sequence[Array], key: PRNGKeyArray) -> list[Array]:
    """Uniform in [0, 1), one number for each weight."""
    keys = jax.random.split(key, len(weights))
    return [jax.random.uniform(k, matrix.shape, jnp.float32) for k, matrix in zip(keys, weights, strict=True)]


def _flip(weights: Sequence[Array], noise: list[Array], fractions: Arrays) -> tuple[Array, ...]:
    together = zip(weights, noise, fractions, strict=True)
    return tuple(jnp.where(uniform < fraction, -matrix, matrix) for matrix, uniform, fraction in together)


def local_energy(
    weights: Weights,
    inputs: Handed,
    labels: Handed,
    fractions: Handed,
    key: PRNGKeyArray,
    *,
    draws: int = 10,
    parts: Sequence[int] | None = None,
    progress: Progress = silent,
) -> Float[np.ndarray, "network part fraction draw"]:
    """Train error against flipped fraction, of every network: in all layers, and in each layer alone.

    The draws of one network use the same random numbers at all fractions, so that differences between fractions are
    less noisy than the errors themselves; draws and networks are independent.

    Args:
        weights: layers of ±1 of shapes (network, n_{l-1}, n_l).
        inputs: the training patterns, one row each, numbers of any type.
        labels: their classes, from 0.
        fractions: probabilities f to flip a weight, in [0, 1].
        key: random key.
        draws: independent flips of each network at each fraction.
        parts: which of the parts below, in this order; all of them if it is left out.
        progress: wraps the loop over draws.

    Returns:
        Fraction of patterns that are wrong. Part 0: every layer is flipped; part l = 1..L: layer l alone, from below, and f
        is the fraction of its weights.

    Raises:
        ValueError: a fraction lies outside [0, 1], there is no draw, no pattern, or no such part, or weights, inputs and
            labels are not those of networks, or do not fit together.

    Example:
        >>> import jax, numpy as np
        >>> from fmjax.networks import local_energy, random_networks
        >>> networks = random_networks((9, 5, 1), 2, jax.random.key(0))
        >>> inputs, labels = np.eye(9, dtype=np.float32), np.zeros(9, np.int32)
        >>> local_energy(networks, inputs, labels, np.array([0.0, 0.5]), jax.random.key(1), draws=4).shape
        (2, 3, 2, 4)
    """
    layers = layers_of("weights", weights, axes=1)
    inputs = images_of(inputs, layers[0].shape[1])
    labels = labels_of(labels, len(inputs), layers[-1].shape[-1])
    require_known("weights, inputs and labels", (layers, inputs, labels))
    at, draws = np.asarray(fractions_of(fractions)), whole("draws", draws, 1)
    if not len(inputs):
        raise ValueError("local energy is the error on patterns, and there are none")
    layers = tuple(map(jnp.asarray, layers))
    flips = np.vstack([np.ones(len(layers)), np.eye(len(layers))]).astype(np.float32)
    if parts is not None:
        if not len(parts) or not set(parts) <= set(range(len(flips))):
            raise ValueError(f"parts must be some of 0 to {len(layers)}, not {parts!r}: try [0], all layers together")
        flips = flips[list(parts)]
    points = jnp.asarray((flips[:, None, :] * at[None, :, None]).reshape(-1, len(layers)))  # part by part
    key = random_key(key)
    keys = [jax.random.fold_in(key, draw) for draw in range(draws)]
    found = [np.asarray(_one_draw(layers, inputs, labels, points, each)) for each in progress(keys, "local energy")]
    return np.stack([errors.reshape(-1, len(flips), at.size) for errors in found], axis=-1)


@jax.jit
def _one_draw(weights: Sequence[Array], inputs: Array, labels: Array, points: Array, key: PRNGKeyArray) -> Array:
    """Errors of every network at every point: the fractions of its layers."""

    def network(one: tuple[Sequence[Array], PRNGKeyArray]) -> Array:
        weights, key = one
        noise = _noise(weights, key)
        return lax.map(
            lambda point: mistakes(_flip(weights, noise, point), inputs, labels).mean(), points, batch_size=_BLOCK
        )

    return lax.map(network, (weights, jax.random.split(key, len(weights[0]))))


def fitted(fractions: Handed, largest: Number) -> Bool[np.ndarray, " fraction"]:
    """Which fractions a fit at f = 0 is made to.

    Raises:
        ValueError: 0 is not the first of them, they do not increase, or fewer than three others reach to ``largest``.
    """
    at = numbers_of("fractions", fractions, "fraction").astype(float)
    used = (at > 0) & (at <= number("largest", largest))
    if at[0] != 0 or used.sum() < 3 or np.any(np.diff(at) <= 0):
        raise ValueError(f"the fit needs f = 0 and three more fractions up to {largest:g}; there are {at.tolist()}")
    return used


class Shape(NamedTuple):
    r"""Slope and curvature of the local energy at f = 0, each with the standard error over networks, shapes (part,)."""

    slope: Float[np.ndarray, " part"]
    slope_error: Float[np.ndarray, " part"]
    curvature: Float[np.ndarray, " part"]
    curvature_error: Float[np.ndarray, " part"]


def shape_at_zero(fractions: Handed, energy: Float[Arrays, "network part fraction draw"], largest: Number) -> Shape:
    r"""Fit :math:`E(f) = E(0) + s f + c f^2 / 2 + b f^3 / 6` to the fractions up to ``largest``, network by network.

    Without the cubic term the bend that follows shows up as a slope: for CIFAR-10, three layers of 301, a parabola up to
    0.05 gives s = 1.9 where the energy at f = 0.0025 is 0.0011, a mean slope of 0.4.

    Args:
        fractions: increasing, the first one 0.
        energy: from `local_energy`.
        largest: end of the fit.

    Returns:
        Mean s and c over networks, and their standard errors (NaN for one network).

    Raises:
        ValueError: 0 is not the first fraction, fewer than three others reach to ``largest``, they do not increase, or they
            are not those of the energies.

    Example:
        >>> import numpy as np
        >>> from fmjax.networks import shape_at_zero
        >>> f = np.array([0.0, 0.01, 0.02, 0.04])
        >>> found = shape_at_zero(f, (0.5 * f + f**2)[None, None, :, None], 0.05)
        >>> print(f"{found.slope[0]:.3f} {found.curvature[0]:.3f}")
        0.500 2.000
    """
    energy = numbers_of("energy", energy, "network part fraction draw")
    used = fitted(fractions, largest)
    if len(used) != energy.shape[2]:
        raise ValueError(f"energy must have as many fractions as there are, {len(used)}, and not shape {energy.shape}")
    f = np.asarray(fractions, float)[used]
    mean = energy.astype(float).mean(axis=-1)
    rise = mean[..., used] - mean[..., :1]
    coefficients = rise @ np.linalg.pinv(np.stack([f, f**2 / 2, f**3 / 6], axis=1)).T  # (network, part, 3)
    count = len(coefficients)
    centre = coefficients.mean(axis=0)
    spread = np.sqrt(((coefficients - centre) ** 2).sum(axis=0) / (count - 1) / count) if count > 1 else centre * np.nan
    return Shape(centre[:, 0], spread[:, 0], centre[:, 1], spread[:, 1])
