"""A committee of finitely many hidden units, and what a pattern asks of the fields on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int8

from fmjax.checks import Number, whole
from fmjax.message_passing.checks import activation_of
from fmjax.message_passing.hidden import at_most_minus, leaky_moments, numerical_moments, sign_moments
from fmjax.message_passing.lattice import Lattice
from fmjax.models import ACTIVATIONS, LeakyReLU
from fmjax.precision import numpy_rules
from fmjax.special import log_H

__all__ = ["Committee"]


class Committee(eqx.Module):
    r"""``K`` hidden units of ``n`` inputs each, ``N = K n`` weights: how an `Instance` combines them.

    .. math::
        \Delta = K^{-1/2} \sum_l c_l\, g(\lambda_l) \ge \kappa, \qquad \lambda_l = w_l \cdot \xi_l / \sqrt n

    In a tree every unit has inputs of its own, ``xi_l`` is block ``l`` of a pattern of ``N`` entries: `fmjax.TreeCommittee`
    is its limit of large ``K``, with the same margins. Otherwise the committee is fully connected: all units see the same
    ``n`` inputs. As there, ``c_l = 1`` if ``g`` is odd; else ``+1`` for the first half of the units and ``-1`` for the rest.
    A unit ``sign(0)`` counts as plus, which happens for even ``n``; an output of zero, which happens for even ``K``, is an
    error at margin 0, as for a perceptron.

    Sums of rectified units over ±1 patterns are integers, too: at margin 0 the smallest is 1 or 2, and the theory, which
    knows no lattice, describes the same problem at the margin half way to the sum before, ``instance.midpoint / sqrt(N)``.

    Up to 32 sign units count exactly in belief propagation; others, and all of another activation, by the central limit
    theorem, with an error of O(1/K).

    Args:
        activation: ``g``: sign, relu, leaky-relu, erf, tanh, gelu, a `LeakyReLU`, or a function of one number that JAX can
            trace.
        units: ``K``; even unless ``g`` is odd.
        tree: whether units have inputs of their own.

    Attributes:
        most_exact: sign units that are counted exactly: their number costs its square, and the central limit errs by its
            inverse.
        least_signs: least variance of a sum of +1 and -1 that is nearly decided, as a Gaussian.
        least_sum: the same of a sum of weights.
        rounding: of a sum of activations in float32.

    Raises:
        ValueError: an activation that is none, or a number of units that makes no sense.

    Example:
        >>> import jax
        >>> from fmjax.message_passing import Committee, Instance, focusing
        >>> instance = Instance.random(jax.random.key(0), size=505, alpha=0.3, committee=Committee("sign", units=5))
        >>> instance.patterns.shape, focusing(instance).result
        ((152, 101), 'solved')
    """

    most_exact: ClassVar[int] = 32
    least_signs: ClassVar[float] = 0.04
    least_sum: ClassVar[float] = 0.01
    rounding: ClassVar[float] = 1e-5

    activation: Any = eqx.field(static=True)
    units: int = eqx.field(static=True)
    tree: bool = eqx.field(static=True)
    slope: float | None = eqx.field(static=True)
    odd: bool = eqx.field(static=True)

    def __init__(self, activation: str | Callable[[Any], Any] = "sign", units: Number = 3, *, tree: bool = False):
        self.activation, self.slope = activation_of(activation)
        self.units, self.tree = whole("units", units, 1), bool(tree)
        some = np.linspace(0.1, 4.0, 14)
        with jax.ensure_compile_time_eval():
            values, opposite = (np.asarray(self.function(jnp.asarray(u, jnp.float32))) for u in (some, -some))
        self.odd = bool(np.all(np.abs(values + opposite) <= self.rounding * np.max(np.abs(values))))
        if not self.odd and self.units % 2:
            raise ValueError(
                f"units = {self.units} is odd, and half of those that are no odd function count as -1: use an even number"
            )

    @property
    def is_sign(self) -> bool:
        """Whether hidden units are signs."""
        return self.activation == "sign"

    @property
    def coefficients(self) -> np.ndarray:
        """``c_l``, shape ``(K,)``."""
        return np.where(np.arange(self.units) < (self.units if self.odd else self.units // 2), 1, -1)

    def function(self, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """``g(u)`` of an array, with ``sign(0) = 1``."""
        if self.is_sign:
            return jnp.where(u < 0, -1.0, 1.0).astype(u.dtype)
        rectified = None if self.slope is None else LeakyReLU(self.slope)
        return jnp.vectorize(rectified or ACTIVATIONS.get(self.activation, self.activation))(u)

    def lattice(self, inputs: int, binary: bool) -> Lattice:
        """Of the sum ``sum_l c_l g(lambda_l)``, as `totals` has it.

        Args:
            inputs: those of a unit, ``n``.
            binary: whether patterns are ±1.
        """
        if self.is_sign:
            return Lattice(math.sqrt(self.units), 2, self.units % 2)
        if self.slope == 0 and binary:
            return Lattice(math.sqrt(self.units * inputs), 1 if inputs % 2 else 2)
        return Lattice(math.sqrt(self.units), rounding=self.rounding)

    @numpy_rules()
    def totals(
        self, sums: Float[Array, "*shape K"] | Int[Array, "*shape K"], inputs: int, binary: bool
    ) -> Float[Array, "*shape"] | Int[Array, "*shape"]:
        """The sum over units of ``c_l g``, on the `lattice`: exact where the sums are.

        Args:
            sums: ``w_l . xi_l`` of the units.
            inputs: those of a unit, ``n``.
            binary: whether patterns are ±1.
        """
        signs = self.coefficients.astype(sums.dtype)
        if self.is_sign:
            return jnp.sum(signs * jnp.where(sums < 0, -1, 1).astype(sums.dtype), axis=-1)
        if self.slope == 0 and binary:
            return jnp.sum(signs * jnp.maximum(sums, 0), axis=-1)
        real = sums if jnp.issubdtype(sums.dtype, jnp.floating) else sums.astype(jnp.float32)
        return jnp.sum(signs * self.function(real / math.sqrt(inputs)), axis=-1)

    def largest(self, inputs: int) -> Float[Array, ""]:
        """Largest of the `totals` of ±1 patterns, with so many ``inputs`` of a unit."""
        if self.is_sign:
            return jnp.asarray(float(self.units))
        sums = jnp.arange(-inputs, inputs + 1, 2)
        per_unit = [jnp.max(c * self._one(sums, inputs)) for c in (1, -1)]
        plus = int(np.sum(self.coefficients > 0))
        return plus * per_unit[0] + (self.units - plus) * per_unit[1]

    def _one(self, sums: Array, inputs: int) -> Array:
        if self.slope == 0:
            return jnp.maximum(sums, 0).astype(jnp.float32)
        return self.function(sums.astype(jnp.float32) / math.sqrt(inputs))

    def log_weight(
        self,
        mean: Float[Array, "rows K"],
        variance: Float[Array, "rows K"],
        labels: Int8[Array, " rows"] | None,
        margin: float,
        inputs: int,
        binary: bool,
    ) -> Float[Array, " rows"]:
        r"""``ln Z = ln P[label * Delta >= margin]`` at Gaussian ``lambda_l``: all that belief propagation asks of a node.

        Signs, with ``x_l = (C_h / sqrt n - mean_l) / sqrt(variance_l)`` and ``P[unit l is plus] = H(x_l)``: exact. Else
        ``Delta`` is Gaussian, too, of mean ``M`` and variance ``S^2``, and ``ln Z = ln H((C - M) / S)``.

        Args:
            mean: of ``lambda_l``.
            variance: of ``lambda_l``.
            labels: of the patterns, None where they are absorbed.
            margin: of the pre-activation.
            inputs: those of a unit, ``n``.
            binary: whether patterns are ±1.
        """
        lattice = self.lattice(inputs, binary)
        if self.is_sign:
            plus, minus = self.plus_or_minus(mean * math.sqrt(inputs), variance * inputs, inputs, binary)
            if self.counts_exactly:
                return self.log_satisfied(plus, minus, margin)
            first, second, least = *sign_moments(plus, minus), self.least_signs
        elif self.slope is not None:
            first, second, least = *leaky_moments(self.slope, mean, variance), self.least_sum / inputs
        else:
            first, second, least = *numerical_moments(self.function, mean, variance), self.least_sum / inputs
        centre = jnp.mean(self.coefficients.astype(mean.dtype) * first, axis=-1) * math.sqrt(self.units)
        centre = centre if labels is None else labels * centre
        spread = jnp.maximum(jnp.mean(second, axis=-1), least / self.units)
        return log_H((lattice.midpoint(margin) / lattice.root - centre) / jnp.sqrt(spread))

    @property
    def counts_exactly(self) -> bool:
        """Whether probabilities of plus units are combined without the central limit."""
        return self.is_sign and self.units <= self.most_exact

    def plus_or_minus(
        self, mean: Float[Array, "*shape"], variance: Float[Array, "*shape"], inputs: int, binary: bool
    ) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """Logs of the probabilities that sign units are plus, and minus.

        Args:
            mean: of the Gaussian sums ``w_l . xi_l``.
            variance: of the same.
            inputs: those of a unit, ``n``.
            binary: whether patterns are ±1.
        """
        # sign(0) = 1: the smallest sum that is plus is 0 or 1, the largest that is minus -2 or -1.
        half = -1.0 if binary and inputs % 2 == 0 else 0.0
        x = (half - mean) / jnp.sqrt(variance)
        return log_H(x), log_H(-x)

    def log_satisfied(
        self, plus: Float[Array, "rows K"], minus: Float[Array, "rows K"], margin: float
    ) -> Float[Array, " rows"]:
        """Log-probability that so few sign units are minus that the pattern is satisfied at the ``margin``.

        Args:
            plus: logs of the probabilities that units are plus.
            minus: the same of minus.
            margin: of the pre-activation.
        """
        threshold = int(self.lattice(1, True).threshold(margin))
        return at_most_minus(max(0, (self.units - threshold) // 2), plus.T, minus.T)
