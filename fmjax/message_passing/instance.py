"""One instance of the binary perceptron, or a batch: patterns as int8, read in blocks, and exact integer checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from fmjax.checks import Handed, Number, one_of, random_key, whole
from fmjax.message_passing.checks import Patterns, check_request, labels_of, margin_of, patterns_of, signs_of

__all__ = ["Instance", "blocked_pass"]

_LEAST = float(jnp.finfo(jnp.float32).tiny)  # more than zero
_PACKED = 8  # random bits per random byte
_ROWS_DRAWN = 128
# Bytes of a block of rows as floats. On a CPU it stays in the second-level cache while both products read it: at
# N = 1001 a pass costs 0.22 to 0.26 ns per entry in blocks of 1 MiB, 0.4 ns if each product converts int8 -> float32
# for itself, 0.35 ns for two products of a float32 copy, which is bound by memory (jax 0.10.2, one core of an EPYC).
_BLOCK_BYTES = {"cpu": 2**20}
_BLOCK_BYTES_ELSEWHERE = 2**28


class Instance(eqx.Module):
    r"""Patterns that ``N`` weights :math:`w_i = \pm 1` must satisfy at margin ``kappa``, or a batch of such problems.

    .. math::
        \sum_i \xi^\mu_i w_i \ge \kappa \sqrt N \qquad \mu = 1 \dots P

    Labels are absorbed: ``xi`` stands for label times pattern. With ±1 patterns the sum is an integer of the parity of
    ``N``, so that the condition reads ``sum >= threshold``, the smallest such integer. **At margin 0 a tie, sum = 0, is
    an error**: for even ``N`` the threshold is 2, as for a small positive margin.

    Attributes:
        patterns: shape ``(P, N)``, or ``(batch, P, N)``: exact ±1, in whatever type they come, are held as int8; other real
            numbers, which should have unit variance, as float32.
        margin: ``kappa``, in units of the stability ``w . xi / sqrt(N)``; the same for a batch, and a number of Python.

    Raises:
        ValueError: patterns of another shape, or of 2^24 weights or more: sums would not be exact in float32; 0 and 1, or
            other whole numbers; NaN, or infinity; a margin that is not known when a program is compiled.

    Example:
        >>> import jax
        >>> from fmjax.message_passing import Instance
        >>> instance = Instance.random(jax.random.key(0), size=101, alpha=0.5)
        >>> instance.size, instance.count, instance.threshold
        (101, 50, 1.0)
    """

    patterns: Patterns = eqx.field(converter=patterns_of)
    margin: float = eqx.field(static=True, default=0.0, converter=margin_of)

    @classmethod
    def random(
        cls,
        key: PRNGKeyArray,
        size: Number,
        alpha: Number,
        margin: Number = 0.0,
        *,
        kind: Literal["binary", "gaussian"] = "binary",
        samples: int | None = None,
    ) -> Instance:
        """Independent random patterns, ``P = round(alpha * size)`` of them.

        Pattern ``mu`` depends on the key, its number and ``size`` only: a larger load adds patterns to the same ones.

        Args:
            key: a key of `jax.random`.
            size: number of weights ``N``.
            alpha: load ``P/N >= 0``, patterns per weight.
            margin: margin ``kappa``.
            kind: ±1 with equal probability, or standard normal.
            samples: None for one instance; else a batch, sample ``i`` drawn with ``fold_in(key, i)``.

        Raises:
            ValueError: a key, size, load, margin, kind or number of samples that makes no sense.
        """
        key, (size, alpha, margin) = random_key(key), check_request(size, alpha, margin)
        one_of("kind", kind, ("binary", "gaussian"))
        count = round(alpha * size)
        if samples is None:
            return cls._of(_draw(key, count, size, kind), margin)
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(whole("samples", samples, 1)))
        return cls._of(lax.map(lambda k: _draw(k, count, size, kind), keys), margin)

    @classmethod
    def labelled(cls, patterns: Handed, labels: Handed, margin: Number = 0.0) -> Instance:
        """The problem of given ±1 patterns and ±1 labels.

        Args:
            patterns: shape ``(P, N)``, of any type.
            labels: shape ``(P,)``, or ``(P, 1)``, of any type.
            margin: margin ``kappa``, in units of the stability.

        Raises:
            ValueError: an entry or a label is not ±1, or there is not one label for each pattern.
        """
        patterns = signs_of("patterns", patterns, ("P", "N"))
        return cls._of(patterns * labels_of(labels, patterns.shape[0])[:, None], margin_of(margin))

    @classmethod
    def _of(cls, patterns: Patterns, margin: float) -> Instance:
        """An instance of patterns that are known to be right: looking at them again takes seconds where they are many."""
        empty = cls(jnp.zeros((0, patterns.shape[-1]), jnp.int8), margin)
        return eqx.tree_at(lambda instance: instance.patterns, empty, patterns)

    @property
    def size(self) -> int:
        """Number of weights ``N``."""
        return self.patterns.shape[-1]

    @property
    def count(self) -> int:
        """Number of patterns ``P``."""
        return self.patterns.shape[-2]

    @property
    def is_batch(self) -> bool:
        """Whether there is a leading axis of instances."""
        return self.patterns.ndim == 3

    @property
    def threshold(self) -> float:
        """Smallest sum that satisfies a pattern, positive at margin 0: an integer of the parity of ``N`` for ±1 patterns."""
        least = self.margin * math.sqrt(self.size)
        if self.patterns.dtype != jnp.int8:
            return least or _LEAST  # traced signs are real numbers, and have ties
        # A margin that is meant to lie on the lattice counts as lying there, however it was rounded.
        above = math.ceil(least - 1e-9 * max(1.0, abs(least)))
        threshold = above + (above - self.size) % 2
        return float(threshold + 2 if threshold == 0 and self.margin == 0 else threshold)

    @property
    def midpoint(self) -> float:
        """Threshold of a Gaussian sum that stands for the lattice: half way between the last error and `threshold`."""
        return self.threshold - 1.0 if self.patterns.dtype == jnp.int8 else self.threshold

    def sums(self, weights: Handed) -> Int[Array, "*batch P"] | Float[Array, "*batch P"]:
        """``sum_i xi_i w_i`` of every pattern: exact integers for ±1 patterns.

        Args:
            weights: ±1 of any type, shape ``(N,)``; ``(batch, N)`` for a batch.

        Raises:
            ValueError: weights of another shape, or that are not ±1.
        """
        weights = signs_of("weights", weights, (*self.patterns.shape[:-2], self.size))
        if self.is_batch:
            return lax.map(lambda pair: Instance(pair[0], self.margin).sums(pair[1]), (self.patterns, weights))
        exact = jnp.int32 if self.patterns.dtype == jnp.int8 else jnp.float32
        row = weights.astype(exact)[None, :]

        def add(sums: Array, block: Array, start: Array, _: Array) -> Array:
            return lax.dynamic_update_slice(sums, jnp.sum(block * row, axis=1, dtype=exact), (start,))

        return _over_blocks(self.patterns, exact, add, jnp.zeros(self.count, exact))

    def errors(self, weights: Handed) -> Int[Array, "*batch"]:
        """Number of patterns that ``weights`` (as for `sums`) violate: those of a sum below `threshold`.

        Raises:
            ValueError: as for `sums`.
        """
        # Sums of signs are exact in float32, too. A sum that is none satisfies nothing.
        return jnp.sum(~(self.sums(weights).astype(jnp.float32) >= self.threshold), axis=-1)


def blocked_pass(
    patterns: Patterns,
    vectors: Float[Array, "N k"],
    respond: Callable[[Float[Array, "rows k"], Array], Float[Array, " rows"]],
) -> tuple[Float[Array, "P k"], Float[Array, " P"], Float[Array, " N"]]:
    """Both products of a sweep while the patterns are read once: ``X v``, the response ``g`` of each node, ``X^T g``.

    Sums of ±1 vectors are exact in every float format.

    Args:
        patterns: of one instance.
        vectors: columns ``v``.
        respond: ``(sums of a block of rows, number of its first row) -> g`` of these rows.

    Returns:
        sums, responses and ``X^T g``.
    """
    dtype = vectors.dtype

    def step(carry: tuple[Array, Array, Array], block: Array, start: Array, fresh: Array) -> tuple[Array, Array, Array]:
        sums, responses, back = carry
        found = jnp.matmul(block, vectors, precision=lax.Precision.HIGHEST)
        response = respond(found, start)
        back = back + jnp.matmul(jnp.where(fresh, response, 0), block, precision=lax.Precision.HIGHEST)
        sums = lax.dynamic_update_slice(sums, found, (start, 0))
        return sums, lax.dynamic_update_slice(responses, response, (start,)), back

    count, size = patterns.shape
    empty = (jnp.zeros((count, vectors.shape[1]), dtype), jnp.zeros(count, dtype), jnp.zeros(size, dtype))
    return _over_blocks(patterns, dtype, step, empty)


def _over_blocks(patterns: Patterns, dtype: Any, step: Callable[..., Any], carry: Any) -> Any:
    """Fold ``step(carry, block, first row, which rows are new)`` over blocks of rows, converted to ``dtype``.

    The last block overlaps the one before it: a remainder of another shape would need a second copy of the program,
    and padding a second copy of the patterns.
    """
    count, size = patterns.shape
    if count == 0:
        return carry
    budget = _BLOCK_BYTES.get(jax.default_backend(), _BLOCK_BYTES_ELSEWHERE)
    rows = min(count, max(8, budget // (size * jnp.dtype(dtype).itemsize)))

    def body(i: Array, carry: Any) -> Any:
        start = jnp.minimum(i * rows, count - rows)
        block = lax.dynamic_slice(patterns, (start, 0), (rows, size)).astype(dtype)
        return step(carry, block, start, start + jnp.arange(rows) >= i * rows)

    return lax.fori_loop(0, -(-count // rows), body, carry)


@partial(jax.jit, static_argnames=("count", "size", "kind"))
def _draw(key: Key[Array, ""], count: int, size: int, kind: str) -> Patterns:
    """Patterns of one instance, a block of rows at a time: nothing of the size of the whole but the result."""
    gaussian = kind == "gaussian"
    patterns = jnp.zeros((count, size), jnp.float32 if gaussian else jnp.int8)
    if count == 0:
        return patterns
    rows = min(count, _ROWS_DRAWN)

    def row(number: Array) -> Array:
        own = jax.random.fold_in(key, number)
        if gaussian:
            return jax.random.normal(own, (size,), jnp.float32)
        bits = jnp.unpackbits(jax.random.bits(own, (-(-size // _PACKED),), jnp.uint8))[:size]
        return 2 * bits.astype(jnp.int8) - 1

    def body(i: Array, patterns: Array) -> Array:
        start = jnp.minimum(i * rows, count - rows)
        return lax.dynamic_update_slice(patterns, jax.vmap(row)(start + jnp.arange(rows)), (start, 0))

    return lax.fori_loop(0, -(-count // rows), body, patterns)
