"""How weights become a pre-activation: the kernel that maps an overlap of weights to one of pre-activations."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float

__all__ = ["Architecture", "PerceptronArchitecture"]


class Architecture(eqx.Module):
    """The covariance of the pre-activations of two networks at overlap ``q``, as ``variance * Q(q)`` with ``Q(1) = 1``.

    The replica theory sees an architecture only through these: every overlap inside the energetic term is replaced by
    ``Q(overlap)``, and fields are in units of ``sqrt(variance)``. ``accuracy`` is the relative error of the kernel, or that
    of sums of a few thousand terms of order one, if larger: part of every error estimate.
    """

    accuracy: ClassVar[float] = 2e-14

    @abstractmethod
    def variance(self) -> Float[Array, ""] | float:
        """Variance of the pre-activation, in the units of the margin."""

    @abstractmethod
    def kernel(self, overlap: Float[Array, ""]) -> Float[Array, ""]:
        """``Q(overlap)``, one at overlap one."""

    @abstractmethod
    def complement(self, gap: Float[Array, ""]) -> Float[Array, ""]:
        """``Q(1) - Q(1 - gap)`` without cancellation at small ``gap``."""

    @abstractmethod
    def steepness(self) -> Float[Array, ""] | float:
        """``Q'(1)``, infinite where the kernel has a square root there."""


class PerceptronArchitecture(Architecture):
    """One unit, ``Delta = w . xi / sqrt(N)``: the kernel is the overlap itself."""

    def variance(self) -> float:
        """One: patterns are of unit variance per weight."""
        return 1.0

    def kernel(self, overlap: Float[Array, ""]) -> Float[Array, ""]:
        """``Q(q) = q``."""
        return overlap

    def complement(self, gap: Float[Array, ""]) -> Float[Array, ""]:
        """``Q(1) - Q(1 - gap) = gap``."""
        return gap

    def steepness(self) -> float:
        """One."""
        return 1.0
