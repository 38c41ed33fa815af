"""Free entropy with one step of replica-symmetry breaking, every integral a plain nested sum over ``(fields, u)``.

    phi = -q1^/2 + ((1-m) q1 q1^ + m q0 q0^)/2 + (terms of the reference or the teacher) + G_S + alpha G_E
    G_S = (1/m) E_b ln ∫Du [2cosh(b + sqrt(q1^ - q0^) u)]^m
    G_E = (1/m) E_h ln ∫Du w(h + sqrt(Q(q1) - Q(q0)) u, sqrt(1 - Q(q1)))^m

with ``w`` the probability that a Gaussian pre-activation of that mean and deviation satisfies a pattern.
"""

import numpy as np
from scipy.special import log_ndtr, logsumexp

U = np.linspace(-14.0, 14.0, 561)
LOG_DU = -0.5 * U**2 - 0.5 * np.log(2 * np.pi) + np.log(U[1] - U[0])


def margin(kappa):
    """``ln w`` of a stability of at least ``kappa``."""
    return lambda mean, std: log_ndtr((mean - kappa) / std)


def outside(kappa):
    """``ln w`` of a stability of at least ``kappa`` in absolute value."""
    return lambda mean, std: np.logaddexp(log_ndtr((mean - kappa) / std), log_ndtr((-mean - kappa) / std))


def block(potential, field, spread, m):
    """``(1/m) ln ∫Du exp(m potential(field + spread u))``, field by field: the sums are long."""
    return np.array([logsumexp(LOG_DU + m * potential(h + spread * U)) for h in field]) / m


def free_entropy(fields, q0, q1, q0_hat, q1_hat, m, alpha, log_weight, rest=0.0, kernel=lambda q: q):
    """``phi`` in nats per weight.

    Args:
        fields: ``(b, probability), (h, probability)``, fields shared by all blocks, on a weight and of a pattern.
        q0, q1, q0_hat, q1_hat, m: order parameters.
        alpha: patterns per weight.
        log_weight: ``ln w(mean, std)``.
        rest: terms that do not depend on ``m``.
        kernel: ``Q``, scaled to one at ``q = 1``.
    """
    sums = []
    width = np.sqrt(1 - kernel(q1))
    for (values, weights), potential, spread in zip(
        fields,
        (lambda b: np.logaddexp(b, -b), lambda h: log_weight(h, width)),
        (np.sqrt(q1_hat - q0_hat), np.sqrt(kernel(q1) - kernel(q0))),
        strict=True,
    ):
        field, probability = values.ravel(), np.broadcast_to(weights, values.shape).ravel()
        kept = probability > 1e-13
        sums.append(probability[kept] @ block(potential, field[kept], spread, m))
    coupled = -q1_hat / 2 + ((1 - m) * q1 * q1_hat + m * q0 * q0_hat) / 2
    return coupled + rest + sums[0] + alpha * sums[1]
