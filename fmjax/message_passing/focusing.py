"""Focusing belief propagation: solutions in wide flat regions, from replicas that attract each other."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int8

from fmjax.checks import refuse_another, seed_of, truth
from fmjax.message_passing.checks import Options, options_of, steps_of, strength_of
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.messages import AMP, FORMS, Edges, Form, change, damped, forms_of, impossible, usual_damping
from fmjax.message_passing.schedules import PseudoReinforcement, Schedule
from fmjax.outcome import CONVERGED, Outcome
from fmjax.precision import numpy_rules
from fmjax.sentences import FOCUSING

__all__ = ["Focused", "FocusingState", "asked", "focus", "focusing", "iteration", "push_of", "pushed_field"]

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
    damping: float | None = None,
    random_field: float | None = None,
    seed: int = 0,
    tolerance: float = 1e-3,
    dtype: Any = jnp.float32,
) -> Focused:
    r"""Look for weights that satisfy every pattern, in the flattest region there is.

    Belief propagation for ``y`` replicas of the weights that attract each other (Baldassi et al., PNAS 113, E7655, 2016):
    the messages of one replica, with ``u`` of the `Schedule` as a further field on every weight. The coupling goes up
    whether or not the messages converged. After every sweep the signs of ``B + u`` are checked, in integers; the
    first ones without errors are returned. There are no restarts, and the same instance and seed give the same answer.

    Hidden units that share their inputs start alike, and at small loads the messages would leave them so: a random field on
    every weight, which fades as the coupling goes up, makes them differ. Of other models nothing is random unless asked for.

    The first solution lies at the edge of its region: some pattern has the smallest stability there is. Going on
    `to_the_end` of the schedule leads inside. At N = 4001 and alpha = 0.5 the smallest stability went from 0.016 to 0.25,
    and the entropy at distance 0.005 from 0.0297 to 0.0313, where typical solutions of the largest margin have 0.0314.

    Args:
        instance: one, or a batch, which is solved by `jax.vmap`: all go on until the last one is done.
        schedule: `PseudoReinforcement` by default, up to 500 sweeps; or `Scoping`, or `Reinforcement`.
        to_the_end: go on after the first solution until the schedule ends, and return the last one met.
        form: ``"amp"``, or ``"edge"``, forty times slower, of perceptrons and committees of sign units.
        damping: part of the old messages kept in every sweep; 0.3 by default, 0.7 where units share their inputs. Without
            damping the `"amp"` form never finds anything; patterns that are alike, such as images, need 0.9 to 0.97.
        random_field: standard deviation of the random field at the start; 0.3 by default where units share their inputs,
            else 0. Other seeds then lead to other solutions.
        seed: of the random field.
        tolerance: change of the fields at which the coupling goes up before the sweeps of a step are used up.
        dtype: float32 or float64.

    Returns:
        `Focused`: the solution, or the best weights met. At margin 0 and N >= 1000 perceptrons are almost always solved up
        to alpha = 0.7, hardly ever from 0.76 on; trees of 3 to 50 units up to 0.6 or 0.7.

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
    schedule, options = asked(instance, schedule, dtype, damping, tolerance, form)
    push = push_of(instance, random_field, seed, options.dtype)
    return focus(
        instance, schedule, truth("to_the_end", to_the_end), form, options.damping, options.tolerance, options.dtype, push
    )


def asked(instance: Any, schedule: Any, dtype: Any, damping: Any, tolerance: Any, form: Any) -> tuple[Schedule, Options]:
    """Schedule and options of `focusing`, looked at.

    Raises:
        ValueError: an option that makes no sense, or float64 where JAX has it off.
        TypeError: what is no instance, or no schedule.
    """
    schedule = PseudoReinforcement() if schedule is None else schedule
    refuse_another("instance", instance, Instance, "Instance(patterns)")
    refuse_another("schedule", schedule, Schedule, "PseudoReinforcement(steps=500)")
    steps_of(schedule.steps)
    damping = usual_damping(instance, 0.3) if damping is None else damping
    return schedule, options_of(dtype, damping, schedule.sweeps, tolerance, form, forms_of(instance))


