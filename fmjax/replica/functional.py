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
from jaxtyping import Array, Float

__all__ = ["Functional", "saddle_system"]

_Scalar = Float[Array, ""]


class Functional(eqx.Module):
    """A free entropy per weight (nats) as a scalar function of free coordinates and controls.

    The coordinates are ``[overlaps, conjugates]``, ``sizes`` of them each. ``controls`` is whatever the functional is
    evaluated at (alpha, distance, the reference): a Module with an ``alpha``.
    """

    sizes: ClassVar[tuple[int, int]]

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
        """Quadrature nodes and weights of the energetic term, placed for these overlaps; they carry no derivative."""

    @abstractmethod
    def energetic(self, overlaps: Any, controls: Any, rule: Any) -> _Scalar:
        """``G_E``, one pattern in the cavity field (``alpha`` multiplies it)."""

    @abstractmethod
    def refined(self) -> Functional:
        """The same functional with a finer quadrature, for error estimates."""

    @abstractmethod
    def natural(self, free: Float[Array, " coordinates"], controls: Any) -> Float[Array, " coordinates"]:
        """The order parameters as a vector, in the order of the free coordinates."""

    def rule_at(self, free: Float[Array, " coordinates"], controls: Any) -> Any:
        """`rule` at free coordinates."""
        return self.rule(self.overlaps(free[: self.sizes[0]], controls), controls)

    def __call__(self, free: Float[Array, " coordinates"], controls: Any) -> _Scalar:
        """The free entropy per weight."""
        return self.with_rule(free, controls, self.rule_at(free, controls))

    def with_rule(self, free: Float[Array, " coordinates"], controls: Any, rule: Any) -> _Scalar:
        """The free entropy per weight, computed with given quadrature nodes."""
        overlaps = self.overlaps(free[: self.sizes[0]], controls)
        conjugates = self.conjugates(free[self.sizes[0] :], controls)
        return (
            self.interaction(overlaps, conjugates, controls)
            + self.entropic(conjugates, controls)
            + controls.alpha * self.energetic(overlaps, controls, rule)
        )


def saddle_system(
    functional: Functional, free: Float[Array, " n"], controls: Any, rule: Any
) -> tuple[Float[Array, " n"], Float[Array, "n n"], Float[Array, "n n"]]:
    """Saddle equations and what Newton needs of their derivatives, all by autodiff.

    Returns ``(r, A, M)``: ``r`` the gradient of ``phi`` with respect to the order parameters ``o``, ``A = do/df`` with
    respect to the free coordinates ``f``, and ``M = A^T (d^2 phi/do^2) A``, the derivative of ``A^T r`` at fixed ``A``.

    The quadrature ``rule`` is an argument so that Newton can keep it fixed: its nodes move with the order parameters, and
    where an equation is as small as the quadrature error (a variance ``g`` of 1e-6), the motion alone would be noise that
    no step can get below.
    """
    gradient, hessian = _gradient_and_hessian(functional, free, controls, rule)

    def natural(free):
        return functional.natural(free, controls)

    left = jax.jacfwd(natural)(free)
    residual = jnp.linalg.solve(left.T, gradient)
    bend = jax.hessian(lambda free: residual @ natural(free))(free)
    return residual, left, hessian - bend


def _gradient_and_hessian(functional, free, controls, rule):
    """Gradient and Hessian of ``phi`` in free coordinates, block by block.

    The two integrals dominate the cost and each depends on its own half of the coordinates, so each is differentiated
    along its own directions only: 2 + 3 second-order passes for Franz-Parisi instead of 5 through both.
    """
    split = functional.sizes[0]

    def interaction(free):
        overlaps = functional.overlaps(free[:split], controls)
        return functional.interaction(overlaps, functional.conjugates(free[split:], controls), controls)

    def energetic(free):
        return controls.alpha * functional.energetic(functional.overlaps(free, controls), controls, rule)

    def entropic(free):
        return functional.entropic(functional.conjugates(free, controls), controls)

    def both(function, point):
        def with_gradient(point):
            gradient = jax.grad(function)(point)
            return gradient, gradient

        hessian, gradient = jax.jacfwd(with_gradient, has_aux=True)(point)
        return gradient, hessian

    gradient, hessian = both(interaction, free)
    for function, block in ((energetic, slice(0, split)), (entropic, slice(split, None))):
        block_gradient, block_hessian = both(function, free[block])
        gradient = gradient.at[block].add(block_gradient)
        hessian = hessian.at[block, block].add(block_hessian)
    return gradient, hessian
