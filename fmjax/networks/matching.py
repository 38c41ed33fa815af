r"""Overlaps of networks up to the symmetries of their hidden neurons.

The neurons of a hidden layer may be permuted, and the sign of a neuron flipped together with its incoming and outgoing
weights, without changing the function of the network. Before two networks are compared, the neurons of the second are
matched to those of the first, from the inputs up: with the inputs of layer l already matched,

.. math::
    C_{jk} = \frac{1}{n_{l-1}} \sum_i W^l_{ij} W'^l_{ik}, \qquad
    \pi = \arg\max_\pi \sum_j |C_{j \pi(j)}|, \qquad \sigma_j = \mathrm{sign}\, C_{j\pi(j)},

a linear assignment; :math:`\pi` and :math:`\sigma` are carried to the inputs of layer l + 1 (theory: the "symmetry-matched
overlap" of the paper's deep networks). The outputs keep their places, for they have names.

Choosing the best of all permutations and signs makes an overlap even between independent random networks; `pair_overlaps`
of `random_networks` is the level to compare with.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray
from scipy.optimize import linear_sum_assignment

from fmjax.checks import Handed, random_key, whole
from fmjax.networks.binary import Weights
from fmjax.networks.checks import layers_of, numbers_of, require_known, sizes_of
from fmjax.progress import Progress, silent


class Symmetry(NamedTuple):
    """A permutation and signs of the neurons of each hidden layer.

    Attributes:
        permutations: neuron j of the new layer is neuron ``permutation[j]`` of the old one; shapes (n_l,).
        signs: ±1, by which new neuron j is multiplied, shapes (n_l,).
    """

    permutations: tuple[Int[np.ndarray, " _"], ...]
    signs: tuple[Int[np.ndarray, " _"], ...]

    def apply(self, weights: Weights) -> tuple[Float[np.ndarray, "_ _"], ...]:
        """The same network with its hidden neurons permuted and flipped.

        Args:
            weights: layers of shapes (n_{l-1}, n_l).

        Returns:
            Layers of the same shapes, float32.

        Raises:
            ValueError: the hidden layers have other sizes.
        """
        require_known("weights", weights)
        layers = [np.array(matrix, np.float32) for matrix in layers_of("weights", weights, real=True)]
        own, hidden = [matrix.shape[1] for matrix in layers[:-1]], [len(signs) for signs in self.signs]
        if own != hidden:
            raise ValueError(f"a symmetry of hidden layers of {hidden} neurons does not apply to a network of {own}")
        for layer, (permutation, sign) in enumerate(zip(self.permutations, self.signs, strict=True)):
            layers[layer] = layers[layer][:, permutation] * sign.astype(np.float32)
            layers[layer + 1] = layers[layer + 1][permutation] * sign.astype(np.float32)[:, None]
        return tuple(layers)


def match(reference: Weights, other: Weights) -> Symmetry:
    """The symmetry that brings another network as close to a reference as layer-by-layer assignment does.

    A network and its permuted, flipped copy are matched exactly, unless two neurons of one layer have the same incoming
    weights up to sign, in which case they cannot be told apart from below.

    Args:
        reference: layers of ±1 of shapes (n_{l-1}, n_l).
        other: layers of the same shapes.

    Returns:
        What to apply to ``other``.

    Raises:
        ValueError: the networks differ in shape, or are not ±1.
    """
    return _match(*_comparable(reference, other))


def _comparable(reference: Weights, other: Weights) -> tuple[list[np.ndarray], list[np.ndarray]]:
    require_known("networks", (reference, other))
    networks = [layers_of(name, weights) for name, weights in (("reference", reference), ("other", other))]
    shapes, others = ([tuple(matrix.shape) for matrix in layers] for layers in networks)
    if shapes != others:
        raise ValueError(f"networks to be matched must have the same shape, not {shapes} and {others}")
    first, second = ([np.asarray(matrix, np.float32) for matrix in layers] for layers in networks)
    return first, second


def _match(reference: list[np.ndarray], other: list[np.ndarray]) -> Symmetry:
    permutations, signs = [], []
    incoming = other[0]
    for here, above in zip(reference[:-1], other[1:], strict=True):
        overlaps = here.T @ incoming  # exact: integers below 2^24
        rows, permutation = linear_sum_assignment(np.abs(overlaps), maximize=True)
        sign = np.where(overlaps[rows, permutation] < 0, -1, 1).astype(np.int8)
        permutations.append(permutation)
        signs.append(sign)
        incoming = above[permutation] * sign.astype(np.float32)[:, None]
    return Symmetry(tuple(permutations), tuple(signs))


def overlap(reference: Weights, other: Weights) -> float:
    r"""Symmetry-matched overlap of all weights of two networks.

    .. math:: q = \frac{1}{N} \sum_l \sum_{ij} W^l_{ij} \tilde W'^l_{ij}, \qquad N = \sum_l n_{l-1} n_l,

    with :math:`\tilde W'` the second network after `match`, or the first, if that gives more: where several ways to match a
    layer are as good, those that are found from the one side and from the other lead to another q above. It lies in [-1, 1]
    and does not depend on the order of the two.

    Args:
        reference: layers of ±1 of shapes (n_{l-1}, n_l).
        other: layers of the same shapes.

    Returns:
        q; 1 for a network and its permuted, flipped copy.

    Raises:
        ValueError: the networks differ in shape, or are not ±1.

    Example:
        >>> import numpy as np
        >>> from fmjax.networks import overlap
        >>> first, second = np.array([[1, 1], [1, -1], [1, 1]]), np.array([[1], [-1]])
        >>> overlap([first, second], [-first[:, ::-1], -second[::-1]])  # neurons exchanged and flipped
        1.0
    """
    first, second = _comparable(reference, other)
    return max(_one_way(first, second), _one_way(second, first))


def _one_way(reference: list[np.ndarray], other: list[np.ndarray]) -> float:
    matched = _match(reference, other).apply(other)
    # Sums of products are integers: exact, and the same in whatever order they are taken.
    products = [float(np.vdot(a, b)) for a, b in zip(reference, matched, strict=True)]
    return sum(products) / sum(matrix.size for matrix in matched)


def pair_overlaps(networks: Weights, progress: Progress = silent) -> Float[np.ndarray, " pairs"]:
    """Matched overlap of every pair of an ensemble.

    Args:
        networks: layers of ±1 of shapes (network, n_{l-1}, n_l).
        progress: wraps the loop over pairs.

    Returns:
        Overlaps in [-1, 1], shape ``(pairs,)``, in the order of `itertools.combinations`.

    Raises:
        ValueError: weights are not ±1, or no networks of one shape.

    Example:
        >>> import jax
        >>> from fmjax.networks import pair_overlaps, random_networks
        >>> pair_overlaps(random_networks((9, 5, 1), 4, jax.random.key(0))).shape
        (6,)
    """
    require_known("networks", networks)
    layers = [np.asarray(matrix, np.float32) for matrix in layers_of("networks", networks, axes=1)]
    pairs = list(combinations(range(len(layers[0])), 2))
    return np.array(
        [overlap([w[a] for w in layers], [w[b] for w in layers]) for a, b in progress(pairs, "matching pairs")], float
    )


def overlaps_with_others(networks: Weights, progress: Progress = silent) -> Float[np.ndarray, " network"]:
    """Mean matched overlap of each network of an ensemble with all others; their mean is that over pairs.

    Args:
        networks: layers of ±1 of shapes (network, n_{l-1}, n_l).
        progress: wraps the loop over pairs.

    Returns:
        Overlaps in [-1, 1], shape ``(network,)``; NaN for a network without others.

    Raises:
        ValueError: as for `pair_overlaps`.

    Example:
        >>> import jax
        >>> from fmjax.networks import overlaps_with_others, random_networks
        >>> overlaps_with_others(random_networks((9, 5, 1), 4, jax.random.key(0))).shape
        (4,)
    """
    return _with_others(pair_overlaps(networks, progress), len(networks[0]))


def _with_others(overlaps: np.ndarray, networks: int) -> np.ndarray:
    """Of each network the mean over its pairs, NaN where it has none."""
    total = np.zeros((networks, networks))
    total[np.triu_indices(networks, 1)] = overlaps
    return (total + total.T).sum(axis=0) / (networks - 1) if networks > 1 else np.full(1, np.nan)


def mean_overlap(overlaps: Handed, networks: int) -> tuple[float, float]:
    """Mean over pairs and its standard error.

    Pairs share networks, so they are not independent: the error is the jackknife over networks.

    Args:
        overlaps: of every pair, as `pair_overlaps` gives them.
        networks: their number, at least 2.

    Returns:
        Mean and standard error; the error of 2 networks is not known, NaN.

    Raises:
        ValueError: there is not one finite overlap for each pair of at least 2 networks.

    Example:
        >>> import numpy as np
        >>> from fmjax.networks import mean_overlap
        >>> print("{:.3f} {:.3f}".format(*mean_overlap(np.array([0.2, 0.3, 0.4]), 3)))
        0.300 0.115
    """
    networks = whole("networks", networks, 2)
    overlaps, pairs = numbers_of("overlaps", overlaps, "pairs"), networks * (networks - 1) // 2
    if len(overlaps) != pairs:
        raise ValueError(f"{networks} networks make {pairs} pairs, and there are {len(overlaps)} overlaps")
    return mean_over_networks(_with_others(overlaps.astype(float), networks))


def mean_over_networks(overlaps: Handed) -> tuple[float, float]:
    """The same from the mean overlap of each network with the others.

    Args:
        overlaps: of every network, as `overlaps_with_others` gives them.

    Returns:
        Mean and standard error; the error of 2 networks is not known, NaN.

    Raises:
        ValueError: they are no finite numbers, one for each of at least 2 networks.

    Example:
        >>> from fmjax.networks import mean_over_networks
        >>> print("{:.3f} {:.3f}".format(*mean_over_networks([0.25, 0.3, 0.35])))
        0.300 0.115
    """
    found = numbers_of("overlaps", overlaps, "networks").astype(float)
    if (count := len(found)) < 2:
        raise ValueError(f"overlaps must be those of at least 2 networks, not of {count}")
    # Without network i the mean over pairs moves by -2 / (count - 2) times how far that network is from the mean.
    spread = np.sqrt((count - 1) / count * np.sum(np.square(found - found.mean())))
    return float(found.mean()), float(2.0 / (count - 2) * spread) if count > 2 else float("nan")


def random_networks(sizes: Sequence[int], count: int, key: PRNGKeyArray) -> tuple[Int[np.ndarray, "network _ _"], ...]:
    """Independent networks of uniformly random weights ±1.

    Args:
        sizes: inputs, hidden layers, outputs.
        count: number of networks.
        key: random key.

    Returns:
        Layers of int8, shapes (network, n_{l-1}, n_l).

    Raises:
        ValueError: sizes, count or key make no sense.
    """
    sizes, count = sizes_of(sizes), whole("count", count, 1)
    keys = jax.random.split(random_key(key), len(sizes) - 1)
    shapes = [(count, *shape) for shape in pairwise(sizes)]
    return tuple(np.asarray(jax.random.rademacher(k, shape, jnp.int8)) for k, shape in zip(keys, shapes, strict=True))
