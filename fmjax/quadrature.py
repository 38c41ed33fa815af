"""Quadrature rules: small Modules that return nodes and weights for the standard normal measure.

Every rule answers the same question, ``E[f(u)]`` with ``u ~ N(0, 1)``, as ``sum(weights * f(nodes))``. Which one to
take depends on where ``f`` stops being analytic:

* `GaussHermite` for entire, moderate integrands;
* `Trapezoid` for analytic integrands that need more resolution than Gauss-Hermite spends (geometric convergence);
* `Layered` for integrands with sharp layers at known places, with an error uniform in the width of the layers.

Nodes carry no derivative: a rule is a discretisation, so differentiating a sum over its nodes gives the same rule
applied to the derivative of the integrand.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Float

from fmjax.special import fast_log

__all__ = ["GaussHermite", "Layered", "Trapezoid", "expectation"]

_NEWTON_STEPS = 4
_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


def log_normal_density(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``-x**2/2 - log(sqrt(2 pi))``, the log density of the standard normal."""
    return -0.5 * jnp.square(x) - _LOG_SQRT_2PI


class GaussHermite(eqx.Module):
    """Gauss-Hermite rule: exact for polynomials of degree below ``2 * size``.

    Nodes come from `scipy.special.roots_hermitenorm`, which is stable at any size (NumPy's ``hermegauss`` returns NaN
    weights from 372 nodes on).

    Args:
        size: number of nodes.

    Example:
        >>> nodes, weights = GaussHermite(3)()
        >>> print(f"{expectation(lambda u: u**4, nodes, weights):.6f}")  # E[u^4] = 3
        3.000000
    """

    size: int = eqx.field(static=True)

    def __call__(self) -> tuple[Float[Array, " size"], Float[Array, " size"]]:
        """Nodes and weights, shape ``(size,)`` each; the weights sum to one."""
        nodes, weights = scipy.special.roots_hermitenorm(self.size)
        return jnp.asarray(nodes), jnp.asarray(weights / np.sqrt(2 * np.pi))


class Trapezoid(eqx.Module):
    """Midpoint-offset trapezoid on ``[-width, width]`` standard deviations.

    For an integrand analytic in the strip ``|Im u| < s`` the error decays like ``exp(-2 pi s / step)``, plus the tail
    ``exp(-width**2 / 2)`` that is cut off.

    Args:
        size: number of nodes, ``step = 2 width / size`` apart.
        width: end of the interval, in standard deviations.
    """

    size: int = eqx.field(static=True)
    width: float = eqx.field(static=True, default=8.5)

    def __call__(self) -> tuple[Float[Array, " size"], Float[Array, " size"]]:
        """Nodes and weights, shape ``(size,)`` each; the weights sum to one but for what is cut off."""
        step = 2 * self.width / self.size
        nodes = step * (np.arange(self.size) + 0.5) - self.width
        return jnp.asarray(nodes), jnp.asarray(step / np.sqrt(2 * np.pi) * np.exp(-0.5 * nodes**2))


