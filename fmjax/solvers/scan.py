"""Coarse scans of local entropies over references, and where a threshold lies between two of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from fmjax.models import Model
from fmjax.replica import Equilibrium, FranzParisi, RobustEnsemble
from fmjax.solvers.ahead import Call
from fmjax.solvers.continuation import local_entropy
from fmjax.solvers.robust import robust_entropy
from fmjax.solvers.saddle import SaddlePoint, equilibrium
from fmjax.solvers.zero_entropy import largest_alpha, largest_load, largest_margin

__all__ = ["Scan", "Start", "flattest", "lowest", "scan_margins", "scan_zero_entropy", "start_in_loads"]

_Scalar = Float[Array, ""]
_REFERENCES = 12
_DISTANCES = 36
_NEAREST, _FARTHEST = 5e-5, 0.3  # distances scanned: the folds lie between 1e-4 and 1e-2
_ENSEMBLE = (5e-5, 0.9)  # those of a robust ensemble, relative to that of typical solutions
_ZOOMS = 2  # entropies of replicas may have two minima, that touch zero at loads 0.01 apart


class Scan(NamedTuple):
    """References and, for each, local entropies on a grid of distances from near to far."""

    alphas: Float[Array, " r"]
    margins: Float[Array, " r"]
    rows: SaddlePoint


class Start(NamedTuple):
    """The point of a scan from which Newton goes to a threshold, the two rows around it, and whether there is one."""

    alpha: _Scalar
    margin: _Scalar
    row: SaddlePoint
    neighbours: SaddlePoint
    found: Bool[Array, ""]


@jax.jit
def _local_entropies(model: Model, alphas: Float[Array, " r"], margins: Float[Array, " r"]) -> SaddlePoint:
    model, alphas, margins = jax.lax.stop_gradient((model, alphas, margins))
    distance = jnp.geomspace(_NEAREST, _FARTHEST, _DISTANCES)

    def curve(item):
        return _looked_at(local_entropy(FranzParisi(model, item[1]), item[0], distance))

    return jax.lax.map(curve, (alphas, margins))


def _looked_at(rows: SaddlePoint) -> SaddlePoint:
    """Without what no start is chosen by, which then is not compiled: error estimates take a finer rule at every knot."""
    return eqx.tree_at(lambda r: (r.replicon, r.error_estimate, r.residual, r.steps), rows, (None,) * 4)


@jax.jit
def _zero_entropy_line(functional: Equilibrium) -> tuple[Float[Array, " r"], Float[Array, " r"]]:
    functional = jax.lax.stop_gradient(functional)
    # With a teacher no bound is near the load at which solutions end.
    teacher = functional.model.teacher
    largest = largest_alpha(functional)[0].value[-1] if teacher else largest_load(functional)
    alphas = largest * jnp.linspace(1.0, 0.5, _REFERENCES)
    margins = jax.vmap(lambda alpha: largest_margin(functional, alpha)[0].value[-1])(alphas)
    return alphas, jnp.where(margins > functional.model.margin, margins, jnp.nan)


def scan_margins(call: Call, model: Model, alpha: _Scalar) -> Scan:
    """References from just above the model's own margin to the largest one, denser at small margins.

    ``call`` runs compiled programs, here and below, see `compiled_together`.
    """
    still, alpha = jax.lax.stop_gradient((model, alpha))
    largest = call(largest_margin, Equilibrium(still), alpha)[0].value[-1]
    margins = still.margin + (largest - still.margin) * jnp.geomspace(0.01, 1.0, _REFERENCES)
    alphas = jnp.full(_REFERENCES, alpha)
    return Scan(alphas, margins, call(_local_entropies, still, alphas, margins))


def scan_zero_entropy(call: Call, model: Model) -> Scan:
    """Loads from the largest possible one down to half of it, with references of the largest margin there.

    Beyond the capacity there is no reference: its margin is NaN.
    """
    alphas, margins = call(_zero_entropy_line, Equilibrium(model))
    return Scan(alphas, margins, call(_local_entropies, model, alphas, margins))


@jax.jit
def _ensemble_entropies(functional: RobustEnsemble, highest: _Scalar, lowest: _Scalar) -> Scan:
    functional, highest, lowest = jax.lax.stop_gradient((functional, highest, lowest))
    alphas = jnp.linspace(highest, lowest, _REFERENCES)
    typical = jax.vmap(lambda alpha: equilibrium(Equilibrium(functional.model), alpha).distance)(alphas)
    shares = jnp.geomspace(*_ENSEMBLE, _DISTANCES)

    def curve(item):
        alpha, typical = item
        return _looked_at(robust_entropy(functional, alpha, typical * shares))

    rows = jax.lax.map(curve, (alphas, typical))
    return Scan(alphas, jnp.full(_REFERENCES, functional.model.margin), rows)


def start_in_loads(call: Call, functional: RobustEnsemble, chosen: Callable[[Scan], Start]) -> Start:
    """The start that is ``chosen`` from loads between half the capacity and the capacity, then from ever closer ones."""
    highest = call(largest_alpha, jax.lax.stop_gradient(Equilibrium(functional.model)))[0].value[-1]
    step = 0.5 * highest
    start = chosen(call(_ensemble_entropies, functional, highest, highest - step))
    for _ in range(_ZOOMS):
        step = step / (_REFERENCES - 1)
        start = chosen(call(_ensemble_entropies, functional, start.alpha, start.alpha - step))
    return start


@jax.jit
def lowest(scan: Scan) -> Start:
    """Start for a minimum that touches zero: the last reference whose curve is negative behind its first descent, there."""
    rows = scan.rows
    # Where it never descends there is no interior minimum.
    descended = jnp.cumsum(rows.converged & (rows.slope < 0), axis=1) > 0
    depth = jnp.where(rows.converged & descended, rows.entropy, jnp.inf)
    return _start(jnp.min(depth, axis=1) < 0, jnp.argmin(depth, axis=1), scan)


@jax.jit
def flattest(scan: Scan) -> Start:
    """Start for a fold: the last reference whose curve still descends below its maximum, where it descends most."""
    rows = scan.rows
    maximum = jnp.argmax(jnp.where(rows.converged, rows.entropy, -jnp.inf), axis=1)
    rising = (jnp.arange(_DISTANCES) < maximum[:, None]) & (rows.distance < 0.5 * rows.distance[0, maximum][:, None])
    slope = jnp.where(rows.converged & rising, rows.slope, jnp.inf)
    # Where there is no reference at all there is no monotonic curve either.
    below = (jnp.min(slope, axis=1) < 0) | jnp.isnan(scan.margins)
    return _start(below, jnp.argmin(slope, axis=1), scan)


def _start(below: Bool[Array, " r"], place: Int[Array, " r"], scan: Scan) -> Start:
    """At the last reference for which ``below`` holds, which must switch from true to false along the scan."""
    last = _REFERENCES - 1 - jnp.argmax(below[::-1])
    found = jnp.any(below) & ~jnp.all(below) & ~jnp.isnan(scan.margins[last])
    at = place[last]
    around = jnp.clip(at - 1, 0, _DISTANCES - 3) + jnp.array([0, 2])
    row, neighbours = (jax.tree.map(lambda leaf, where=where: leaf[last, where], scan.rows) for where in (at, around))
    return Start(scan.alphas[last], scan.margins[last], row, neighbours, found)
