"""What users hand in, looked at once: arrays, numbers, keys and places are brought to one form or refused by a sentence.

Shapes and types are always checked, values where there are any: those of a traced array pass, as nobody can be asked inside
a program. `message_passing.checks` and `networks.checks` say with these what their own arguments must be.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Real

__all__ = [
    "Handed",
    "Number",
    "are_bits",
    "as_array",
    "as_numbers",
    "as_path",
    "is_traced",
    "kind_of",
    "number",
    "one_of",
    "random_key",
    "refuse_another",
    "refuse_masked",
    "require_finite",
    "require_place",
    "require_signs",
    "rounded",
    "seed_of",
    "stray_of",
    "truth",
    "whole",
]

Handed = Array | np.ndarray | Sequence[Any]  # what users have: arrays of any type, and lists
Number = int | float | np.number | Real[Array | np.ndarray, ""]

_ENTRIES = 2**20  # looked at at a time: patterns may fill the memory
_KINDS = {"bool": np.bool_, "unsigned": jnp.unsignedinteger, "integer": jnp.integer, "float": jnp.floating}


def is_traced(value: Any) -> bool:
    """Whether a value is not there yet: it belongs to a program that is being compiled."""
    return isinstance(value, jax.core.Tracer)


def kind_of(array: Any) -> str | None:
    """``bool``, ``unsigned``, ``integer`` or ``float`` (bfloat16 is one, too); None for what is no real number."""
    if jnp.issubdtype(array.dtype, np.timedelta64):  # an integer to NumPy
        return None
    return next((kind for kind, numbers in _KINDS.items() if jnp.issubdtype(array.dtype, numbers)), None)


def as_array(name: str, value: Any) -> Any:
    """An array of real numbers: one of JAX as it is, everything else as one of NumPy.

    Raises:
        ValueError: it is none.
    """
    refuse_masked(name, value)
    try:
        array = value if isinstance(value, jax.Array) else np.asarray(value)
    except jax.errors.TracerArrayConversionError:  # a list of traced numbers
        array = jnp.asarray(value)
    except (ValueError, TypeError):
        raise ValueError(f"{name} must be an array of numbers, and {_shortly(value)} is none: its rows differ") from None
    if kind_of(array) is None:
        raise ValueError(f"{name} must hold real numbers, not {array.dtype}: {_shortly(value)}")
    # Other orders of bytes, and numbers of more than 64 bits, are none of JAX.
    wide = isinstance(array, np.ndarray) and array.dtype.itemsize > 8
    return array.astype(float) if wide else array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_numbers(name: str, value: Any) -> Any:
    """`as_array`, where True and False are no numbers.

    Raises:
        ValueError: it is none.
    """
    found = as_array(name, value)
    if kind_of(found) == "bool":
        raise ValueError(f"{name} must be numbers, not True and False")
    return found


def refuse_masked(name: str, value: Any) -> None:
    """Refuse values that a mask hides: NumPy hands on what is under it.

    Raises:
        ValueError: some are masked; the message counts them.
    """
    if np.ma.is_masked(value):
        raise ValueError(
            f"{name} must be known, and {np.ma.count_masked(value)} of {np.size(value)} are masked: leave them out"
        )


def require_finite(name: str, array: Any) -> None:
    """Refuse NaN and infinity.

    Raises:
        ValueError: some value is not finite; the message counts them.
    """
    if is_traced(array) or kind_of(array) != "float":
        return
    bad = int(np.size(array) - np.count_nonzero(np.isfinite(np.asarray(array))))
    if bad:
        raise ValueError(f"{name} must be finite: {bad} of {np.size(array)} values are NaN or infinite")


def rounded(name: str, array: Any, dtype: Any) -> jax.Array:
    """Finite numbers in a type of float that can hold them.

    Raises:
        ValueError: some are NaN or infinite, or would be in this type, or all of them would be zero.
    """
    require_finite(name, array)
    least, most = (float(getattr(jnp.finfo(dtype), end)) for end in ("tiny", "max"))
    if not is_traced(array) and kind_of(array) == "float":
        largest = max((float(np.max(np.abs(block))) for block in _blocks(array)), default=0.0)
        if largest > most or 0 < largest < least:
            held = f"{jnp.dtype(dtype)} holds {least:.2g} to {most:.2g}"
            raise ValueError(f"{name} are as large as {largest:.2g}, and {held}: divide them by their scale")
    with np.errstate(under="ignore"):  # beside others, small ones are as good as zero
        return jnp.asarray(array, dtype)


def number(
    name: str,
    value: Any,
    holds: Callable[[float], bool] = lambda _: True,
    allowed: str = "must be a finite number",
    *,
    infinite: bool = False,
) -> float:
    """A finite number of Python, or perhaps an ``infinite`` one, which decides what is compiled.

    Raises:
        ValueError: it is none, does not fulfil the condition, or is being traced.
    """
    if is_traced(value):
        raise ValueError(f"{name} is being traced, and must be known: it is part of the program, so keep it out of jax.jit")
    refuse_masked(name, value)
    try:
        # By way of its decimal digits, so that 0.2 of float32 is 0.2.
        text = str(np.asarray(value)[()]) if isinstance(value, np.ndarray | np.generic | jax.Array) else value
        none = isinstance(value, str | bytes) or np.ndim(value) or kind_of(np.asarray(value)) == "bool"
        found = np.nan if none else float(text)
    except (TypeError, ValueError):
        found = np.nan
    if not ((np.isfinite(found) or (infinite and found == np.inf)) and holds(found)):
        raise ValueError(f"{name} {allowed}, not {_shortly(value)}")
    return found


def whole(name: str, value: Any, least: int, most: int | None = None, allowed: str | None = None) -> int:
    """A whole number from ``least`` on, also as 100.0 or a number of NumPy or JAX.

    Raises:
        ValueError: it is none.
    """
    allowed = allowed or (f"must be at least {least}" if most is None else f"must be between {least} and {most}")
    end = np.inf if most is None else most
    holds = f"{allowed}, a whole number"
    return int(number(name, value, lambda found: found == int(found) and least <= found <= end, holds))


def seed_of(value: Any, name: str = "seed") -> int:
    """A seed that stands for the same key of `jax.random` whether JAX has float64 on or off: larger ones do not.

    Raises:
        ValueError: it is none.
    """
    return whole(name, value, 0, 2**32 - 1)


def require_signs(name: str, array: Any, words: str = "") -> None:
    """Refuse what is not exactly +1 or -1, whatever its type; ``words`` say what else is asked for.

    Raises:
        ValueError: some value is neither; the message names it.
    """
    advice = f": np.where({name if name.isidentifier() else 'values'}, 1, -1) makes signs of them"
    if kind_of(array) == "bool":
        raise ValueError(f"{name} must be +1 or -1{words}, not True and False{advice}")
    if is_traced(array):
        if kind_of(array) == "unsigned":
            raise ValueError(f"{name} must be +1 or -1{words}, and {array.dtype} holds no -1{advice}")
        return
    stray = stray_of(array)
    if stray is not None:
        raise ValueError(f"{name} must be +1 or -1{words}, but {stray} is among them{advice if are_bits(array) else ''}")


def stray_of(array: Any) -> Any:
    """The first entry that is neither +1 nor -1; None if there is none."""
    strays = (block[(block != 1) & (block != -1)] for block in _blocks(array))
    return next((stray[0] for stray in strays if stray.size), None)


def are_bits(array: Any) -> bool:
    """Whether all entries are 0 or 1."""
    return all(bool(np.all((block == 0) | (block == 1))) for block in _blocks(array))


def _blocks(array: Any) -> Iterator[np.ndarray]:
    flat = np.asarray(array).reshape(-1)
    yield from (flat[start : start + _ENTRIES] for start in range(0, flat.size, _ENTRIES))


def one_of(name: str, value: Any, words: Any) -> str:
    """One of some words.

    Raises:
        ValueError: another one.
    """
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name} must be {' or '.join(map(repr, words))}, not {_shortly(value)}")
    return value


def truth(name: str, value: Any) -> bool:
    """True or False.

    Raises:
        ValueError: neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, not {_shortly(value)}")  # noqa: TRY004  (as for all values here)
    return bool(value)


