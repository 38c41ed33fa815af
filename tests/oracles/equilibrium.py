"""Typical solutions of the binary perceptron, replica symmetric, from hand-derived saddle equations.

    S = ext_{q, q^}  -q^ (1-q)/2 + ∫Dx ln 2cosh(sqrt(q^) x) + alpha ∫Dx ln H((kappa - sqrt(q) x)/sqrt(1-q))

Its stationarity, after one integration by parts (Gardner and Derrida 1988, Krauth and Mézard 1989), with M = -(ln H)':

    q  = ∫Dx tanh²(sqrt(q^) x),        q^ = alpha/(1-q) ∫Dx M²((kappa - sqrt(q) x)/sqrt(1-q)).

All integrals are trapezoidal sums, which converge geometrically for functions analytic in a strip: the steps follow
the nearest singularities (iπ/2 / sqrt(q^) for tanh, the zeros of erfc 2.8 widths off the axis for ln H). Entropies are
in nats per weight. `equilibrium` is good to about 1e-14; `equilibrium_mpmath` solves the same equations with adaptive
quadrature at any precision.
"""

from typing import NamedTuple

import mpmath
import numpy as np
from scipy.optimize import brentq
from scipy.special import erfcx, log_ndtr

SQRT_TWO_PI = np.sqrt(2 * np.pi)


class BranchEndedError(ArithmeticError):
    """The replica-symmetric branch that starts at q = 0 for alpha = 0 does not reach this point."""


class Equilibrium(NamedTuple):
    """Saddle point: overlap q between typical solutions, its conjugate q^, entropy in nats per weight."""

    overlap: float
    conjugate: float
    entropy: float


def gaussian_trapezoid(step, half_width=9.5):
    """Nodes and weights of ∫Dx f(x) by the trapezoidal rule with at most the given step; the tail left out is 1e-21."""
    count = int(np.ceil(half_width / step))
    nodes = np.arange(-count, count + 1) * (half_width / count)
    return nodes, np.exp(-(nodes**2) / 2) * (half_width / count / SQRT_TWO_PI)


def mills(x):
    """M(x) = phi(x)/H(x) = -d ln H/dx. Below -37 erfcx overflows and M underflows: the clip changes M by < 1e-280."""
    return np.sqrt(2 / np.pi) / erfcx(np.maximum(x, -36.0) / np.sqrt(2))


def log_h(x):
    """Logarithm of H(x) = erfc(x/sqrt 2)/2."""
    return log_ndtr(-np.asarray(x))


def _entropic_step(conjugate):
    return min(0.4, 0.25 / np.sqrt(conjugate)) if conjugate > 0 else 0.4


def _energetic_step(overlap):
    return min(0.4, 0.4 * np.sqrt((1 - overlap) / overlap)) if overlap > 0 else 0.4


def conjugate_of(overlap, alpha, margin):
    """Second saddle equation: q^ = alpha/(1-q) ∫Dx M²."""
    x, weight = gaussian_trapezoid(_energetic_step(overlap))
    return alpha * np.sum(weight * mills((margin - np.sqrt(overlap) * x) / np.sqrt(1 - overlap)) ** 2) / (1 - overlap)


def overlap_of(conjugate):
    """First saddle equation: q = ∫Dx tanh²(sqrt(q^) x)."""
    x, weight = gaussian_trapezoid(_entropic_step(conjugate))
    return np.sum(weight * np.tanh(np.sqrt(conjugate) * x) ** 2)


def entropy(overlap, conjugate, alpha, margin):
    """Value of the functional at any (q, q^), not only at the saddle point."""
    x, weight = gaussian_trapezoid(_entropic_step(conjugate))
    log_two_cosh = np.sum(weight * np.logaddexp(np.sqrt(conjugate) * x, -np.sqrt(conjugate) * x))
    x, weight = gaussian_trapezoid(_energetic_step(overlap))
    log_fraction = np.sum(weight * log_h((margin - np.sqrt(overlap) * x) / np.sqrt(1 - overlap)))
    return -conjugate * (1 - overlap) / 2 + log_two_cosh + alpha * log_fraction


