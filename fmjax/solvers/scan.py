"""Coarse scans of curves, and where a threshold lies between two of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from fmjax.compilation import Call, Program
from fmjax.models import Model
from fmjax.replica import Equilibrium, FranzParisi, RobustEnsemble
from fmjax.solvers.continuation import follow, typical_of
from fmjax.solvers.follower import Track
from fmjax.solvers.newton import Root
from fmjax.solvers.outcome import CONVERGED
from fmjax.solvers.saddle import order_of
from fmjax.solvers.zero_entropy import largest_load, margin_of, search_alpha, search_margin

__all__ = ["Scan", "Start", "flattest", "lowest", "start_at_zero_entropy", "start_in_loads", "start_in_margins"]

_Scalar = Float[Array, ""]


class _Grid(NamedTuple):
    """Where curves are looked at before Newton goes to a threshold.

    Attributes:
        curves: around references, one for each load or margin.
        loads: at which the entropies of replicas are looked at.
        distances: on each of them.
        nearest: smallest distance from a reference, where its margin is not close to the counted one.
        resolved: the same in squares of the difference of both margins, in deviations: a flipped fraction ``d`` moves a
            stability by ``sqrt(d)``, and folds were found at 0.3 of these squares at all small loads.
        lowest: margin of the closest reference, in deviations, relative to the load: thresholds are 0.02 of it and more.
        farthest: largest one.
        least: lowest load around references of zero entropy, relative to the largest possible one, and the power by which
            loads get closer towards it: monotonic curves end close to the capacity at large margins, and at 0.05 of it
            around the hardest references of a narrow symmetric constraint.
        share: smallest and largest distance of replicas, relative to that of typical solutions.
        zooms: into the loads of replicas, whose entropies may have two minima that touch zero at loads 0.01 apart.
    """

    curves: int = 24
    loads: int = 12
    distances: int = 36
    nearest: float = 5e-5
    resolved: float = 0.01
    lowest: float = 0.01
    farthest: float = 0.3
    least: tuple[float, float] = (0.03, 1.5)
    share: tuple[float, float] = (5e-5, 0.9)
    zooms: int = 2


_GRID = _Grid()


class Scan(NamedTuple):
    """Points of curves on a grid of distances from near to far, one curve for each load and margin of a reference.

    ``margins`` are in deviations of the pre-activation; ``references`` are the fields of the references, of no length where
    there are none.
    """

    alphas: Float[Array, " r"]
    margins: Float[Array, " r"]
    references: Float[Array, "r n"]
    distances: Float[Array, "r d"]
    tracks: Track

    @property
    def entropy(self) -> Float[Array, "r d"]:
        """Entropy of every point."""
        return self.tracks.numbers[:, :, 0]

    @property
    def slope(self) -> Float[Array, "r d"]:
        """Its derivative with respect to the distance."""
        return self.tracks.numbers[:, :, 1]


class Start(NamedTuple):
    """The point of a scan from which Newton goes to a threshold, the curve's direction there, and whether there is one."""

    alpha: _Scalar
    margin: _Scalar
    reference: Float[Array, " n"]
    fields: Float[Array, " m"]
    moving: Float[Array, " m"]
    position: _Scalar
    found: Bool[Array, ""]


@Program
def _local_entropies(model: Model, alphas: Float[Array, " r"], margins: Float[Array, " r"]) -> Scan:
    room = (margins - model.margin) / model.deviation
    nearest = jnp.minimum(_GRID.nearest, _GRID.resolved * room**2)
    distances = jnp.geomspace(nearest, _GRID.farthest, _GRID.distances, axis=-1)

    def curve(item):
        alpha, margin, distance = item
        functional = FranzParisi(model, margin)
        typical = typical_of(functional, alpha)
        return typical[0].unknowns, follow(functional, alpha, distance, typical)

    references, tracks = jax.lax.map(curve, (alphas, margins, distances))
    return Scan(alphas, margins / model.deviation, references, distances, tracks)


@Program
def _zero_entropy_line(functional: Equilibrium, bound: Root | None) -> tuple[Float[Array, " r"], Float[Array, " r"]]:
    largest = largest_load(functional) if bound is None else bound.unknowns[-1]
    least, power = _GRID.least
    alphas = largest * jnp.linspace(1.0, least ** (1.0 / power), _GRID.curves) ** power
    margins = margin_of(functional.model, jax.lax.map(lambda alpha: search_margin(functional, alpha).unknowns[-1], alphas))
    harder = functional.model.constraint.tightens * (margins - functional.model.margin) > 0
    return alphas, jnp.where(harder, margins, jnp.nan)


def start_in_margins(chosen: Callable[[Scan], Start], call: Call, model: Model, alpha: _Scalar) -> Start:
    """The start that is ``chosen`` among references from just beyond the model's own margin to the hardest one.

    ``call`` runs compiled programs, here and below, see `compiled_together`.
    """
    hardest = call(search_margin, Equilibrium(model), alpha)
    return call(chosen, call(_local_entropies, model, *call(_up_to, model, alpha, hardest)))


