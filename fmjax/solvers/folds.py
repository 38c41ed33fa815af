"""Critical points of curves, as square systems: where one touches zero, ceases to be monotonic, or falls apart.

Unknowns are the fields of the reference and of the counted solutions, ``logit(distance)``, the margin of the reference in
deviations of the pre-activation, and what is special; equations are those that the fields imply themselves, and conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from fmjax.compilation import Program, compile_ahead, compiled_together
from fmjax.models import Model
from fmjax.replica import (
    Equilibrium,
    EquilibriumControls,
    FranzParisi,
    RobustEnsembleControls,
    Saddle,
)
from fmjax.solvers.implicit import along, slopes_of, still
from fmjax.solvers.newton import root_of, solve
from fmjax.solvers.outcome import CONVERGED, NO_CANDIDATE
from fmjax.solvers.start import Start

__all__ = [
    "CriticalPoint",
    "System",
    "critical_point",
    "ensemble_fold",
    "ensemble_pass",
    "ensemble_touching_zero",
    "ensemble_turn",
    "fold_in_alpha",
    "fold_in_margin",
    "touching_zero",
]

_Scalar = Float[Array, ""]
_STRETCH = 1  # which of the fields of replicas that is, see `CentredEnsemble`


class _Unknowns(eqx.Module):
    """One point of a system; what is None does not belong to it.

    ``moving`` is ``d fields / d position`` along the curve.
    """

    fields: Float[Array, " n"]
    position: _Scalar
    reference: Any = None
    margin: Any = None
    alpha: Any = None
    moving: Any = None


class CriticalPoint(NamedTuple):
    """The zero of a system if its ``status`` says so: where it lies and, in `errors`, how well that is known.

    ``margin`` is that of the reference, in units of the pre-activation, and ``alpha`` the load, where they are unknowns.
    """

    at: _Unknowns
    errors: _Unknowns
    status: Int[Array, ""]


_Conditions = Callable[[Any, _Unknowns, _Scalar], list[Array]]


def _touching(saddle: Callable[[Array], Saddle], at: _Unknowns) -> list[Array]:
    """The saddle point at the position, ``phi = 0`` and ``phi' = 0``."""
    found = saddle(at.fields)
    return [found.residual, found.position - at.position, found.value, found.slope]


def _folding(saddle: Callable[[Array], Saddle], at: _Unknowns) -> list[Array]:
    """The saddle point at the position and ``phi' = 0``, and the derivatives of all this along the curve."""

    def equations(fields, position):
        found = saddle(fields)
        return jnp.hstack([found.residual, found.position - position, found.slope])

    return list(jax.jvp(equations, (at.fields, at.position), (at.moving, jnp.ones_like(at.position))))


def _gradients(saddle: Callable[[Array], Saddle], fields: Array) -> tuple[Array, Array, Array]:
    """Residual, position, and the gradients of all of these."""

    def equations(fields):
        found = saddle(fields)
        return jnp.append(found.residual, found.position), (found.residual, found.position)

    rows, (residual, position) = jax.jacfwd(equations, has_aux=True)(fields)
    return residual, position, rows


def _directions(rows: Float[Array, "held n"], free: list[int]) -> Float[Array, "n free"]:
    """Those of the fields along which quantities of these gradients are held; each moves one of the ``free`` fields by 1."""
    size = rows.shape[1]
    bound = [index for index in range(size) if index not in free]
    moved = -solve(rows[:, np.array(bound)], rows[:, np.array(free)])
    return jnp.eye(size)[:, np.array(free)].at[np.array(bound)].set(moved)


def _passing(saddle: Callable[[Array], Saddle], at: _Unknowns) -> list[Array]:
    """The saddle point at the position, and where the last equation is stationary as the others hold: a pass of it.

    There two branches of the curve meet, and exchange their ends.
    """
    residual, position, rows = _gradients(saddle, at.fields)
    # An amplitude may be zero, and with the pull in place of the stretch Newton gets lost.
    many = at.fields.size - 1
    return [residual, rows[-2] @ _directions(rows[:-2], [_STRETCH, many]), position - at.position]


def _turning(saddle: Callable[[Array], Saddle], at: _Unknowns) -> list[Array]:
    """The saddle point at the position, and where that is stationary along the curve, twice: it begins to turn back."""

    def along(fields):
        residual, position, rows = _gradients(saddle, fields)
        direction = _directions(rows[:-1], [_STRETCH])[:, 0]  # the other fields have extrema nearby
        return rows[-1] @ direction, (residual, position, direction)

    speed, change, (residual, position, direction) = jax.linearize(along, at.fields, has_aux=True)
    return [residual, speed, change(direction), position - at.position]


def _around_reference(model: Model, alpha: _Scalar, at: _Unknowns, tilt: _Scalar):
    """The reference's own saddle point, and that of the solutions around it as a function of their fields."""
    margin = at.margin * model.deviation
    reference = Equilibrium(model.with_margin(margin)).saddle(at.reference, EquilibriumControls(alpha, tilt))
    functional = FranzParisi(model, margin)

    def saddle(fields):
        return functional.saddle(fields, functional.controls(alpha, reference.order, tilt))

    return reference, saddle


