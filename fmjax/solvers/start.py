"""Where Newton starts towards a threshold: on the last curve that is not yet as wanted, found by halving."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
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

__all__ = [
    "FOLDING",
    "TOUCHING",
    "Event",
    "Scan",
    "Start",
    "last_before",
    "start_at_zero_entropy",
    "start_in_loads",
    "start_in_margins",
]

_Scalar = Float[Array, ""]


class _Grid(NamedTuple):
    """Where curves are looked at before Newton goes to a threshold.

    Attributes:
        halvings: of the interval of loads or margins in which a curve changes. Robust ensembles have two minima that touch
            zero at loads 0.01 apart: both are told from each other at half of that and less.
        distances: on each of the curves.
        nearest: smallest distance from a reference, where its margin is not close to the counted one.
        resolved: the same in squares of the difference of both margins, in deviations: a flipped fraction ``d`` moves a
            stability by ``sqrt(d)``, and folds were found at 0.3 of these squares at all small loads.
        lowest: margin of the closest reference, in deviations, relative to the load: thresholds are 0.02 of it and more.
        farthest: largest one.
        share: smallest and largest distance of replicas, relative to that of typical solutions.
    """

    halvings: int = 8
    distances: int = 36
    nearest: float = 5e-5
    resolved: float = 0.01
    lowest: float = 0.01
    farthest: float = 0.3
    share: tuple[float, float] = (5e-5, 0.9)


_GRID = _Grid()


class Scan(NamedTuple):
    """Points from near to far; the margin, in deviations of the pre-activation, and the fields of what they lie around.

    The reference may be ``softer`` than what is counted: then there is no curve. Between replicas it has no fields.
    """

    alpha: _Scalar
    margin: _Scalar
    softer: Bool[Array, ""]
    reference: Float[Array, " n"]
    distances: Float[Array, " d"]
    track: Track

    @property
    def entropy(self) -> Float[Array, " d"]:
        """Entropy of every point that is known, infinite elsewhere."""
        return jnp.where(self.known, self.track.numbers[:, 0], jnp.inf)

    @property
    def slope(self) -> Float[Array, " d"]:
        """Its derivative with respect to the distance."""
        return jnp.where(self.known, self.track.numbers[:, 1], jnp.inf)

    @property
    def known(self) -> Bool[Array, " d"]:
        """Which points these are."""
        return self.track.status == CONVERGED


class Start(NamedTuple):
    """The point of a curve from which Newton goes to a threshold, the curve's direction there, and whether there is one.

    ``between``: where loads were looked through, those between which it lies: equations have other zeros.
    """

    alpha: _Scalar
    margin: _Scalar
    reference: Float[Array, " n"]
    fields: Float[Array, " m"]
    moving: Float[Array, " m"]
    position: _Scalar
    found: Bool[Array, ""]
    between: tuple[_Scalar, _Scalar] | None = None


class Event(NamedTuple):
    """What happens to a curve at a threshold: its minimum ``touches`` zero, or else it ceases to descend anywhere.

    A number, not a function: thresholds of both kinds share their programs.
    """

    touches: np.bool_


TOUCHING, FOLDING = Event(np.bool_(True)), Event(np.bool_(False))


def _before(event: Event, curve: Scan) -> tuple[Bool[Array, ""], Int[Array, ""]]:
    """Whether the event is yet to come, and the point where it will."""
    # Where a curve never descends there is no interior minimum.
    descended = jnp.cumsum(curve.slope < 0) > 0
    depth = jnp.where(descended, curve.entropy, jnp.inf)
    maximum = jnp.argmax(jnp.where(curve.known, curve.entropy, -jnp.inf))
    rising = (jnp.arange(_GRID.distances) < maximum) & (curve.distances < 0.5 * curve.distances[maximum])
    descent = jnp.where(rising, curve.slope, jnp.inf)
    looked_at = jnp.where(event.touches, depth, descent)
    # Where there is no reference at all there is no monotonic curve either.
    return (jnp.min(looked_at) < 0) | curve.softer, jnp.argmin(looked_at)


_Before = Callable[[Scan], tuple[Bool[Array, ""], Int[Array, ""]]]


def last_before(before: _Before, curve_at: Callable[[_Scalar], Scan]) -> Start:
    """The start on the last of the curves, at positions from 0 to 1, that are ``before`` an event."""

    def look(turn, last, after, _, start):
        position = jnp.where(turn == 0, 1.0, 0.5 * (last + after))
        curve = curve_at(position)
        ahead, place = before(curve)
        start = jax.tree.map(lambda new, old: jnp.where(ahead, new, old), _start(curve, place), start)
        comes = ~(ahead & (turn == 0))
        return turn + 1, jnp.where(ahead, position, last), jnp.where(ahead, after, position), comes, start

    def unfinished(state):
        turn, _, _, comes, _ = state
        return comes & (turn <= _GRID.halvings)

    zero = jnp.zeros(())
    none = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(lambda: _start(curve_at(zero), 0)))
    state = (jnp.asarray(0), zero, jnp.ones(()), jnp.asarray(True), none)
    *_, comes, start = jax.lax.while_loop(unfinished, lambda state: look(*state), state)
    return start._replace(found=start.found & comes)


def _start(curve: Scan, at: Int[Array, ""] | int) -> Start:
    near, far = jnp.clip(at - 1, 0, curve.distances.size - 3), jnp.clip(at + 1, 2, curve.distances.size - 1)
    positions = jnp.log(curve.distances) - jnp.log1p(-curve.distances)
    fields = curve.track.fields
    moving = (fields[far] - fields[near]) / (positions[far] - positions[near])
    moving = jnp.where(curve.known[near] & curve.known[far], moving, 0.0)
    return Start(curve.alpha, curve.margin, curve.reference, fields[at], moving, positions[at], ~curve.softer)


def _around_reference(model: Model, alpha: _Scalar, margin: _Scalar) -> Scan:
    room = (margin - model.margin) / model.deviation
    softer = model.constraint.tightens * room <= 0
    margin = jnp.where(softer, jnp.nan, margin)
    nearest = jnp.minimum(_GRID.nearest, _GRID.resolved * room**2)
    distances = jnp.geomspace(nearest, _GRID.farthest, _GRID.distances)
    functional = FranzParisi(model, margin)
    typical = typical_of(functional, alpha)
    track = follow(functional, alpha, distances, typical)
    return Scan(alpha, margin / model.deviation, softer, typical[0].unknowns, distances, track)


def start_in_margins(event: Event, call: Call, model: Model, alpha: _Scalar) -> Start:
    """The start among references from just beyond the model's own margin to the hardest one.

    ``call`` runs compiled programs, here and below, see `compiled_together`.
    """
    return call(_in_margins, event, model, alpha, call(search_margin, Equilibrium(model), alpha))


@Program
def _in_margins(event: Event, model: Model, alpha: _Scalar, hardest: Root) -> Start:
    room = margin_of(model, hardest.unknowns[-1]) - model.margin
    steep = jnp.isinf(jnp.asarray(model.architecture.steepness()))  # stabilities move by more: thresholds are larger
    lowest = _GRID.lowest * jnp.where(steep, jnp.abs(room), jnp.minimum(jnp.abs(room), alpha * model.deviation))

    def curve_at(position):
        return _around_reference(model, alpha, model.margin + jnp.sign(room) * lowest * (jnp.abs(room) / lowest) ** position)

    return last_before(partial(_before, event), curve_at)


def start_at_zero_entropy(event: Event, call: Call, model: Model) -> Start:
    """The start at loads from the largest possible one on down, around references of the hardest margin.

    Beyond the capacity there is no reference.
    """
    functional = Equilibrium(model)
    # With a teacher no bound is near the load at which solutions end.
    bound = call(search_alpha, functional) if model.teacher else None
    return call(_at_zero_entropy, event, functional, bound)


@Program
def _at_zero_entropy(event: Event, functional: Equilibrium, bound: Root | None) -> Start:
    largest = largest_load(functional) if bound is None else bound.unknowns[-1]
    model = functional.model

    def curve_at(position):
        alpha = _load_at(position, largest, model)
        margin = margin_of(model, search_margin(functional, alpha).unknowns[-1])
        return _around_reference(model, alpha, margin)

    return last_before(partial(_before, event), curve_at)._replace(between=(jnp.zeros(()), largest))


def _load_at(position: _Scalar, largest: _Scalar, model: Model) -> _Scalar:
    """From the ``largest`` load down to the lowest one that has a hardest margin, ever closer to one another.

    Monotonic curves end close to the largest load at large margins, at a hundredth of it in a narrow symmetric constraint.
    """
    most, least = jnp.sqrt(largest), jnp.sqrt(model.constraint.fewest)
    return (most + position * (least - most)) ** 2


def start_in_loads(event: Event, call: Call, functional: RobustEnsemble) -> Start:
    """The start among entropies of replicas at loads from the capacity on down."""
    return call(_in_loads, event, functional, call(search_alpha, Equilibrium(functional.model)))


@Program
def _in_loads(event: Event, functional: RobustEnsemble, largest: Root) -> Start:
    most, shares = largest.unknowns[-1], jnp.geomspace(*_GRID.share, _GRID.distances)

    def curve_at(position):
        alpha = _load_at(position, most, functional.model)
        typical = typical_of(functional, alpha)
        distances = 0.5 * order_of(typical[0]).gap * shares
        track = follow(functional, alpha, distances, typical)
        return Scan(alpha, jnp.asarray(functional.model.margin), jnp.asarray(False), jnp.zeros(0), distances, track)

    return last_before(partial(_before, event), curve_at)._replace(between=(jnp.zeros(()), most))
