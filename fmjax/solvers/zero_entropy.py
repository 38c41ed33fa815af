"""Where the entropy of typical solutions vanishes: the line that is ``alpha_c(kappa)`` and ``kappa_max(alpha)``.

Margins are looked for in the coordinate of the constraint that is free and grows as they get harder, its `hardness`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.compilation import Program
from fmjax.models import Model
from fmjax.replica import Equilibrium, EquilibriumControls, EquilibriumOrder
from fmjax.solvers.implicit import implicit
from fmjax.solvers.newton import Root, root_of
from fmjax.solvers.outcome import CONVERGED, NO_CANDIDATE
from fmjax.solvers.saddle import NEARLY_NONE, number_of_numbers, numbers_of

__all__ = [
    "hardest_margin",
    "largest_alpha",
    "largest_load",
    "loads",
    "margin_of",
    "search_alpha",
    "search_margin",
]

_Scalar = Float[Array, ""]


class _Scan(NamedTuple):
    """Where typical solutions are looked at before Newton goes to where their entropy vanishes.

    Attributes:
        points: of the scan. Half of them were found to give the same thresholds, at margins from -15 to 15 and loads from
            3e-5 to 30; 16 lost the hardest margin at 3e-5. Twice as many moved references by rounding.
        rise: of an entropy that is more than rounding, where margins are so negative that entropies hardly fall. At margins
            from -15 on, 0 was found to do as well.
        fewest: load of the first point, relative to `largest_load`.
        below: how far below the first-moment bound margins begin: this hardness, or this part of the bound if that is more.
            At small loads, where weights follow the sum of the patterns, kappa_max is 0.68 times the bound.
        within: hardness between which this bound is looked for.
        halvings: of that interval: 40 place the scan as well as is needed.
    """

    points: int = 64
    rise: float = 1e-9
    fewest: float = 0.05
    below: tuple[float, float] = (3.0, 0.5)
    within: tuple[float, float] = (-30.0, 1e5)
    halvings: int = 60


_SCAN = _Scan()

# (inputs, control) -> the functional and alpha there
_At = Callable[[Any, _Scalar], tuple[Equilibrium, _Scalar]]


def _with_hardness(functional: Equilibrium, hardness: _Scalar) -> Equilibrium:
    model = functional.model
    return Equilibrium(model.with_margin(margin_of(model, hardness)), functional.nodes)


def margin_of(model: Model, hardness: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The margin of this hardness, which is that of a constraint on pre-activations of deviation one."""
    return model.constraint.of_hardness(hardness) * model.deviation


def _at_alpha(inputs, alpha):
    (functional,) = inputs
    return functional, alpha


def _at_hardness(inputs, hardness):
    functional, alpha = inputs
    return _with_hardness(functional, hardness), alpha


def _equations(at: _At, held: Any = None):
    """Of ``(*fields, control)``: the saddle point, and ``S = 0``, or the control where it is held.

    ``held`` is the pair of whether it is, and where. Numbers are those of any saddle point.
    """

    def equations(inputs, unknowns, tilt):
        functional, alpha = at(inputs, unknowns[-1])
        saddle = functional.saddle(unknowns[:-1], EquilibriumControls(alpha, tilt))
        last = saddle.value if held is None else jnp.where(held[0], unknowns[-1] - held[1], saddle.value)
        return jnp.append(saddle.residual, last), numbers_of(saddle)

    return equations


