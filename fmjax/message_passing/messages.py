r"""The messages of belief propagation: edge by edge, or in O(N + P) form. Those of committees: `committee_messages`.

Every spin has a field ``B``, half the log-odds of its signs; ``m = tanh B`` is never stored, so that saturated weights
keep their digits. The two forms are two kinds of messages with one interface:

    start(instance, dtype)     no information
    field                      the sum of what the nodes say to each spin, shape (N,)
    compared                   what must stop changing
    sweep(instance, external)  all messages once, undamped, and a `Check` of those before
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from fmjax.checks import refuse_another
from fmjax.message_passing.checks import reals_of
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.passes import blocked_pass
from fmjax.message_passing.units import answers, by_unit, edge_answers, of_nodes
from fmjax.special import log_H, mills_ratio

__all__ = [
    "AMP",
    "FORMS",
    "Edges",
    "Form",
    "at_least",
    "change",
    "damped",
    "fitting",
    "forms_of",
    "impossible",
    "log_weights_of_edges",
    "moments",
    "node_arguments",
    "usual_damping",
]


# A sum of signs with a variance far below one is hardly Gaussian: a node that is nearly sure of its sum would send
# fields of order 1 / variance where the exact ones grow like its logarithm. Sums of at least five undecided weights
# have a variance of twenty: the bound changes nothing where the messages can be trusted.
_LEAST_VARIANCE = 0.01


def moments(field: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """``tanh(field)`` and ``1 - tanh(field)^2``, the latter with its digits where tanh rounds to one."""
    decay = jnp.exp(-2 * jnp.abs(field))
    return jnp.tanh(field), 4 * decay / jnp.square(1 + decay)


def at_least(variance: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The variance of a sum of signs, bounded from below, so that messages stay finite."""
    return jnp.maximum(variance, _LEAST_VARIANCE)


def usual_damping(instance: Instance, otherwise: float) -> float:
    """Part of the old messages to keep: of units that share their inputs more, whose fields push each other."""
    return 0.7 if instance.shares_inputs else otherwise


def damped(new: Any, old: Any, damping: float) -> Any:
    """``(1 - damping) new + damping old``, leaf by leaf."""
    return jax.tree.map(lambda a, b: (1 - damping) * a + damping * b, new, old)


class Check(eqx.Module):
    """What messages say of the patterns.

    Attributes:
        errors: number of patterns that the signs of the total fields violate.
        held: whether weights that have no freedom left violate a pattern: then the fields contradict each other.
    """

    errors: Int[Array, ""]
    held: Bool[Array, ""]


class AMP(eqx.Module):
    r"""Messages of the O(N + P) form (approximate message passing, TAP equations): the fast path.

    .. math::
        V = \tfrac1N \sum_i (1 - m_i^2), \quad \omega = X m / \sqrt N - V g_{prev}, \quad
        x = (C / \sqrt N - \omega) / \sqrt V, \quad g = R(x) / \sqrt V, \\
        B = X^T g / \sqrt N + \Lambda m, \qquad \Lambda = \tfrac1N \sum_\mu g (g - x / \sqrt V)

    with ``R`` the Mills ratio and ``C`` the instance's `midpoint`. Differs from `Edges` by O(1/N). This is the gradient of
    one scalar per pattern, ``ln Z = ln H(x)``, and a committee of ``K`` units of ``n`` inputs has another (`Committee`):

    .. math::
        V_l = \tfrac1n \sum_i (1 - m_{li}^2), \quad \omega_l = X_l m_l / \sqrt n - V_l g_{l, prev}, \quad
        g_l = \partial \ln Z / \partial \omega_l, \\
        B_l = X_l^T g_l / \sqrt n + \Lambda_l m_l, \qquad
        \Lambda_l = \tfrac1n \sum_\mu (g_l^2 - 2\, \partial \ln Z / \partial V_l)

    Attributes:
        field: ``B``, shape ``(N,)``; of a committee unit after unit.
        response: ``g``, shape ``(P,)``; of a committee ``(P, K)``.
    """

    field: Float[Array, "*batch N"]
    response: Float[Array, ...]

    @classmethod
    def start(cls, instance: Instance, dtype: Any) -> AMP:
        """Fields and responses of zero for an ``instance``, float32 or float64 as ``dtype`` says."""
        return cls(jnp.zeros(instance.size, dtype), jnp.zeros(_shapes(instance)["response"], dtype))

    def sweep(self, instance: Instance, external: Float[Array, " N"]) -> tuple[AMP, Check]:
        """New messages for an ``instance`` in ``external`` fields, and what those before say of the patterns."""
        if instance.committee is not None:
            return _committee_sweep(self, instance, external)
        total = self.field + external
        m, variance = moments(total)
        V = at_least(jnp.sum(variance)) / instance.size
        # Signs share the pass: their sums are exact, and cost less than reading the patterns again.
        vectors = jnp.stack([m, jnp.where(total < 0, -1, 1).astype(m.dtype)], axis=1)

        def respond(sums: Array, start: Array) -> Array:
            before = lax.dynamic_slice(self.response, (start,), sums.shape[:1])
            return mills_ratio(node_arguments(instance, sums[:, 0], V, before)) / jnp.sqrt(V)

        sums, g, back = blocked_pass(instance.patterns, vectors, respond)
        x = node_arguments(instance, sums[:, 0], V, self.response)
        onsager = jnp.sum(g * (g - x / jnp.sqrt(V))) / instance.size
        field = back / math.sqrt(instance.size) + onsager * m
        errors = jnp.sum(sums[:, 1] < instance.threshold)
        return AMP(field, g), Check(errors, (jnp.sum(variance) < _LEAST_VARIANCE) & (errors > 0))

    @property
    def compared(self) -> Float[Array, "*batch N"]:
        """What must stop changing."""
        return self.field