@Program
def _up_to(model: Model, alpha: _Scalar, hardest: Root) -> tuple[Float[Array, " r"], Float[Array, " r"]]:
    room = margin_of(model, hardest.unknowns[-1]) - model.margin
    steep = jnp.isinf(jnp.asarray(model.architecture.steepness()))  # stabilities move by more: thresholds are larger
    lowest = _GRID.lowest * jnp.where(steep, jnp.abs(room), jnp.minimum(jnp.abs(room), alpha * model.deviation))
    margins = model.margin + jnp.sign(room) * jnp.geomspace(lowest, jnp.abs(room), _GRID.curves)
    return jnp.full(_GRID.curves, alpha), margins


def start_at_zero_entropy(call: Call, model: Model) -> Start:
    """The flattest start at loads from the largest possible one on down, around references of the hardest margin.

    Beyond the capacity there is no reference: its margin is NaN.
    """
    functional = Equilibrium(model)
    # With a teacher no bound is near the load at which solutions end.
    bound = call(search_alpha, functional) if model.teacher else None
    return call(flattest, call(_local_entropies, model, *call(_zero_entropy_line, functional, bound)))


@Program
def _ensemble_entropies(functional: RobustEnsemble, highest: _Scalar, step: _Scalar) -> Scan:
    alphas = jnp.linspace(highest, highest - step, _GRID.loads)
    shares = jnp.geomspace(*_GRID.share, _GRID.distances)

    def curve(alpha):
        typical = typical_of(functional, alpha)
        distance = 0.5 * order_of(typical[0]).gap * shares
        return distance, follow(functional, alpha, distance, typical)

    distances, tracks = jax.lax.map(curve, alphas)
    margins = jnp.full(_GRID.loads, functional.model.margin)
    return Scan(alphas, margins, jnp.zeros((_GRID.loads, 0)), distances, tracks)


def start_in_loads(chosen: Callable[[Scan], Start], call: Call, functional: RobustEnsemble) -> Start:
    """The start that is ``chosen`` from loads between half the capacity and the capacity, then from ever closer ones."""
    highest, steps = call(_halves_of, call(search_alpha, Equilibrium(functional.model)))
    start = call(chosen, call(_ensemble_entropies, functional, highest, steps[0]))
    for step in steps[1:]:
        start = call(chosen, call(_ensemble_entropies, functional, start.alpha, step))
    return start


@Program
def _halves_of(largest: Root) -> tuple[_Scalar, tuple[_Scalar, ...]]:
    """The capacity, and how far below it loads are looked at: half of it, then ever closer."""
    half = 0.5 * largest.unknowns[-1]
    return largest.unknowns[-1], tuple(half / (_GRID.loads - 1) ** zoom for zoom in range(_GRID.zooms + 1))


@Program
def lowest(scan: Scan) -> Start:
    """Start for a minimum that touches zero: the last reference whose curve is negative behind its first descent, there."""
    known = scan.tracks.status == CONVERGED
    # Where it never descends there is no interior minimum.
    descended = jnp.cumsum(known & (scan.slope < 0), axis=1) > 0
    depth = jnp.where(known & descended, scan.entropy, jnp.inf)
    return _start(jnp.min(depth, axis=1) < 0, jnp.argmin(depth, axis=1), scan)


@Program
def flattest(scan: Scan) -> Start:
    """Start for a fold: the last reference whose curve still descends below its maximum, where it descends most."""
    known = scan.tracks.status == CONVERGED
    maximum = jnp.argmax(jnp.where(known, scan.entropy, -jnp.inf), axis=1)
    farthest = jnp.take_along_axis(scan.distances, maximum[:, None], axis=1)
    rising = (jnp.arange(_GRID.distances) < maximum[:, None]) & (scan.distances < 0.5 * farthest)
    slope = jnp.where(known & rising, scan.slope, jnp.inf)
    # Where there is no reference at all there is no monotonic curve either.
    below = (jnp.min(slope, axis=1) < 0) | jnp.isnan(scan.margins)
    return _start(below, jnp.argmin(slope, axis=1), scan)


def _start(below: Bool[Array, " r"], place: Int[Array, " r"], scan: Scan) -> Start:
    """At the last reference for which ``below`` holds, which must switch from true to false along the scan."""
    last = below.size - 1 - jnp.argmax(below[::-1])
    found = jnp.any(below) & ~jnp.all(below) & ~jnp.isnan(scan.margins[last])
    at = place[last]
    near, far = jnp.clip(at - 1, 0, _GRID.distances - 3), jnp.clip(at + 1, 2, _GRID.distances - 1)
    positions = jnp.log(scan.distances[last]) - jnp.log1p(-scan.distances[last])
    fields, known = scan.tracks.fields[last], scan.tracks.status[last] == CONVERGED
    moving = (fields[far] - fields[near]) / (positions[far] - positions[near])
    moving = jnp.where(known[near] & known[far], moving, 0.0)
    return Start(scan.alphas[last], scan.margins[last], scan.references[last], fields[at], moving, positions[at], found)
