"""Spherical weights, replica symmetric: the volume of typical solutions by their overlap alone (Gardner 1988).

S = ext_q  [ln(1-q) + q/(1-q)] / 2 + alpha ∫Dx ln H((kappa - sqrt(q) x)/sqrt(1-q))
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import erfcx, log_ndtr

from .symmetric import panels


def _energy(gap, margin):
    """``(E ln H, E f²)`` at ``1 - q = gap``, on panels that shrink towards where the argument vanishes."""
    scale, width = np.sqrt(1 - gap), np.sqrt(gap)
    away = np.concatenate([-np.geomspace(1e-3, 100, 60)[::-1], [0.0], np.geomspace(1e-3, 100, 60)]) * width
    x, weight = panels(np.unique(np.clip(np.concatenate([margin / scale + away, np.linspace(-12, 12, 97)]), -12, 12)))
    weight = weight * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    argument = (margin - scale * x) / width
    slope = np.sqrt(2 / np.pi) / erfcx(np.maximum(argument, -35.0) / np.sqrt(2))  # of ln H, which is 1e-270 beyond
    return weight @ log_ndtr(-argument), weight @ slope**2 / gap


def typical(alpha, margin):
    """``(S, 1 - q)``: from the logarithm of the gap, where the two sides of the saddle equation cross once."""

    def left(log_gap):
        gap = np.exp(log_gap)
        return np.log(alpha * _energy(gap, margin)[1] * gap**2 / (1 - gap))

    gap = np.exp(brentq(left, -14.0, -1e-3, xtol=1e-14))
    return 0.5 * (np.log(gap) + (1 - gap) / gap) + alpha * _energy(gap, margin)[0], gap