def node_arguments(
    instance: Instance, sums: Float[Array, " rows"], V: Float[Array, ""], response: Float[Array, " rows"]
) -> Float[Array, " rows"]:
    """``x = (C / sqrt N - om) / sqrt V`` of the nodes whose ``sum_i xi_i m_i`` is given."""
    return ((instance.midpoint - sums) / math.sqrt(instance.size) + V * response) / jnp.sqrt(V)


class Edges(eqx.Module):
    r"""One message per edge, the reference form: O(P N) memory and about forty times the work of `AMP`.

    .. math::
        u_{\mu \to i} = \tfrac12 [\ln H(x - s \xi_i) - \ln H(x + s \xi_i)], \quad s = 1 / \sqrt v, \quad x = (C - a) s, \\
        a = \sum_{j \ne i} \xi_j m_{j \to \mu}, \qquad v = \sum_{j \ne i} \xi_j^2 (1 - m_{j \to \mu}^2)

    Attributes:
        messages: ``u``, from nodes to spins, shape ``(P, N)``.
    """

    messages: Float[Array, "*batch P N"]

    @classmethod
    def start(cls, instance: Instance, dtype: Any) -> Edges:
        """Messages of zero for an ``instance``, float32 or float64 as ``dtype`` says."""
        return cls(jnp.zeros((instance.count, instance.size), dtype))

    @property
    def field(self) -> Float[Array, "*batch N"]:
        """``B_i``, the sum of the messages to a spin."""
        return jnp.sum(self.messages, axis=-2)

    @property
    def compared(self) -> Float[Array, "*batch P N"]:
        """What must stop changing."""
        return self.messages

    def sweep(self, instance: Instance, external: Float[Array, " N"]) -> tuple[Edges, Check]:
        """New messages for an ``instance`` in ``external`` fields, and what those before say of the patterns."""
        if instance.committee is not None:
            return _committee_edges(self, instance, external)
        patterns = instance.patterns.astype(external.dtype)
        total = self.field + external
        m, variance = moments(total[None, :] - self.messages)
        mean, variance = patterns * m, patterns**2 * variance
        whole, spread = (jnp.sum(part, axis=1, keepdims=True) for part in (mean, variance))
        scale = 1 / jnp.sqrt(at_least(spread - variance))
        x, shift = (instance.midpoint - (whole - mean)) * scale, patterns * scale
        messages = 0.5 * (log_H(x - shift) - log_H(x + shift))
        errors = instance.errors(jnp.where(total < 0, -1, 1).astype(jnp.int8))
        return Edges(messages), Check(errors, jnp.any((spread < _LEAST_VARIANCE) & (whole < instance.midpoint)))


def _committee_sweep(old: AMP, instance: Instance, external: Float[Array, " N"]) -> tuple[AMP, Check]:
    """`AMP.sweep` for a committee."""
    total = by_unit(instance, old.field + external)
    m, variance = moments(total)
    freedom, n = jnp.sum(variance, axis=1), instance.inputs
    signs = jnp.where(total < 0, -1, 1).astype(m.dtype)
    g, slopes, back, errors = answers(instance, m, signs, at_least(freedom) / n, old.response)
    onsager = (jnp.sum(g**2, axis=0) - 2 * slopes) / n
    field = back / math.sqrt(n) + onsager[:, None] * m
    return AMP(field.ravel(), g), Check(errors, jnp.all(freedom < _LEAST_VARIANCE) & (errors > 0))


