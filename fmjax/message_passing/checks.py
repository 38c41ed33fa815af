"""What single instances are made of and asked with: each brought to one form, or refused by name.

Every public function of message passing takes its arguments through here.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int8

from fmjax.checks import (
    are_bits,
    as_array,
    as_numbers,
    is_traced,
    kind_of,
    number,
    one_of,
    require_signs,
    rounded,
    seed_of,
    stray_of,
    whole,
)
from fmjax.models import ACTIVATIONS, LeakyReLU

__all__ = [
    "LARGEST_COUNT",
    "LARGEST_SIZE",
    "TOLERANCES",
    "Labels",
    "Options",
    "Patterns",
    "activation_of",
    "check_request",
    "committee_size",
    "coupling_of",
    "fields_of",
    "kept_labels",
    "labels_of",
    "margin_of",
    "options_of",
    "patterns_of",
    "reals_of",
    "replicas_of",
    "seeds_of",
    "signs_of",
    "steps_of",
    "strength_of",
    "sweeps_of",
]

LARGEST_SIZE = 2**24  # float32 holds every integer up to here: sums of N signs are exact, in whatever order
LARGEST_COUNT = 2**31  # patterns are numbered by 32 bits
# Of the fields, relative to 1 + |B|: what rounding allows (measured floors: 3e-7 and 1e-15).
TOLERANCES = {"float32": 5e-6, "float64": 1e-6}

Patterns = Int8[Array, "*batch P N"] | Float32[Array, "*batch P N"]
Labels = Int8[Array, "*batch P"]


class Options(NamedTuple):
    """How to iterate, all of it sensible."""

    dtype: jnp.dtype
    damping: float
    sweeps: int
    tolerance: float


def patterns_of(patterns: Any) -> Patterns:
    """Patterns as an `Instance` holds them: int8 if they are ±1, in whatever type they come, else float32.

    Raises:
        ValueError: they have another shape, hold 0 and 1, other whole numbers, NaN or infinity.
    """
    found = as_array("patterns", patterns)
    if found.ndim not in {2, 3} or not 1 <= found.shape[-1] < LARGEST_SIZE:
        raise ValueError(f"patterns must have shape (P, N) or (batch, P, N), 1 <= N < {LARGEST_SIZE}, not {found.shape}")
    real = kind_of(found) == "float"
    if is_traced(found) and real:
        return found.astype(jnp.float32)
    if not real or stray_of(found) is None or are_bits(found):
        require_signs("patterns", found, "" if real else " (or real numbers of unit variance)")
        return jnp.asarray(found, jnp.int8)
    return rounded("patterns", found, jnp.float32)


def activation_of(activation: Any) -> tuple[Any, float | None]:
    """A hidden unit as what it can be compared by, a name or a function, and the slope below zero of a (leaky) ReLU.

    Raises:
        ValueError: it is no known name, and no function of one number that JAX can trace.
    """
    found = ACTIVATIONS.get(activation, activation) if isinstance(activation, str) else activation
    if isinstance(found, LeakyReLU):
        slope = number("slope", found.slope)
        return "leaky-relu" if slope else "relu", slope
    if isinstance(activation, str):
        return one_of("activation", activation, ACTIVATIONS), None
    try:
        answer = jax.eval_shape(activation, jax.ShapeDtypeStruct((), float))
    except TypeError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        allowed = f"one of {', '.join(ACTIVATIONS)}, or a function of one number that JAX can trace, like jnp.tanh"
        raise ValueError(f"activation must be {allowed}, not {activation!r}: {reason}") from None
    if getattr(answer, "shape", None) != () or not jnp.issubdtype(answer.dtype, jnp.floating):
        raise ValueError(f"activation must take one number to one real number, this one to {answer}: try jnp.tanh")
    # Modules that hold arrays cannot be compared: what such a one is part of is compiled for it alone.
    return partial(_apply, activation) if isinstance(activation, eqx.Module) else activation, None


def _apply(activation: Any, u: Any) -> Any:
    return activation(u)


def committee_size(size: int, units: int) -> int:
    """Inputs of each of the ``units`` that share ``size`` weights evenly.

    Raises:
        ValueError: they cannot.
    """
    if size % units or not size:
        near = max(units, round(size / units) * units)
        raise ValueError(f"{size} weights cannot be shared evenly among {units} units: use a multiple, like {near}")
    return size // units


def signs_of(name: str, values: Any, shape: tuple[int | str, ...]) -> Int8[Array, "*shape"]:
    """±1 of any type as int8; a name in ``shape`` stands for any number.

    Raises:
        ValueError: another shape, or a value that is not +1 or -1.
    """
    found = as_array(name, values)
    wanted = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
    if found.ndim != len(shape) or any(n != m for n, m in zip(shape, found.shape, strict=True) if isinstance(n, int)):
        raise ValueError(f"{name} must be +1 or -1, in shape ({wanted}), not {found.shape}")
    require_signs(name, found, f", in shape ({wanted})")
    return jnp.asarray(found, jnp.int8)


def labels_of(labels: Any, count: int) -> Int8[Array, " P"]:
    """One ±1 label for each of ``count`` patterns, also as a column.

    Raises:
        ValueError: another number of labels, or one that is not +1 or -1.
    """
    found = as_array("labels", labels)
    column = found.ndim == 2 and found.shape[1] == 1
    return signs_of("labels", found, (count, 1) if column else (count,)).reshape(count)


def kept_labels(labels: Any) -> Labels | None:
    """Labels that stay beside their patterns; None where there are none.

    Raises:
        ValueError: one is not +1 or -1.
    """
    if labels is None:
        return None
    found = as_array("labels", labels)
    require_signs("labels", found)
    return jnp.asarray(found, jnp.int8)


def margin_of(margin: Any) -> float:
    """The margin, a number of Python: it decides the threshold, which is compiled in.

    Raises:
        ValueError: it is not finite, or is being traced.
    """
    return number("margin", margin)


def check_request(size: Any, alpha: Any, margin: Any = 0.0) -> tuple[int, float, float]:
    """A size, load and margin of a random instance, as numbers of Python.

    Raises:
        ValueError: one of them makes no sense.
    """
    size = whole("size", size, 1, LARGEST_SIZE - 1)
    alpha = number("alpha", alpha, lambda load: load >= 0, "must be a finite number >= 0 (patterns per weight)")
    if alpha * size >= LARGEST_COUNT:
        raise ValueError(
            f"alpha = {alpha:g} asks for {alpha * size:g} patterns of {size} weights, of at most {LARGEST_COUNT - 1}"
        )
    return size, alpha, margin_of(margin)


def seeds_of(seeds: Any) -> list[int]:
    """At least one seed.

    Raises:
        ValueError: there is none, or one that is no whole number between 0 and 2^32 - 1.
    """
    found = [seed_of(seed) for seed in np.atleast_1d(as_array("seeds", seeds)).ravel()]
    if not found:
        raise ValueError("seeds must name at least one sample")
    return found


def options_of(dtype: Any, damping: Any, sweeps: Any, tolerance: Any, form: Any, forms: Any) -> Options:
    """The options of an iteration; ``forms`` are those of the messages, ``tolerance`` may be None.

    Raises:
        ValueError: an option that makes no sense, or float64 where JAX has it off.
    """
    try:
        kind = jnp.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind.name not in TOLERANCES:
        raise ValueError(f"dtype must be float32 or float64, not {dtype if kind is None else kind.name}")
    if kind.name == "float64" and not jax.config.read("jax_enable_x64"):
        raise ValueError('float64 needs jax.config.update("jax_enable_x64", True) at the start of the program')
    one_of("form", form, tuple(forms))
    tolerance = TOLERANCES[kind.name] if tolerance is None else tolerance
    return Options(
        kind,
        number("damping", damping, lambda kept: 0 <= kept < 1, "must lie in [0, 1), the part of old messages that is kept"),
        sweeps_of(sweeps),
        number("tolerance", tolerance, lambda least: least > 0, "must be positive"),
    )


def steps_of(steps: Any) -> int:
    """Couplings of a schedule.

    Raises:
        ValueError: it is no whole number from 1 on.
    """
    return whole("steps of a schedule", steps, 1)


def sweeps_of(sweeps: Any) -> int:
    """Sweeps at each coupling of a schedule.

    Raises:
        ValueError: it is no whole number from 1 on.
    """
    return whole("sweeps", sweeps, 1)


def replicas_of(y: Any) -> float:
    """Number of replicas, at least 2, or infinity.

    Raises:
        ValueError: it is smaller, or none.
    """
    return number("y", y, lambda y: y >= 2, "must be at least 2, or inf", infinite=True)


def strength_of(random_field: Any) -> float:
    """Standard deviation of a random field.

    Raises:
        ValueError: it is negative, or not finite.
    """
    return number("random_field", random_field, lambda strength: strength >= 0, "must be a finite number >= 0")


def coupling_of(gamma_max: Any) -> float:
    """The last coupling of a schedule.

    Raises:
        ValueError: it is not positive and finite.
    """
    return number("gamma_max", gamma_max, lambda gamma: gamma > 0, "must be positive and finite")


def reals_of(name: str, values: Any, shape: tuple[int, ...], dtype: Any) -> Float[Array, "*shape"]:
    """Finite numbers of a shape.

    Raises:
        ValueError: another shape, or a value that is not finite.
    """
    found = as_numbers(name, values)
    if found.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {found.shape}")
    return rounded(name, found, dtype)


def fields_of(gammas: Any, dtype: Any) -> Float[Array, " rows"]:
    """Fields along a reference, from the weakest to the strongest.

    Raises:
        ValueError: they do not increase, are none, or not finite.
    """
    found = as_numbers("gammas", gammas)
    values = np.zeros(0) if is_traced(found) else np.asarray(found, float)
    if found.ndim != 1 or not found.size or not np.all(np.isfinite(values)) or np.any(np.diff(values) <= 0):
        raise ValueError(f"gammas must be a list of finite numbers, increasing towards the reference, not {found}")
    return rounded("gammas", found, dtype)
