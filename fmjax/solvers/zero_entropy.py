"""Where the entropy of typical solutions vanishes: the line that is ``alpha_c(kappa)`` and ``kappa_max(alpha)``."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.replica import Equilibrium, EquilibriumControls
from fmjax.solvers.newton import CONVERGED, NO_CANDIDATE, Equations, Root, implicit_root, newton, solve_scaled
from fmjax.solvers.saddle import equilibrium_root

__all__ = ["largest_alpha", "largest_load", "largest_margin", "square_root"]

_SCAN = 64
_RISE = 1e-9  # more than rounding, where margins are so negative that entropies hardly fall


def square_root(
    residual: Callable[[Float[Array, " n"], int], Float[Array, " n"]], guess: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"], Root]:
    """Zero of a square system with its derivatives, an error estimate per unknown, and how Newton got there.

    ``residual(y, level)`` is the system at quadrature ``level`` 0 (in use) or 1 (finer): the finer zero lies at
    ``y - J^-1 residual(y, 1)``.
    """

    def system(y):
        def with_value(y):
            value = residual(y, 0)
            return value, value

        jacobian, value = jax.jacfwd(with_value, has_aux=True)(y)
        return Equations(value, jacobian)

    root = newton(system, jax.lax.stop_gradient(guess), tolerance=1e-12)
    value = implicit_root(lambda y: residual(y, 0), root.value)
    error = jnp.abs(solve_scaled(root.at.matrix, jax.lax.stop_gradient(residual(value, 1))))
    return value, 1.5 * error + 1e-14 * (1.0 + jnp.abs(value)), root


def _with_margin(functional: Equilibrium, margin) -> Equilibrium:
    """``functional`` at a margin that is given in standard deviations of the pre-activation, as in all scans."""
    model = functional.model
    return Equilibrium(model.with_margin(margin * model.deviation), functional.nodes)


def _annealed(functional: Equilibrium, alpha, margin):
    """First-moment entropy ``ln 2 + alpha ln P[Delta satisfies]``: an upper bound on the quenched one.

    Given the label of a teacher, ``P`` is at most twice as large, and at most one.
    """
    model = _with_margin(functional, margin).model
    satisfied = model.unit_constraint.log_weight(jnp.asarray(0.0), jnp.asarray(1.0))
    return jnp.log(2.0) + alpha * (jnp.minimum(satisfied + jnp.log(2.0), 0.0) if model.teacher else satisfied)


def _vanishing(functional: Equilibrium, at: Callable, scan: Float[Array, " scan"]) -> tuple[Root, Float[Array, " n"]]:
    """Free coordinates and control where ``S = 0``, with errors.

    ``at(functional, control)`` gives the functional and ``alpha``. Newton starts from the last point of a scan over the
    control, ordered towards ``S = 0``, that has ``S > 0``. Along it the entropy falls: from where it rises, beyond the end
    of the branch, Newton went elsewhere (with a teacher to ``q`` close to ``R^2``, which no quadrature resolves).
    """
    still, scan = jax.lax.stop_gradient((functional, scan))

    def typical(control):
        _, root, _ = equilibrium_root(*jax.lax.stop_gradient(at(still, control)))
        return root.value, jnp.where(root.converged, root.at.value, jnp.inf)

    frees, entropies = jax.vmap(typical)(scan)
    risen = jnp.isfinite(entropies) & (entropies > jax.lax.cummin(entropies) + _RISE)
    alive = jnp.isfinite(entropies) & (entropies > 0) & (jnp.cumsum(risen) == 0)
    last = _SCAN - 1 - jnp.argmax(alive[::-1])

    def residual(y, level):
        chosen, alpha = at(functional.refined() if level else functional, y[-1])
        controls = EquilibriumControls(alpha)
        value, gradient = jax.value_and_grad(chosen)(y[:-1], controls)
        return jnp.append(gradient, value)

    value, error, root = square_root(residual, jnp.append(frees[last], scan[last]))
    status = jnp.where(jnp.any(alive), root.status, NO_CANDIDATE)
    value = jnp.where(status == CONVERGED, value, jnp.nan)
    return eqx.tree_at(lambda root: (root.value, root.status), root, (value, status)), error


def largest_load(functional: Equilibrium) -> Float[Array, ""]:
    """First-moment bound ``ln 2 / -ln P[...]``, which the capacity of binary weights does not exceed.

    Twice that where labels are a teacher's, which has no such bound at margin 0, where the teacher solves any load: the
    entropy of the others was found to vanish at 1.25 times the bound, and less at larger margins.
    """
    return (
        (2.0 if functional.model.teacher else 1.0)
        * jnp.log(2.0)
        / -functional.model.unit_constraint.log_weight(jnp.asarray(0.0), jnp.asarray(1.0))
    )


@jax.jit
def largest_alpha(functional: Equilibrium) -> tuple[Root, Float[Array, " n"]]:
    """Free coordinates and ``alpha`` where ``S = 0`` at the model's margin, with errors; the scan covers `largest_load`."""
    alphas = largest_load(functional) * jnp.linspace(0.05, 1.0, _SCAN)
    return _vanishing(functional, lambda functional, alpha: (functional, alpha), alphas)


