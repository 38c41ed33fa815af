"""Where the branch of typical solutions that starts at ``alpha = 0`` ends: a fold, the spinodal of a transition."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from fmjax.compilation import Program
from fmjax.replica import Equilibrium, EquilibriumControls, EquilibriumOrder
from fmjax.solvers.implicit import implicit
from fmjax.solvers.newton import Root, root_of
from fmjax.solvers.outcome import CONVERGED, NO_CANDIDATE
from fmjax.solvers.saddle import number_of_numbers, numbers_of, typical_root
from fmjax.solvers.zero_entropy import loads

__all__ = ["end_of_branch"]


def _equations(inputs, unknowns, tilt):
    """Of ``(*fields, *v, alpha)``: the saddle point, and a direction ``v`` of length one along which ``alpha`` is still."""
    (functional,) = inputs
    fields, moving = jnp.split(unknowns[:-1], 2)

    def saddle(fields):
        found = functional.saddle(fields, EquilibriumControls(unknowns[-1], tilt))
        return found.residual, found

    residual, change, found = jax.jvp(saddle, (fields,), (moving,), has_aux=True)
    return jnp.concatenate([residual, change, (moving @ moving - 1.0)[None]]), numbers_of(found)


@Program
def _search(functional: Equilibrium) -> Root:
    """The start is the last point of a scan that is still on the branch, and its direction there."""
    alphas = loads(functional)
    found = jax.vmap(lambda alpha: typical_root(functional, alpha))(alphas)
    on_branch = found.status == CONVERGED
    last = jnp.argmin(on_branch) - 1  # before the first that is not
    fields = found.unknowns[last]
    slope = found.unknowns[last] - found.unknowns[last - 1]
    guess = jnp.concatenate([fields, slope / jnp.linalg.norm(slope), alphas[last][None]])
    nothing_positive = np.zeros(guess.size, bool)
    numbers = number_of_numbers(EquilibriumOrder)
    root = root_of(_equations, (functional,), guess, numbers=numbers, positive=nothing_positive)
    status = jnp.where(on_branch[0] & ~jnp.all(on_branch), root.status, NO_CANDIDATE)
    unknowns = jnp.where(status == CONVERGED, root.unknowns, jnp.nan)
    return eqx.tree_at(lambda root: (root.unknowns, root.status), root, (unknowns, status))


# Fields, their direction and alpha where the branch of a functional turns back: d alpha / d fields = 0.
end_of_branch = implicit(_equations, _search)
