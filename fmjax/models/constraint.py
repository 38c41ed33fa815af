"""What one pattern asks of the network: the log weight of a Gaussian pre-activation."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.special import log_H

__all__ = ["Constraint", "Margin", "SymmetricMargin"]


class Constraint(eqx.Module):
    """The set of stabilities that satisfy a pattern.

    A new constraint is one scalar, `log_weight`, plus where that scalar is not smooth (`edges`) and where the allowed
    set ends (`support`): quadrature places its nodes with them.

    Attributes:
        margin: in units of the pre-activation; in those of its deviation inside the theory (`Model.unit_constraint`).
        usual: that of a model for which none is asked.
        positive: whether any other leaves nothing.
    """

    usual: ClassVar[float] = 0.0
    positive: ClassVar[bool] = False
    margin: eqx.AbstractVar[Float[Array, ""] | float]

    @abstractmethod
    def log_weight(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """``ln P[mean + std * z satisfies the constraint]``, ``z ~ N(0, 1)``, for arrays of shapes that broadcast."""

    @abstractmethod
    def edges(self) -> Float[Array, " edges"]:
        """Ends of the allowed intervals of the stability, shape ``(number of ends,)``."""

    @abstractmethod
    def support(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Infimum and supremum of the allowed set."""


class Margin(Constraint):
    """Stability at least ``margin``: ``log_weight = ln H((margin - mean) / std)``.

    Args:
        margin: in units of the pre-activation, differentiable.

    Example:
        >>> import fmjax, jax.numpy as jnp
        >>> mean, std = jnp.asarray(0.0), jnp.asarray(1.0)
        >>> print(f"{fmjax.Margin(0.0).log_weight(mean, std):.6f}")  # ln 1/2: half of all patterns
        -0.693147
    """

    margin: Float[Array, ""] | float

    def log_weight(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """``ln H((margin - mean) / std)``."""
        return log_H((self.margin - mean) / std)

    def edges(self) -> Float[Array, " 1"]:
        """The margin."""
        return jnp.asarray(self.margin)[None]

    def support(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """``(margin, inf)``."""
        return jnp.asarray(self.margin), jnp.asarray(jnp.inf)


class SymmetricMargin(Constraint):
    """Stability at most ``margin`` in absolute value (the symmetric binary perceptron, Aubin, Perkins and Zdeborova 2019).

    Args:
        margin: half the width of the allowed interval, positive, in units of the pre-activation; differentiable.

    Example:
        >>> import fmjax, jax.numpy as jnp
        >>> mean, std = jnp.asarray(0.0), jnp.asarray(1.0)
        >>> print(f"{fmjax.SymmetricMargin(1.0).log_weight(mean, std):.6f}")  # ln P[|z| < 1]
        -0.381715
    """

    usual: ClassVar[float] = 1.0
    positive: ClassVar[bool] = True
    margin: Float[Array, ""] | float

    def log_weight(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """``ln [H((|mean| - margin)/std) - H((|mean| + margin)/std)]``, the difference taken in logs."""
        # Two smooth branches instead of |mean|: their derivatives of every order are right at mean = 0 as well.
        mean = jnp.where(mean >= 0, mean, -mean)
        near, far = log_H((mean - self.margin) / std), log_H((mean + self.margin) / std)
        return near + jnp.log(-jnp.expm1(far - near))

    def edges(self) -> Float[Array, " 2"]:
        """``(-margin, margin)``."""
        return jnp.stack([-jnp.asarray(self.margin), jnp.asarray(self.margin)])

    def support(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """``(-margin, margin)``."""
        return -jnp.asarray(self.margin), jnp.asarray(self.margin)