def push_of(instance: Instance, random_field: Any, seed: Any, dtype: jnp.dtype) -> _Field | None:
    """The random field at the start, None where there is none.

    Raises:
        ValueError: a strength or seed that makes no sense.
    """
    usual = 0.3 if instance.shares_inputs else 0.0
    strength = usual if random_field is None else strength_of(random_field)
    key = jax.random.key(seed_of(seed))
    return strength * jax.random.normal(key, (instance.size,), dtype) if strength else None


def pushed_field(push: _Field | None, schedule: Schedule, field: _Field, step: Int[Array, ""]) -> _Field:
    """A field, and what is left of the random one at a step of the schedule."""
    return field if push is None else field + (1 - step.astype(push.dtype) / schedule.steps) * push


class FocusingState(eqx.Module):
    """Where the iteration is: messages, field of the other replicas, place in the schedule, and the best weights so far."""

    messages: AMP | Edges
    attraction: _Field
    step: Int[Array, ""]
    sweeps_in_step: Int[Array, ""]
    best: Focused


@eqx.filter_jit
@numpy_rules()
def focus(
    instance: Instance,
    schedule: Schedule,
    to_the_end: bool,
    form: Form,
    damping: float,
    tolerance: float,
    dtype: jnp.dtype,
    push: _Field | None = None,
) -> Focused:
    """`focusing`, compiled."""

    def one(single: Instance) -> Focused:
        return _focus_one(single, schedule, to_the_end, FORMS[form].start(single, dtype), damping, tolerance, push)

    return instance.over_batch(one)


def iteration(
    instance: Instance,
    schedule: Schedule,
    to_the_end: bool,
    messages: AMP | Edges,
    damping: float,
    tolerance: float,
    push: _Field | None = None,
) -> tuple:
    """``(start, sweep, going_on)`` on one instance, as for `jax.lax.while_loop`."""
    pushed = partial(pushed_field, push, schedule)

    def sweep(state: FocusingState) -> FocusingState:
        old, best = state.messages, state.best
        external = pushed(state.attraction, state.step)
        new, check = old.sweep(instance, external)
        errors = check.errors
        weights = jnp.where(old.field + external < 0, -1, 1).astype(jnp.int8)
        better = (errors < best.errors) | (errors == 0)
        finite = jnp.all(jnp.isfinite(new.compared))
        status = jnp.where(finite, jnp.where(errors == 0, CONVERGED, NOT_SOLVED), NOT_FINITE)
        best = Focused(jnp.where(better, weights, best.weights), jnp.minimum(errors, best.errors), best.sweeps + 1, status)
        messages = damped(new, old, damping)
        attraction = damped(schedule.message(state.step, pushed(messages.field, state.step)), state.attraction, damping)
        done = (change(new, old) < tolerance) | (state.sweeps_in_step + 1 >= schedule.sweeps)
        step = state.step + done.astype(state.step.dtype)
        return FocusingState(messages, attraction, step, jnp.where(done, 0, state.sweeps_in_step + 1), best)

    def going_on(state: FocusingState) -> Bool[Array, ""]:
        status = state.best.status
        more = (status == NOT_SOLVED) | (to_the_end & (status == CONVERGED))
        return more & (state.step < schedule.steps)

    zero = jnp.asarray(0)
    status = jnp.where(impossible(instance), CONTRADICTION, NOT_SOLVED)
    best = Focused(jnp.ones(instance.size, jnp.int8), jnp.asarray(instance.count + 1), zero, status)
    return FocusingState(messages, jnp.zeros_like(messages.field), zero, zero, best), sweep, going_on


def _focus_one(
    instance: Instance,
    schedule: Schedule,
    to_the_end: bool,
    messages: AMP | Edges,
    damping: float,
    tolerance: float,
    push: _Field | None,
) -> Focused:
    start, sweep, going_on = iteration(instance, schedule, to_the_end, messages, damping, tolerance, push)
    best = lax.while_loop(going_on, sweep, start).best
    # The last word is a count in int32, though the sums of the sweeps are exact as well for ±1 patterns.
    errors = instance.errors(best.weights)
    status = jnp.where(errors == 0, CONVERGED, jnp.maximum(best.status, NOT_SOLVED))
    return Focused(best.weights, errors, best.sweeps, status)
