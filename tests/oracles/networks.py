"""Binary networks by other means: integers for the forward pass, gradients by hand, matching by enumeration."""

from itertools import permutations

import numpy as np


def integer_scores(weights, integers):
    """Forward pass in 64-bit integers: the unscaled sums of the last layer."""
    hidden = integers.astype(np.int64)
    for layer, matrix in enumerate(weights):
        if layer:
            hidden = np.where(hidden >= 0, 1, -1)
        hidden = hidden @ matrix.astype(np.int64)
    return hidden


def loss_and_gradient(latent, inputs, labels):
    """Mean cross-entropy and its straight-through gradient, backwards layer by layer in float64, for several outputs."""
    weights = [np.where(matrix >= 0, 1.0, -1.0) for matrix in latent]
    hidden, before = [np.asarray(inputs, np.float64)], []
    for matrix in weights:
        before.append(hidden[-1] @ matrix / np.sqrt(len(matrix)))
        hidden.append(np.where(before[-1] >= 0, 1.0, -1.0))
    scores = before[-1]
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    probability = shifted / shifted.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(probability[rows, labels]).mean()
    back = probability.copy()
    back[rows, labels] -= 1
    back /= len(labels)
    gradient = []
    for layer in reversed(range(len(weights))):
        scale = 1 / np.sqrt(len(weights[layer]))
        gradient.insert(0, hidden[layer].T @ back * scale * (np.abs(latent[layer]) <= 1))
        if layer:
            back = back @ weights[layer].T * scale * (np.abs(before[layer - 1]) <= 1)
    return loss, gradient


def best_by_enumeration(reference, other):
    """The largest total |overlap| of the neurons of a layer (columns) with those of another, over all permutations."""
    overlaps = np.abs(np.asarray(reference, np.int64).T @ np.asarray(other, np.int64))
    rows = np.arange(len(overlaps))
    return max(overlaps[rows, list(order)].sum() for order in permutations(rows))
