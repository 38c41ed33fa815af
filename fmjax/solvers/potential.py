"""What clusters of any size would have around a reference, at ``m = 1``: the potential whose maxima are clusters."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import as_array
from fmjax.compilation import Program
from fmjax.models import refuse_loss
from fmjax.replica import FranzParisi, FranzParisiControls, OneStep
from fmjax.solvers.asking import one_number, require
from fmjax.solvers.clusters import ClusterPotential
from fmjax.solvers.continuation import Curve
from fmjax.solvers.front import as_float64, check, followed, in_float64
from fmjax.solvers.saddle import SaddlePoint

__all__ = ["PotentialCurve", "cluster_potential"]

_Real = float | int | Float[Array, ""] | np.ndarray
_STRONGEST = 40.0  # there 1 - q1 is below 1e-7


class PotentialCurve(eqx.Module):
    """A potential along ``q1``, and the replica-symmetric answer that it belongs to.

    Attributes:
        symmetric: the replica-symmetric answer.
        potential: ``q1`` and ``dphi/dm``, shape ``(n,)`` each.
        error_estimate: absolute bound on the error of the latter, shape ``(n,)``: what a third of the nodes change.
    """

    symmetric: SaddlePoint
    potential: ClusterPotential
    error_estimate: Float[Array, "*batch n"]


@Program
def _potential(functional: FranzParisi, alpha: Array, curve: Curve, rise: Array) -> PotentialCurve:
    point, fields = jax.tree.map(lambda leaf: leaf[0], (curve.points, curve.fields))
    controls, one = FranzParisiControls(alpha, point.distance, point.reference), OneStep(functional)

    def at(rise):
        _, broken = one(jnp.append(fields, rise), controls, jnp.ones(()))
        _, coarse = one.coarse()(jnp.append(fields, rise), controls, jnp.ones(()))
        return broken.gap, broken.complexity, coarse.complexity

    gap, complexity, coarse = jax.lax.map(at, rise)
    # The same fields went into both, so that of the symmetric answer comes on top.
    error = jnp.abs(complexity - coarse) + point.error_estimate
    return PotentialCurve(point, ClusterPotential(1.0 - gap, -complexity), error)


@in_float64
def cluster_potential(
    functional: FranzParisi, *, alpha: _Real, distance: _Real, rise: Sequence[float | int] | Float[Array, " n"] | np.ndarray
) -> PotentialCurve:
    """``dphi/dm`` at ``m = 1`` against the overlap ``q1`` inside a cluster, see `fmjax.solvers.clusters.ClusterPotential`.

    Args:
        functional: a local entropy of binary weights.
        alpha: patterns per weight, positive.
        distance: Hamming distance per weight from the reference, in (0, 1).
        rise: ``q1^ - q0^``, the field that fixes ``q1``, in (0, 40], shape ``(n,)``: from small to large, ``q1`` goes from
            ``q0`` to 1.

    Returns:
        A `PotentialCurve`, NaN where the replica-symmetric answer did not converge. Without derivatives.

    Raises:
        ValueError: as for `fmjax.clusters`; a field outside (0, 40].
        TypeError: another functional.

    Example:
        >>> import fmjax
        >>> from fmjax.solvers.potential import cluster_potential
        >>> local = fmjax.FranzParisi(fmjax.Perceptron(), reference_margin=0.2)
        >>> found = cluster_potential(local, alpha=0.5, distance=0.1, rise=[0.001, 40.0])
        >>> print(f"{found.potential.excess[0]:.5f} {found.potential.excess[1] + found.symmetric.entropy:.5f}")  # both ends
        0.00000 0.00000
    """
    check(functional, (FranzParisi,), alpha, distance)
    one_number("distance", distance, several="several calls")
    refuse_loss("clusters", functional.model.constraint)
    fields = as_array("rise", rise)
    require("rise", fields, lambda field: (field > 0) & (field <= _STRONGEST), "a field between 0 and 40 fixes the overlap")
    curve = followed(functional, alpha, jnp.reshape(as_float64(distance), 1))
    return _potential(*as_float64((functional, alpha)), curve, as_float64(fields))
