"""Franz–Parisi functional exactly as it is printed, by nested Gauss–Legendre sums in 30 digits: slow, and not clever.

The variables are x, z and y themselves, the overlaps enter as they are, H is erfc, and the sum over s is carried out:
nothing is shared with `franz_parisi` but the equation. A value takes about a minute.
"""

import itertools

import mpmath
from mpmath.calculus.quadrature import GaussLegendre

NODE_DEGREE = 3  # 12 nodes per panel


def _nodes(breakpoints):
    """Nodes and weights of the composite rule on consecutive breakpoints."""
    rule = GaussLegendre(mpmath.mp).calc_nodes(NODE_DEGREE, mpmath.mp.prec)
    pairs = []
    for low, high in itertools.pairwise(breakpoints):
        half = (high - low) / 2
        pairs += [(low + half * (1 + node), half * weight) for node, weight in rule]
    return pairs


def _gaussian_nodes(half_width, panels):
    edges = [mpmath.mpf(2 * i - panels) / panels * half_width for i in range(panels + 1)]
    return [(x, w * mpmath.npdf(x)) for x, w in _nodes(edges)]


def _h(x):
    return mpmath.erfc(x / mpmath.sqrt(2)) / 2


def entropic(q_hat, t_hat, p_hat, q_hat_ref, panels=16):
    """G_S, with the sum over s = ±1; `panels` in y, where widths sqrt(gamma) of 2.4 need more than 8."""
    root = mpmath.sqrt(q_hat_ref)
    width = mpmath.sqrt(q_hat - t_hat**2 / q_hat_ref)
    inner = _gaussian_nodes(9, panels)
    total = mpmath.mpf(0)
    for x, weight in _gaussian_nodes(10, 24):
        for s in (1, -1):
            centre = t_hat / root * x + (p_hat - t_hat) * s
            value = mpmath.fsum(w * mpmath.log(2 * mpmath.cosh(centre + width * y)) for y, w in inner)
            total += weight * value * mpmath.exp(s * root * x) / (2 * mpmath.cosh(root * x))
    return total


def energetic(q, t, p, ref_overlap, margin, ref_margin, x_panels=8, y_panels=6):
    """G_E, with panels in z that shrink towards the kink k = h."""
    rest = mpmath.sqrt(1 - ref_overlap)
    spread = mpmath.sqrt(max(q - t**2 / ref_overlap - (p - t) ** 2 / (1 - ref_overlap), 0))
    width, slope = mpmath.sqrt(1 - q), (p - t) / rest
    inner = _gaussian_nodes(9, y_panels)
    total = mpmath.mpf(0)
    for x, weight in _gaussian_nodes(10, x_panels):
        theta = (ref_margin - mpmath.sqrt(ref_overlap) * x) / rest
        along = margin - t / mpmath.sqrt(ref_overlap) * x
        low, high = max(theta, mpmath.mpf(-9)), max(theta, mpmath.mpf(0)) + 9
        kink, scale = along / slope, max(width, spread) / slope
        ladder = [kink + side * 3 * scale * 3**j for side in (-1, 1) for j in range(6)] + [kink]
        ladder += [low + 9 * mpmath.mpf(j) / 4 for j in range(1, 4)]
        ladder += [theta + mpmath.mpf(j) / (1 + abs(theta)) for j in (3, 9)]
        edges = [low, *sorted(edge for edge in ladder if low < edge < high), high]
        total += (
            weight
            / _h(theta)
            * mpmath.fsum(
                wz * mpmath.npdf(z) * wy * mpmath.log(_h((along - slope * z - spread * y) / width))
                for z, wz in _nodes(edges)
                for y, wy in inner
            )
        )
    return total


def functional(order, p, ref, margin=0.0, digits=30):
    """phi(q, t, q^, t^, p^; p) with the arguments of `franz_parisi.functional`, all taken as exact numbers."""
    with mpmath.workdps(digits):
        q, t, q_hat, t_hat, p_hat = (mpmath.mpf(float(value)) for value in order)
        p, margin = mpmath.mpf(float(p)), mpmath.mpf(float(margin))
        alpha, ref_margin, ref_overlap, ref_conjugate = (mpmath.mpf(float(value)) for value in ref)
        return (
            -q_hat * (1 - q) / 2
            - p * p_hat
            + t * t_hat
            + entropic(q_hat, t_hat, p_hat, ref_conjugate)
            + alpha * energetic(q, t, p, ref_overlap, margin, ref_margin)
        )
