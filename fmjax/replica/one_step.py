"""One step of replica-symmetry breaking: any replica-symmetric free entropy, with clusters of solutions in it."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models import Binary
from fmjax.replica.clusters import Broken, Clusters
from fmjax.replica.functional import Functional, Saddle, nodes_of

__all__ = ["OneStep"]

_Scalar = Float[Array, ""]


class OneStep(eqx.Module):
    r"""One-step free entropy of the solutions that a replica-symmetric functional counts.

    .. math::

        \phi(m) &= \mathop{\mathrm{ext}} -\tfrac12 \hat q_1 + \tfrac{1-m}2 q_1 \hat q_1 + \tfrac m2 q_0 \hat q_0 + \ldots
        + G_S(m) + \alpha G_E(m), \\
        G(m) &= E[F_m], \qquad F_m(h) = \tfrac1m \ln \int\! Du\, \exp\big(m f(h + \sqrt\Delta\, u)\big)

    in nats per weight (Krauth and Mezard 1989 for typical solutions; the supplement of Baldassi et al. 2021 around a
    reference), with ``Delta = q1 - q0`` for patterns and ``q1^ - q0^`` for weights, and ``E`` the mean over the symmetric
    functional's own fields. At ``m = 1`` it is the symmetric entropy whatever ``q1``. It is stationary where fields imply
    themselves, see `Clusters`.

    The *complexity* ``-m² dphi/dm`` is the logarithm of the number of clusters, the *internal entropy* ``phi + m dphi/dm``
    that of the solutions in one of them, and ``m phi`` is the first plus ``m`` times the second. As ``q1 -> 1`` (frozen:
    every solution a cluster of its own) ``phi(m) = phi_RS/m``: no internal entropy, and the complexity ``phi_RS`` itself.

    At ``m = 1`` the equations reduce to one in one unknown, all of whose roots a scan finds; solutions below are followed
    from there. Those that exist at ``m < 1`` alone would be missed: from 16 random starts at each of ``m`` = 0.9, 0.6, 0.3,
    at four points (alpha 0.5 and 0.75, ``d`` from 0.01 to 0.1), Newton found nothing but the barrier, the unstable solution
    at ``m = 1``, followed down (``one_step.py --only starts``, of the benchmarks).

    Args:
        symmetric: `Equilibrium` or `FranzParisi` of a model with binary weights.
        nodes: of the tables of potentials of a block, and of the inner integrals of a pattern and of a weight.

    Raises:
        ValueError: the weights are not binary; ``nodes`` are no three whole numbers.
    """

    symmetric: Functional
    nodes: tuple[int, int, int] = eqx.field(static=True, default=(480, 96, 64), converter=nodes_of(480, 96, 64))

    def __check_init__(self):
        weights = self.symmetric.model.weights
        if not isinstance(weights, Binary):
            kind = type(weights).__name__
            raise ValueError(f"clusters are those of binary weights, not of {kind} ones")  # noqa: TRY004  (part of a model)

    def __call__(self, unknowns: Float[Array, " n"], controls: Any, m: _Scalar) -> tuple[Saddle, Broken]:
        """What the fields of the symmetric functional and, last, ``q1^ - q0^`` imply; and what the clusters add to that.

        Args:
            unknowns: ``(*fields, q1^ - q0^)``, shape ``(n,)``.
            controls: those of the symmetric functional.
            m: replicas in a cluster.
        """
        clusters = Clusters(jnp.asarray(m), unknowns[-1], self.nodes)
        saddle = self.symmetric.saddle(unknowns[:-1], controls, clusters)
        assert saddle.broken is not None
        return saddle, saddle.broken

    def coarse(self) -> OneStep:
        """Two thirds of the nodes in the integrals of the blocks: for a scan."""
        table, pattern, weight = (2 * size // 3 for size in self.nodes)
        return OneStep(self.symmetric, (table, pattern, weight))

    def refined(self) -> OneStep:
        """Half as many nodes again, in every integral."""
        table, pattern, weight = (3 * size // 2 for size in self.nodes)
        return OneStep(self.symmetric.resized(1.5), (table, pattern, weight))
