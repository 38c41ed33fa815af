"""Where the branch of typical solutions that starts at ``alpha = 0`` ends: a fold, the spinodal of a transition."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.replica import Equilibrium, EquilibriumControls
from fmjax.solvers.newton import CONVERGED, NO_CANDIDATE, Root
from fmjax.solvers.saddle import equilibrium_root, tangent
from fmjax.solvers.zero_entropy import largest_load, square_root

__all__ = ["end_of_branch"]

_SCAN = 64


@jax.jit
def end_of_branch(functional: Equilibrium) -> tuple[Root, Float[Array, " n"]]:
    """Free coordinates and ``alpha`` where the branch turns back, with errors.

    There the saddle equations hold and a direction ``v`` of unit length along the branch does not change ``alpha``:
    ``grad phi = 0``, ``(d grad phi / d free) v = 0``. The start is the last point of a scan that is still on the branch,
    and its tangent.
    """
    size = sum(functional.sizes)

    def typical(alpha):
        _, root, _ = equilibrium_root(still, alpha)
        moving = tangent(root)
        return root.value, moving / jnp.linalg.norm(moving), root.converged

    still = jax.lax.stop_gradient(functional)
    alphas = largest_load(still) * jnp.linspace(0.05, 1.0, _SCAN)
    frees, directions, on_branch = jax.vmap(typical)(alphas)
    last = jnp.argmin(on_branch) - 1  # before the first that is not
    found = on_branch[0] & ~jnp.all(on_branch)

    def residual(y, level):
        free, moving, alpha = y[:size], y[size:-1], y[-1]
        chosen, controls = functional.refined() if level else functional, EquilibriumControls(alpha)
        gradient, change = jax.jvp(lambda free: jax.grad(chosen)(free, controls), (free,), (moving,))
        return jnp.hstack([gradient, change, moving @ moving - 1.0])

    value, error, root = square_root(residual, jnp.hstack([frees[last], directions[last], alphas[last]]))
    status = jnp.where(found, root.status, NO_CANDIDATE)
    value = jnp.where(status == CONVERGED, value, jnp.nan)
    value, error = (jnp.append(numbers[:size], numbers[-1]) for numbers in (value, error))
    return eqx.tree_at(lambda root: (root.value, root.status), root, (value, status)), error
