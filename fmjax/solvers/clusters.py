"""What one step of replica-symmetry breaking has to say about a point: clusters, their number and entropy, and the phase."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from fmjax.outcome import describe
from fmjax.sentences import PHASES
from fmjax.solvers.outcome import Outcome
from fmjax.solvers.saddle import SaddlePoint

__all__ = ["UNKNOWN", "ClusterPoint", "ClusterPotential", "ClusterRoots"]

FROZEN, CLUSTERED, BROKEN, EMPTY, UNDECIDED, UNKNOWN = range(6)  # places in `fmjax.sentences.PHASES`


class ClusterRoots(eqx.Module):
    """Solutions of the one-step equations at ``m = 1``, in the order of ``q1``; NaN where there are fewer.

    Attributes:
        q1: overlap inside a cluster.
        complexity: logarithm of the number of clusters per weight, ``-m² dphi/dm``.
        internal_entropy: of the solutions in one cluster; with the complexity it adds up to the symmetric entropy.
        stable: against changes of ``q1``. Between two stable solutions lies an unstable one, the barrier.
    """

    q1: Float[Array, "*batch roots"]
    complexity: Float[Array, "*batch roots"]
    internal_entropy: Float[Array, "*batch roots"]
    stable: Bool[Array, "*batch roots"]


class ClusterPotential(eqx.Module):
    """``X = dphi/dm`` at ``m = 1`` against ``q1``, made stationary in ``q1^``: what its maxima and minima are is in `roots`.

    It is minus the complexity that clusters of that overlap would have: zero at ``q1 = q0``, minus the symmetric entropy at
    ``q1 = 1``. A maximum is a cluster, a minimum the barrier around it.

    Attributes:
        q1: overlap inside a cluster, from ``q0`` to 1.
        excess: ``X``, nats per weight, to plot: within 1e-6, from two thirds of the nodes.
    """

    q1: Float[Array, "*batch scan"]
    excess: Float[Array, "*batch scan"]


class ClusterPoint(eqx.Module, Outcome):
    """What one step of replica-symmetry breaking makes of a replica-symmetric answer.

    Attributes:
        symmetric: the replica-symmetric answer.
        entropy: of the one-step solution, nats per weight: the symmetric one where that is exact. Negative: there are no
            solutions.
        slope: its derivative along the functional's own control.
        q0, q1: overlap of two solutions of different clusters, of the same one.
        q0_hat, q1_hat: their conjugates; ``q1_hat`` is infinite where ``q1 = 1``.
        m: block size: 1 where the symmetric entropy is exact.
        complexity, internal_entropy: see `ClusterRoots`; ``entropy`` is ``complexity/m + internal_entropy``.
        roots: all solutions at ``m = 1`` but the frozen one, ``q1 = 1``, of complexity ``symmetric.entropy``, which binary
            weights always have.
        potential: at ``m = 1``, between these solutions.
        residual: largest one-step equation left over.
        error_estimate: absolute bound on the error of ``entropy``, from half as many nodes again in every integral.
        code: integer behind `phase`.
        status: integer code behind `result`.
    """

    symmetric: SaddlePoint
    entropy: Float[Array, "*batch"]
    slope: Float[Array, "*batch"]
    q0: Float[Array, "*batch"]
    q1: Float[Array, "*batch"]
    q0_hat: Float[Array, "*batch"]
    q1_hat: Float[Array, "*batch"]
    m: Float[Array, "*batch"]
    complexity: Float[Array, "*batch"]
    internal_entropy: Float[Array, "*batch"]
    roots: ClusterRoots
    potential: ClusterPotential
    residual: Float[Array, "*batch"]
    error_estimate: Float[Array, "*batch"]
    code: Int[Array, "*batch"]
    status: Int[Array, "*batch"]

    @property
    def phase(self) -> str | np.ndarray:
        """How the solutions are organised, as a sentence; an object array of them for a batch."""
        return describe(self.code, PHASES)
