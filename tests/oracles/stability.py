"""Second variation of the replica-symmetric saddle, from free entropies with one step of replica-symmetry breaking.

Counted weights in blocks of ``m`` replicas, overlaps ``q1`` inside a block and ``q0`` between blocks:

    phi = -q1^/2 + ((1-m) q1 q1^ + m q0 q0^)/2 + G_S(q0^, q1^) + alpha G_E(q0, q1) + terms without q0, q1
    G_S = (1/m) E_b ln ∫Du [2cosh(b + sqrt(q1^ - q0^) u)]^m
    G_E = (1/m) E_h ln ∫Du H( (k - h - sqrt(Q(q1) - Q(q0)) u) / sqrt(1 - Q(q1)) )^m

Along ``q0 = q + (m-1) s, q1 = q + m s`` the sum of ``dq_ab`` over ``b`` vanishes for ``n -> 0``: a replicon direction. With
second derivatives ``a, b`` of ``alpha G_E, G_S`` along it and ``c = m (1-m)/2`` the mixed one, replica symmetry changes its
stability where ``a b = c²``. Everything is nested sums: fields of a pattern over the frozen field ``x`` of the reference,
its own fluctuation ``z > theta`` and the rest ``y``, with the probability that a teacher gives the label. Negative ``s``
make ``u`` imaginary, which analytic functions do not mind: second differences are central.
"""

from types import SimpleNamespace

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import log_ndtr, roots_hermitenorm

X = np.linspace(-8.5, 8.5, 101)
DX = np.exp(-0.5 * X**2) / np.sqrt(2 * np.pi) * (X[1] - X[0])
Y, DY = roots_hermitenorm(30)
DY = DY / np.sqrt(2 * np.pi)
U, DU = roots_hermitenorm(12)
DU = DU / np.sqrt(2 * np.pi)
PANEL, PANEL_WEIGHT = leggauss(60)
M = 0.4


def log_h(x):
    return log_ndtr(-x)


def equilibrium_fields(order, q0, q0_hat):
    """Fields on a weight and of a pattern (values, probabilities) for typical solutions; ``order.Q`` is the kernel."""
    variance, cosine = order.Q(q0), order.Q(order.R)
    label = 2 * np.exp(log_h(-cosine * X / np.sqrt(variance - cosine**2)))
    return (np.sqrt(q0_hat) * X + order.R_hat, DX), (np.sqrt(variance) * X, DX * label)


def local_fields(order, q0, q0_hat):
    """The same around a reference, ``order.ref``, of which the counted solutions have overlap ``p``."""
    ref = order.ref
    x, y, s = X[:, None, None], Y[:, None], np.array([1.0, -1.0])
    own = np.sqrt(ref.q_hat) * x + ref.R_hat
    site = order.t_hat / np.sqrt(ref.q_hat) * x + np.sqrt(q0_hat - order.t_hat**2 / ref.q_hat) * y
    site = site + order.R_hat + (order.p_hat - order.t_hat) * s
    weight = DX[:, None, None] * DY[:, None] * np.exp(s * own - np.logaddexp(own, -own))

    q, t, p, R, own_R = order.Q(ref.q), order.Q(order.t), order.Q(order.p), order.Q(order.R), order.Q(ref.R)
    a, c = t / np.sqrt(q), (p - t) / np.sqrt(1 - q)
    g = order.Q(q0) - a**2 - c**2
    theta = (ref.margin - np.sqrt(q) * X) / np.sqrt(1 - q)
    low, high = np.maximum(theta, -8.5)[:, None], np.maximum(theta, 0.0)[:, None] + 8.5
    z = low + (high - low) * (PANEL + 1) / 2
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_h(theta)[:, None]
    density = DX[:, None] * np.exp(density) * PANEL_WEIGHT * (high - low) / 2
    b = (R - own_R * t / q) / np.sqrt(g)
    label = (own_R / np.sqrt(q) * x + b * Y) / np.sqrt(1 - own_R**2 / q - b**2)
    pattern = a * x + c * z[:, :, None] + np.sqrt(g) * Y
    return (site, weight), (pattern, density[:, :, None] * DY * 2 * np.exp(log_h(-label)))


def entropic(order, fields, s_hat):
    q0_hat = order.q_hat + (M - 1) * s_hat
    (b, probability), _ = fields(order, order.q, q0_hat)
    inner = b[..., None] + np.emath.sqrt(s_hat) * U
    inner = np.exp(M * np.log(2 * np.cosh(inner))) @ DU
    return np.sum(probability * np.log(inner)).real / M


def energetic(order, fields, s, margin):
    q0, q1 = order.q + (M - 1) * s, order.q + M * s
    _, (h, probability) = fields(order, q0, order.q_hat)
    h, probability = h.ravel(), np.broadcast_to(probability, h.shape).ravel()
    h, probability = h[probability > 1e-14], probability[probability > 1e-14]
    inner = h[:, None] + np.emath.sqrt(order.Q(q1) - order.Q(q0)) * U
    inner = np.exp(M * log_h((margin - inner) / np.sqrt(1 - order.Q(q1)))) @ DU
    return np.sum(probability * np.log(inner)).real / M


def second_difference(function, step):
    """Sixth order: the functions are analytic."""
    stencil = {0: -49 / 18, 1: 3 / 2, 2: -3 / 20, 3: 1 / 90}
    values = [function(sign * k * step) * w for k, w in stencil.items() for sign in ((1, -1) if k else (1,))]
    return sum(values) / step**2


def replicon(order, fields, alpha, margin, kernel=lambda q: q):
    """``1 - a b / c²`` by second differences."""
    order = SimpleNamespace(**vars(order), Q=kernel)
    a = alpha * second_difference(lambda s: energetic(order, fields, s, margin), 0.005 * (1 - order.q))
    b = second_difference(lambda s: entropic(order, fields, s), 0.005)
    return 1 - a * b / (M * (1 - M) / 2) ** 2


def plain(order):
    return SimpleNamespace(**{name: float(getattr(order, name)) for name in ("q", "q_hat", "R", "R_hat")})
