"""What networks are made of and shown: layers, images, labels and sizes, each brought to one form or refused by name.

Every public function of networks takes its arguments through here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Real

from fmjax.checks import as_array, as_numbers, is_traced, kind_of, number, require_finite, require_signs, rounded, whole

__all__ = [
    "Arrays",
    "fractions_of",
    "images_of",
    "labels_of",
    "layers_of",
    "learning_rate_of",
    "matrices_of",
    "numbers_of",
    "patterns_of",
    "require_known",
    "sizes_of",
]

Arrays = jax.Array | np.ndarray  # of JAX or of NumPy


def sizes_of(sizes: Any) -> tuple[int, ...]:
    """Sizes of the layers, from the inputs to the outputs.

    Raises:
        ValueError: there are fewer than two, or one that is no whole number from 1 on.
    """
    found = as_array("sizes", sizes)
    if found.ndim != 1 or len(found) < 2 or not np.all(np.asarray(found) >= 1):
        raise ValueError(f"sizes are inputs, hidden layers and outputs, all at least 1, not {sizes}")
    return tuple(whole("a size", size, 1) for size in found)


def patterns_of(patterns: Any) -> tuple[int, ...]:
    """Numbers P of training patterns.

    Raises:
        ValueError: there is none, one that is no whole number from 1 on, or they do not increase.
    """
    found = as_array("numbers of patterns", patterns)
    if found.ndim != 1 or not len(found) or found[0] < 1 or np.any(np.diff(found) <= 0):
        raise ValueError(f"numbers of patterns must be a list of positive and increasing ones, not {patterns}: try [100]")
    return tuple(whole("a number of patterns", size, 1) for size in found)


def matrices_of(name: str, weights: Any, *, real: bool = False) -> list[Any]:
    """At least one array of ±1, or of ``real`` numbers, for each layer, of any shape.

    Raises:
        ValueError: there is none, or one that holds something else.
    """
    listed = list(weights) if np.iterable(weights) and not isinstance(weights, str) else []
    if not listed:
        raise ValueError(f"{name} must be a list of at least one layer, not {weights!r}")
    layers = [as_array(f"layer {index} of {name}", layer) for index, layer in enumerate(listed, start=1)]
    if not real:
        for index, layer in enumerate(layers, start=1):
            require_signs(f"layer {index} of {name}", layer)
    return layers


def layers_of(name: str, weights: Any, *, axes: int = 0, real: bool = False) -> list[Any]:
    """`matrices_of` one network, or of several with so many ``axes`` in front; each layer takes what the one below gives.

    Raises:
        ValueError: they have other axes, do not follow each other, or hold something else.
    """
    layers = matrices_of(name, weights, real=real)
    shapes = [tuple(layer.shape) for layer in layers]
    if any(len(shape) != axes + 2 for shape in shapes):
        wanted = "network, " * axes + "inputs, neurons"
        advice = ": take one of them, [layer[0] for layer in weights]" if min(map(len, shapes)) > axes + 2 else ""
        raise ValueError(f"{name} must be a list of layers of shape ({wanted}), not {shapes}{advice}")
    if any(below[-1] != above[-2] or below[:axes] != above[:axes] for below, above in pairwise(shapes)):
        raise ValueError(f"{name} must have as many inputs in a layer as there are neurons below, not shapes {shapes}")
    return layers


def images_of(inputs: Any, width: int) -> Float32[Array, "patterns inputs"]:
    """Patterns of any type of number, one row each, as float32.

    Raises:
        ValueError: they are no rows of ``width`` numbers, or some are not finite.
    """
    found = as_array("inputs", inputs)
    if found.ndim != 2:
        advice = ": inputs.reshape(len(inputs), -1) makes rows of images" if found.ndim > 2 else ""
        raise ValueError(f"inputs must have one row for each pattern, and not shape {found.shape}{advice}")
    if found.shape[1] != width:
        raise ValueError(f"the patterns have {found.shape[1]} inputs, the networks {width}")
    return rounded("inputs", found, jnp.float32)


def labels_of(labels: Any, count: int, outputs: int, used: int | None = None) -> Int32[Array, " patterns"]:
    """The class of each of ``count`` patterns, also as a column and as whole numbers of any type, as int32.

    Only those of the first ``used`` patterns must be classes of networks of so many ``outputs``.

    Raises:
        ValueError: there is not one for each pattern, or one that is no class.
    """
    found = as_array("labels", labels)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    classes = max(outputs, 2)
    if found.ndim != 1:
        advice = (
            ": np.argmax(labels, axis=1) makes classes of one column for each" if found.shape == (count, classes) else ""
        )
        raise ValueError(f"labels must be one class for each pattern, and not of shape {found.shape}{advice}")
    if len(found) != count:
        raise ValueError(f"every pattern needs its label: there are {count} patterns and {len(found)} labels")
    if not is_traced(found):
        _require_classes(np.asarray(found[:used]), classes, outputs)
    return jnp.asarray(found, jnp.int32)


def _require_classes(labels: np.ndarray, classes: int, outputs: int) -> None:
    require_finite("labels", labels)
    broken = labels[labels != np.floor(labels)] if kind_of(labels) == "float" else labels[:0]
    if broken.size:
        raise ValueError(f"labels must be whole numbers, the classes from 0 on, not {broken[0]}")
    if not labels.size or (labels.min() >= 0 and labels.max() < classes):
        return
    many = "output" if outputs == 1 else "outputs"
    advice = ": (labels + 1) // 2 makes classes of signs" if classes == 2 and set(np.unique(labels)) <= {-1, 1} else ""
    reach = labels.max() if labels.max() >= classes else labels.min()
    raise ValueError(f"labels must lie between 0 and {classes - 1} for {outputs} {many}, not reach {reach}{advice}")


def fractions_of(fractions: Any, count: int | None = None) -> Float32[Array, " fraction"]:
    """Probabilities to flip a weight, one for each of ``count`` layers if that is given, as float32.

    Raises:
        ValueError: there is none or another number of them, or one lies outside [0, 1].
    """
    found = as_numbers("fractions", fractions)
    if found.ndim != 1 or (found.shape[0] != count if count else not found.size):
        wanted = f"one for each of {count} layers" if count else "a list of at least one"
        raise ValueError(f"fractions of flipped weights must be {wanted}, between 0 and 1, and not of shape {found.shape}")
    if not is_traced(found) and not np.all((np.asarray(found) >= 0) & (np.asarray(found) <= 1)):
        raise ValueError(f"fractions of flipped weights must lie between 0 and 1, not {np.asarray(found).tolist()}")
    return jnp.asarray(found, jnp.float32)


def require_known(name: str, values: Any) -> None:
    """Refuse what is being traced: NumPy and SciPy work on it.

    Raises:
        ValueError: it is.
    """
    if any(map(is_traced, jax.tree.leaves(values))):
        raise ValueError(f"{name} must be known, and is being traced: this is no part of a program of JAX, use it outside")


def numbers_of(name: str, values: Any, axes: str) -> Real[np.ndarray, "*shape"]:
    """Finite numbers over named ``axes``, as NumPy has them.

    Raises:
        ValueError: they have other axes, one of them is empty, or some are not finite.
    """
    require_known(name, values)
    found = np.asarray(as_numbers(name, values))
    if found.ndim != len(axes.split()) or not found.size:
        raise ValueError(f"{name} must have the axes ({', '.join(axes.split())}), and not shape {found.shape}")
    require_finite(name, found)
    return found


def learning_rate_of(rate: Any) -> float:
    """The step size at the start.

    Raises:
        ValueError: it is not positive and finite.
    """
    return number("learning_rate", rate, lambda size: size > 0, "must be positive and finite")
