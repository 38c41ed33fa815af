r"""Local energy: train error of a network after some of its weights were flipped.

Every weight is flipped independently with probability f, the mean distance from the network. The mean of the train error
over flips, :math:`E(f)`, says how wide the minimum is in which the network sits: it is flat when E stays near E(0).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from fmjax.networks.binary import Arrays, Weights, mistakes
from fmjax.progress import Progress, silent

_BLOCK = 8  # networks evaluated at a time: with 10,000 patterns and widths of 101, 30 MB; larger is no faster on 2 cores


def flipped(weights: Weights, fractions: Float[Arrays, " layers"], key: PRNGKeyArray) -> tuple[Array, ...]:
    """A network after flipping each weight of layer l with probability ``fractions[l]``.

    The same key flips, at a larger fraction, the same weights and more.

    Args:
        weights: layers of ±1, any shapes.
        fractions: of each layer, in [0, 1].
        key: random key.

    Returns:
        Layers of the shapes and types of ``weights``.

    Example:
        >>> import jax
        >>> from fmjax.networks import flipped
        >>> layer = jax.numpy.ones((3, 2))
        >>> print(flipped([layer, layer], jax.numpy.array([0.0, 1.0]), jax.random.key(0))[1])
        [[-1. -1.]
         [-1. -1.]
         [-1. -1.]]
    """
    return _flip(weights, _noise(weights, key), fractions)


def _noise(weights: Weights, key: PRNGKeyArray) -> list[Array]:
    """Uniform in [0, 1), one number for each weight."""
    keys = jax.random.split(key, len(weights))
    return [jax.random.uniform(k, matrix.shape, jnp.float32) for k, matrix in zip(keys, weights, strict=True)]


def _flip(weights: Weights, noise: list[Array], fractions: Arrays) -> tuple[Array, ...]:
    together = zip(weights, noise, fractions, strict=True)
    return tuple(jnp.where(uniform < fraction, -matrix, matrix) for matrix, uniform, fraction in together)


def local_energy(
    weights: Weights,
    inputs: Float[Arrays, "patterns inputs"],
    labels: Int[Arrays, " patterns"],
    fractions: Float[np.ndarray, " fraction"],
    key: PRNGKeyArray,
    *,
    draws: int = 10,
    progress: Progress = silent,
) -> Float[np.ndarray, "network part fraction draw"]:
    """Train error against flipped fraction, of every network: in all layers, and in each layer alone.

    The draws of one network use the same random numbers at all fractions, so that differences between fractions are
    less noisy than the errors themselves; draws and networks are independent.

    Args:
        weights: layers of ±1 of shapes (network, n_{l-1}, n_l).
        inputs: the training patterns.
        labels: their classes.
        fractions: probabilities f to flip a weight, in [0, 1].
        key: random key.
        draws: independent flips of each network at each fraction.
        progress: wraps the loop over draws.

    Returns:
        Fraction of patterns that are wrong. Part 0: every layer is flipped; part l = 1..L: layer l alone, from below, and f
        is the fraction of its weights.

    Raises:
        ValueError: a fraction lies outside [0, 1], or there is no draw.

    Example:
        >>> import jax, numpy as np
        >>> from fmjax.networks import local_energy, random_networks
        >>> networks = random_networks((9, 5, 1), 2, jax.random.key(0))
        >>> inputs, labels = np.eye(9, dtype=np.float32), np.zeros(9, np.int32)
        >>> local_energy(networks, inputs, labels, np.array([0.0, 0.5]), jax.random.key(1), draws=4).shape
        (2, 3, 2, 4)
    """
    at = np.asarray(fractions, np.float32)
    if draws < 1 or at.size == 0 or not np.all((at >= 0) & (at <= 1)):
        raise ValueError(f"local energy needs at least one draw and fractions between 0 and 1, not {draws} and {fractions}")
    layers = tuple(map(jnp.asarray, weights))
    parts = np.vstack([np.ones(len(layers)), np.eye(len(layers))]).astype(np.float32)
    points = jnp.asarray((parts[:, None, :] * at[None, :, None]).reshape(-1, len(layers)))  # part by part
    keys = [jax.random.fold_in(key, draw) for draw in range(draws)]
    data = jnp.asarray(inputs), jnp.asarray(labels)
    found = [np.asarray(_one_draw(layers, *data, points, each)) for each in progress(keys, "local energy")]
    return np.stack([errors.reshape(-1, len(parts), at.size) for errors in found], axis=-1)


@jax.jit
def _one_draw(weights: Weights, inputs: Array, labels: Array, points: Array, key: PRNGKeyArray) -> Array:
    """Errors of every network at every point: the fractions of its layers."""

    def network(one: tuple[Weights, PRNGKeyArray]) -> Array:
        weights, key = one
        noise = _noise(weights, key)
        return lax.map(
            lambda point: mistakes(_flip(weights, noise, point), inputs, labels).mean(), points, batch_size=_BLOCK
        )

    return lax.map(network, (weights, jax.random.split(key, len(weights[0]))))


class Shape(NamedTuple):
    r"""Slope and curvature of the local energy at f = 0, each with the standard error over networks, shapes (part,)."""

    slope: Float[np.ndarray, " part"]
    slope_error: Float[np.ndarray, " part"]
    curvature: Float[np.ndarray, " part"]
    curvature_error: Float[np.ndarray, " part"]


def shape_at_zero(
    fractions: Float[np.ndarray, " fraction"], energy: Float[np.ndarray, "network part fraction draw"], largest: float
) -> Shape:
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
        ValueError: 0 is not the first fraction, or fewer than three others reach to ``largest``.

    Example:
        >>> import numpy as np
        >>> from fmjax.networks import shape_at_zero
        >>> f = np.array([0.0, 0.01, 0.02, 0.04])
        >>> found = shape_at_zero(f, (0.5 * f + f**2)[None, None, :, None], 0.05)
        >>> print(f"{found.slope[0]:.3f} {found.curvature[0]:.3f}")
        0.500 2.000
    """
    used = (fractions > 0) & (fractions <= largest)
    if fractions[0] != 0 or used.sum() < 3:
        raise ValueError(f"the fit needs f = 0 and three more fractions up to {largest:g}; there are {fractions.tolist()}")
    f = fractions[used].astype(float)
    mean = energy.astype(float).mean(axis=-1)
    rise = mean[..., used] - mean[..., :1]
    coefficients = rise @ np.linalg.pinv(np.stack([f, f**2 / 2, f**3 / 6], axis=1)).T  # (network, part, 3)
    count = len(coefficients)
    centre = coefficients.mean(axis=0)
    spread = np.sqrt(((coefficients - centre) ** 2).sum(axis=0) / (count - 1) / count) if count > 1 else centre * np.nan
    return Shape(centre[:, 0], spread[:, 0], centre[:, 1], spread[:, 1])
