"""Where Newton starts towards the loads at which a curve of typical replicas around a centre folds and falls apart."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from fmjax.compilation import Call, Program
from fmjax.replica import CentredEnsemble, Equilibrium
from fmjax.solvers.continuation import follow, typical_of
from fmjax.solvers.newton import Root
from fmjax.solvers.saddle import order_of
from fmjax.solvers.start import Scan, Start, last_before
from fmjax.solvers.zero_entropy import search_alpha

__all__ = ["start_at_a_kink"]


class _Around(NamedTuple):
    """Where curves of typical replicas are looked at.

    Attributes:
        lowest: load, relative to the capacity. Curves were found to fall apart at 0.84 to 0.95 of it, of perceptrons with
            margins from -1.5 to 1.5 and of committees, and at 0.75 in a symmetric interval of one deviation.
        distances: on each of the curves. With half as many, Newton was found to get lost for two models in ten.
        share: smallest and largest distance, relative to that of typical solutions.
        few: replicas, relative to those with which curves begin, that there are in dense regions alone. Those of units that
            jump do not reach the smallest distances.
        nodes: of the integrals, relative to those of the functional: near is enough.
        apart: largest relative difference from the load of the start. Folds were found up to 0.004 below the load at which
            curves are torn.
    """

    lowest: float = 0.7
    distances: int = 144
    share: tuple[float, float] = (0.02, 0.8)
    few: float = 0.125
    nodes: float = 0.5
    apart: float = 0.01


_AROUND = _Around()


def start_at_a_kink(call: Call, functional: CentredEnsemble) -> Start:
    """The start where the last whole curve of typical replicas, at loads from the lowest one on up, is about to be torn.

    ``call`` runs compiled programs, see `compiled_together`.
    """
    return call(_whole_in_loads, functional, call(search_alpha, Equilibrium(functional.model)))


@Program
def _whole_in_loads(functional: CentredEnsemble, largest: Root) -> Start:
    most, shares = largest.unknowns[-1], jnp.geomspace(*_AROUND.share, _AROUND.distances)
    functional = functional.resized(_AROUND.nodes)

    def curve_at(position):
        alpha = most * (_AROUND.lowest + position * (1.0 - _AROUND.lowest))
        typical = typical_of(functional, alpha)
        distances = 0.5 * order_of(typical[1]).gap * shares
        track = follow(functional, alpha, distances, typical)
        return Scan(alpha, jnp.asarray(functional.model.margin), jnp.asarray(False), jnp.zeros(0), distances, track)

    start = last_before(_whole, curve_at)
    least, most = start.alpha * (1.0 - _AROUND.apart), jnp.minimum(start.alpha * (1.0 + _AROUND.apart), most)
    return start._replace(between=(least, most))


def _whole(curve: Scan) -> tuple[Bool[Array, ""], Int[Array, ""]]:
    """Whether a curve has its dense regions, where it is steepest, and the place where it is about to be torn: a kink."""
    slope = jnp.where(curve.known, curve.slope, -jnp.inf)
    dense = curve.track.fields[jnp.argmax(slope), -1] < np.log(_AROUND.few)
    kink = jnp.diff(jnp.log(jnp.where(slope > 0, slope, jnp.nan)), 2)
    return curve.known[0] | dense, 1 + jnp.argmax(jnp.where(jnp.isfinite(kink), kink, -jnp.inf))
