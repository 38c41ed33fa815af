r"""Soft constraints: patterns that are not satisfied weigh less, by their loss at an inverse temperature beta.

Networks are drawn with probability :math:`\prod_\mu e^{-\beta \ell(\Delta^\mu)}`, which ends in a log weight of one pattern
like that of any constraint,

.. math:: \ln \int\! Dz\, e^{-\beta\, \ell(m + \sigma z)},

with the mean ``m`` and the standard deviation ``sigma`` of its stability in a cavity.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import as_numbers, is_traced
from fmjax.models.constraint import Constraint
from fmjax.quadrature import TAIL, Layered, log_normal_density
from fmjax.special import log_H, mills_ratio
from fmjax.special.elementary import LOG_SQRT_2PI

__all__ = ["Hinge", "Loss", "Power", "Temperature", "not_negative", "refuse_loss"]

_Real = Float[Array, ""] | float


class Loss(Constraint):
    """A weight ``exp(-beta loss)`` of each stability, where the loss is that of a pattern below the margin."""

    @abstractmethod
    def log_error(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """What stabilities below the margin contribute to the mean weight, in logs, of this ``mean`` and ``std``."""

    def edges(self) -> Float[Array, " 1"]:
        """The margin."""
        return jnp.asarray(self.margin)[None]


def refuse_loss(what: str, constraint: Constraint) -> None:
    """Refuse a ``constraint`` with a loss where ``what`` is asked for is a property of solutions.

    Raises:
        ValueError: they have one.
    """
    if constraint.strength:
        kind = type(constraint).__name__
        raise ValueError(f"{what} are those of solutions, which a {kind} does not count: use a margin")


def not_negative(name: str, value: _Real) -> _Real:
    """A number that is finite and not negative, or one that is being traced.

    Raises:
        ValueError: it is neither.
    """
    found = as_numbers(name, value)
    if not is_traced(found) and not np.all((np.asarray(found) >= 0) & np.isfinite(np.asarray(found))):
        raise ValueError(f"{name} = {np.ravel(np.asarray(found))[0]:g} is not possible: it must be finite and not negative")
    return value


class _BelowMargin(Loss):
    """One that patterns above the margin do not have."""

    strength: ClassVar[str] = "beta"
    hard: ClassVar[bool] = False
    beta: _Real
    margin: _Real

    def __init__(self, beta: _Real, margin: _Real = 0.0):
        self.beta, self.margin = not_negative("beta", beta), margin

    def log_weight(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """As above, from two tails in logs."""
        return jnp.logaddexp(log_H((self.margin - mean) / std), self.log_error(mean, std))

    def support(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """``(margin, inf)``."""
        return jnp.asarray(self.margin), jnp.asarray(jnp.inf)


class Temperature(_BelowMargin):
    r"""The weight :math:`e^{-\beta}` for each pattern below the margin, one for the others: errors are counted.

    .. math:: \ln\big[e^{-\beta} + (1 - e^{-\beta})\, H((\kappa - m)/\sigma)\big]

    As beta grows it becomes `Margin`. The energy is the fraction of violated patterns (Gardner and Derrida 1988).

    Args:
        beta: inverse temperature, not negative, differentiable.
        margin: ``kappa``, in units of the pre-activation, differentiable.

    Raises:
        ValueError: ``beta`` is negative, or no finite number.

    Example:
        >>> import fmjax, jax.numpy as jnp
        >>> mean, std = jnp.asarray(0.0), jnp.asarray(1.0)
        >>> print(f"{fmjax.Temperature(1.0).log_weight(mean, std):.6f}")  # ln (1 + 1/e) / 2
        -0.379885
    """

    def log_error(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """``-beta + ln H((mean - margin) / std)``."""
        return log_H((mean - self.margin) / std) - self.beta

    def turns(self, std: Float[Array, ""]) -> tuple[Float[Array, " 2"], Float[Array, " 2"]]:
        """The margin, and where fluctuations are rarer than errors, ``H(u) = exp(-beta)``: the colder, the sharper.

        By ``ln H(u) = -u²/2 - ln(sqrt(2 pi) u)``; warm ones have no second turn that needs nodes.
        """
        largest = jnp.sqrt(2.0 * jnp.asarray(self.beta))
        tail = LOG_SQRT_2PI + jnp.log(jnp.maximum(largest, 1.0))
        u = jnp.sqrt(2.0 * jnp.maximum(jnp.asarray(self.beta) - tail, 0.0))
        return self.margin - jnp.stack([jnp.zeros_like(u), u]) * std, jnp.stack(
            [jnp.ones_like(u), jnp.maximum(u, 1.0)]
        ) / std


class Hinge(_BelowMargin):
    r"""The weight :math:`e^{-\beta \max(0, \kappa - \Delta)}` of a stability: what is missing counts.

    .. math:: \ln\big[H(u) + e^{b^2/2 - b u}\, H(b - u)\big], \qquad u = (\kappa - m)/\sigma, \quad b = \beta \sigma

    Args:
        beta: inverse temperature, not negative, differentiable; per unit of the pre-activation.
        margin: ``kappa``, in units of the pre-activation, differentiable.

    Raises:
        ValueError: ``beta`` is negative, or no finite number.

    Example:
        >>> import fmjax, jax.numpy as jnp
        >>> mean, std = jnp.asarray(0.0), jnp.asarray(1.0)
        >>> print(f"{fmjax.Hinge(1.0).log_weight(mean, std):.6f}")  # ln [1/2 + sqrt(e) H(1)]
        -0.272362
    """

    units: ClassVar[Mapping[str, int]] = {"margin": 1, "beta": -1}

    def log_error(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """``b^2/2 - b u + ln H(b - u)``."""
        missing, pull = (self.margin - mean) / std, self.beta * std
        at = pull - missing
        # Far below the margin b^2/2 cancels against ln H: there -u^2/2 - ln(r sqrt(2 pi)) is the same without it.
        right = at > 0.0
        mills = jnp.log(mills_ratio(jnp.where(right, at, 0.0)))
        left = pull * (0.5 * pull - missing) + log_H(jnp.where(right, 0.0, at))
        return jnp.where(right, -0.5 * missing**2 - LOG_SQRT_2PI - mills, left)


class Power(Loss):
    r"""The weight :math:`(\Delta - \kappa)^\gamma` beyond the margin, zero below it: larger stabilities count more.

    .. math:: \ln \int_{\kappa}^\infty\! (\Delta - \kappa)^\gamma\; \mathcal{N}(\Delta; m, \sigma^2)\, d\Delta

    It is `Margin` at ``gamma = 0``. ``gamma`` is an inverse temperature of the loss ``-ln(Delta - kappa)``, which no pattern
    below the margin may have: references have no errors at any ``gamma``.

    Args:
        gamma: the power, not negative, differentiable. The rules that use it were found good up to 10.
        margin: ``kappa``, in units of the pre-activation, differentiable.
        unit: in which ``Delta - kappa`` is measured: one of the pre-activation.

    Attributes:
        nodes: of the integral, in a variable of Takahasi and Mori around its peak. 40 miss 3e-12, and 48 2e-14.

    Raises:
        ValueError: ``gamma`` or ``unit`` is negative, or no finite number, or ``unit`` is zero.

    Example:
        >>> import fmjax, jax.numpy as jnp
        >>> mean, std = jnp.asarray(0.0), jnp.asarray(1.0)
        >>> print(f"{fmjax.Power(2.0).log_weight(mean, std):.6f}")  # ln 1/2: half of the variance
        -0.693147
    """

    units: ClassVar[Mapping[str, int]] = {"margin": 1, "unit": 1}
    strength: ClassVar[str] = "gamma"
    nodes: ClassVar[int] = 48
    gamma: _Real
    margin: _Real
    unit: _Real

    def __init__(self, gamma: _Real, margin: _Real = 0.0, unit: _Real = 1.0):
        self.gamma, self.margin, self.unit = not_negative("gamma", gamma), margin, not_negative("unit", unit)
        if not is_traced(unit) and not np.all(np.asarray(unit)):
            raise ValueError("unit = 0 is not possible: it must be positive")

    def log_weight(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """As above, by quadrature in ``ln(Delta - kappa)``."""
        std = jnp.broadcast_to(std, jnp.broadcast_shapes(jnp.shape(mean), jnp.shape(std)))
        missing = (self.margin - mean) / std
        log_excess, log_spacing = self._nodes(jax.lax.stop_gradient(missing))
        density = log_normal_density(jnp.exp(log_excess) + missing[..., None])
        mean_power = jax.nn.logsumexp(log_spacing + (self.gamma + 1.0) * log_excess + density, axis=-1)
        return mean_power + self.gamma * jnp.log(std / self.unit)

    def log_error(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """None."""
        return jnp.full(jnp.broadcast_shapes(jnp.shape(mean), jnp.shape(std)), -jnp.inf)

    def _nodes(self, missing: Float[Array, "*shape"]) -> tuple[Array, Array]:
        """Logarithms of the excess, in deviations, around ``T``, where its power is largest, and of their spacings.

        With ``v = ln(excess / T) = tau - exp(-tau)`` a power decays doubly exponentially at small excess.
        """
        power = jax.lax.stop_gradient(jnp.asarray(self.gamma)) + 1.0
        root = jnp.sqrt(missing**2 + 4.0 * power)
        peak = jnp.where(missing > 0, 2.0 * power / (jnp.abs(missing) + root), 0.5 * (root + jnp.abs(missing)))
        fall, slope = 0.5 * TAIL**2, jnp.sqrt(peak * root)
        # Relative to T: within TAIL deviations of it, or where its power has fallen by as much.
        gaussian = TAIL / peak
        left = jnp.where(gaussian < 1.0, -jnp.log1p(-jnp.minimum(gaussian, 0.999)), jnp.inf)
        left = jnp.minimum(left, fall / power + 1.0)
        right = jnp.log1p(jnp.minimum(gaussian, jnp.maximum(2.0 * fall / power, 2.5)))
        middle = 0.5671432904097838  # of tau, where v = 0
        low = jnp.maximum(middle - left / (1.0 + middle), -jnp.log(jnp.maximum(left, 1.0)))
        tau, spacing = Layered(self.nodes, 5.0).spaced(slope[None], -middle * slope[None], low, middle + right)
        back = jnp.exp(-tau)
        return jnp.log(peak)[..., None] + tau - back, jnp.log(spacing * (1.0 + back))

    def support(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """``(margin, inf)``."""
        return jnp.asarray(self.margin), jnp.asarray(jnp.inf)
