"""Published constants, each with its citation. A test that needs a number from the literature takes it from here."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr


class Published(NamedTuple):
    """A value, the half-width within which it is known or printed, and where it is from."""

    value: float
    error: float
    citation: str


class Enclosure(NamedTuple):
    """An interval that contains the value, and where it is from."""

    low: float
    high: float
    citation: str


KRAUTH_MEZARD = "W. Krauth and M. Mézard, J. Phys. France 50, 3057 (1989)"
DING_SUN = "J. Ding and N. Sun, Capacity lower bound for the Ising perceptron, STOC 2019, arXiv:1809.07742"
HUANG = "B. Huang, Capacity threshold for the Ising perceptron, FOCS 2024, arXiv:2404.18902"
GARDNER = "E. Gardner, J. Phys. A 21, 257 (1988); T. M. Cover, IEEE Trans. Electron. Comput. EC-14, 326 (1965)"
SYMMETRIC = "B. Aubin, W. Perkins and L. Zdeborová, J. Phys. A 52, 294003 (2019), arXiv:1901.00314"
SYMMETRIC_DENSE = "printed values, as quoted in the project's specification beside " + SYMMETRIC
WIDE_FLAT = "C. Baldassi et al., Phys. Rev. Lett. 127, 278301 (2021), arXiv:2107.01163"
GYORGYI = "G. Györgyi, Phys. Rev. A 41, 7097 (1990)"
SOMPOLINSKY = "H. Sompolinsky, N. Tishby and H. S. Seung, Phys. Rev. Lett. 65, 1683 (1990)"
# The digits beyond the published ones, and the enclosures, come with the project's specification; the saddle equations
# in `equilibrium` reproduce them.
SPECIFICATION = "enclosures that come with the project's specification"

# Binary perceptron at margin 0: capacity, and the saddle point there.
CAPACITY = Published(0.83307859973957923, 1e-15, f"{KRAUTH_MEZARD} (0.833); {DING_SUN}; {HUANG}; further digits computed")
CAPACITY_OVERLAP = Published(0.56394908, 5e-9, DING_SUN)
CAPACITY_CONJUGATE = Published(2.57635132, 5e-9, DING_SUN)

# Binary perceptron: capacity alpha_c(kappa) by margin.
CAPACITY_ENCLOSURES = {
    0.05: Enclosure(0.781073068, 0.781074776, SPECIFICATION),
    0.0995: Enclosure(0.733478513, 0.733480205, SPECIFICATION),
    0.13: Enclosure(0.705932217, 0.705933898, SPECIFICATION),
    -0.05: Enclosure(0.889408031, 0.889409783, SPECIFICATION),
    -0.45: Enclosure(1.557652103, 1.557654133, SPECIFICATION),
}

# Spherical perceptron at margin 0.
SPHERICAL_CAPACITY = Published(2.0, 0.0, GARDNER)

# Binary perceptron: where the dense cluster breaks up, from the large deviations of many real replicas.
CLUSTER_BREAKUP = Published(0.77, 0.01, WIDE_FLAT)

# Binary teacher-student perceptron at margin 0: transition to perfect generalisation; the sources disagree.
PERFECT_GENERALISATION = Enclosure(1.245, 1.249, f"{GYORGYI}; {SOMPOLINSKY}")

# Symmetric binary perceptron of margin 1: loads up to which 2, and 4, solutions exist at any mutual distance.
SYMMETRIC_REPLICAS = {2: Published(1.7001, 5e-5, SYMMETRIC_DENSE), 4: Published(1.6578, 5e-5, SYMMETRIC_DENSE)}
# The same for 3 groups of 4, whose overlaps have two levels: 1.62182 by two programs of ours, rounded up in print.
SYMMETRIC_GROUPS = Published(1.6219, 1e-4, "M. Stojnic, arXiv:2604.19712")

# Students of a teacher, binary weights: entropy of y of them at alpha = 1, q1 = 0.8; the load up to which 4 exist at any
# mutual distance, in print the least over y.
REPLICAS_OF_STUDENTS = {2.0: 0.0876715773, 3.0: 0.0815736440, 4.0: 0.0788171869}  # the project's specification
ROBUST_CAPACITY_OF_STUDENTS = Published(1.154, 5e-4, "arXiv:2607.27000, as quoted in the project's specification")


def spherical_capacity(margin):
    """Gardner's capacity of the spherical perceptron: 1/alpha_c = ∫_{-kappa}^∞ Dx (x + kappa)², in closed form."""
    density = np.exp(-(margin**2) / 2) / np.sqrt(2 * np.pi)
    return 1 / ((1 + margin**2) * ndtr(margin) + margin * density)


def symmetric_capacity(margin):
    """Capacity under |Delta| <= kappa: the first moment is exact, alpha_c = -ln 2 / ln P(|x| <= kappa)."""
    return -np.log(2) / np.log(2 * ndtr(margin) - 1)
