"""What is written in a request: numbers, lists, spans and words, as values that a control allows."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fmjax.quantities import Control
from fmjax.quantities.quantity import shortest

_SPAN = "START:STOP:COUNT or START:STOP:COUNT:log"


def plain(value: Any) -> Any:
    """Arrays of NumPy and JAX, and their scalars, as lists and numbers of Python; NaN, which equals nothing, as None."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    value = value.tolist() if hasattr(value, "tolist") else list(value) if isinstance(value, tuple | range) else value
    unknown = [isinstance(part, float) and math.isnan(part) for part in value] if isinstance(value, list) else []
    return [None if nan else part for nan, part in zip(unknown, value, strict=True)] if any(unknown) else value


def values_of(name: str, value: Any, control: Control) -> Any:
    """A scalar, or an array of at least one value: of an axis, distinct and in order, or of what runs along one."""
    if isinstance(value, dict):
        if set(value) != {"along", "values"} or not isinstance(value["along"], str) or control.words:
            raise ValueError(f"{name} = {value!r} is not possible: numbers can be {{along = AXIS, values = [...]}}")
        return _numbers(name, value["values"], control, unknown=not (control.static or control.integer))
    if control.words:
        words = value if isinstance(value, list) else [value]
        if not words or not all(isinstance(word, str) and control.allows(word) for word in words):
            raise ValueError(f"{name} must be {control.allowed}, or a list of them, not {value!r}")
        if len(set(words)) < len(words):
            raise ValueError(f"{name} = {value!r} names the same twice")
        return np.array(words) if isinstance(value, list) else value
    several = isinstance(value, list | str) and value != "inf"
    array = _numbers(name, value if several else [value], control)
    if np.any(np.diff(array) <= 0):
        raise ValueError(f"the values of {name} must increase")
    return array if several else array[0].item()


def _numbers(name: str, value: Any, control: Control, unknown: bool = False) -> np.ndarray:
    """The numbers of a list or span, each of them allowed; or NaN, where some may be ``unknown``."""
    array = _span(name, value) if isinstance(value, str) else _array(value)
    if array.dtype.kind not in "iuf" or array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must be a number, a list of numbers or {_SPAN}, not {value!r}")
    for number in array:
        if not (control.allows(number) or (unknown and math.isnan(number))):
            raise ValueError(f"{name} = {shortest(number.item())} is not possible: it must be {control.allowed}")
    return array.astype(np.int64 if control.integer else np.float64)


def _array(values: Any) -> np.ndarray:
    try:
        return np.asarray([{None: math.nan, "inf": math.inf}.get(value, value) for value in values])
    except (ValueError, TypeError):  # lists of different lengths: no numbers, whatever is in them
        return np.asarray([])


def _span(name: str, text: str) -> np.ndarray:
    parts = text.split(":")
    try:
        start, stop, count = float(parts[0]), float(parts[1]), int(parts[2])
        logarithmic = {(): False, ("log",): True}[tuple(parts[3:])]
    except (ValueError, IndexError, KeyError):
        raise ValueError(f"{name} must be a number, a list of numbers or {_SPAN}, not {text!r}") from None
    if count < 1 or (logarithmic and min(start, stop) <= 0):
        raise ValueError(f"{name} = {text!r} is no span: COUNT must be at least 1, and both ends of a log span positive")
    return (np.geomspace if logarithmic else np.linspace)(start, stop, count)


def differences(here: Mapping[str, Any], there: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every key at which two requests differ, with both values."""
    for key in [*here, *(key for key in there if key not in here)]:
        old, new = there.get(key), here.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(new, old, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key} is {_shortened(old)} there and {_shortened(new)} here"


def _shortened(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
