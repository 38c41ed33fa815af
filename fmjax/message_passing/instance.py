"""One instance of a binary perceptron or committee, or a batch: patterns as int8, read in blocks, exact integer checks."""

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

from fmjax.checks import Handed, Number, one_of, random_key, refuse_another, whole
from fmjax.message_passing.checks import (
    Labels,
    Patterns,
    check_request,
    committee_size,
    kept_labels,
    labels_of,
    margin_of,
    patterns_of,
    signs_of,
)
from fmjax.message_passing.committee import Committee
from fmjax.message_passing.lattice import Lattice
from fmjax.message_passing.passes import over_blocks

__all__ = ["Instance"]

_PACKED = 8  # random bits per random byte
_ROWS_DRAWN = 128  # at a time: what memory holds of random numbers beside the patterns


class Instance(eqx.Module):
    r"""Patterns that ``N`` weights :math:`w_i = \pm 1` must satisfy at margin ``kappa``, or a batch of such problems.

    .. math::
        \sum_i \xi^\mu_i w_i \ge \kappa \sqrt N \qquad \mu = 1 \dots P

    Labels are absorbed: ``xi`` stands for label times pattern. With ±1 patterns the sum is an integer of the parity of
    ``N``, so that the condition reads ``sum >= threshold``, the smallest such integer. **At margin 0 a tie, sum = 0, is
    an error**: for even ``N`` the threshold is 2, as for a small positive margin.

    With a `Committee` the condition is ``Delta >= kappa`` for its pre-activation, whose sum over hidden units has a lattice
    and a threshold of its own.

    Attributes:
        patterns: shape ``(P, N)``, or ``(batch, P, N)``: exact ±1, in whatever type they come, are held as int8; other real
            numbers, which should have unit variance, as float32. ``(P, N / K)`` for ``K`` units that share their inputs.
        margin: ``kappa``, in units of the stability ``w . xi / sqrt(N)``, of the pre-activation ``Delta`` of a committee;
            the same for a batch, and a number of Python.
        committee: None for a perceptron.
        labels: ±1, shape ``(P,)`` or ``(batch, P)``, where they cannot be absorbed because hidden units are no odd function;
            else None.

    Raises:
        ValueError: patterns of another shape, or of 2^24 weights or more: sums would not be exact in float32; 0 and 1, or
            other whole numbers; NaN, or infinity; a margin that is not known when a program is compiled; a number of weights
            that the units of a committee cannot share; labels that are not ±1, one for each pattern.
        TypeError: what is no committee.

    Example:
        >>> import jax
        >>> from fmjax.message_passing import Instance
        >>> instance = Instance.random(jax.random.key(0), size=101, alpha=0.5)
        >>> instance.size, instance.count, instance.threshold
        (101, 50, 1.0)
    """

    patterns: Patterns = eqx.field(converter=patterns_of)
    margin: float = eqx.field(static=True, default=0.0, converter=margin_of)
    committee: Committee | None = None
    labels: Labels | None = eqx.field(default=None, converter=kept_labels)

    def __check_init__(self):
        if self.committee is not None:
            refuse_another("committee", self.committee, Committee, 'Committee("sign", units=5)')
            if self.committee.tree:
                committee_size(self.patterns.shape[-1], self.committee.units)
        if self.labels is None:
            return
        if self.committee is None or self.committee.odd:
            raise ValueError("labels of odd units are absorbed in the patterns: use Instance.labelled(patterns, labels)")
        wanted = self.patterns.shape[:-1]
        if self.labels.shape != wanted:
            raise ValueError(f"labels must have shape {wanted}, one for each pattern, not {self.labels.shape}")

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
        committee: Committee | None = None,
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
            committee: of ``size`` weights in all; None for a perceptron.

        Raises:
            ValueError: a key, size, load, margin, kind or number of samples that makes no sense, or a number of weights that
                the units of a committee cannot share.
            TypeError: what is no committee.
        """
        key, (size, alpha, margin) = random_key(key), check_request(size, alpha, margin)
        one_of("kind", kind, ("binary", "gaussian"))
        count = round(alpha * size)
        if committee is not None:
            refuse_another("committee", committee, Committee, 'Committee("sign", units=5)')
            inputs = committee_size(size, committee.units)
            size = size if committee.tree else inputs
        if samples is None:
            return cls._of(_draw(key, count, size, kind), margin, committee)
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(whole("samples", samples, 1)))
        return cls._of(lax.map(lambda k: _draw(k, count, size, kind), keys), margin, committee)

    @classmethod
    def labelled(
        cls, patterns: Handed, labels: Handed, margin: Number = 0.0, *, committee: Committee | None = None
    ) -> Instance:
        """The problem of given ±1 patterns and ±1 labels.

        Args:
            patterns: shape ``(P, N)``, of any type; ``(P, N / K)`` for units that share their inputs.
            labels: shape ``(P,)``, or ``(P, 1)``, of any type.
            margin: margin ``kappa``, in units of the stability.
            committee: None for a perceptron.

        Raises:
            ValueError: an entry or a label is not ±1, or there is not one label for each pattern.
            TypeError: what is no committee.
        """
        patterns = signs_of("patterns", patterns, ("P", "N"))
        signs = labels_of(labels, patterns.shape[0])
        if committee is None or committee.odd:
            return cls._of(patterns * signs[:, None], margin_of(margin), committee)
        return cls._of(patterns, margin_of(margin), committee, signs)

    @classmethod
    def _of(cls, patterns: Patterns, margin: float, committee: Committee | None, labels: Any = None) -> Instance:
        """An instance of patterns that are known to be right: looking at them again takes seconds where they are many."""
        empty = cls(jnp.zeros((0, patterns.shape[-1]), jnp.int8), margin, committee)
        return eqx.tree_at(lambda i: (i.patterns, i.labels), empty, (patterns, labels), is_leaf=lambda x: x is None)

    @property
    def size(self) -> int:
        """Number of weights ``N``."""
        entries = self.patterns.shape[-1]
        return entries if self.committee is None or self.committee.tree else entries * self.committee.units

    @property
    def shares_inputs(self) -> bool:
        """Whether several hidden units see the same inputs, and are alike until something makes them differ."""
        return self.committee is not None and not self.committee.tree and self.committee.units > 1

    @property
    def inputs(self) -> int:
        """Inputs of a unit, ``N`` for a perceptron."""
        return self.size if self.committee is None else self.size // self.committee.units

    @property
    def count(self) -> int:
        """Number of patterns ``P``."""
        return self.patterns.shape[-2]

    @property
    def is_batch(self) -> bool:
        """Whether there is a leading axis of instances."""
        return self.patterns.ndim == 3

    @property
    def is_binary(self) -> bool:
        """Whether patterns are ±1."""
        return self.patterns.dtype == jnp.int8

    @property
    def lattice(self) -> Lattice:
        """What the sums that are compared with `threshold` can be, and their unit."""
        if self.committee is not None:
            return self.committee.lattice(self.inputs, self.is_binary)
        return Lattice(math.sqrt(self.size), *((2, self.size % 2) if self.is_binary else ()))

    @property
    def threshold(self) -> float:
        """Smallest sum that satisfies a pattern, positive at margin 0: an integer of the parity of ``N`` for ±1 patterns.

        For a committee the sum is that of its hidden units, of the parity of ``K`` if they are signs.
        """
        return self.lattice.threshold(self.margin)

    @property
    def midpoint(self) -> float:
        """Threshold of a Gaussian sum that stands for the lattice: half way between the last error and `threshold`."""
        return self.lattice.midpoint(self.margin)

    def sums(self, weights: Handed) -> Int[Array, ...] | Float[Array, ...]:
        """``sum_i xi_i w_i`` of every pattern: exact integers for ±1 patterns.

        Args:
            weights: ±1 of any type, shape ``(N,)``; ``(batch, N)`` for a batch. Of a committee unit after unit.

        Returns:
            Shape ``(P,)``, or ``(batch, P)``; for a committee one sum per hidden unit, ``(P, K)`` or ``(batch, P, K)``.

        Raises:
            ValueError: weights of another shape, or that are not ±1.
        """
        weights = signs_of("weights", weights, (*self.patterns.shape[:-2], self.size))
        if self.is_batch:
            margin, committee = self.margin, self.committee
            return lax.map(lambda pair: Instance(pair[0], margin, committee).sums(pair[1]), (self.patterns, weights))
        exact = jnp.int32 if self.is_binary else jnp.float32
        units = 1 if self.committee is None else self.committee.units
        rows = weights.astype(exact).reshape(units, -1)
        tree = self.committee is None or self.committee.tree

        def add(sums: Array, block: Array, start: Array, _: Array) -> Array:
            parts = block.reshape(len(block), units if tree else 1, -1)
            return lax.dynamic_update_slice(sums, jnp.sum(parts * rows[None], axis=2, dtype=exact), (start, 0))

        sums = over_blocks(self.patterns, exact, add, jnp.zeros((self.count, units), exact))
        return sums[:, 0] if self.committee is None else sums

    def totals(self, weights: Handed) -> Int[Array, "*batch P"] | Float[Array, "*batch P"]:
        """What is compared with `threshold`: `sums`, combined by the committee, and times the label if it is not absorbed.

        Raises:
            ValueError: as for `sums`.
        """
        sums = self.sums(weights)
        if self.committee is None:
            return sums
        totals = self.committee.totals(sums, self.inputs, self.is_binary)
        return totals if self.labels is None else totals * self.labels

    def stabilities(self, weights: Handed) -> Float[Array, "*batch P"]:
        """``Delta`` of every pattern, in units of the margin.

        Raises:
            ValueError: as for `sums`.
        """
        return self.totals(weights).astype(jnp.float32) / jnp.float32(self.lattice.root)

    def errors(self, weights: Handed) -> Int[Array, "*batch"]:
        """Number of patterns that ``weights`` (as for `sums`) violate: those of a sum below `threshold`.

        Raises:
            ValueError: as for `sums`.
        """
        # Sums of signs are exact in float32, too. A sum that is none satisfies nothing.
        return jnp.sum(~(self.totals(weights).astype(jnp.float32) >= self.threshold), axis=-1)

    def over_batch(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(instance, *arguments)`` of this one, or by `jax.vmap` of every one of a batch."""

        def one(patterns: Patterns, labels: Any, arguments: Any) -> Any:
            return function(Instance(patterns, self.margin, self.committee, labels), *arguments)

        return (jax.vmap(one) if self.is_batch else one)(self.patterns, self.labels, arguments)


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
