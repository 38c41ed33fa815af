"""Spherical weights, replica symmetric: the volume of typical solutions by their overlap alone (Gardner 1988).

S = ext_q  [ln(1-q) + q/(1-q)] / 2 + alpha ∫Dx ln H((kappa - sqrt(q) x)/sqrt(1-q))

With one step of breaking, a kernel Q and d = 1 - q1,

S = ln(d)/2 + ln(1 + m (q1-q0)/d) / 2m + q0 / 2(d + m (q1-q0))
      + (alpha/m) ∫Dx ln ∫Dy H((kappa - sqrt(Q(q0)) x - sqrt(Q(q1)-Q(q0)) y)/sqrt(1-Q(q1)))^m
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import erfcx, log_ndtr, logsumexp

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


def relu(overlap):
    """The kernel of infinitely many ReLU units of weights of either sign, from its closed form (Cho and Saul 2009)."""
    angle = np.arccos(overlap)
    return ((np.sqrt(1 - overlap**2) + (np.pi - angle) * overlap) - 1) / (np.pi - 1)


def one_step_load(gap, ratio, close, margin=0.0, kernel=lambda overlap: overlap):
    """The load at which the one-step volume vanishes at ``q0 = 1 - gap``, ``q1 = 1 - close``, ``m = ratio close / gap``."""
    q0, q1, m = 1 - gap, 1 - close, ratio * close / gap
    common, cluster, inside = kernel(q0), kernel(q1) - kernel(q0), 1 - kernel(q1)
    volume = np.log(close) / 2 + np.log1p(m * (q1 - q0) / close) / (2 * m) + q0 / (2 * (close + m * (q1 - q0)))
    x, weight = panels(np.linspace(-11, 11, 45))
    weight = weight * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    # Of one field y, on which nothing is sharper than the factor of one pattern.
    edge = (margin - np.sqrt(common) * x) / np.sqrt(cluster)
    energies = []
    for place in edge:
        away = np.geomspace(1e-4, 100, 40) * np.sqrt(inside / cluster)
        cuts = np.concatenate([place - away, place + away, np.linspace(-11, 11, 45)])
        y, inner = panels(np.unique(np.clip(cuts, -11, 11)))
        factor = m * log_ndtr((y - place) * np.sqrt(cluster / inside))
        energies.append(logsumexp(factor - y**2 / 2, b=inner / np.sqrt(2 * np.pi)))
    return volume / -(weight @ np.array(energies) / m)
