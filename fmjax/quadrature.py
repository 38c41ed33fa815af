"""Quadrature rules: small Modules that return nodes and weights for the standard normal measure.

Every rule answers the same question, ``E[f(u)]`` with ``u ~ N(0, 1)``, as ``sum(weights * f(nodes))``. Which one to
take depends on where ``f`` stops being analytic:

* `GaussHermite` for entire, moderate integrands;
* `Trapezoid` for analytic integrands that need more resolution than Gauss-Hermite spends (geometric convergence);
* `Layered` for integrands with sharp layers at known places, with an error uniform in the width of the layers.

Nodes carry no derivative: a rule is a discretisation, so differentiating a sum over its nodes gives the same rule
applied to the derivative of the integrand.

**Twins.** Every other node of an equidistant rule is a rule of its own, and the rest is its twin, shifted by half a step:
their leading errors are opposite, so the mean of the two is the rule itself and half their difference bounds its error, by
orders of magnitude where convergence is geometric. `twins` says which node belongs to which; with weights multiplied by
``1 + tilt * twins(size)``, the derivative of *any* answer with respect to ``tilt``, at ``tilt = 0``, is that half
difference. In two dimensions, rows of one twin take inner nodes a half step from those of the other (`offset`), both counted
from the sharpest layer of the row: where that is not an axis, an error that both twins have in common would not be seen.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.special.elementary import LOG_SQRT_2PI, fast_log

__all__ = ["TAIL", "GaussHermite", "Layered", "Trapezoid", "expectation", "offset", "twins"]

TAIL = 8.5  # standard deviations: exp(-36) is left out


def log_normal_density(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``-x**2/2 - log(sqrt(2 pi))``, the log density of the standard normal."""
    return -0.5 * jnp.square(x) - LOG_SQRT_2PI


def twins(size: int) -> np.ndarray:
    """``+1, -1, +1, ...``: which of the two interleaved rules each of ``size`` nodes belongs to."""
    return 1.0 - 2.0 * (np.arange(size) % 2)


def offset(size: int) -> np.ndarray:
    """Where in their steps the inner nodes of each of ``size`` outer ones lie: apart by half for twins."""
    return 0.25 * (1.0 - twins(size))


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
        import scipy.special  # noqa: PLC0415  (for this rule alone, and slow to import)

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
    width: float = eqx.field(static=True, default=TAIL)

    def __call__(self) -> tuple[Float[Array, " size"], Float[Array, " size"]]:
        """Nodes and weights, shape ``(size,)`` each; the weights sum to one but for what is cut off."""
        step = 2 * self.width / self.size
        nodes = step * (np.arange(self.size) + 0.5) - self.width
        return jnp.asarray(nodes), jnp.asarray(step / np.sqrt(2 * np.pi) * np.exp(-0.5 * nodes**2))