def equilibrium(alpha, margin):
    """Saddle point on the branch connected to alpha = 0: the smallest q with overlap_of(conjugate_of(q)) = q.

    The iteration of the two equations from q = 0 increases monotonically towards that root (both maps increase), so it
    brackets the root from below, and steps of a scan bracket it from above; past a fold there is none.
    """

    def excess(overlap):
        return overlap_of(conjugate_of(overlap, alpha, margin)) - overlap

    low, step = 0.0, 1e-3
    for _ in range(400):
        increment = excess(low)
        if increment < 1e-4:
            break
        low += increment
    high = low
    while excess(high) > 0:
        low, high, step = high, high + step, 1.3 * step
        if high >= 1:
            raise BranchEndedError(f"no replica-symmetric solution at alpha = {alpha}, margin = {margin}")
    overlap = brentq(excess, low, high, xtol=1e-16, rtol=1e-15) if high > low else low
    conjugate = conjugate_of(overlap, alpha, margin)
    return Equilibrium(overlap, conjugate, entropy(overlap, conjugate, alpha, margin))


def _entropy_or_negative(alpha, margin):
    try:
        return equilibrium(alpha, margin).entropy
    except BranchEndedError:
        return -1.0


def _first_zero(function, start, step):
    """First sign change of a decreasing function from `start` upwards, then Brent's method."""
    low = start
    while function(low + step) > 0:
        low += step
    return brentq(function, low, low + step, xtol=1e-15, rtol=1e-15)


def capacity(margin=0.0):
    """alpha_c(kappa): the number of patterns per weight at which the entropy vanishes at fixed margin."""
    return _first_zero(lambda alpha: _entropy_or_negative(alpha, margin), 1e-3, 0.1)


def maximum_margin(alpha):
    """kappa_max(alpha): the largest margin with non-negative entropy; negative above alpha_c(0)."""
    start = 0.0
    while _entropy_or_negative(alpha, start) < 0:
        start -= 0.25
    return _first_zero(lambda margin: _entropy_or_negative(alpha, margin), start, 0.1)


def equilibrium_mpmath(alpha, margin, start, digits=30):
    """The same saddle point by mpmath's adaptive quadrature and secant, from a start (q, q^) close to it.

    Slow (a minute). It shares no node with the trapezoidal sums and uses erfc itself instead of scaled forms.
    """
    with mpmath.workdps(digits):
        alpha, margin = mpmath.mpf(alpha), mpmath.mpf(margin)
        panels = list(range(-12, 13, 2))

        def mean(function):
            return mpmath.quad(lambda x: mpmath.npdf(x) * function(x), panels)

        def h(x):
            return mpmath.erfc(x / mpmath.sqrt(2)) / 2

        def argument(x, q):
            return (margin - mpmath.sqrt(q) * x) / mpmath.sqrt(1 - q)

        def conjugate(q):
            return alpha / (1 - q) * mean(lambda x: (mpmath.npdf(argument(x, q)) / h(argument(x, q))) ** 2)

        def excess(q):
            root = mpmath.sqrt(conjugate(q))
            return mean(lambda x: mpmath.tanh(root * x) ** 2) - q

        q = mpmath.findroot(excess, (mpmath.mpf(start) - mpmath.mpf("1e-9"), mpmath.mpf(start)), solver="secant")
        q_hat = conjugate(q)
        value = (
            -q_hat * (1 - q) / 2
            + mean(lambda x: mpmath.log(2 * mpmath.cosh(mpmath.sqrt(q_hat) * x)))
            + alpha * mean(lambda x: mpmath.log(h(argument(x, q))))
        )
        return Equilibrium(q, q_hat, value)
