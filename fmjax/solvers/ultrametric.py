"""The load up to which groups of replicas exist at any two overlaps: the least one at which their entropy vanishes.

Fields imply overlaps, and with both the free entropy is linear in the load: so each pair of fields ``D1^``, ``D2^`` says at
which load it vanishes. That is the least over both at which it is stationary.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.compilation import Program
from fmjax.replica import EquilibriumControls, UltrametricEnsemble
from fmjax.solvers.implicit import implicit
from fmjax.solvers.newton import Root, root_of
from fmjax.solvers.outcome import CONVERGED, NO_CANDIDATE
from fmjax.solvers.saddle import number_of_numbers, numbers_of

__all__ = ["least_load"]

_Scalar = Float[Array, ""]


class _Scan(NamedTuple):
    """Where loads are looked at before Newton goes to the least one.

    Attributes:
        weakest: ``D1^`` and ``D2^`` at the lower end of the first grid.
        strongest: at the upper one. Beyond, replicas of a group are closer than a scan resolves.
        points: of a grid, along each of the two.
        grids: one around the best point of the other.
        closer: how much smaller each is than the one before.
        turns: secant steps to ``q0^``, where families overlap, from its value at the point before.
        stationary: what these may leave of its logarithm.
        shared: ``q0^`` at the first point.
        share: of the nodes that a scan needs.
        excess: of the load that Newton found over that of the scan: more is another stationary point.
    """

    weakest: tuple[float, float] = (0.13, 0.4)
    strongest: tuple[float, float] = (9.0, 8.0)
    points: int = 9
    grids: int = 3
    closer: float = 0.35
    turns: int = 3
    stationary: float = 0.05
    shared: float = 0.3
    share: float = 0.35
    excess: float = 2e-3


_SCAN_OF_LEVELS = _Scan()


class _At(NamedTuple):
    """Logarithms of the fields, and the load."""

    fields: Float[Array, " fields"]
    load: _Scalar


def _equations(inputs: tuple[UltrametricEnsemble], unknowns: Float[Array, " n"], tilt: _Scalar) -> tuple[Any, Any]:
    """Of ``(*fields, alpha)``: the saddle point, and a free entropy of zero."""
    (functional,) = inputs
    saddle = functional.saddle(unknowns[:-1], EquilibriumControls(unknowns[-1], tilt))
    return jnp.append(saddle.residual, saddle.value), numbers_of(saddle)


def _lowest(functional: UltrametricEnsemble) -> _At:
    """The lowest load of a few grids."""
    scan, fields = _SCAN_OF_LEVELS, functional.positive.size
    families = fields > 2  # that overlap
    turns = scan.turns if families else 1
    steps = np.linspace(-1.0, 1.0, scan.points)
    # From each point to a neighbour, which is where a search for q0^ starts.
    path = [(one, two) for k, one in enumerate(steps) for two in steps[:: 1 - 2 * (k % 2)]]
    visits = jnp.asarray(np.repeat(path, turns, axis=0)), jnp.asarray(np.tile(np.arange(turns), len(path)))

    low, high = np.log(scan.weakest), np.log(scan.strongest)

    def look(grid, state, visit):
        (middle, reach), (shared, before, best), (place, turn) = grid, state, visit
        logs = jnp.concatenate([shared, middle + reach * place])
        saddle = functional.saddle(jnp.exp(logs), EquilibriumControls(jnp.ones(()), 0.0))
        load = 1.0 - saddle.value / saddle.slope
        implied = load * (jnp.exp(logs) - saddle.residual)[: shared.size]
        left = jnp.log(jnp.maximum(implied, 1e-300)) - shared
        secant = -left * (shared - before[0]) / (left - before[1])
        step = jnp.where((turn == 0) | ~jnp.isfinite(secant), left, secant)
        good = (turn == turns - 1) & jnp.all(jnp.abs(left) < scan.stationary) & (load > 0.0) & (load < best.load)
        best = jax.tree.map(lambda new, old: jnp.where(good, new, old), _At(logs, load), best)
        return (jnp.where(load > 0.0, shared + jnp.clip(step, -1.0, 1.0), shared), (shared, left), best), None

    def closer(best, share):
        reach = 0.5 * share * (high - low)
        grid = jnp.clip(best.fields[-2:], low + reach, high - reach), reach
        shared, nothing = best.fields[:-2], jnp.zeros(fields - 2)
        (*_, best), _ = jax.lax.scan(partial(look, grid), (shared, (nothing, nothing), best), visits)
        return best, None

    first = _At(jnp.concatenate([jnp.full(fields - 2, np.log(scan.shared)), low]), jnp.asarray(jnp.inf))
    best, _ = jax.lax.scan(closer, first, scan.closer ** jnp.arange(scan.grids))
    return best


@Program
def search(functional: UltrametricEnsemble) -> Root:
    """Fields and load, and the order parameters there."""
    best = _lowest(functional.resized(_SCAN_OF_LEVELS.share))
    found = jnp.isfinite(best.load)
    root = root_of(
        _equations,
        (functional,),
        jnp.append(jnp.exp(best.fields), jnp.where(found, best.load, 1.0)),
        numbers=number_of_numbers(functional.order),
        positive=np.append(functional.positive, True),
        floor=np.append(functional.scale, 1e-3),
        tolerance=1e-8,
    )
    least = root.unknowns[-1] < (1.0 + _SCAN_OF_LEVELS.excess) * best.load
    status = jnp.where((root.status == CONVERGED) & ~least | ~found, NO_CANDIDATE, root.status)
    unknowns = jnp.where(status == CONVERGED, root.unknowns, jnp.nan)
    return eqx.tree_at(lambda root: (root.unknowns, root.status), root, (unknowns, status))


least_load = implicit(_equations, search)
