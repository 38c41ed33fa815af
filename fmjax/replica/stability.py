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

from jaxtyping import Array, Float

__all__ = ["replicon"]

_Scalar = Float[Array, ""]


def replicon(
    alpha: _Scalar, slope: _Scalar, bend: _Scalar, forces: _Scalar, softness: _Scalar, rigidity: _Scalar
) -> _Scalar:
    """Replicon eigenvalue ``lambda = 1 - alpha (Q'² E[F''²] + Q'' E[F'²]) E[f''²]`` at a saddle point.

    Args:
        alpha: patterns per weight.
        slope: ``Q'(q)``.
        bend: ``Q''(q)``.
        forces: ``E[F'²]``.
        softness: ``E[F''²]``.
        rigidity: ``E[f''²]``.

    Returns:
        One for ``alpha -> 0``, positive where replica symmetry is locally stable. It has no unit, and is about as accurate
        as the quadrature, relative to ``1 - lambda``. It means nothing away from a saddle point.
    """
    return 1.0 - alpha * (slope**2 * softness + bend * forces) * rigidity
