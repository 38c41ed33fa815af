"""The symmetric binary perceptron, |Delta| <= kappa: replica symmetric forms that its symmetry makes one-dimensional.

Typical solutions have no overlap, q~ = q~^ = 0: the first moment is exact, and the pre-activations of a reference of margin
kt are z ~ N(0, 1) given |z| < kt. Of the fields of `franz_parisi` x and t^ go, and what is left of the pre-activation of a
counted solution, h = p z + sqrt(q - p²) y, is one number:

    phi = ext  -q^(1-q)/2 - p p^ + ∫Du ln 2cosh(sqrt(q^) u + p^)
               + alpha ∫dh N(h; 0, q) W(p h/q, 1 - p²/q; kt) / W(0, 1; kt) ln W(h, 1-q; k)

with W(m, s; k) = P(|m + sqrt(s) xi| < k).
"""

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import comb, log_ndtr, logsumexp

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def inside(mean, variance, margin):
    """ln W."""
    root = np.sqrt(variance)
    near, far = log_ndtr((margin - np.abs(mean)) / root), log_ndtr(-(margin + np.abs(mean)) / root)
    return near + np.log(-np.expm1(far - near))


def panels(breaks):
    """Composite Gauss and Legendre between all neighbours."""
    half = 0.5 * np.diff(breaks)[:, None]
    return (breaks[:-1, None] + half * (1 + NODES)).ravel(), (half * WEIGHTS).ravel()


def site(q_hat, p_hat, refine=1):
    """``(E ln 2cosh, 1 - E m, 1 - E m²)``; panels shrink towards the zero of the field."""
    root = np.sqrt(q_hat)
    ladder = np.concatenate([-np.geomspace(1e-3, 60, 60 * refine)[::-1], [0], np.geomspace(1e-3, 60, 60 * refine)])
    breaks = np.clip((ladder - p_hat) / root, -12, 12) if root > 0 else np.array([-12.0, 12.0])
    u, weight = panels(np.unique(np.concatenate([breaks, np.linspace(-12, 12, 49 * refine)])))
    weight = weight * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
    field = np.abs(root * u + p_hat)
    decay = np.exp(-2 * field)
    loss = 2 * np.where(root * u + p_hat > 0, decay, 1.0) / (1 + decay)  # 1 - m
    return weight @ (field + np.log1p(decay)), weight @ loss, weight @ (loss * (2 - loss))


def pattern(p, gap, spread, margin, reference_margin, refine=1):
    """``(E ln W, E f²)`` at ``1 - q = gap`` and ``q - p² = spread``."""
    q, width, smear = 1 - gap, np.sqrt(gap), np.sqrt(spread)
    scales = np.concatenate([[s * np.geomspace(1e-2, 1e3, 50 * refine)] for s in (width, smear)]).ravel()
    away = np.unique(np.concatenate([-scales, [0.0], scales]))
    edges = np.concatenate([sign * edge + away for sign in (1, -1) for edge in (margin, p * reference_margin)])
    h, weight = panels(np.unique(np.clip(np.concatenate([edges, np.linspace(-12, 12, 97)]), -12, 12)))
    weight = weight * np.exp(-(h**2) / (2 * q)) / np.sqrt(2 * np.pi * q)
    weight = weight * np.exp(inside(p * h / q, spread / q, reference_margin) - inside(0.0, 1.0, reference_margin))
    value = inside(h, gap, margin)
    up, down = (-((sign * margin - h) ** 2) / (2 * gap) - value for sign in (1, -1))
    force = (np.exp(down) - np.exp(up)) / np.sqrt(2 * np.pi * gap)
    return weight @ value, weight @ force**2


def pull(p_gap, q_hat):
    """``p^`` at which ``E m = 1 - p_gap``."""
    if p_gap == 1.0:
        return 0.0
    top = 40 + 12 * np.sqrt(q_hat)
    return brentq(lambda p_hat: np.log(site(q_hat, p_hat)[1] / p_gap), 0.0, top, xtol=1e-14)


def implied(q_hat, alpha, distance, margin, reference_margin):
    """``alpha E f²`` at the overlaps that ``q^`` and the distance imply."""
    p_gap = 2 * distance
    _, _, gap = site(q_hat, pull(p_gap, q_hat))
    return alpha * pattern(1 - p_gap, gap, p_gap * (2 - p_gap) - gap, margin, reference_margin)[1]


def entropy(q_hat, alpha, distance, margin, reference_margin):
    """``phi`` at ``q^``."""
    p_gap = 2 * distance
    p_hat = pull(p_gap, q_hat)
    free, _, gap = site(q_hat, p_hat)
    energy, _ = pattern(1 - p_gap, gap, p_gap * (2 - p_gap) - gap, margin, reference_margin)
    return -q_hat * gap / 2 - (1 - p_gap) * p_hat + free + alpha * energy


def entropies(alpha, distance, margin, reference_margin):
    """``phi`` wherever it is stationary, at ``q^`` between neighbours of a scan from 1e-5 to 1e4."""
    about = alpha, distance, margin, reference_margin
    scan = np.geomspace(1e-5, 1e4, 60)
    left = [np.log(implied(q_hat, *about) / q_hat) for q_hat in scan]
    roots = [
        brentq(lambda q_hat: np.log(implied(q_hat, *about) / q_hat), *scan[i : i + 2], xtol=1e-15)
        for i in range(len(scan) - 1)
        if left[i] * left[i + 1] < 0
    ]
    return [entropy(q_hat, *about) for q_hat in roots]


def robust_capacity(replicas, margin):
    """``(load, distance)`` up to which 2, 4, ... solutions exist at any mutual distance: no two groups overlap, q0 = 0.

    y phi = ext  -y q^/2 - y (y-1) q q^/2 + ln E (2 cosh(sqrt(q^) u))^y + alpha ln E W(sqrt(q) u, 1-q)^y, where the
    first mean is one of a sum of exponentials, vanishes at the load that is least at one distance.
    """
    y = replicas
    charges = y - 2 * np.arange(y + 1)
    counts = comb(y, np.arange(y + 1))

    def load(logit):
        p_gap = 2 / (1 + np.exp(-logit))  # 1 - q
        q = 1 - p_gap

        def configurations(log_conjugate):
            conjugate = np.exp(log_conjugate)
            total = logsumexp(conjugate * (charges**2 - y**2) / 2, b=counts)  # from the charge of all alike on
            return y * (y - 1) / 2 * conjugate * p_gap + total

        best = minimize_scalar(configurations, bracket=(-3.0, 0.0), tol=1e-10)
        away = np.concatenate([-np.geomspace(1e-3, 20, 60)[::-1], [0.0], np.geomspace(1e-3, 20, 60)]) * np.sqrt(p_gap)
        breaks = np.concatenate([sign * margin + away for sign in (1, -1)]) / np.sqrt(q)
        u, weight = panels(np.unique(np.clip(np.concatenate([breaks, np.linspace(-12, 12, 97)]), -12, 12)))
        weight = weight * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
        return -best.fun / np.log(weight @ np.exp(y * inside(np.sqrt(q) * u, p_gap, margin)))

    least = minimize_scalar(load, bracket=(-6.0, -4.5, -3.0), tol=1e-9)
    return least.fun, 1 / (1 + np.exp(-least.x))
