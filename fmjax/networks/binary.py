r"""Multilayer networks of binary weights and sign activations, and the straight-through gradient that trains them.

:math:`h^0 = x` are real inputs; every layer :math:`l = 1..L` has :math:`n_l` neurons and weights
:math:`W^l_{ij} = \pm 1` without biases:

.. math::
    z^l_j = \frac{1}{\sqrt{n_{l-1}}} \sum_i h^{l-1}_i W^l_{ij}, \qquad h^l_j = \mathrm{sign}(z^l_j).

The last :math:`z^L` are the class scores. With the factor :math:`1/\sqrt{n_{l-1}}` pre-activations are of order one, as is
the width of the window of the straight-through gradient. It changes no sign.

Everything is exact in float32: hidden activations are :math:`\pm 1` and inputs are integers up to a power of two (see
`fmjax.networks.data`), so each sum is an integer far below :math:`2^{24}`. Scores of equal sums are equal, whatever
the order of summation, the batch or the device.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from fmjax.checks import Handed, as_numbers, refuse_another, require_finite
from fmjax.networks.checks import images_of, labels_of, layers_of, sizes_of

# Weights of one network, from the inputs up: layer l has shape (n_{l-1}, n_l). More axes in front: an ensemble.
Weights = Sequence[Handed]


def sign(u: Handed) -> Float[Array, "..."]:
    r"""Sign with a straight-through derivative (Hubara et al. 2016): that of a hard tanh.

    .. math::
        \mathrm{sign}(u) = \pm 1, \quad \mathrm{sign}(0) = +1, \qquad
        \frac{d\,\mathrm{sign}}{du} := \mathbb{1}(|u| \le 1).

    Args:
        u: latent weights or pre-activations, any shape.

    Returns:
        Signs, of the shape and type of ``u``; never 0.

    Raises:
        ValueError: ``u`` holds no real numbers, or NaN or infinite ones.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from fmjax.networks import sign
        >>> print(sign(jnp.asarray(0.0)), jax.grad(sign)(jnp.asarray(0.5)), jax.grad(sign)(jnp.asarray(1.5)))
        1.0 1.0 0.0
    """
    found = as_numbers("u", u)
    require_finite("u", found)
    return _sign(jnp.asarray(found))


@jax.custom_jvp
def _sign(u: Array) -> Array:
    return jnp.where(u >= 0, 1, -1).astype(u.dtype)


@_sign.defjvp
def _straight_through(primals: tuple, tangents: tuple) -> tuple:
    (u,), (tangent,) = primals, tangents
    return _sign(u), jnp.where(jnp.abs(u) <= 1, tangent, jnp.zeros_like(tangent))


def class_scores(weights: Weights, inputs: Handed) -> Float[Array, "patterns classes"]:
    r"""Class scores of one network with the given binary weights: the forward pass.

    A single output :math:`z` separates two classes, with scores :math:`(-z, z)`: their cross-entropy is the logistic loss
    of :math:`2z`.

    Args:
        weights: layers of ±1, of shapes (inputs, n_1), (n_1, n_2), ..., of any type.
        inputs: patterns, shape ``(patterns, inputs)``, numbers of any type; for exact sums, integers times a power of two.

    Returns:
        The last pre-activations z^L, of order one, float32.

    Raises:
        ValueError: weights that are not ±1, inputs that are not finite, or shapes that do not fit together.
    """
    layers = layers_of("weights", weights)
    return _scores(layers, images_of(inputs, layers[0].shape[0]))


def _scores(layers: Sequence[Any], inputs: Float[Array, "patterns inputs"]) -> Float[Array, "patterns classes"]:
    hidden = inputs
    for layer, matrix in enumerate(layers):
        hidden = hidden if layer == 0 else sign(hidden)
        scale = jnp.asarray(matrix.shape[0] ** -0.5, inputs.dtype)
        hidden = (hidden @ jnp.asarray(matrix, inputs.dtype)) * scale
    return jnp.concatenate([-hidden, hidden], axis=-1) if hidden.shape[-1] == 1 else hidden


def mistakes(weights: Weights, inputs: Handed, labels: Handed) -> Float[Array, " patterns"]:
    """1 for every pattern that one network gets wrong, 0 otherwise; the mean is its train error.

    A pattern is right only if its class has a score above all others. Scores are few integers, so ties are common; a tie is
    a mistake, which treats all classes alike.

    Args:
        weights: layers of ±1, as for `class_scores`.
        inputs: patterns, shape ``(patterns, inputs)``, numbers of any type.
        labels: class of each pattern, from 0, shape ``(patterns,)`` or ``(patterns, 1)``.

    Returns:
        0 or 1, shape ``(patterns,)``, float32.

    Raises:
        ValueError: as for `class_scores`, or not one class of the network for each pattern.

    Example:
        >>> import jax.numpy as jnp
        >>> from fmjax.networks import mistakes
        >>> layer = jnp.array([[1, -1], [1, 1]])  # two inputs, two classes
        >>> print(mistakes([layer], jnp.array([[1.0, 0.5], [1.0, 0.0]]), jnp.array([1, 0])))
        [1. 0.]
    """
    layers = layers_of("weights", weights)
    scores = _scores(layers, images_of(inputs, layers[0].shape[0]))
    labels = labels_of(labels, len(scores), layers[-1].shape[1])
    own = jax.nn.one_hot(labels, scores.shape[-1], dtype=bool)
    correct = jnp.sum(jnp.where(own, scores, 0), axis=-1)
    others = jnp.max(jnp.where(own, -jnp.inf, scores), axis=-1)
    return (others >= correct).astype(scores.dtype)


class BinaryMLP(nnx.Module):
    r"""A network of binary weights with real latent weights behind them.

    The forward pass uses :math:`\mathrm{sign}(\omega)` of the latent weights :math:`\omega \in [-1, 1]`; gradients pass
    through every sign as through a hard tanh (`sign`). See the module for the equations and the scale of pre-activations.

    Choose odd widths: a sum of an odd number of ±1 is never 0. At a 0 the network function is not invariant when the sign
    of that neuron is flipped, since sign(0) = +1. In the first layer zeros are rare: 2 in 10,000 pairs of neuron and image
    for MNIST, 1 in 100 for the 64 coarse pixels of digits.

    Args:
        sizes: number of inputs, of neurons of each hidden layer, and of outputs; one output for two classes.
        rngs: source of the initial latent weights, uniform in [-1, 1].

    Raises:
        ValueError: there are fewer than two sizes, or one is not positive.
        TypeError: ``rngs`` are none.

    Example:
        >>> import jax
        >>> from flax import nnx
        >>> from fmjax.networks import BinaryMLP
        >>> network = BinaryMLP((8, 5, 3), rngs=nnx.Rngs(0))
        >>> network(jax.numpy.ones((4, 8))).shape
        (4, 3)
        >>> [matrix.shape for matrix in network.weights()]
        [(8, 5), (5, 3)]
    """

    def __init__(self, sizes: Sequence[int], *, rngs: nnx.Rngs):
        shapes = list(pairwise(sizes_of(sizes)))
        refuse_another("rngs", rngs, nnx.Rngs, "flax.nnx.Rngs(0)")
        self.latent = nnx.List(
            nnx.Param(jax.random.uniform(rngs.params(), shape, jnp.float32, -1.0, 1.0)) for shape in shapes
        )

    def __call__(self, inputs: Handed) -> Float[Array, "patterns classes"]:
        """Class scores of ``inputs``, differentiable by the straight-through rule; see `class_scores`.

        Raises:
            ValueError: the inputs are no rows of as many finite numbers as the network takes.
        """
        layers = [sign(matrix[...]) for matrix in self.latent]
        return _scores(layers, images_of(inputs, layers[0].shape[0]))

    def weights(self) -> tuple[Int[Array, "fan_in fan_out"], ...]:
        """The binary weights as int8: with them, `class_scores` gives the forward pass bit for bit."""
        return tuple(sign(matrix[...]).astype(jnp.int8) for matrix in self.latent)
