"""One instance of the binary perceptron, exactly: all weights one by one, and cavity messages without a Gaussian."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp


class Exact(NamedTuple):
    """Free entropy per weight, nats, and the mean of every weight."""

    free_entropy: float
    magnetisations: np.ndarray


def enumerate_weights(patterns, threshold, fields):
    """All ``2^N`` weights with ``xi . w >= threshold`` for every pattern, weighted by ``exp(fields . w)``; N <= 21."""
    size = patterns.shape[1]
    index = np.arange(1 << size, dtype=np.int32)
    for pattern in patterns:
        low, high = (np.zeros(1, dtype=np.int16) for _ in range(2))
        for entry in pattern[: size // 2]:
            low = np.concatenate([low - entry, low + entry])
        for entry in pattern[size // 2 :]:
            high = np.concatenate([high - entry, high + entry])
        sums = low[index & ((1 << (size // 2)) - 1)] + high[index >> (size // 2)]
        index = index[sums >= threshold]
    weights = 2 * ((index[:, None] >> np.arange(size)) & 1) - 1
    exponent = weights @ np.asarray(fields, dtype=float)
    total = logsumexp(exponent)
    return Exact(total / size, np.exp(exponent - total) @ weights)


def exact_messages(pattern, magnetisations, threshold):
    """Message of one node to each spin: half the log-odds of its signs, from the exact law of the sum of the others.

    The number of spins aligned with their pattern is a sum of independent bits; its law is a product of polynomials.
    """
    aligned = (1 + pattern * magnetisations) / 2
    size = len(pattern)
    messages = np.empty(size)
    for i in range(size):
        law = np.ones(1)
        for up in np.delete(aligned, i):
            law = np.convolve(law, [1 - up, up])
        sums = 2 * np.arange(size) - (size - 1)
        favourable = [law[sums + step >= threshold].sum() for step in (1, -1)]
        messages[i] = 0.5 * pattern[i] * np.log(favourable[0] / favourable[1])
    return messages


def enumerate_committee(patterns, labels, units, output, threshold):
    """Log of the number of all ``2^N`` weights, per weight, whose ``label * output(hidden sums) >= threshold``; N <= 20.

    ``patterns`` has shape ``(P, K, n)`` for a tree and ``(P, 1, n)`` for units that share their inputs; ``output`` takes
    sums of shape ``(weights, K)``.
    """
    inputs = patterns.shape[2]
    size = units * inputs
    one = 2 * ((np.arange(1 << inputs)[:, None] >> np.arange(inputs)) & 1) - 1  # all weights of a unit
    index = np.arange(1 << size)
    places = [(index >> (inputs * unit)) & ((1 << inputs) - 1) for unit in range(units)]
    good = np.ones(1 << size, dtype=bool)
    for pattern, label in zip(np.broadcast_to(patterns, (len(patterns), units, inputs)), labels, strict=True):
        sums = np.stack([(one @ pattern[unit])[places[unit]] for unit in range(units)], axis=1)
        good &= label * output(sums) >= threshold
    return np.log(good.sum()) / size


def count_tree_of_three(patterns):
    """Log of the number of weights, per weight, of a tree of three sign units, ``sign(0) = 1``, to P = 11 and N = 39.

    The weights of a unit matter only through the patterns on which it is plus, a mask of ``P`` bits. Two units fix on which
    patterns the third must be plus; sums over all masks that contain a given one say how many of its weights are.
    """
    count, units, inputs = patterns.shape
    one = 2 * ((np.arange(1 << inputs)[:, None] >> np.arange(inputs)) & 1) - 1
    masks = [((one @ patterns[:, unit].T >= 0) << np.arange(count)).sum(axis=1) for unit in range(units)]
    first, second, third = (np.bincount(mask, minlength=1 << count).astype(float) for mask in masks)
    for bit in range(count):
        pairs = third.reshape(-1, 2, 1 << bit)
        pairs[:, 0] += pairs[:, 1]
    a, b = np.arange(1 << count)[:, None], np.arange(1 << count)[None, :]
    complete = (a | b) == (1 << count) - 1
    return np.log((first[:, None] * second[None, :] * third[a ^ b] * complete).sum()) / (units * inputs)
