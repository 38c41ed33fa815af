"""How a solve of the theory can end."""

from __future__ import annotations

from typing import ClassVar, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from fmjax import outcome
from fmjax.outcome import CONVERGED
from fmjax.sentences import THEORY

__all__ = [
    "BRANCH_ENDED",
    "CENTRE_FAILED",
    "CONVERGED",
    "COUNTED_FAILED",
    "CROWDED",
    "NOT_FINITE",
    "NO_CANDIDATE",
    "OUT_OF_STEPS",
    "REFERENCE_FAILED",
    "STALLED",
    "UNRESOLVED",
    "Outcome",
    "Symmetric",
    "both_resolved",
    "known",
    "resolved",
]

STALLED, OUT_OF_STEPS, NOT_FINITE, BRANCH_ENDED, REFERENCE_FAILED = range(1, 6)
NO_CANDIDATE, COUNTED_FAILED, UNRESOLVED, CROWDED, CENTRE_FAILED = range(6, 11)


class Outcome(outcome.Outcome):
    """That of a solve of the theory."""

    sentences: ClassVar[tuple[str, ...]] = THEORY


class Symmetric(Outcome):
    """That of a replica-symmetric ansatz."""

    replicon: Float[Array, "*batch"]

    @property
    def stable(self) -> Bool[Array, "*batch"]:
        """Whether replica symmetry is locally stable, and with it the answer; False where that is not known."""
        return self.replicon > 0.0


def resolved(status: Int[Array, "*batch"], size: Float[Array, "*#batch"], error: Float[Array, "*#batch"]) -> Array:
    """The same status, but `UNRESOLVED` where the ``error`` of a converged number of this ``size`` is as large."""
    return jnp.where((status == CONVERGED) & ~(error < size), UNRESOLVED, status)


def both_resolved(
    status: Int[Array, "*batch"], numbers: Float[Array, " numbers *batch"], errors: Float[Array, " numbers *batch"]
) -> Array:
    """The same of entropy and slope, the first two numbers, each by its own error: one may be a thousand times the other."""
    for number, error in zip(numbers[:2], errors[:2], strict=True):
        status = resolved(status, 1.0 + jnp.abs(number), error)
    return status


_Found = TypeVar("_Found", bound=Outcome)


def known(found: _Found, *names: str) -> _Found:
    """The same, with NaN in the fields of these ``names`` where nothing was found: what Newton left there means nothing.

    Their derivatives are NaN there as well.
    """

    def masked(field):
        def mask(leaf: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
            # Not a plain `where`, whose derivative would be zero beside a value that is none.
            return leaf * jnp.where(found.converged, 1.0, jnp.nan)

        return jax.tree.map(mask, field)

    return eqx.tree_at(lambda point: [getattr(point, name) for name in names], found, replace_fn=masked)
