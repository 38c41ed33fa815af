"""Where a curve of local entropy begins: two points beside its maximum."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.replica import EquilibriumOrder, FranzParisi, FranzParisiControls, FranzParisiOrder

__all__ = ["beside_maximum"]

# The maximum is approached to this value of |p_hat - t_hat|, not to 0: with equal margins the counted field is a function of
# the reference's frozen field there (g = 0), a point at infinity of the free coordinates.
_ETA = 0.1
_SWEEPS = 12
_NODES = 0.5  # of those of the functional: the entry is only a start for Newton


def beside_maximum(
    functional: FranzParisi, alpha: Array, reference: EquilibriumOrder, typical: EquilibriumOrder
) -> tuple[Float[Array, " 2"], Float[Array, "2 n"]]:
    """``logit(distance)`` and free coordinates near two points: just below the maximum, and just above it.

    ``typical`` are the order parameters of typical solutions at the counted margin.
    """
    coarse = functional.resized(_NODES)
    return jax.lax.map(lambda eta: _enter(coarse, alpha, reference, typical, eta), jnp.array([_ETA, -_ETA]))


def _enter(
    functional: FranzParisi, alpha: Array, reference: EquilibriumOrder, typical: EquilibriumOrder, eta: Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, " n"]]:
    """A point near the maximum, where ``p_hat - t_hat = eta``: ``logit(distance)`` and free coordinates.

    At fixed ``eta`` the saddle equations are iterated as maps, fields to overlaps to fields: slow near capacity, but
    converging from any start. They come from autodiff: ``(q, t, R, p)`` from the gradient of ``G_S`` with respect to the
    conjugates, ``(q_hat, t_hat, R_hat)`` from that of ``G_E`` with respect to the overlaps.
    """
    split = functional.sizes[0]
    couplings = jnp.array([*functional.couplings, -1.0])  # that of p p_hat comes last

    def controls(position):
        return FranzParisiControls(alpha, jax.nn.sigmoid(position), reference)

    def order(fields, overlaps):
        """From ``(q_hat, t_hat, R_hat)`` and ``(q - 1, t, R, p)``; without a teacher there is no ``R``."""
        zero = jnp.zeros_like(eta)
        (shift, t, *R, _), (q_hat, t_hat, *R_hat) = overlaps, fields
        return FranzParisiOrder(
            *(1.0 + shift, t, q_hat, t_hat, t_hat + eta, -shift), R=R[0] if R else zero, R_hat=R_hat[0] if R_hat else zero
        )

    def natural_gradient(scalar, natural, free):
        """Gradient of ``scalar(free)`` with respect to ``natural(free)``."""
        return jnp.linalg.solve(jax.jacfwd(natural)(free).T, jax.grad(scalar)(free))

    def entropic(site):
        return functional.entropic(functional.conjugates(site, controls(0.0)), controls(0.0))

    def energetic(point):
        at = controls(point[-1])
        overlaps = functional.overlaps(point[:-1], at)
        return alpha * functional.energetic(overlaps, at, functional.rule(overlaps, at))

    def conjugates_of(site):
        value = functional.conjugates(site, controls(0.0))
        return jnp.stack([*(value.q_hat, value.t_hat, value.R_hat)[:split], value.eta + value.t_hat])

    def overlaps_of(point):
        value = functional.overlaps(point[:-1], controls(point[-1]))
        return jnp.stack([*(-value.gap, value.t, value.R)[:split], value.p])

    def sweep(state, _):
        fields, overlaps, _ = state
        site = functional.free(order(fields, overlaps), controls(0.0))[split:]
        overlaps = -natural_gradient(entropic, conjugates_of, site) / couplings
        position = jnp.log1p(-overlaps[-1]) - jnp.log1p(overlaps[-1])
        point = jnp.append(functional.free(order(fields, overlaps), controls(position))[:split], position)
        fields = -natural_gradient(energetic, overlaps_of, point)[:-1] / couplings[:-1]
        return (fields, overlaps, position), None

    t, t_hat = (0.9 * jnp.sqrt(own * other) for own, other in ((typical.q, reference.q), (typical.q_hat, reference.q_hat)))
    fields = jnp.stack([typical.q_hat, t_hat, typical.R_hat][:split])
    overlaps = jnp.stack([*(-typical.gap, t, typical.R)[:split], t])
    start = (fields, overlaps, jnp.zeros_like(t))
    (fields, overlaps, position), _ = jax.lax.scan(sweep, start, None, length=_SWEEPS)
    return position, functional.free(order(fields, overlaps), controls(position))
