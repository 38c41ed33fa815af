"""Entropy of the solutions around a given one, against distance: the experiment of the paper."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from fmjax.checks import Handed, refuse_another
from fmjax.message_passing.belief_propagation import propagate
from fmjax.message_passing.bethe import bethe_entropy, bethe_free_entropy
from fmjax.message_passing.checks import fields_of, options_of, signs_of
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.messages import FORMS, Form, forms_of, usual_damping
from fmjax.outcome import CONVERGED, Outcome
from fmjax.precision import numpy_rules
from fmjax.sentences import BELIEFS, FEW_FLIPS, LOCAL_ENTROPY

__all__ = ["LocalEntropy", "default_fields", "local_entropy"]

_TOO_CLOSE = len(BELIEFS)  # its place in `fmjax.sentences.LOCAL_ENTROPY`


class LocalEntropy(eqx.Module, Outcome):
    """Rows of increasing field, towards the reference; every array has shape ``(rows,)``, or ``(batch, rows)``.

    Attributes:
        gamma: field on every weight, along the reference.
        distance: ``d``, mean Hamming distance per weight from the reference.
        entropy: ``S(d)``, nats per weight.
        free_entropy: ``phi(gamma) = S + gamma (1 - 2d)``.
        sweeps: number of sweeps of belief propagation.
        residual: change of the fields by one more sweep.
        status: integer code behind `result`.
    """

    sentences: ClassVar[tuple[str, ...]] = LOCAL_ENTROPY

    gamma: Float[Array, "*rows"]
    distance: Float[Array, "*rows"]
    entropy: Float[Array, "*rows"]
    free_entropy: Float[Array, "*rows"]
    sweeps: Int[Array, "*rows"]
    residual: Float[Array, "*rows"]
    status: Int[Array, "*rows"]


def default_fields(rows: int = 24, nearest: float = 0.003) -> np.ndarray:
    """Fields that would put free weights at distances from 1/2 (no field) down to ``nearest``, evenly in log d."""
    return np.arctanh(1 - 2 * np.geomspace(0.5, nearest, rows))


def local_entropy(
    instance: Instance,
    solution: Handed,
    gammas: Handed | None = None,
    *,
    form: Form = "amp",
    damping: float | None = None,
    sweeps: int = 500,
    tolerance: float | None = None,
    dtype: Any = jnp.float32,
) -> LocalEntropy:
    r"""Entropy of the solutions around a reference, against their distance from it.

    Belief propagation in the field ``gamma w~`` along the reference ``w~``, whose solutions have the overlap
    ``p = 1 - 2d``:

    .. math::
        S(d) = \phi(\gamma) - \gamma p, \qquad d\phi / d\gamma = p, \qquad dS / dd = 2\gamma

    Each field starts where the one before ended. Rows with ``N d < 5`` are marked: there the sums inside the nodes are
    not Gaussian, and belief propagation has two fixed points.

    Args:
        instance: one, or a batch.
        solution: the reference, ±1 of any type, shape ``(N,)`` or ``(batch, N)``. It need not be a solution.
        gammas: fields, increasing, shape ``(rows,)``; `default_fields` by default.
        form: ``"amp"`` or ``"edge"``.
        damping: part of the old messages kept in every sweep; 0.3 by default, 0.7 where units share their inputs.
        sweeps: largest number of sweeps for each field.
        tolerance: as for `belief_propagation`.
        dtype: float32 or float64.

    Returns:
        A `LocalEntropy`: ``distance``, ``entropy`` in nats per weight and ``result`` for each field.

    Raises:
        ValueError: fields that do not increase, a reference that is not ±1, another option that makes no sense.
        TypeError: what is no instance.

    Example:
        Without patterns all weights are solutions, and the local entropy is the binary entropy of the distance.

        >>> import jax, numpy as np
        >>> from fmjax.message_passing import Instance, local_entropy
        >>> nothing = Instance.random(jax.random.key(0), size=101, alpha=0.0)
        >>> local = local_entropy(nothing, np.ones(101), gammas=[0.0, 1.0])
        >>> print(np.round(np.stack([local.distance, local.entropy]), 4))
        [[0.5    0.1192]
         [0.6931 0.3653]]
    """
    refuse_another("instance", instance, Instance, "Instance(patterns)")
    damping = usual_damping(instance, 0.3) if damping is None else damping
    options = options_of(dtype, damping, sweeps, tolerance, form, forms_of(instance))
    fields = fields_of(default_fields() if gammas is None else gammas, options.dtype)
    reference = signs_of("solution", solution, (*instance.patterns.shape[:-2], instance.size)).astype(options.dtype)
    return _local_entropy(instance, reference, fields, form, options.damping, options.sweeps, options.tolerance)


@eqx.filter_jit
@numpy_rules()
def _local_entropy(
    instance: Instance, references: Array, gammas: Array, form: Form, damping: float, sweeps: int, tolerance: float
) -> LocalEntropy:
    def one(single: Instance, reference: Array) -> LocalEntropy:
        def row(messages: Any, gamma: Array) -> tuple[Any, LocalEntropy]:
            beliefs = propagate(single, gamma * reference, messages, damping, sweeps, tolerance)
            # d = mean (1 - w~ m)/2 without the subtraction.
            distance = jnp.mean(jax.nn.sigmoid(-2 * reference * beliefs.fields))
            few = (beliefs.status == CONVERGED) & (distance * single.size < FEW_FLIPS)
            return beliefs.messages, LocalEntropy(
                gamma,
                distance,
                bethe_entropy(single, beliefs),
                bethe_free_entropy(single, beliefs),
                beliefs.sweeps,
                beliefs.residual,
                jnp.where(few, _TOO_CLOSE, beliefs.status),
            )

        return lax.scan(row, FORMS[form].start(single, gammas.dtype), gammas)[1]

    return instance.over_batch(one, references)