class Layered(eqx.Module):
    r"""Equidistant nodes in a variable that resolves sharp layers wherever they are.

    A layer is a function of ``s u + o`` that changes on the scale of its argument: a kink or a step of width ``1/s`` at
    ``c = -o/s``. For one layer the nodes are ``u = c + L asinh(w/L sinh(t/L))`` at equidistant ``t``, ``w = 2/s``: this maps
    the strip ``|Im t| < pi L / 2`` onto ``|Im u| < pi L / 2`` without the two slits that start at ``c ± iw``, where
    functions of such a layer may be singular, so that no map resolves it with fewer nodes. Further layers are resolved in
    the ``t`` of those before. The number of nodes needed grows with the logarithm of the sharpness. The integrand must
    vanish (to the accuracy wanted) at ``lower`` and ``upper``: the Gaussian does it at +-9, a one-sided layer may do it
    earlier.

    Args:
        size: number of nodes.
        outer: ``L``, the scale in deviations on which nodes are equidistant away from all layers. Larger ones spend fewer
            nodes there, until the Gaussian at ``i pi L / 2`` is felt: at 1 to 2 errors were found equal within a factor
            of ten, at 2.5 they grow.
        shallowest: smallest slope of a layer: its width is more than all deviations. From 1e-12 to 3 errors were found
            equal; at 0 a layer without slope gives NaN.
        outside: where a layer lies that is further away, in units of ``outer``. Errors were found equal between 6.5 and 140;
            it must lie outside the interval, which at +-9 ends at 6, or nodes crowd where nothing is (of a layer of slope
            1e13, 400 nodes lost 3e-11 at 6 and 1e-8 at 4), and closer than ``farthest``.
        farthest: distance from a layer up to which sinh is taken, in its variable: finite there, and so is its square over a
            width. Errors were found equal from 96 to 700; less than ``outside`` and the interval together gives sums that
            are wrong, or NaN.

    Example:
        >>> import jax
        >>> nodes, weights = jax.jit(Layered(40))(jnp.array([1e3]), jnp.array([-1e3]))  # a step of width 1e-3 at u = 1
        >>> step = expectation(lambda u: jax.nn.sigmoid(1e3 * (u - 1.0)), nodes, weights)
        >>> print(f"{step:.5f} {jax.scipy.stats.norm.sf(1.0):.5f}")
        0.15866 0.15866
    """

    size: int = eqx.field(static=True)
    outer: float = eqx.field(static=True, default=1.5)
    shallowest: float = eqx.field(static=True, default=1e-3)
    outside: float = eqx.field(static=True, default=90.0)
    farthest: float = eqx.field(static=True, default=150.0)

    def __call__(
        self,
        slopes: Float[Array, " layers *batch"],
        offsets: Float[Array, " layers *batch"],
        lower: Float[Array, "*#batch"] | float = -9.0,
        upper: Float[Array, "*#batch"] | float = 9.0,
        start: Float[Array, "*#batch"] | np.ndarray | float = 0.5,
    ) -> tuple[Float[Array, "*batch size"], Float[Array, "*batch size"]]:
        """Nodes and weights of ``E[f(u)]`` for layers at ``|slopes * u + offsets| <~ 1``.

        Args:
            slopes: ``s_i``, one over the width of each layer, shape ``(layers, *batch)``; of either sign.
            offsets: ``o_i``, shape ``(layers, *batch)``.
            lower: where the integrand vanishes, or is cut off, on the left, shape ``(*batch)``.
            upper: on the right.
            start: place of the nodes in their steps, in [0, 1), counted from the last layer.

        Returns:
            Nodes and weights, shape ``(*batch, size)``.
        """
        nodes, spacing = self.spaced(slopes, offsets, lower, upper, start)
        return nodes, spacing * jnp.exp(log_normal_density(nodes))

    def log_rule(
        self,
        slopes: Float[Array, " layers *batch"],
        offsets: Float[Array, " layers *batch"],
        lower: Float[Array, "*#batch"] | float = -9.0,
        upper: Float[Array, "*#batch"] | float = 9.0,
        start: Float[Array, "*#batch"] | np.ndarray | float = 0.5,
    ) -> tuple[Float[Array, "*batch size"], Float[Array, "*batch size"]]:
        """Nodes and logarithms of the weights, for integrands that grow where the weights underflow.

        Args:
            slopes: ``s_i``, one over the width of each layer, shape ``(layers, *batch)``; of either sign.
            offsets: ``o_i``, shape ``(layers, *batch)``.
            lower: where the integrand vanishes, or is cut off, on the left, shape ``(*batch)``.
            upper: on the right.
            start: place of the nodes in their steps, in [0, 1), counted from the last layer.
        """
        nodes, spacing = self.spaced(slopes, offsets, lower, upper, start)
        return nodes, fast_log(spacing) + log_normal_density(nodes)

    def spaced(
        self,
        slopes: Float[Array, " layers *batch"],
        offsets: Float[Array, " layers *batch"],
        lower: Float[Array, "*#batch"] | float = -9.0,
        upper: Float[Array, "*#batch"] | float = 9.0,
        start: Float[Array, "*#batch"] | np.ndarray | float = 0.5,
    ) -> tuple[Float[Array, "*batch size"], Float[Array, "*batch size"]]:
        """Nodes and their spacings: weights without the Gaussian density.

        Args:
            slopes: ``s_i``, one over the width of each layer, shape ``(layers, *batch)``; of either sign.
            offsets: ``o_i``, shape ``(layers, *batch)``.
            lower: where the integrand vanishes, or is cut off, on the left, shape ``(*batch)``.
            upper: on the right.
            start: place of the nodes in their steps, in [0, 1), counted from the last layer.
        """
        slopes, offsets, ends, start = jax.lax.stop_gradient(
            (jnp.asarray(slopes), jnp.asarray(offsets), [jnp.asarray(lower), jnp.asarray(upper)], jnp.asarray(start))
        )
        scale = self.outer
        batch = jnp.broadcast_shapes(slopes.shape[1:], *(end.shape for end in ends), start.shape)
        steep = jnp.maximum(jnp.abs(slopes), self.shallowest) * scale
        centres = jnp.clip(-jnp.sign(slopes) * offsets / steep, -self.outside, self.outside)
        # The centres of the layers to come, and both ends, in units of `outer` and in the variable of the layers before.
        points = jnp.stack([jnp.broadcast_to(x, batch) for x in (*centres[::-1], ends[0] / scale, ends[1] / scale)])
        widths, layers = jnp.broadcast_to(2.0 / steep[::-1], (len(slopes), *batch)), []
        for left in reversed(range(len(slopes))):
            width, centre = jnp.minimum(widths[left], 1.0), points[left]
            layers.append((width[..., None], centre[..., None]))
            points = jnp.concatenate([points[:left], points[left + 1 :]])
            # sinh, cosh and asinh as they are defined: nodes need not be accurate close to a layer, only the same ones.
            up = jnp.exp(jnp.clip(points - centre, -self.farthest, self.farthest))
            inside = (up - 1.0 / up) / (2.0 * width)
            root = jnp.sqrt(1.0 + inside * inside)
            widths = widths[:left] * ((up + 1.0 / up) / (2.0 * width * root))[:left]
            points = jnp.sign(inside) * jnp.log(jnp.abs(inside) + root)
        step = ((points[1] - points[0]) / self.size)[..., None]
        # Whole steps from the last layer, and `start`: so nodes keep their places relative to a layer that moves.
        t = step * (jnp.round(points[0][..., None] / step) + np.arange(self.size) + start[..., None])
        spacing = step * scale
        if not layers:
            return scale * t, jnp.broadcast_to(spacing, t.shape)
        up = larger = jnp.exp(t)
        x, root = t, jnp.ones(())
        for width, centre in reversed(layers):
            down = 1.0 / up
            x = 0.5 * width * (up - down)
            root = jnp.sqrt(1.0 + x * x)
            larger = jnp.abs(x) + root
            spacing = spacing * (0.5 * width * (up + down)) / root
            # exp of the variable before: between two layers no logarithm is taken, as sinh and asinh cancel.
            up = jnp.exp(centre) * jnp.where(x > 0, larger, 1.0 / larger)
        # What ends in a division is computed once and kept: all that uses the nodes would compute them again.
        return scale * (layers[0][1] * root + jnp.sign(x) * fast_log(larger) * root) / root, spacing


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
