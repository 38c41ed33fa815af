"""A curve of local entropy close to its maximum, at equal margins."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from fmjax.replica import EquilibriumOrder, FranzParisiOrder

__all__ = ["Peak"]

_WIDTH = 0.01  # in logit(distance)
# Error of a cubic's slope, relative to the curvature of that slope, and to itself where that happens to be small: at most
# half as much was found (alpha from 0.02 to 0.82).
_CUBIC, _STRAIGHT = 0.006, 2e-6


class Peak(eqx.Module):
    """The maximum of a curve whose reference and counted solutions have equal margins.

    There counted solutions are any others, and the order parameters those of typical solutions; it is a point at infinity
    of the free coordinates, close to which two of them lie below their floor. So what is close is not solved there: its
    entropy is the cubic through the maximum, which is known, and a point aside.

    Attributes:
        exists: whether margins are equal.
        entropy: of typical solutions, those that are counted.
        typical: order parameters, the mean of the reference's and the counted ones': as the margins part, the overlap of
            the two kinds, which sets the distance, changes by the same amount with either.
    """

    exists: Bool[Array, ""]
    entropy: Float[Array, ""]
    typical: EquilibriumOrder

    def aside(self, position: Float[Array, " n"]) -> tuple[Float[Array, " n"], Bool[Array, " n"]]:
        """Where to solve for what is asked for at ``position = logit(distance)``, and whether that is too close."""
        top = jnp.log(self.typical.gap) - jnp.log1p(self.typical.q)
        close = self.exists & (jnp.abs(position - top) < _WIDTH)
        return jnp.where(close, top + jnp.where(position < top, -_WIDTH, _WIDTH), position), close

    def between(
        self, close: Bool[Array, ""], distance: Float[Array, ""], end: Float[Array, ""], numbers: tuple
    ) -> tuple[Any, ...]:
        """``(entropy, slope, order, error)`` at ``distance`` from those at ``end``, if that is another point.

        The order parameters lie on a line.
        """
        entropy, slope, order, error = numbers
        of, top = self.typical, 0.5 * self.typical.gap
        span = jnp.where(close, end - top, 1.0)  # never zero: derivatives go through the branch that is not taken, too
        share = (distance - top) / span
        rise = (entropy - self.entropy) / span
        value = self.entropy + span * share**2 * (rise * (3.0 - 2.0 * share) + slope * (share - 1.0))
        inclination = 6.0 * rise * share * (1.0 - share) + slope * share * (3.0 * share - 2.0)
        highest = FranzParisiOrder(of.q, of.q, of.q_hat, of.q_hat, of.q_hat, of.gap, of.R, of.R_hat)
        order = jax.tree.map(lambda here, there: here + share * (there - here), highest, order)
        error = error + _CUBIC * jnp.abs(6.0 * rise - 3.0 * slope) + _STRAIGHT * jnp.abs(slope)
        return jax.tree.map(lambda new, old: jnp.where(close, new, old), (value, inclination, order, error), numbers)