def random_key(key: Any) -> jax.Array:
    """One key of `jax.random`, of the new style; a `jax.random.PRNGKey` stands for the same.

    Raises:
        ValueError: it is none, or several.
    """
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0:
        return key
    if isinstance(key, jax.Array | np.ndarray) and key.dtype == np.uint32 and key.ndim == 1:
        try:
            return jax.random.wrap_key_data(jnp.asarray(key))
        except (TypeError, ValueError):  # the length is that of another generator, or of none
            pass
    raise ValueError(f"key must be one key of jax.random, like jax.random.key(0), not {_shortly(key)}")


def refuse_another(name: str, value: Any, kind: Any, usual: str) -> None:
    """Refuse what is no object of this kind, or of one of them (``A | B``).

    Raises:
        TypeError: it is not; the message says what is usual.
    """
    if not isinstance(value, kind):
        kinds = " or ".join(part.__name__ for part in getattr(kind, "__args__", (kind,)))
        raise TypeError(f"{name} must be {kinds}, and is {_shortly(value)}: try {usual}")


def as_path(name: str, value: Any) -> Path:
    """A name of a file or a directory.

    Raises:
        TypeError: it is none.
    """
    refuse_another(name, value, str | os.PathLike, "a name, or pathlib.Path")
    return Path(value)


def require_place(name: str, path: Path) -> None:
    """Refuse a directory, there or not, that cannot be made or written to.

    Raises:
        ValueError: some part of it is a file, or is not writable; the message names it.
    """
    there = next(part for part in (path, *path.absolute().parents) if part.exists())
    if not there.is_dir():
        raise ValueError(f"{there} is a file, and {name} needs a directory of that name: choose another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{there} is a directory that cannot be written to: choose another place for {name}")


def _shortly(value: Any) -> str:
    """A value as sentences name it: numbers as they are, arrays by shape and type."""
    if isinstance(value, np.ndarray | jax.Array) and (np.ndim(value) or is_traced(value)):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, np.generic | jax.Array):
        return str(value)
    return " ".join(reprlib.repr(value).split())
