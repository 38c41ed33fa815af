"""The settings of JAX in which the theory is computed, whatever those of the program around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

__all__ = ["numpy_rules", "usual_arithmetic"]


@contextmanager
def numpy_rules() -> Iterator[None]:
    """NumPy's rules for mixed types and shapes, which users may have forbidden; also around a function."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@contextmanager
def usual_arithmetic() -> Iterator[None]:
    """float64, NumPy's rules for mixed types and shapes, and NaN where there is no answer: users may have forbidden each.

    Example:
        >>> with jax.numpy_dtype_promotion("strict"), usual_arithmetic():
        ...     print((jax.numpy.arange(2) + 0.5).dtype)
        float64
    """
    with jax.enable_x64(True), numpy_rules(), jax.debug_nans(False):
        yield
