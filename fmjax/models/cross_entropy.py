"""The cross-entropy as a soft constraint: its log weight is an integral, by quadrature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.models.losses import Loss, not_negative
from fmjax.quadrature import TAIL, Layered, log_normal_density
from fmjax.special.elementary import fast_log

__all__ = ["CrossEntropy"]

_Real = Float[Array, ""] | float


@jax.custom_jvp
def _softplus(y: Array) -> Array:
    """``ln(1 + e^y)`` in loops that XLA vectorises; absolute error 2e-16."""
    return jnp.maximum(y, 0.0) + fast_log(1.0 + jnp.exp(-jnp.abs(y)))


@_softplus.defjvp
def _(primals, tangents):
    return _softplus(*primals), jax.nn.sigmoid(*primals) * tangents[0]


class CrossEntropy(Loss):
    r"""The weight :math:`e^{-\beta \ell(\Delta)}` of a stability, with the cross-entropy of a sigmoid output.

    .. math:: \ell(\Delta) = \ln\big(1 + e^{-\gamma (\Delta - \kappa)}\big)

    Unlike a margin it goes on asking for larger stabilities, the less the larger they are. ``gamma`` is the norm of weights
    that are free (Baldassi, Pittorino and Zecchina 2020, where it is twice theirs): at ``gamma -> inf`` with ``beta gamma``
    kept this is `Hinge`, at ``gamma -> 0`` a pull that is the same for all stabilities.

    The integral is one over `nodes` nodes around the peak of its integrand, whose logarithm is concave. Up to
    ``beta = 1000``, and 20 deviations of its mean from the margin, it was found to miss 1e-12 of the logarithm and 1e-11 of
    its slope where ``gamma std < 1.8``, and 3e-11 and 2e-9 up to 5.

    Args:
        beta: inverse temperature, not negative, differentiable.
        margin: ``kappa``, in units of the pre-activation, differentiable.
        sharpness: ``gamma``, per unit of the pre-activation, differentiable.

    Attributes:
        nodes: of the integral. 40 were found to miss 6e-11 where ``gamma std < 1.8``, 56 2e-14.
        outer: scale of the nodes away from layers, see `fmjax.quadrature.Layered`: 1.5 loses 10 to 100 times as much.
        halvings: of the interval in which the peak is looked for.
        nodes_below: of the integral below the margin, and ``ends`` of its rule, in the variable of Takahasi and Mori.
        beside: from the peak, in its widths, where the slope says how far the integrand reaches.

    Raises:
        ValueError: ``beta`` or ``sharpness`` is negative, or no finite number.

    Example:
        >>> import fmjax, jax.numpy as jnp
        >>> mean, std = jnp.asarray(0.0), jnp.asarray(1.0)
        >>> print(f"{fmjax.CrossEntropy(1.0).log_weight(mean, std):.6f}")  # ln 1/2: the mean of a sigmoid
        -0.693147
    """

    units: ClassVar[Mapping[str, int]] = {"margin": 1, "sharpness": -1}
    strength: ClassVar[str] = "beta"
    hard: ClassVar[bool] = False
    nodes: ClassVar[int] = 48
    outer: ClassVar[float] = 5.0
    halvings: ClassVar[int] = 26
    beside: ClassVar[float] = 2.0
    nodes_below: ClassVar[int] = 160
    ends: ClassVar[float] = 3.2
    beta: _Real
    margin: _Real
    sharpness: _Real

    def __init__(self, beta: _Real, margin: _Real = 0.0, sharpness: _Real = 1.0):
        self.beta, self.margin = not_negative("beta", beta), margin
        self.sharpness = not_negative("sharpness", sharpness)

    def log_weight(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """As above, by quadrature."""
        height, slope = self.sharpness * (mean - self.margin), self.sharpness * std
        z, log_spacing = self._nodes(*jax.lax.stop_gradient((height, slope)))
        loss = _softplus(-(height[..., None] + jnp.asarray(slope)[..., None] * z))
        return jax.nn.logsumexp(log_spacing + log_normal_density(z) - self.beta * loss, axis=-1)

    def log_error(self, mean: Float[Array, "*#shape"], std: Float[Array, "*#shape"]) -> Float[Array, ...]:
        """The same integral below the margin, by another rule: its integrand ends at its largest value, as a rule."""
        height, slope = self.sharpness * (mean - self.margin), self.sharpness * std
        above, pull = jax.lax.stop_gradient((-height / slope, jnp.broadcast_to(self.beta * slope, jnp.shape(height))))
        # Below the margin by t deviations, a Gaussian times exp(-pull t), or exp(-pull t / 2) close to the margin.
        low, high = jnp.maximum(above - pull - TAIL, 0.0), jnp.maximum(above - 0.5 * pull, 0.0) + TAIL
        tau = self.ends * (2.0 * (np.arange(self.nodes_below) + 0.5) / self.nodes_below - 1.0)
        place = jax.nn.sigmoid(np.pi * np.sinh(tau))
        span = (high - low)[..., None]
        t = low[..., None] + span * place
        step = np.pi * np.cosh(tau) * 2.0 * self.ends / self.nodes_below
        log_spacing = jnp.log(span) + jnp.log(step * place) + jax.nn.log_sigmoid(-np.pi * np.sinh(tau))
        z = jax.lax.stop_gradient((-height / slope)[..., None] - t)
        loss = _softplus(-(height[..., None] + jnp.asarray(slope)[..., None] * z))
        return jax.nn.logsumexp(log_spacing + log_normal_density(z) - self.beta * loss, axis=-1)

    def _nodes(self, height: Float[Array, "*shape"], slope: Float[Array, "*#shape"]) -> tuple[Array, Array]:
        """Around the peak ``z = beta gamma std sigmoid(-y)``, ``y = gamma (mean + std z - margin)``, and log spacings.

        Layers are that peak, in its own width or in that of the sigmoid, and where ``y = 0``.
        """
        beta = jax.lax.stop_gradient(jnp.asarray(self.beta))
        slope = jnp.broadcast_to(slope, height.shape)
        stretch = beta * slope**2

        def halve(_, bracket):
            low, high = bracket
            middle = 0.5 * (low + high)
            below = middle - height < stretch * jax.nn.sigmoid(-middle)
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        low, high = jax.lax.fori_loop(0, self.halvings, halve, (height, height + stretch))
        y = 0.5 * (low + high)
        chance = jax.nn.sigmoid(-y)
        curvature = jnp.sqrt(1.0 + stretch * chance * (1.0 - chance))
        peak = beta * slope * chance

        def end(v):
            # The logarithm falls by as much as it does here, then at least by this slope and half the square of the rest.
            fall = v * (peak + 0.5 * v) + beta * (_softplus(-(y + slope * v)) - _softplus(-y))
            steep = jnp.abs(peak + v - beta * slope * jax.nn.sigmoid(-(y + slope * v)))
            rest = 0.5 * TAIL**2 - fall
            return v + jnp.sign(v) * 2.0 * rest / (steep + jnp.sqrt(jnp.maximum(steep**2 + 2.0 * rest, 0.0)))

        slopes, offsets = jnp.stack([curvature, slope]), jnp.stack([jnp.zeros_like(y), y - jnp.log1p(beta)])
        near = self.beside / curvature
        v, spacing = Layered(self.nodes, self.outer).spaced(slopes, offsets, end(-near), end(near))
        return peak[..., None] + v, fast_log(spacing)

    def support(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """From where the pull is less than one per unit of ``gamma Delta``, ``margin + ln(1 + beta) / sharpness``."""
        return self.margin + jnp.log1p(jnp.asarray(self.beta)) / self.sharpness, jnp.asarray(jnp.inf)
