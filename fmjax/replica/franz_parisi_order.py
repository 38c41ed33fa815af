"""What a local entropy is a function of: its controls, order parameters, and the combinations that enter the potentials."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float

from fmjax.replica.equilibrium import EquilibriumOrder

__all__ = ["Conjugates", "FranzParisiControls", "FranzParisiOrder", "Overlaps"]

_Scalar = Float[Array, ""]


class FranzParisiControls(eqx.Module):
    """Where the functional is evaluated: ``alpha``, the ``distance`` from the reference, and the reference itself."""

    alpha: Float[Array, "*batch"]
    distance: Float[Array, "*batch"]
    reference: EquilibriumOrder


class FranzParisiOrder(eqx.Module):
    """Order parameters of the counted solutions.

    ``q``: overlap of two of them around the same reference; ``t``: of one with another replica of the reference; ``R``:
    with the teacher (zero for random labels); ``q_hat, t_hat, R_hat, p_hat``: conjugates of ``q, t, R`` and of
    ``p = 1 - 2 distance``; ``gap = 1 - q`` without cancellation.
    """

    q: Float[Array, "*batch"]
    t: Float[Array, "*batch"]
    q_hat: Float[Array, "*batch"]
    t_hat: Float[Array, "*batch"]
    p_hat: Float[Array, "*batch"]
    gap: Float[Array, "*batch"]
    R: Float[Array, "*batch"]
    R_hat: Float[Array, "*batch"]


class Overlaps(eqx.Module):
    """Overlaps and the combinations of pre-activation covariances that the energetic term needs.

    With ``Q`` the kernel: counted field ``h = a x + c z + sqrt(g) y`` where ``x`` is the frozen field of the reference,
    ``z`` its own fluctuation and ``y`` the rest, ``a = Q(t)/sqrt(Q(q~))``, ``c = (Q(p)-Q(t))/sqrt(1-Q(q~))``. The teacher's
    field is ``Q(R~)/sqrt(Q(q~)) x + b y`` and a rest of its own.
    """

    p: _Scalar
    q: _Scalar
    gap: _Scalar
    t: _Scalar
    kernel_gap: _Scalar
    a: _Scalar
    c: _Scalar
    g: _Scalar
    R: _Scalar
    b: _Scalar


class Conjugates(eqx.Module):
    """Conjugates, with ``residual = q_hat - t_hat**2/q~_hat`` and ``eta = p_hat - t_hat``."""

    q_hat: _Scalar
    t_hat: _Scalar
    eta: _Scalar
    residual: _Scalar
    R_hat: _Scalar
