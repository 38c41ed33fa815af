"""How focusing makes up its mind, sweep by sweep."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from fmjax.checks import whole
from fmjax.message_passing.focusing import FocusingState, asked, iteration, push_of, pushed_field
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.messages import FORMS, Form
from fmjax.message_passing.schedules import Schedule
from fmjax.precision import numpy_rules

__all__ = ["Polarisation", "polarisation"]


class Polarisation(eqx.Module):
    """What `polarisation` saw after each sweep.

    Attributes:
        magnetisations: ``tanh(B + u)`` of every weight, shape ``(sweeps, N)``.
        errors: the fewest patterns violated so far, shape ``(sweeps,)``; zero from the solution on, where `focusing` stops
            and the magnetisations stay.
    """

    magnetisations: Float[Array, "sweeps N"]
    errors: Int[Array, " sweeps"]


def polarisation(
    instance: Instance,
    schedule: Schedule | None = None,
    *,
    sweeps: int = 200,
    form: Form = "amp",
    damping: float | None = None,
    random_field: float | None = None,
    seed: int = 0,
    tolerance: float = 1e-3,
    dtype: Any = jnp.float32,
) -> Polarisation:
    """Watch `focusing` make up its mind: the magnetisations of one instance after each of the first ``sweeps`` sweeps.

    The iteration is that of `focusing`.

    Args:
        instance: one, not a batch.
        schedule: as for `focusing`; of the others, too, the defaults are those.
        sweeps: how many to watch; memory for ``sweeps * N`` numbers.
        form: ``"amp"`` or ``"edge"``.
        damping: part of the old messages kept in every sweep.
        random_field: standard deviation of the random field at the start.
        seed: of the random field.
        tolerance: change of the fields at which the coupling goes up.
        dtype: float32 or float64.

    Returns:
        A `Polarisation`.

    Raises:
        ValueError: an option that makes no sense, or a batch of instances.
        TypeError: what is no instance, or no schedule.

    Example:
        >>> import jax
        >>> from fmjax.message_passing import Instance, polarisation
        >>> seen = polarisation(Instance.random(jax.random.key(0), size=101, alpha=0.3), sweeps=40)
        >>> seen.magnetisations.shape, seen.errors.shape
        ((40, 101), (40,))
    """
    schedule, options = asked(instance, schedule, dtype, damping, tolerance, form)
    if instance.is_batch:
        raise ValueError(f"polarisation watches one instance, got {instance.patterns.shape[0]}: take one of the batch")
    watched = whole("sweeps", sweeps, 0)
    if watched < 1:
        raise ValueError(f"sweeps = {sweeps} is not possible: watch at least one")
    push = push_of(instance, random_field, seed, options.dtype)
    return _watch(instance, schedule, watched, form, options.damping, options.tolerance, options.dtype, push)


@eqx.filter_jit
@numpy_rules()
def _watch(
    instance: Instance,
    schedule: Schedule,
    sweeps: int,
    form: Form,
    damping: float,
    tolerance: float,
    dtype: jnp.dtype,
    push: Float[Array, " N"] | None,
) -> Polarisation:
    messages = FORMS[form].start(instance, dtype)
    start, sweep, going_on = iteration(instance, schedule, False, messages, damping, tolerance, push)

    def step(state: FocusingState, _: None) -> tuple[FocusingState, tuple[Array, Array]]:
        state = lax.cond(going_on(state), sweep, lambda state: state, state)
        return state, (
            jnp.tanh(pushed_field(push, schedule, state.messages.field + state.attraction, state.step)),
            state.best.errors,
        )

    return Polarisation(*lax.scan(step, start, None, length=sweeps)[1])
