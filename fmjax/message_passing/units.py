"""What the nodes of a committee answer to Gaussian fields on its hidden units: one scalar per pattern, and its gradient."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from fmjax.message_passing.committee import Committee
from fmjax.message_passing.hidden import NEVER
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.passes import over_blocks

__all__ = ["answers", "by_unit", "edge_answers", "log_weights", "of_nodes"]

_PerUnit = Float[Array, "K n"]


def by_unit(instance: Instance, values: Float[Array, "*shape N"]) -> Float[Array, "*shape K n"]:
    """Numbers per weight, unit by unit."""
    assert instance.committee is not None
    return values.reshape(*values.shape[:-1], instance.committee.units, -1)


def of_nodes(instance: Instance, values: Float[Array, "P inputs"]) -> Float[Array, "P k n"]:
    """Numbers per entry of a pattern, for every unit, or for all of them (``k = 1``) where they share inputs."""
    assert instance.committee is not None
    return values.reshape(len(values), instance.committee.units if instance.committee.tree else 1, -1)


def _log_weight(instance: Instance, mean: Array, variance: Array, labels: Array | None) -> Array:
    assert instance.committee is not None
    return instance.committee.log_weight(mean, variance, labels, instance.margin, instance.inputs, instance.is_binary)


def answers(
    instance: Instance, m: _PerUnit, signs: _PerUnit, V: Float[Array, " K"], before: Float[Array, "P K"]
) -> tuple[Float[Array, "P K"], Float[Array, " K"], _PerUnit, Int[Array, ""]]:
    """Responses ``g = d ln Z / d om``, ``sum_mu d ln Z / d V``, ``X^T g`` and the errors of ``signs``, in one pass.

    Args:
        instance: one, not a batch, of a committee.
        m: means of the weights.
        signs: weights whose errors are counted.
        V: variances of the fields on the units.
        before: responses of the sweep before.
    """
    committee, dtype = instance.committee, m.dtype
    assert isinstance(committee, Committee)
    units, inputs, threshold = committee.units, instance.inputs, instance.threshold
    both = jnp.stack([m, signs], axis=-1)
    places = ("rkn", "knc") if committee.tree else ("rn", "knc")

    def step(carry: tuple, block: Array, start: Array, fresh: Array) -> tuple:
        responses, slopes, back, errors = carry
        parts = block.reshape(len(block), units, -1) if committee.tree else block
        sums = jnp.einsum(f"{places[0]},{places[1]}->rkc", parts, both, precision=lax.Precision.HIGHEST)
        labels = None if instance.labels is None else lax.dynamic_slice(instance.labels, (start,), (len(block),))
        mean = sums[..., 0] / math.sqrt(inputs) - V * lax.dynamic_slice(before, (start, 0), (len(block), units))

        def scalar(mean: Array, variance: Array) -> Array:
            return jnp.sum(_log_weight(instance, mean, variance, labels))

        g, slope = jax.grad(scalar, (0, 1))(mean, jnp.broadcast_to(V, mean.shape))
        counted = jnp.where(fresh[:, None], g, 0)
        back = back + jnp.einsum(f"{places[0]},rk->kn", parts, counted, precision=lax.Precision.HIGHEST)
        totals = committee.totals(sums[..., 1], inputs, instance.is_binary) * (1 if labels is None else labels)
        return (
            lax.dynamic_update_slice(responses, g, (start, 0)),
            slopes + jnp.sum(jnp.where(fresh[:, None], slope, 0), axis=0),
            back,
            errors + jnp.sum(fresh & ~(totals >= threshold)),
        )

    empty = (jnp.zeros_like(before), jnp.zeros(units, dtype), jnp.zeros_like(m), jnp.asarray(0))
    return over_blocks(instance.patterns, dtype, step, empty)


def log_weights(instance: Instance, m: _PerUnit, V: Float[Array, " K"], response: Float[Array, "P K"]) -> Float[Array, " P"]:
    """``ln Z`` of every pattern at the fields of `answers`."""
    committee, inputs = instance.committee, instance.inputs
    assert isinstance(committee, Committee)

    def step(sums: Array, block: Array, start: Array, _: Array) -> Array:
        parts = block.reshape(len(block), committee.units if committee.tree else 1, -1)
        return lax.dynamic_update_slice(sums, jnp.sum(parts * m, axis=2), (start, 0))

    sums = over_blocks(instance.patterns, m.dtype, step, jnp.zeros_like(response))
    mean = sums / math.sqrt(inputs) - V * response
    return _log_weight(instance, mean, jnp.broadcast_to(V, mean.shape), instance.labels)


def edge_answers(
    instance: Instance, mean: Float[Array, "P K n"], variance: Float[Array, "P K n"], least: float
) -> tuple[Float[Array, "P K n"], Float[Array, " P"], Float[Array, "P K"]]:
    r"""Messages of sign units along every edge, ``ln Z`` of every pattern, and the variances of its sums.

    .. math::
        u = \tfrac12 [L(x - s \xi) - L(x + s \xi)], \qquad L(x) = \ln [A_l H(x) + B_l H(-x)]

    ``A_l`` and ``B_l`` are the probabilities that the others leave the pattern satisfied if unit ``l`` is plus, or minus.

    Args:
        instance: one, not a batch, of a committee of at most 32 sign units.
        mean: of every product of entry and weight, under the messages to the node.
        variance: the same.
        least: bound on the variance of a sum.
    """
    committee = instance.committee
    assert isinstance(committee, Committee)
    patterns = of_nodes(instance, instance.patterns.astype(mean.dtype))
    whole, spread = jnp.sum(mean, axis=2), jnp.sum(variance, axis=2)
    up, down = committee.plus_or_minus(whole, jnp.maximum(spread, least), instance.inputs, instance.is_binary)
    forced = jnp.eye(committee.units, dtype=bool)

    def others(unit: Array, plus: bool) -> Array:
        """Log-probability that the pattern is satisfied where one unit is known, shape ``(P,)``."""
        here = unit[None, :]
        surely = (0.0, NEVER) if plus else (NEVER, 0.0)
        first, second = (jnp.where(here, value, logs) for value, logs in zip(surely, (up, down), strict=True))
        return committee.log_satisfied(first, second, instance.margin)

    if_plus, if_minus = (jax.vmap(lambda unit, plus=plus: others(unit, plus))(forced).T[..., None] for plus in (True, False))

    def log_weight(shift: Float[Array, "P K n"]) -> Array:
        moved = whole[..., None] - mean + shift
        rest = jnp.maximum(spread[..., None] - variance, least)
        plus, minus = committee.plus_or_minus(moved, rest, instance.inputs, instance.is_binary)
        return jnp.logaddexp(if_plus + plus, if_minus + minus)

    return 0.5 * (log_weight(patterns) - log_weight(-patterns)), committee.log_satisfied(up, down, instance.margin), spread