def _vanishing(at: _At, inputs: Any, scan: Float[Array, " scan"], positive: np.ndarray, floor: float) -> Root:
    """``(*fields, control)`` where ``S = 0``, and order parameters there.

    Newton starts from the last point of a scan over the control, ordered towards ``S = 0``, that has ``S > 0``. Along it the
    entropy falls: from where it rises, beyond the end of the branch, Newton went elsewhere (with a teacher to ``q`` close to
    ``R^2``, which no quadrature resolves). One loop: the last turn of the scan, at no control of its own, is that search.
    Fields only grow along it, so that each point starts from the one before. ``floor`` is the size of the control below
    which its relative accuracy does not matter.
    """
    size = positive.size

    def visit(state, item):
        before, best, lowest, risen, found = state
        control, searching = item
        start = jnp.where(searching, best, before.at[-1].set(control))
        equations = _equations(at, (~searching, control))
        root = root_of(
            equations,
            inputs,
            start,
            numbers=number_of_numbers(EquilibriumOrder),
            positive=np.append(positive, False),
            floor=np.append(np.full(size, 1e-12), floor),
            fixed_point=~searching,
        )
        entropy = jnp.where(root.status == CONVERGED, root.numbers[0], jnp.inf)
        risen = risen | (jnp.isfinite(entropy) & (entropy > lowest + _SCAN.rise))
        good = jnp.isfinite(entropy) & (entropy > 0) & ~risen & ~searching
        reached = jnp.where(root.status == CONVERGED, root.unknowns, before)
        best = jnp.where(good, root.unknowns, best)
        return (reached, best, jnp.minimum(lowest, entropy), risen, found | good), root

    none = jnp.full(size + 1, NEARLY_NONE)
    state = (none, none, jnp.asarray(jnp.inf), jnp.asarray(False), jnp.asarray(False))
    turns = jnp.append(scan, scan[-1]), jnp.arange(scan.size + 1) == scan.size
    (*_, found), roots = jax.lax.scan(visit, state, turns)
    root = jax.tree.map(lambda leaf: leaf[-1], roots)
    status = jnp.where(found, root.status, NO_CANDIDATE)
    unknowns = jnp.where(status == CONVERGED, root.unknowns, jnp.nan)
    return eqx.tree_at(lambda root: (root.unknowns, root.status), root, (unknowns, status))


def largest_load(functional: Equilibrium) -> _Scalar:
    """First-moment bound ``ln 2 / -ln P[...]``, which the capacity of binary weights does not exceed.

    Twice that where labels are a teacher's, which has no such bound at margin 0, where the teacher solves any load: the
    entropy of the others was found to vanish at 1.25 times the bound, and less at larger margins.
    """
    return (
        (2.0 if functional.model.teacher else 1.0)
        * jnp.log(2.0)
        / -functional.model.unit_constraint.log_weight(jnp.asarray(0.0), jnp.asarray(1.0))
    )


def loads(functional: Equilibrium) -> Float[Array, " scan"]:
    """From few patterns to `largest_load`."""
    return largest_load(functional) * jnp.linspace(_SCAN.fewest, 1.0, _SCAN.points)


def _annealed(functional: Equilibrium, alpha, hardness):
    """First-moment entropy ``ln 2 + alpha ln P[Delta satisfies]``: an upper bound on the quenched one.

    Given the label of a teacher, ``P`` is at most twice as large, and at most one.
    """
    model = _with_hardness(functional, hardness).model
    satisfied = model.unit_constraint.log_weight(jnp.asarray(0.0), jnp.asarray(1.0))
    return jnp.log(2.0) + alpha * (jnp.minimum(satisfied + jnp.log(2.0), 0.0) if model.teacher else satisfied)


def _up_to_bound(functional: Equilibrium, alpha: _Scalar) -> Float[Array, " scan"]:
    """Up to the hardness where the first-moment bound at ``alpha`` vanishes, which that of ``kappa_max`` does not exceed."""

    def halve(_, bracket):
        low, high = bracket
        middle = 0.5 * (low + high)
        positive = _annealed(functional, alpha, middle) > 0
        return jnp.where(positive, middle, low), jnp.where(positive, high, middle)

    low, _ = jax.lax.fori_loop(0, _SCAN.halvings, halve, tuple(map(jnp.asarray, _SCAN.within)))
    least, part = _SCAN.below
    return low - jnp.maximum(least, part * low) * jnp.linspace(1.0, 0.0, _SCAN.points)


@Program
def search_alpha(functional: Equilibrium) -> Root:
    """Fields and ``alpha`` where ``S = 0`` at the model's margin; the scan covers `largest_load`."""
    return _vanishing(_at_alpha, (functional,), loads(functional), functional.positive, floor=1e-12)


@Program
def search_margin(functional: Equilibrium, alpha: _Scalar) -> Root:
    """Fields and hardness of the margin, see `margin_of`, where ``S = 0`` at ``alpha``."""
    # A margin of zero, or of one where the coordinate is its logarithm, is one like others.
    return _vanishing(_at_hardness, (functional, alpha), _up_to_bound(functional, alpha), functional.positive, floor=1e-2)


# The same with derivatives.
largest_alpha = implicit(_equations(_at_alpha), search_alpha)
hardest_margin = implicit(_equations(_at_hardness), search_margin)
