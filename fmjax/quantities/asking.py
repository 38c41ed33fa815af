"""One point of one quantity: its answer as plain numbers, and the command that prints it."""

from functools import lru_cache
from typing import Any

import numpy as np

from fmjax.outcome import describe
from fmjax.quantities import QUANTITIES, THRESHOLDS

__all__ = ["answer", "command"]


@lru_cache(maxsize=256)
def answer(name: str, **controls: Any) -> dict[str, Any]:
    """The outputs of a quantity at one point as numbers, and its ``result`` as a sentence; remembered.

    Args:
        name: of the quantity.
        controls: those that have no default, and others.

    Example:
        >>> found = answer("capacity")
        >>> print(f"{found['value']:.10f} {found['result']}")
        0.8330785997 converged
    """
    quantity = QUANTITIES[name]
    defaults = {key: control.default for key, control in quantity.controls.items() if control.default is not None}
    found = quantity.evaluate(defaults | controls)
    result = describe(found.pop("result"), quantity.sentences)
    return {key: np.asarray(value).item() for key, value in found.items()} | {"result": str(result)}


def command(name: str, **controls: Any) -> str:
    """The command that prints this answer.

    Example:
        >>> print(command("kappa-u", alpha=0.5, margin=0.0))
        fmjax threshold kappa-u --alpha 0.5
    """
    asked = {key: value for key, value in controls.items() if value != QUANTITIES[name].controls[key].default}
    options = [f"--{key.replace('_', '-')} {_shortest(value)}" for key, value in asked.items()]
    return " ".join(["fmjax", *(["threshold"] if name in THRESHOLDS else []), name, *options])


def _shortest(value: Any) -> str:
    """A word, or the shortest text that is read back as the same number."""
    if isinstance(value, str):
        return value
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)
