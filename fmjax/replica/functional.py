"""The shape every free-entropy functional shares.

A functional is ``phi = interaction(overlaps, conjugates) + entropic(conjugates) + alpha * energetic(overlaps)``,
written in *free* coordinates: unconstrained real numbers that a smooth map turns into order parameters which satisfy
their constraints whatever Newton does. Saddle equations, Hessians and slopes come from autodiff of these scalars.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.models import Model

__all__ = ["Expansion", "Functional", "ReplicaSymmetric", "expand"]

_Scalar = Float[Array, ""]
_LONGEST = 2.0


class Functional(eqx.Module):
    """A free entropy per weight (nats) as a scalar function of free coordinates and controls.

    The coordinates are ``[overlaps, conjugates]``, `sizes` of them each. ``controls`` is whatever the functional is
    evaluated at (alpha, distance, the reference): a Module with an ``alpha``.
    """

    control: ClassVar[str]  # the control along which a slope is reported

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, int]:
        """How many overlaps and how many conjugates."""

    @abstractmethod
    def overlaps(self, free: Float[Array, " overlaps"], controls: Any) -> Any:
        """Overlaps, with the differences that would cancel near the ends, from free coordinates."""

    @abstractmethod
    def conjugates(self, free: Float[Array, " conjugates"], controls: Any) -> Any:
        """Conjugate order parameters from free coordinates."""

    @abstractmethod
    def interaction(self, overlaps: Any, conjugates: Any, controls: Any) -> _Scalar:
        """The terms that couple overlaps to their conjugates."""

    @abstractmethod
    def entropic(self, conjugates: Any, controls: Any) -> _Scalar:
        """``G_S``, one weight in the cavity field."""

    @abstractmethod
    def rule(self, overlaps: Any, controls: Any) -> Any:
        """Quadrature ``rule`` of the energetic term: nodes and weights, placed for these overlaps, without derivatives."""

    @abstractmethod
    def energetic(self, overlaps: Any, controls: Any, rule: Any) -> _Scalar:
        """``G_E``, one pattern in the cavity field (``alpha`` multiplies it), by a given `rule`."""

    @abstractmethod
    def resized(self, factor: float) -> Functional:
        """The same functional with ``factor`` times as many quadrature nodes in every dimension."""

    def refined(self) -> Functional:
        """Half as many nodes again: what error estimates compare with."""
        return self.resized(1.5)

    def move(self, controls: Any, position: Float[Array, ""]) -> Any:
        """``controls`` with its own control, the one that `control` names, at another ``position``."""
        return eqx.tree_at(lambda c: getattr(c, self.control), controls, position)

    @abstractmethod
    def natural(self, free: Float[Array, " coordinates"], controls: Any) -> Float[Array, " coordinates"]:
        """The order parameters as a vector, in the order of the free coordinates."""

    def retract(
        self, free: Float[Array, " coordinates"], step: Float[Array, " coordinates"]
    ) -> Float[Array, " coordinates"]:
        """Where a Newton step leads: each coordinate moves by at most two.

        Each on its own: one that the entropy hardly depends on must not slow down the others. ``free`` and ``step`` have the
        shape ``(coordinates,)``.
        """
        return free + jnp.clip(step, -_LONGEST, _LONGEST)

    def rule_at(self, free: Float[Array, " coordinates"], controls: Any) -> Any:
        """`rule` at free coordinates."""
        return self.rule(self.overlaps(free[: self.sizes[0]], controls), controls)

    def __call__(self, free: Float[Array, " coordinates"], controls: Any) -> _Scalar:
        """The free entropy per weight."""
        return self.with_rule(free, controls, self.rule_at(free, controls))

    def with_rule(self, free: Float[Array, " coordinates"], controls: Any, rule: Any) -> _Scalar:
        """The free entropy per weight, computed with the quadrature nodes of a given ``rule``."""
        overlaps = self.overlaps(free[: self.sizes[0]], controls)
        conjugates = self.conjugates(free[self.sizes[0] :], controls)
        return (
            self.interaction(overlaps, conjugates, controls)
            + self.entropic(conjugates, controls)
            + controls.alpha * self.energetic(overlaps, controls, rule)
        )


class ReplicaSymmetric(Functional):
    """A free entropy whose two potentials are means over the fields in a cavity.

    ``G_S = E_site[ln Z(field)]`` and ``G_E = E_pattern[F(mean)]``: `site` and `pattern` say which fields occur, the model
    what a weight and a constraint make of them. Other means over the same fields (`fmjax.replica.stability`) need no
    integral of their own.
    """

    model: eqx.AbstractVar[Model]

    @abstractmethod
    def resized(self, factor: float) -> ReplicaSymmetric:
        """The same functional with ``factor`` times as many quadrature nodes in every dimension."""

    @abstractmethod
    def site(self, conjugates: Any, controls: Any) -> tuple[Float[Array, ...], Float[Array, ...]]:
        """Fields on a counted weight, and their probabilities."""

    @abstractmethod
    def pattern(self, overlaps: Any, controls: Any, rule: Any) -> tuple[Float[Array, ...], _Scalar, Float[Array, ...]]:
        """By a `rule`: means of the pre-activation over counted solutions of a cavity, its deviation, and probabilities."""

    def entropic(self, conjugates: Any, controls: Any) -> _Scalar:
        """``G_S``."""
        field, probability = self.site(conjugates, controls)
        return jnp.sum(probability * self.model.weights.log_partition(field))

    def energetic(self, overlaps: Any, controls: Any, rule: Any) -> _Scalar:
        """``G_E``."""
        mean, std, probability = self.pattern(overlaps, controls, rule)
        return jnp.sum(probability * self.model.unit_constraint.log_weight(mean, std))


class Expansion(eqx.Module):
    """A free entropy to second order around a point, in free coordinates ``f`` and along the functional's control ``c``.

    Attributes:
        value: ``phi``.
        residual: ``r``, the gradient with respect to the order parameters ``o``: the saddle equations.
        left: ``A = do/df``.
        matrix: ``M = A^T (d^2 phi/do^2) A``, the derivative of ``A^T r`` at fixed ``A``: the Hessian where ``r = 0``.
        slope: ``d phi/dc``.
        mixed: ``d^2 phi/df dc``.
    """

    value: Float[Array, ""]
    residual: Float[Array, " n"]
    left: Float[Array, "n n"]
    matrix: Float[Array, "n n"]
    slope: Float[Array, ""]
    mixed: Float[Array, " n"]


def expand(functional: Functional, free: Float[Array, " n"], controls: Any, rule: Any) -> Expansion:
    """All that Newton and a continuation need of ``phi``, by autodiff.

    The quadrature ``rule`` is an argument so that Newton can keep it fixed: its nodes move with the order parameters, and
    where an equation is as small as the quadrature error (a variance ``g`` of 1e-6), the motion alone would be noise that
    no step can get below.

    The two integrals dominate the cost and each depends on its own half of the coordinates, so each is differentiated
    along its own directions only.

    Args:
        functional: what to expand.
        free: where, shape ``(n,)``.
        controls: at which alpha, distance, reference.
        rule: nodes and weights of the energetic term, from ``functional.rule_at``.
    """
    split, size = functional.sizes[0], free.size

    def at(position):
        return functional.move(controls, position)

    def interaction(point):
        free, there = point[:-1], at(point[-1])
        overlaps = functional.overlaps(free[:split], there)
        return functional.interaction(overlaps, functional.conjugates(free[split:], there), there)

    def energetic(point):
        there = at(point[-1])
        return there.alpha * functional.energetic(functional.overlaps(point[:-1], there), there, rule)

    def entropic(point):
        return functional.entropic(functional.conjugates(point, controls), controls)

    def second_order(function, point):
        def with_gradient(point):
            value, gradient = jax.value_and_grad(function)(point)
            return gradient, (value, gradient)

        hessian, (value, gradient) = jax.jacfwd(with_gradient, has_aux=True)(point)
        return value, gradient, hessian

    point = jnp.append(free, getattr(controls, functional.control))
    value, gradient, hessian = second_order(interaction, point)
    # The control (the distance, or alpha) does not enter the entropic term.
    for function, block in ((energetic, [*range(split), size]), (entropic, [*range(split, size)])):
        index = np.asarray(block)
        block_value, block_gradient, block_hessian = second_order(function, point[index])
        value = value + block_value
        gradient = gradient.at[index].add(block_gradient)
        hessian = hessian.at[np.ix_(index, index)].add(block_hessian)

    def natural(free):
        return functional.natural(free, controls)

    left = jax.jacfwd(natural)(free)
    residual = jnp.linalg.solve(left.T, gradient[:-1])
    bend = jax.hessian(lambda free: residual @ natural(free))(free)
    return Expansion(value, residual, left, hessian[:-1, :-1] - bend, gradient[-1], hessian[:-1, -1])