def _margins_below_bound(functional: Equilibrium, alpha: Float[Array, ""]) -> Float[Array, " scan"]:
    """Margins up to the one where the first-moment bound at ``alpha`` vanishes, which ``kappa_max`` does not exceed.

    In standard deviations of the pre-activation.
    """

    def halve(_, bracket):
        low, high = bracket
        middle = 0.5 * (low + high)
        positive = _annealed(functional, alpha, middle) > 0
        return jnp.where(positive, middle, low), jnp.where(positive, high, middle)

    low, _ = jax.lax.fori_loop(0, 50, halve, (jnp.asarray(-30.0), jnp.asarray(30.0)))
    # At small loads, where weights follow the sum of the patterns, kappa_max is 0.68 times the bound.
    return low - jnp.maximum(3.0, 0.5 * low) * jnp.linspace(1.0, 0.0, _SCAN)


@jax.jit
def largest_margin(functional: Equilibrium, alpha: Float[Array, ""]) -> tuple[Root, Float[Array, " n"]]:
    """Free coordinates and margin where ``S = 0`` at ``alpha``, with errors."""
    margins = _margins_below_bound(functional, jax.lax.stop_gradient(alpha))
    root, error = _vanishing(functional, lambda functional, margin: (_with_margin(functional, margin), alpha), margins)
    unit = functional.model.deviation
    root = eqx.tree_at(lambda root: root.value, root, root.value.at[-1].multiply(unit))
    return root, error.at[-1].multiply(jax.lax.stop_gradient(unit))


def vanishing_volume(functional: Equilibrium, gap: float) -> Float[Array, ""]:
    """``alpha`` at which continuous weights have ``1 - q = gap``: their capacity as ``gap -> 0``.

    At fixed ``q`` the saddle equations are explicit: ``q_hat`` solves the entropic one, and ``alpha`` enters linearly.
    """
    free_q = jnp.log1p(-jnp.asarray(gap)) - jnp.log(gap)

    def entropic(q_hat_log):
        controls = EquilibriumControls(jnp.asarray(1.0))
        term = functional.entropic(functional.conjugates(q_hat_log[None], controls), controls)
        return term - 0.5 * jnp.exp(q_hat_log) * gap

    def stationary(y):
        return jax.grad(entropic)(y[0])[None] / jnp.exp(y[0])

    start = jnp.log(jnp.asarray([gap**-2.0]))

    def system(y):
        return Equations(stationary(y) / gap, jax.jacfwd(stationary)(y) / gap)

    q_hat = jnp.exp(implicit_root(stationary, newton(system, start).value)[0])

    def energetic(free_q):
        controls = EquilibriumControls(jnp.asarray(1.0))
        overlaps = functional.overlaps(free_q[None], controls)
        return functional.energetic(overlaps, controls, functional.rule(overlaps, controls))

    # d/dq of -q_hat (1-q)/2 is q_hat/2; dq/dfree = q (1-q).
    return -0.5 * q_hat * gap * (1.0 - gap) / jax.grad(energetic)(free_q)
