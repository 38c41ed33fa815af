"""What is asked of the theory, looked at before anything runs: sentences for what has no answer.

Traced values pass, as nobody can be asked inside a program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.core
import numpy as np

from fmjax.checks import is_traced, kind_of, refuse_masked
from fmjax.models import Constraint

__all__ = ["is_concrete", "one_number", "require", "require_constraint", "require_margin"]


def is_concrete(*values: Any) -> bool:
    """Whether no leaf is being traced, so that its value can be looked at."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def require(name: str, value: Any, holds: Callable[[np.ndarray], np.ndarray], allowed: str) -> None:
    """`ValueError` if a concrete ``value`` is not real and finite, or breaks a condition; of traced ones, their type."""
    if not is_concrete(value):
        wrong = next((leaf for leaf in jax.tree.leaves(value) if is_traced(leaf) and kind_of(leaf) in {None, "bool"}), None)
        if wrong is not None:
            raise ValueError(f"{name} must be a real number, not {wrong.dtype}")
        return
    refuse_masked(name, value)
    try:
        array = np.asarray(value)
        array = array.astype(float) if array.dtype.kind == "O" and value is not None else array  # fractions, decimals
    except (TypeError, ValueError):  # rows that differ, and what is no number
        array = np.empty(0, object)
    if kind_of(array) in {None, "bool"}:
        raise ValueError(f"{name} must be a real number, not {value!r}")
    bad = ~(np.isfinite(array) & holds(array))
    if bad.any():
        raise ValueError(f"{name} = {array[bad].ravel()[0]:g} is not possible: {allowed}")


def require_margin(name: str, value: Any, constraint: Constraint) -> None:
    """`ValueError` for a margin that is not finite, or one at which the kind of ``constraint`` leaves nothing."""
    positive, kind = constraint.positive, type(constraint).__name__
    allowed = f"the margin of a {kind} is positive, try {constraint.usual:g}" if positive else "it must be a finite number"
    require(name, value, lambda margin: (margin > 0) | (not positive), allowed)


def require_constraint(whose: str, constraint: Constraint) -> None:
    """`ValueError` for a margin, or anything else that a constraint depends on, that is not one possible number."""
    for name in dict.fromkeys([*constraint.units, constraint.strength or "margin"]):
        one_number(f"the {whose}{name}" + ("" if whose else " of a model"), getattr(constraint, name))
        if name != "margin":
            require(f"{whose}{name}", getattr(constraint, name), lambda value: value >= 0, "it must not be negative")
    require_margin(f"{whose}margin", constraint.margin, constraint)


def one_number(name: str, value: Any, several: str = "jax.vmap") -> None:
    """`ValueError` if ``value`` is an array, traced or not; what takes ``several`` is named."""
    if np.ndim(value):
        raise ValueError(f"{name} must be one number, not an array of shape {np.shape(value)}: use {several} for several")