def _committee_edges(old: Edges, instance: Instance, external: Float[Array, " N"]) -> tuple[Edges, Check]:
    """`Edges.sweep` for a committee of sign units."""
    messages, _, spread = edge_answers(instance, *_by_edge(old, instance, external), _LEAST_VARIANCE)
    errors = instance.errors(jnp.where(old.field + external < 0, -1, 1).astype(jnp.int8))
    return Edges(messages.reshape(old.messages.shape)), Check(errors, jnp.all(spread < _LEAST_VARIANCE) & (errors > 0))


def _by_edge(edges: Edges, instance: Instance, external: Float[Array, " N"]) -> tuple[Array, Array]:
    """Mean and variance of every product of entry and weight under the messages to its node, shape ``(P, K, n)`` each."""
    patterns = of_nodes(instance, instance.patterns.astype(external.dtype))
    m, variance = moments(by_unit(instance, (edges.field + external)[None, :] - edges.messages))
    return patterns * m, patterns**2 * variance


def log_weights_of_edges(edges: Edges, instance: Instance, external: Float[Array, " N"]) -> Float[Array, " P"]:
    """``ln Z`` of every pattern under the messages to its node."""
    if instance.committee is not None:
        return edge_answers(instance, *_by_edge(edges, instance, external), _LEAST_VARIANCE)[1]
    patterns = instance.patterns.astype(external.dtype)
    m, variance = moments((edges.field + external)[None, :] - edges.messages)
    a, variance = jnp.sum(patterns * m, axis=1), at_least(jnp.sum(patterns**2 * variance, axis=1))
    return log_H((instance.midpoint - a) / jnp.sqrt(variance))


FORMS: dict[str, Any] = {"amp": AMP, "edge": Edges}
Form = Literal["amp", "edge"]


def forms_of(instance: Instance) -> dict[str, Any]:
    """Forms that there are for an instance: edge by edge go perceptrons and committees of few sign units."""
    everywhere = instance.committee is None or instance.committee.counts_exactly
    return FORMS if everywhere else {"amp": AMP}


def _shapes(instance: Instance) -> dict[str, tuple[int, ...]]:
    """Of the parts of messages, for one instance."""
    size, count = instance.size, instance.count
    units = () if instance.committee is None else (instance.committee.units,)
    return {"field": (size,), "response": (count, *units), "messages": (count, size)}


def fitting(name: str, messages: AMP | Edges, instance: Instance, dtype: Any) -> AMP | Edges:
    """Messages of an instance, in the type to compute in.

    Raises:
        ValueError: they are those of an instance of another shape, or not finite.
        TypeError: they are no messages.
    """
    refuse_another(name, messages, AMP | Edges, "the messages of beliefs, beliefs.messages")
    batch = instance.patterns.shape[:-2]
    shapes = {part: (*batch, *shape) for part, shape in _shapes(instance).items()}
    parts = [field.name for field in dataclasses.fields(messages)]
    return type(messages)(*(reals_of(f"{name}.{part}", getattr(messages, part), shapes[part], dtype) for part in parts))


def impossible(instance: Instance) -> Bool[Array, ""]:
    """Whether some pattern is out of reach of any weights: the threshold exceeds ``sum_i |xi_i|``, or that of all units."""
    if instance.committee is not None:
        bounded = instance.is_binary or instance.committee.is_sign
        largest = instance.committee.largest(instance.inputs) if bounded else jnp.inf
        return jnp.asarray(instance.count > 0) & (instance.threshold > largest)
    if instance.patterns.dtype == jnp.int8:
        return jnp.asarray(instance.count > 0 and instance.threshold > instance.size)
    return jnp.any(jnp.sum(jnp.abs(instance.patterns), axis=1) < instance.threshold)


def change(new: AMP | Edges, old: AMP | Edges) -> Float[Array, ""]:
    """Largest ``|b_new - b| / (1 + |b_new|)``; 0 where there is nothing to compare."""
    after, before = new.compared, old.compared
    return jnp.max(jnp.abs(after - before) / (1 + jnp.abs(after)), initial=0.0)