class Layered(eqx.Module):
    """Trapezoid in a stretched variable that resolves sharp layers wherever they are.

    A layer is a function of ``s u + o`` that changes on the scale of its argument: a kink or a step of width ``1/s`` at
    ``u = -o/s``. The rule is the midpoint rule in

        T(u) = u + sum_i asinh((s_i u + o_i) / 2)

    (the 2 keeps the map nearly linear inside a layer, where a Gaussian tail would narrow the strip of analyticity),
    whose node density is proportional to ``1 / sqrt(width_i**2 + (u - centre_i)**2)`` near each layer: the number of
    nodes needed grows only with the logarithm of the sharpness. The integrand must vanish (to the accuracy wanted) at
    ``lower`` and ``upper``: the Gaussian does it at +-9, a one-sided layer may do it earlier.

    Args:
        size: number of nodes.

    Example:
        >>> import jax
        >>> nodes, weights = jax.jit(Layered(40))(jnp.array([1e3]), jnp.array([-1e3]))  # a step of width 1e-3 at u = 1
        >>> step = expectation(lambda u: jax.nn.sigmoid(1e3 * (u - 1.0)), nodes, weights)
        >>> print(f"{step:.5f} {jax.scipy.stats.norm.sf(1.0):.5f}")
        0.15866 0.15866
    """

    size: int = eqx.field(static=True)

    def __call__(
        self,
        slopes: Float[Array, " layers"],
        offsets: Float[Array, " layers"],
        lower: Float[Array, ""] | float = -9.0,
        upper: Float[Array, ""] | float = 9.0,
    ) -> tuple[Float[Array, " size"], Float[Array, " size"]]:
        """Nodes and weights of ``E[f(u)]``, shape ``(size,)`` each, for layers at ``|slopes * u + offsets| <~ 1``.

        Args:
            slopes: ``s_i``, one over the width of each layer, shape ``(layers,)``; of either sign.
            offsets: ``o_i``, shape ``(layers,)``.
            lower: where the integrand vanishes, or is cut off, on the left.
            upper: on the right.
        """
        nodes, log_weights = self.log_rule(slopes, offsets, lower, upper)
        return nodes, jnp.exp(log_weights)

    def log_rule(
        self,
        slopes: Float[Array, " layers"],
        offsets: Float[Array, " layers"],
        lower: Float[Array, ""] | float = -9.0,
        upper: Float[Array, ""] | float = 9.0,
    ) -> tuple[Float[Array, " size"], Float[Array, " size"]]:
        """Nodes and logarithms of the weights, for integrands that grow where the weights underflow.

        Args:
            slopes: ``s_i``, one over the width of each layer, shape ``(layers,)``; of either sign.
            offsets: ``o_i``, shape ``(layers,)``.
            lower: where the integrand vanishes, or is cut off, on the left.
            upper: on the right.
        """
        slopes, offsets, lower, upper = jax.lax.stop_gradient(
            (jnp.asarray(slopes), jnp.asarray(offsets), jnp.asarray(lower), jnp.asarray(upper))
        )

        # T does not depend on the direction in which a layer is crossed.
        slopes, offsets = 0.5 * jnp.abs(slopes), 0.5 * jnp.where(slopes < 0, -offsets, offsets)

        def stretched(u):
            # A loop over the few layers: XLA does not vectorise a reduction over a short axis.
            value, derivative = u, jnp.ones_like(u)
            for slope, offset in zip(slopes, offsets, strict=True):
                argument = slope * u + offset
                root = jnp.sqrt(1.0 + argument * argument)
                value += jnp.sign(argument) * fast_log(jnp.abs(argument) + root)
                derivative += slope / root
            return value, derivative

        ends, _ = stretched(jnp.stack([lower, upper]))
        step = (ends[1] - ends[0]) / self.size
        targets = ends[0] + step * (jnp.arange(self.size) + 0.5)
        u = self._invert(stretched, targets, slopes, offsets, lower, upper)
        _, derivative = stretched(u)
        return u, log_normal_density(u) + fast_log(step / derivative)

    def _invert(self, stretched, targets, slopes, offsets, lower, upper):
        """Solve ``T(u) = targets``: interpolation on a grid that knows the layers, then Newton.

        A few Newton steps on the monotone ``T`` reach rounding, which the trapezoid needs: nodes that are only roughly
        equidistant in ``T`` would lose geometric convergence. The grid is coarse because sorting it is half the cost.
        """
        count = max(self.size // 4, 16)
        slopes = jnp.maximum(slopes, 1e-3)
        fractions = jnp.linspace(0.0, 1.0, count)
        low, high = jnp.arcsinh(slopes * lower + offsets), jnp.arcsinh(slopes * upper + offsets)
        candidates = (jnp.sinh(low[:, None] + (high - low)[:, None] * fractions) - offsets[:, None]) / slopes[:, None]
        grid = jnp.concatenate([candidates.ravel(), lower + (upper - lower) * fractions])
        grid = jnp.sort(jnp.clip(grid, lower, upper))

        def newton(_, u):
            value, derivative = stretched(u)
            return jnp.clip(u - (value - targets) / derivative, lower, upper)

        return jax.lax.fori_loop(0, _NEWTON_STEPS, newton, jnp.interp(targets, stretched(grid)[0], grid))


def expectation(
    function: Callable[[Float[Array, ""]], Float[Array, " *out"]],
    nodes: Float[Array, " size"],
    weights: Float[Array, " size"],
) -> Float[Array, " *out"]:
    """``E[f(u)] = sum_i weights_i function(nodes_i)`` for a ``function`` of one number, by `jax.vmap`.

    Args:
        function: of one number, to an array of shape ``(*out)``.
        nodes: of a rule, shape ``(size,)``.
        weights: of the same rule, shape ``(size,)``.

    Returns:
        The mean, shape ``(*out)``.
    """
    return jnp.tensordot(weights, jax.vmap(function)(nodes), axes=1)
