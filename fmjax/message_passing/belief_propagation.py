"""Belief propagation on one instance, or a batch: marginals of the weights over all solutions."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Int8

from fmjax.checks import Handed, refuse_another
from fmjax.message_passing.checks import options_of, reals_of
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.messages import (
    AMP,
    FORMS,
    Edges,
    Form,
    change,
    damped,
    fitting,
    forms_of,
    impossible,
    usual_damping,
)
from fmjax.outcome import CONVERGED, Outcome
from fmjax.precision import numpy_rules
from fmjax.sentences import BELIEFS

__all__ = ["Beliefs", "belief_propagation", "propagate"]

NOT_CONVERGED, NOT_FINITE, CONTRADICTION = range(1, 4)  # places in `fmjax.sentences.BELIEFS`


class Beliefs(eqx.Module, Outcome):
    """Where belief propagation stopped, and why; with a leading axis for a batch.

    Attributes:
        messages: `AMP` or `Edges`.
        external: external fields ``h``, shape ``(N,)``.
        sweeps: number of sweeps done.
        residual: largest change that one undamped sweep makes in a field (`AMP`) or message (`Edges`) ``b``, as
            ``|b_new - b| / (1 + |b_new|)``. Changes of the magnetisations would be fooled by saturation.
        status: integer code behind `result`.
    """

    sentences: ClassVar[tuple[str, ...]] = BELIEFS

    messages: AMP | Edges
    external: Float[Array, "*batch N"]
    sweeps: Int[Array, "*batch"]
    residual: Float[Array, "*batch"]
    status: Int[Array, "*batch"]

    @property
    def fields(self) -> Float[Array, "*batch N"]:
        """Total fields ``B + h``."""
        return self.messages.field + self.external

    @property
    def magnetisations(self) -> Float[Array, "*batch N"]:
        """``m = tanh(B + h)``, the mean of each weight over solutions."""
        return jnp.tanh(self.fields)

    @property
    def weights(self) -> Int8[Array, "*batch N"]:
        """The most probable sign of each weight; +1 where both are as probable."""
        return jnp.where(self.fields < 0, -1, 1).astype(jnp.int8)


def belief_propagation(
    instance: Instance,
    fields: Handed | None = None,
    *,
    form: Form = "amp",
    start: AMP | Edges | None = None,
    damping: float | None = None,
    sweeps: int = 1000,
    tolerance: float | None = None,
    dtype: Any = jnp.float32,
) -> Beliefs:
    """Marginals of the weights over the solutions of an instance, each solution weighted by ``exp(sum_i h_i w_i)``.

    Messages go back and forth until no field changes. Equations: `AMP`, `Edges`. Exact as N grows, where solutions form
    one state (replica symmetry); errors of a magnetisation are O(1/N).

    Args:
        instance: one, or a batch, which is solved by `jax.vmap`.
        fields: external fields ``h`` per weight, shape ``(N,)`` or ``(batch, N)``; zero by default.
        form: ``"amp"``, the O(N + P) form, or ``"edge"``, message by message: of perceptrons and committees of sign units.
        start: messages to start from, which decide the form; without information by default.
        damping: part of the old messages kept in every sweep, in [0, 1); 0 by default, 0.7 where units share their inputs.
        sweeps: largest number of sweeps.
        tolerance: of the residual (see `Beliefs`); by default 5e-6 in float32, 1e-6 in float64.
        dtype: float32 or float64.

    Returns:
        `Beliefs`: ``magnetisations`` in [-1, 1], shape ``(N,)`` or ``(batch, N)``, and a ``result``, which tells where
        messages did not converge or contradict each other.

    Raises:
        ValueError: an option that makes no sense, float64 where JAX has it off, fields or messages of another shape, or
            that are not finite.
        TypeError: what is no instance, or no messages.

    Example:
        >>> import jax
        >>> from fmjax.message_passing import Instance, belief_propagation, bethe_entropy
        >>> instance = Instance.random(jax.random.key(0), size=501, alpha=0.3)
        >>> beliefs = belief_propagation(instance)
        >>> print(beliefs.result, f"{bethe_entropy(instance, beliefs):.2f}")  # nats per weight
        converged 0.49
    """
    refuse_another("instance", instance, Instance, "Instance(patterns)")
    damping = usual_damping(instance, 0.0) if damping is None else damping
    options = options_of(dtype, damping, sweeps, tolerance, form, forms_of(instance))
    shape = (*instance.patterns.shape[:-2], instance.size)
    external = jnp.zeros(shape, options.dtype) if fields is None else reals_of("fields", fields, shape, options.dtype)
    start = None if start is None else fitting("start", start, instance, options.dtype)
    return _propagate(instance, external, start, form, options.damping, options.sweeps, options.tolerance)


@eqx.filter_jit
@numpy_rules()
def _propagate(
    instance: Instance, fields: Array, start: Any, form: Form, damping: float, sweeps: int, tolerance: float
) -> Beliefs:
    def one(single: Instance, external: Array, start: Any) -> Beliefs:
        messages = FORMS[form].start(single, external.dtype) if start is None else start
        return propagate(single, external, messages, damping, sweeps, tolerance)

    return instance.over_batch(one, fields, start)


def propagate(
    instance: Instance,
    external: Float[Array, " N"],
    messages: AMP | Edges,
    damping: float,
    sweeps: int,
    tolerance: float,
) -> Beliefs:
    """`belief_propagation` on one instance, from given messages, inside a jitted program."""

    def step(beliefs: Beliefs) -> Beliefs:
        old = beliefs.messages
        new, check = old.sweep(instance, external)
        finite = jnp.all(jnp.isfinite(new.compared))
        residual = jnp.where(finite, change(new, old), jnp.inf)
        kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), damped(new, old, damping), old)
        # Fields that contradict each other on the way may come to terms: it is a contradiction where they end so.
        status = jnp.where(residual < tolerance, CONVERGED, NOT_CONVERGED)
        ends = (residual < tolerance) | (beliefs.sweeps + 1 >= sweeps)
        status = jnp.where(ends & check.held, CONTRADICTION, status)
        return Beliefs(kept, external, beliefs.sweeps + 1, residual, jnp.where(finite, status, NOT_FINITE))

    status = jnp.where(impossible(instance), CONTRADICTION, NOT_CONVERGED)
    start = Beliefs(messages, external, jnp.asarray(0), jnp.asarray(jnp.inf, external.dtype), status)
    return lax.while_loop(lambda b: (b.status == NOT_CONVERGED) & (b.sweeps < sweeps), step, start)
