r"""Local stability of a replica-symmetric saddle point: the replicon (de Almeida and Thouless 1978).

Derivation. Let the overlaps ``q_ab`` of ``n -> 0`` counted replicas, and their conjugates, move away from the
replica-symmetric saddle by ``dq_ab, dq^_ab`` with ``sum_b dq_ab = 0`` for every ``a``, so that no overlap with a reference
or a teacher is coupled to them. With ``F(h)`` the log weight of a pattern whose pre-activation has mean ``h`` and variance
``1 - Q(q)``, and ``f(b)`` the free entropy of a weight in the field ``b``, the free entropy of all replicas changes by

    sum_{a<b}  alpha A dq_ab²/2 - dq_ab dq^_ab + B dq^_ab²/2
    A = Q'(q)² E[F''(h)²] + Q''(q) E[F'(h)²]          B = E[f''(b)²]

For of the correlations of four replicas only ``<x_a x_b; x_a x_b> - 2 <x_a x_b; x_a x_c> + <x_a x_b; x_c x_d>``, the mean of
``(<x²> - <x>²)²``, acts on such variations, and the variance of a weight is ``f''``, that of the field conjugate to a
pre-activation ``-F''``; the term in ``Q''`` arises because the energetic term sees ``Q(q_ab)``. The form changes its
signature where ``lambda = 1 - alpha A B`` vanishes: replica symmetry is locally stable while ``lambda > 0``.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.replica.functional import ReplicaSymmetric
from fmjax.special import derivatives

__all__ = ["replicon"]


def replicon(functional: ReplicaSymmetric, free: Float[Array, " n"], controls: Any, rule: Any) -> Float[Array, ""]:
    """Replicon eigenvalue ``lambda = 1 - alpha (Q'² E[F''²] + Q'' E[F'²]) E[f''²]`` at a saddle point.

    Args:
        functional: what the saddle point belongs to; ``E`` are the means over its own cavity fields.
        free: free coordinates of the saddle point, shape ``(n,)``.
        controls: where it was found.
        rule: quadrature rule of the energetic term.

    Returns:
        One for ``alpha -> 0``, positive where replica symmetry is locally stable. It has no unit, and is about as accurate
        as the quadrature, relative to ``1 - lambda``. It means nothing away from a saddle point.
    """
    split = functional.sizes[0]
    overlaps, conjugates = functional.overlaps(free[:split], controls), functional.conjugates(free[split:], controls)
    constraint, architecture = functional.model.unit_constraint, functional.model.architecture

    mean, std, probability = functional.pattern(overlaps, controls, rule)
    slope, curvature = derivatives(lambda h: constraint.log_weight(h, std), mean)
    # Q(q) = 1 - complement(1 - q): near q = 1, where Q may have a square root, only this form keeps its digits.
    kernel_slope, bend = derivatives(architecture.complement, overlaps.gap)
    pattern = kernel_slope**2 * jnp.sum(probability * curvature**2) - bend * jnp.sum(probability * slope**2)

    field, probability = functional.site(conjugates, controls)
    return 1.0 - controls.alpha * pattern * jnp.sum(probability * functional.model.weights.susceptibility(field) ** 2)
