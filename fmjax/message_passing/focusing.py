"""Focusing belief propagation: solutions in wide flat regions, from replicas that attract each other."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int8

from fmjax.checks import refuse_another, whole
from fmjax.message_passing.checks import Options, options_of, steps_of
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.messages import AMP, FORMS, Edges, Form, change, damped, impossible
from fmjax.message_passing.schedules import PseudoReinforcement, Schedule
from fmjax.outcome import CONVERGED, Outcome
from fmjax.sentences import FOCUSING

__all__ = ["Focused", "Polarisation", "focusing", "polarisation"]

_Field = Float[Array, " N"]

NOT_SOLVED, NOT_FINITE, CONTRADICTION = range(1, 4)  # places in `fmjax.sentences.FOCUSING`


class Focused(eqx.Module, Outcome):
    """What `focusing` found; with a leading axis for a batch.

    Attributes:
        weights: the solution, or the weights with the fewest errors that were met; int8, shape ``(N,)``.
        errors: patterns that they violate, counted in integers.
        sweeps: number of sweeps done.
        status: integer code behind `result`.
    """

    sentences: ClassVar[tuple[str, ...]] = FOCUSING

    weights: Int8[Array, "*batch N"]
    errors: Int[Array, "*batch"]
    sweeps: Int[Array, "*batch"]
    status: Int[Array, "*batch"]

    @property
    def solved(self) -> Bool[Array, "*batch"] | Bool[np.ndarray, "*batch"] | np.bool_:
        """Whether the weights satisfy every pattern; usable under `jax.jit`."""
        return self.converged


def focusing(
    instance: Instance,
    schedule: Schedule | None = None,
    *,
    to_the_end: bool = False,
    form: Form = "amp",
    damping: float = 0.3,
    tolerance: float = 1e-3,
    dtype: Any = jnp.float32,
) -> Focused:
    r"""Look for weights that satisfy every pattern, in the flattest region there is.

    Belief propagation for ``y`` replicas of the weights that attract each other (Baldassi et al., PNAS 113, E7655, 2016):
    the messages of one replica, with ``u`` of the `Schedule` as a further field on every weight. The coupling goes up
    whether or not the messages converged. After every sweep the signs of ``B + u`` are checked, in integers; the
    first ones without errors are returned. There are no restarts, and nothing random: the same instance gives the same
    answer.

    The first solution lies at the edge of its region: some pattern has the smallest stability there is. Going on
    `to_the_end` of the schedule leads inside. At N = 4001 and alpha = 0.5 the smallest stability went from 0.016 to 0.25,
    and the entropy at distance 0.005 from 0.0297 to 0.0313, where typical solutions of the largest margin have 0.0314.

    Args:
        instance: one, or a batch, which is solved by `jax.vmap`: all go on until the last one is done.
        schedule: `PseudoReinforcement` by default, up to 500 sweeps; or `Scoping`, or `Reinforcement`.
        to_the_end: go on after the first solution until the schedule ends, and return the last one met.
        form: ``"amp"``, or ``"edge"``, forty times slower.
        damping: part of the old messages kept in every sweep. Without damping the `"amp"` form never finds anything.
        tolerance: change of the fields at which the coupling goes up before the sweeps of a step are used up.
        dtype: float32 or float64.

    Returns:
        `Focused`: the solution, or the best weights met. At margin 0 and N >= 1000 almost always solved up to alpha = 0.7,
        hardly ever from 0.76 on.

    Raises:
        ValueError: an option that makes no sense, or float64 where JAX has it off.
        TypeError: what is no instance, or no schedule.

    Example:
        >>> import jax
        >>> from fmjax.message_passing import Instance, focusing
        >>> found = focusing(Instance.random(jax.random.key(0), size=501, alpha=0.4))
        >>> found.result, int(found.errors)
        ('solved', 0)
    """
    schedule, options = _asked(instance, schedule, dtype, damping, tolerance, form)
    return _focus(instance, schedule, to_the_end, form, options.damping, options.tolerance, options.dtype)


def _asked(instance: Any, schedule: Any, dtype: Any, damping: Any, tolerance: Any, form: Any) -> tuple[Schedule, Options]:
    schedule = PseudoReinforcement() if schedule is None else schedule
    refuse_another("instance", instance, Instance, "Instance(patterns)")
    refuse_another("schedule", schedule, Schedule, "PseudoReinforcement(steps=500)")
    steps_of(schedule.steps)
    return schedule, options_of(dtype, damping, schedule.sweeps, tolerance, form, FORMS)


class _State(eqx.Module):
    messages: AMP | Edges
    attraction: _Field
    step: Int[Array, ""]
    sweeps_in_step: Int[Array, ""]
    best: Focused


@eqx.filter_jit
def _focus(
    instance: Instance,
    schedule: Schedule,
    to_the_end: bool,
    form: Form,
    damping: float,
    tolerance: float,
    dtype: jnp.dtype,
) -> Focused:
    def one(patterns: Array) -> Focused:
        single = Instance(patterns, instance.margin)
        return _focus_one(single, schedule, to_the_end, FORMS[form].start(single, dtype), damping, tolerance)

    return (jax.vmap(one) if instance.is_batch else one)(instance.patterns)


def _iteration(
    instance: Instance, schedule: Schedule, to_the_end: bool, messages: AMP | Edges, damping: float, tolerance: float
) -> tuple:
    """``(start, sweep, going_on)`` on one instance, as for `jax.lax.while_loop`."""

    def sweep(state: _State) -> _State:
        old, best = state.messages, state.best
        new, check = old.sweep(instance, state.attraction)
        errors = check.errors
        weights = jnp.where(old.field + state.attraction < 0, -1, 1).astype(jnp.int8)
        better = (errors < best.errors) | (errors == 0)
        finite = jnp.all(jnp.isfinite(new.compared))
        status = jnp.where(finite, jnp.where(errors == 0, CONVERGED, NOT_SOLVED), NOT_FINITE)
        best = Focused(jnp.where(better, weights, best.weights), jnp.minimum(errors, best.errors), best.sweeps + 1, status)
        messages = damped(new, old, damping)
        attraction = damped(schedule.message(state.step, messages.field), state.attraction, damping)
        done = (change(new, old) < tolerance) | (state.sweeps_in_step + 1 >= schedule.sweeps)
        step = state.step + done.astype(state.step.dtype)
        return _State(messages, attraction, step, jnp.where(done, 0, state.sweeps_in_step + 1), best)

    def going_on(state: _State) -> Bool[Array, ""]:
        status = state.best.status
        more = (status == NOT_SOLVED) | (to_the_end & (status == CONVERGED))
        return more & (state.step < schedule.steps)

    zero = jnp.asarray(0)
    status = jnp.where(impossible(instance), CONTRADICTION, NOT_SOLVED)
    best = Focused(jnp.ones(instance.size, jnp.int8), jnp.asarray(instance.count + 1), zero, status)
    return _State(messages, jnp.zeros_like(messages.field), zero, zero, best), sweep, going_on


def _focus_one(
    instance: Instance, schedule: Schedule, to_the_end: bool, messages: AMP | Edges, damping: float, tolerance: float
) -> Focused:
    start, sweep, going_on = _iteration(instance, schedule, to_the_end, messages, damping, tolerance)
    best = lax.while_loop(going_on, sweep, start).best
    # The last word is a count in int32, though the sums of the sweeps are exact as well for ±1 patterns.
    errors = instance.errors(best.weights)
    status = jnp.where(errors == 0, CONVERGED, jnp.maximum(best.status, NOT_SOLVED))
    return Focused(best.weights, errors, best.sweeps, status)


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
    damping: float = 0.3,
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
    schedule, options = _asked(instance, schedule, dtype, damping, tolerance, form)
    if instance.is_batch:
        raise ValueError(f"polarisation watches one instance, got {instance.patterns.shape[0]}: take one of the batch")
    watched = whole("sweeps", sweeps, 0)
    if watched < 1:
        raise ValueError(f"sweeps = {sweeps} is not possible: watch at least one")
    return _watch(instance, schedule, watched, form, options.damping, options.tolerance, options.dtype)


@eqx.filter_jit
def _watch(
    instance: Instance, schedule: Schedule, sweeps: int, form: Form, damping: float, tolerance: float, dtype: jnp.dtype
) -> Polarisation:
    start, sweep, going_on = _iteration(instance, schedule, False, FORMS[form].start(instance, dtype), damping, tolerance)

    def step(state: _State, _: None) -> tuple[_State, tuple[Array, Array]]:
        state = lax.cond(going_on(state), sweep, lambda state: state, state)
        return state, (jnp.tanh(state.messages.field + state.attraction), state.best.errors)

    return Polarisation(*lax.scan(step, start, None, length=sweeps)[1])