def _touching_zero(inputs, at, tilt):
    model, alpha = inputs
    reference, saddle = _around_reference(model, alpha, at, tilt)
    return [reference.residual, *_touching(saddle, at)]


def _fold_in_margin(inputs, at, tilt):
    model, alpha = inputs
    reference, saddle = _around_reference(model, alpha, at, tilt)
    return [reference.residual, *_folding(saddle, at)]


def _fold_in_alpha(inputs, at, tilt):
    (model,) = inputs
    reference, saddle = _around_reference(model, at.alpha, at, tilt)
    return [reference.residual, reference.value, *_folding(saddle, at)]


def _ensemble_saddle(inputs, at, tilt):
    (functional,) = inputs
    return lambda fields: functional.saddle(fields, RobustEnsembleControls(at.alpha, jnp.zeros(()), tilt))


def _ensemble_touching_zero(inputs, at, tilt):
    return _touching(_ensemble_saddle(inputs, at, tilt), at)


def _ensemble_fold(inputs, at, tilt):
    return _folding(_ensemble_saddle(inputs, at, tilt), at)


def _ensemble_pass(inputs, at, tilt):
    return _passing(_ensemble_saddle(inputs, at, tilt), at)


def _ensemble_turn(inputs, at, tilt):
    return _turning(_ensemble_saddle(inputs, at, tilt), at)


class System(NamedTuple):
    """How the zero of a system is found, from inputs and a start, and what a zero says of the inputs: see `implicit`."""

    search: Program
    slopes: Program


def _system(conditions: _Conditions, *names: str) -> System:
    """Of ``conditions`` in the fields, the position and the unknowns of these ``names``."""

    def equations(unravel):
        def flat(inputs, unknowns, tilt):
            return jnp.hstack(conditions(inputs, unravel(unknowns), tilt)), jnp.zeros(0)

        return flat

    @Program
    def search(inputs: Any, start: Start) -> CriticalPoint:
        unknowns = _Unknowns(**{name: getattr(start, name) for name in ("fields", "position", *names)})
        guess, unravel = ravel_pytree(unknowns)
        nothing_positive = np.zeros(guess.size, bool)
        root = root_of(equations(unravel), inputs, guess, numbers=0, positive=nothing_positive, floor=1e-2, tolerance=1e-8)
        status = jnp.where(start.found, root.status, NO_CANDIDATE)
        if start.between is not None:
            least, most = start.between
            alpha = unravel(root.unknowns).alpha
            status = jnp.where((status == CONVERGED) & ((alpha < least) | (alpha > most)), NO_CANDIDATE, status)
        unknowns = jnp.where(status == CONVERGED, root.unknowns, jnp.nan)
        return CriticalPoint(unravel(unknowns), unravel(root.unknown_errors), status)

    @Program
    def slopes(inputs: Any, at: _Unknowns) -> Any:
        unknowns, unravel = ravel_pytree(at)
        return slopes_of(equations(unravel), inputs, unknowns)

    return System(search, slopes)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def critical_point(system: System, start: Callable[..., Start], inputs: tuple[Any, ...]) -> CriticalPoint:
    """The zero of a ``system`` from where ``start(call, *inputs)`` says, see `compiled_together`; with derivatives."""

    def chain(call, *inputs):
        return call(system.search, inputs, start(call, *inputs))

    return compiled_together(chain, *inputs)


@critical_point.defjvp
def _(system, start, primals, tangents):
    (inputs,) = primals

    def chain(call, *inputs):
        return call(system.slopes, inputs, call(system.search, inputs, start(call, *inputs)).at)

    compile_ahead(chain, *inputs)
    point = critical_point(system, start, inputs)
    _, unravel = ravel_pytree(point.at)
    moved = unravel(along(system.slopes(inputs, point.at), tangents[0]))
    return point, eqx.tree_at(lambda p: p.at, still(point), moved)


_OF_REFERENCE = ("reference", "margin")

# Where the lowest point of a local entropy vanishes as the margin of the reference varies, of a model and alpha.
touching_zero = _system(_touching_zero, *_OF_REFERENCE)
# Where a local entropy ceases to be monotonic as the margin of the reference varies, of a model and alpha.
fold_in_margin = _system(_fold_in_margin, *_OF_REFERENCE, "moving")
# The same as alpha varies, around references of zero entropy, of a model.
fold_in_alpha = _system(_fold_in_alpha, *_OF_REFERENCE, "moving", "alpha")
# Where the lowest point of the entropy of a robust ensemble vanishes as alpha varies, and where that ceases to be monotonic.
ensemble_touching_zero = _system(_ensemble_touching_zero, "alpha")
ensemble_fold = _system(_ensemble_fold, "alpha", "moving")
# Where the curve of typical replicas around a centre falls apart as alpha varies, and where it begins to turn back.
ensemble_pass = _system(_ensemble_pass, "alpha")
ensemble_turn = _system(_ensemble_turn, "alpha")
