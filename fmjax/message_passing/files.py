"""Patterns and labels from files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fmjax.checks import are_bits, kind_of, require_finite
from fmjax.message_passing.committee import Committee
from fmjax.message_passing.instance import Instance

__all__ = ["KINDS", "read_instance"]

KINDS = (".npy", ".npz", ".csv")


def read_instance(
    patterns: Path, labels: Path | None = None, margin: float = 0.0, committee: Committee | None = None
) -> Instance:
    """The problem of the patterns, and perhaps labels, of files.

    Args:
        patterns: a file `.npy`, `.npz` or `.csv` (without a header): a row of ±1 or of 0 and 1 per pattern, or real numbers
            if there are no labels.
        labels: one of two values per pattern, the larger one stands for +1; a file of the same kinds. By default the array
            ``labels`` of the `.npz` of the patterns, if there is one, else all are +1.
        margin: of every pattern.
        committee: None for a perceptron.

    Raises:
        ValueError: a file that is not there, or holds no such array; patterns or labels that make no sense.
    """
    table = read_array(patterns, "patterns")
    if table.dtype.kind == "U":
        raise ValueError(
            f"{patterns} holds words, like {str(table.flat[0])!r}: remove its header, and separate numbers by commas"
        )
    found = _as_signs(table)
    if labels is None and not (patterns.suffix == ".npz" and "labels" in np.load(patterns).files):
        return Instance(found, margin, committee)
    return Instance.labelled(found, _two_valued(read_array(labels or patterns, "labels")), margin, committee=committee)


def read_array(path: Path, name: str) -> np.ndarray:
    """The array of a file; of an `.npz` the one called ``name``, or the only one.

    Raises:
        ValueError: the file is not there, of another kind, or holds no array.
    """
    if path.suffix not in KINDS:
        raise ValueError(f"{name} must be in a file {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {path.name}")
    try:
        if path.suffix == ".csv":
            return _table(path)
        loaded: Any = np.load(path, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else _chosen(loaded, name)
    except (OSError, ValueError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise ValueError(f"{path} holds no {name}: {reason}") from None


def _chosen(arrays: Any, name: str) -> np.ndarray:
    """The array of an `.npz` that is called ``name``, or the only one."""
    if name not in arrays.files and len(arrays.files) != 1:
        raise ValueError(f"of its arrays {', '.join(arrays.files) or '(none)'} none is called {name!r}")
    return arrays[name if name in arrays.files else arrays.files[0]]


def _table(path: Path) -> np.ndarray:
    """Whole numbers, or others, or words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of an empty file, which is refused here
        words = np.loadtxt(path, dtype=str, delimiter=",", ndmin=2)
    if not words.size:
        raise ValueError("it is empty")
    try:
        numbers = words.astype(float)
    except ValueError:
        return words
    return numbers.astype(int) if np.all(np.isfinite(numbers) & (numbers == np.round(numbers))) else numbers


def _as_signs(patterns: np.ndarray) -> np.ndarray:
    """0 and 1, False and True as -1 and +1; everything else as it is."""
    bits = kind_of(patterns) == "bool" or (kind_of(patterns) is not None and patterns.size > 0 and are_bits(patterns))
    # Nothing but ones are signs already.
    return np.where(patterns, 1, -1) if bits and not np.all(patterns == 1) else patterns


def _two_valued(labels: np.ndarray) -> np.ndarray:
    """The larger of two values as +1, the other as -1."""
    require_finite("labels", labels)
    values = np.unique(labels)
    if values.size > 2 or (values.size == 1 and values[0] not in {-1, 1}):
        shown = ", ".join(map(str, values[:4])) + ", ..." * (values.size > 4)
        raise ValueError(f"labels must be of two values, like -1 and 1, not {values.size}: {shown}")
    return np.where(labels == values[-1], 1, -1) if values.size == 2 else labels.astype(int)
