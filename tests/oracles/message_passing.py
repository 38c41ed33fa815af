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
