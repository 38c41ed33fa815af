"""Tree committees, replica symmetric: the perceptron's oracles with the overlap kernel put in by hand.

In units of the standard deviation of the pre-activation, with K(q) = Q(q)/Q(1), every overlap inside the energetic averages
becomes K, and the chain rule gives the energetic saddle equations their factors K':

    q^ = alpha K'(q) E f²,      t^ = alpha K'(t) E f f~,      dphi/dd = 2 (p^ - alpha K'(p) E_x f~ E_y f|_{z = theta}).

The kernels are written down from theory (Cho and Saul 2009; Williams 1998), or integrated by scipy in `covariance`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.integrate import dblquad
from scipy.optimize import root

from . import equilibrium as perceptron
from .franz_parisi import Order
from .franz_parisi_integrals import Fields, Overlaps, Reference, energetic_averages, entropic_averages


class Kernel(NamedTuple):
    """Q and its derivative, in the units of the activation."""

    value: Callable
    slope: Callable

    @property
    def power(self):
        """Q(1)."""
        return self.value(1.0)


SIGN = Kernel(lambda q: 2 / np.pi * np.arcsin(q), lambda q: 2 / np.pi / np.sqrt(1 - q**2))
ERF = Kernel(lambda q: 2 / np.pi * np.arcsin(2 * q / 3), lambda q: 4 / (3 * np.pi) / np.sqrt(1 - 4 * q**2 / 9))
RELU = Kernel(
    lambda q: (np.sqrt(1 - q**2) + q * (np.pi / 2 + np.arcsin(q)) - 1) / (2 * np.pi),
    lambda q: (np.pi / 2 + np.arcsin(q)) / (2 * np.pi),
)
KERNELS = {"sign": SIGN, "relu": RELU, "erf": ERF}


def covariance(activation, q):
    """Q(q) by adaptive quadrature in two dimensions, for a smooth activation."""

    def integrand(y, x):
        v = q * x + np.sqrt(1 - q**2) * y
        return activation(x) * activation(v) * np.exp(-(x**2 + y**2) / 2) / (2 * np.pi)

    second, _ = dblquad(integrand, -9, 9, -9, 9, epsabs=1e-11, epsrel=1e-11)
    x, weight = perceptron.gaussian_trapezoid(0.01)
    return second - np.sum(weight * activation(x)) ** 2


def typical_entropy(kernel, q, alpha, margin):
    """``(entropy, conjugate, what the entropic saddle equation leaves)`` at any overlap."""
    overlap, scaled = kernel.value(q) / kernel.power, margin / np.sqrt(kernel.power)
    conjugate = kernel.slope(q) / kernel.power * perceptron.conjugate_of(overlap, alpha, scaled)
    entropy = perceptron.entropy(overlap, conjugate, alpha, scaled) + conjugate * (q - overlap) / 2
    return entropy, conjugate, perceptron.overlap_of(conjugate) - q


def capacity(kernel, margin=0.0):
    """``(alpha_c, q)``: both saddle equations and zero entropy."""

    def equations(unknowns):
        entropy, _, left = typical_entropy(kernel, unknowns[0], unknowns[1], margin)
        return [entropy, left]

    solution = root(equations, [0.5, 0.8], tol=1e-14)
    return solution.x[1], solution.x[0]


class Check(NamedTuple):
    """Entropy and slope of given order parameters, and the largest difference of the five saddle equations."""

    entropy: float
    slope: float
    residual: float


def local_entropy(kernel, alpha, distance, reference_overlap, reference_conjugate, reference_margin, order: Order):
    """The local entropy of given order parameters, at counted margin 0, and whether they are stationary."""
    q, t, q_hat, t_hat, p_hat = order
    p, eta = 1 - 2 * distance, p_hat - t_hat

    def scaled(overlap):
        return kernel.value(overlap) / kernel.power

    ref = Reference(alpha, reference_margin / np.sqrt(kernel.power), scaled(reference_overlap), reference_conjugate)
    rest = (scaled(p) - scaled(t)) / (1 - ref.overlap)
    spread = scaled(q) - scaled(t) ** 2 / ref.overlap - rest * (scaled(p) - scaled(t))
    energetic = energetic_averages(Overlaps(1 - scaled(q), 1 - scaled(t) / ref.overlap, 1 - rest, spread), ref)
    width = np.sqrt(max(q_hat - t_hat**2 / reference_conjugate, 0.0))
    entropic = entropic_averages(Fields(t_hat, width, eta), reference_conjugate)
    single_site = eta + t_hat * entropic.one_minus_ref + entropic.log_term
    entropy = -q_hat * (1 - q) / 2 - p * p_hat + t * t_hat + single_site + alpha * energetic.log_h
    slopes = [alpha * kernel.slope(overlap) / kernel.power for overlap in (q, t, p)]
    left = [
        q_hat - slopes[0] * energetic.force_force,
        t_hat - slopes[1] * energetic.force_ref,
        1 - entropic.overlaps.one_minus_q - q,
        entropic.overlap_ref * (1 - entropic.overlaps.loss_along) - t,
        1 - entropic.one_minus_p - p,
    ]
    return Check(entropy, 2 * (p_hat - slopes[2] * energetic.boundary), float(np.max(np.abs(left))))
