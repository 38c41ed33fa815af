"""What one pattern asks of the network: the log weight of a Gaussian pre-activation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.special import log_H, mills_ratio

__all__ = ["Constraint", "Margin", "SymmetricMargin"]


_Kind = TypeVar("_Kind", bound="Constraint")


class Constraint(eqx.Module):
    """The weight of a pattern as a function of its stability: one in a set and zero outside it, or a `Loss`.

    A new constraint is one scalar, `log_weight`, plus where that scalar is not smooth (`edges`) and where the allowed
    set ends (`support`): quadrature places its nodes with them.

    Attributes:
        margin: in units of the pre-activation; in those of its deviation inside the theory (`Model.unit_constraint`).
        units: of every field that has some, as a power of that of the pre-activation.
        strength: the name of the field that the logarithm of the weight is proportional to; empty for a set.
        hard: whether stabilities outside of `support` have no weight at all.
        usual: that of a model for which none is asked.
        positive: whether any other leaves nothing.
        tightens: the sign of a change of the margin that asks for more: 1, or -1 where smaller margins are the harder ones.
        even: whether a pre-activation and its opposite satisfy alike, so that solutions come in pairs without overlap.
        fewest: patterns per weight from which on the hardest margin that has solutions is looked for, and `law`, what it is
            below.
    """

    units: ClassVar[Mapping[str, int]] = {"margin": 1}
    strength: ClassVar[str] = ""
    hard: ClassVar[bool] = True
    usual: ClassVar[float] = 0.0
    positive: ClassVar[bool] = False
    tightens: ClassVar[int] = 1
    even: ClassVar[bool] = False
    fewest: ClassVar[float] = 3e-5  # fields grow like the inverse of the load where entropies vanish
    law: ClassVar[str] = "of a perceptron it is sqrt(2 / (pi alpha)), but for a share of 0.8 alpha"
    margin: eqx.AbstractVar[Float[Array, ""] | float]

    @abstractmethod
    def log_weight(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """Log of the mean weight of ``mean + std * z``, ``z ~ N(0, 1)``, for arrays of shapes that broadcast."""

    @abstractmethod
    def edges(self) -> Float[Array, " edges"]:
        """Ends of the allowed intervals of the stability, shape ``(number of ends,)``."""

    def turns(self, std: Float[Array, ""]) -> tuple[Float[Array, " turns"], Float[Array, " turns"]]:
        """Means at which `log_weight` turns from one law to another, and one over the widths of the turns.

        Those are the edges, smeared by ``std``, unless a class says more.
        """
        edges = self.edges()
        return edges, jnp.broadcast_to(1.0 / std, edges.shape)

    @abstractmethod
    def support(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Infimum and supremum of the allowed set; where it is not ``hard``, between which weights hardly change."""

    def divided(self: _Kind, unit: Float[Array, ""] | float) -> _Kind:  # noqa: PYI019  (checks at run time know Self in some)
        """The same constraint on a pre-activation that is divided by ``unit``."""

        def fields(constraint):
            return [getattr(constraint, name) for name in self.units]

        return eqx.tree_at(fields, self, [getattr(self, name) / unit**power for name, power in self.units.items()])

    @classmethod
    def of_hardness(cls, hardness: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The margin at any real ``hardness``, which grows as margins get harder: its logarithm where it is positive."""
        signed = hardness if cls.tightens > 0 else -hardness
        return jnp.exp(signed) if cls.positive else signed


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

    Attributes:
        narrow: half width of an interval, in deviations, below which its probability is an integral over three nodes: that
            was found to miss 3e-15 of its logarithm at 0.02 and 2e-13 at 0.05, and a difference of tails 1e-13 at 0.01.

    Example:
        >>> import fmjax, jax.numpy as jnp
        >>> mean, std = jnp.asarray(0.0), jnp.asarray(1.0)
        >>> print(f"{fmjax.SymmetricMargin(1.0).log_weight(mean, std):.6f}")  # ln P[|z| < 1]
        -0.381715
    """

    usual: ClassVar[float] = 1.0
    positive: ClassVar[bool] = True
    tightens: ClassVar[int] = -1
    even: ClassVar[bool] = True
    fewest: ClassVar[float] = 2e-3
    law: ClassVar[str] = "of binary weights it is sqrt(pi / 2) 2^(-1 / alpha)"
    narrow: ClassVar[float] = 0.02
    margin: Float[Array, ""] | float

    def log_weight(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """``ln [H((|mean| - margin)/std) - H((|mean| + margin)/std)]``, the difference taken in logs."""
        # Two smooth branches instead of |mean|: their derivatives of every order are right at mean = 0 as well.
        mean = jnp.where(mean >= 0, mean, -mean)
        centre, half = mean / std, self.margin / std
        near, far = log_H(centre - half), log_H(centre + half)
        # Of a narrow interval the difference has no digits: it is minus the integral of the slope of ln H, by three nodes of
        # Gauss and Legendre, which miss 1e-16 of it below a half width of 0.02.
        apart = np.sqrt(0.6) * half
        mean_slope = (5.0 * (mills_ratio(centre - apart) + mills_ratio(centre + apart)) + 8.0 * mills_ratio(centre)) / 9.0
        ratio = jnp.where(half < self.narrow, -half * mean_slope, far - near)
        return near + jnp.log(-jnp.expm1(ratio))

    def edges(self) -> Float[Array, " 2"]:
        """``(-margin, margin)``."""
        return jnp.stack([-jnp.asarray(self.margin), jnp.asarray(self.margin)])

    def support(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """``(-margin, margin)``."""
        return -jnp.asarray(self.margin), jnp.asarray(self.margin)
