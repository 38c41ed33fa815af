"""How a computation can end: a code for programs, a sentence for people."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Array, Bool, Int

from fmjax.checks import is_traced

__all__ = ["CONVERGED", "Outcome", "describe"]

CONVERGED = 0  # the first of every table of sentences


def describe(code: Int[Array, "*batch"] | Int[np.ndarray, "*batch"] | int, sentences: tuple[str, ...]) -> str | np.ndarray:
    """The sentence of a table for a code; an array of sentences for an array of codes.

    Raises:
        ValueError: the code is being traced.
    """
    if is_traced(code):
        raise ValueError("a result is a sentence, and there is none inside jax.jit or jax.vmap: return its status")
    codes = np.asarray(code)
    return sentences[int(codes)] if codes.ndim == 0 else np.asarray(sentences, dtype=object)[codes]


class Outcome:
    """Mixed into Modules of numbers that may not have been found: ``status`` is a place in the table of ``sentences``."""

    sentences: ClassVar[tuple[str, ...]]
    status: Int[Array, "*batch"]

    @property
    def converged(self) -> Bool[Array, "*batch"] | Bool[np.ndarray, "*batch"] | np.bool_:
        """Whether the numbers mean anything; usable under `jax.jit`."""
        # Of what is not traced by NumPy, for which nothing is compiled.
        return (self.status if is_traced(self.status) else np.asarray(self.status)) == CONVERGED

    @property
    def result(self) -> str | np.ndarray:
        """The first of the ``sentences``, or one that says why not; an object array of them for a batch."""
        return describe(self.status, self.sentences)
