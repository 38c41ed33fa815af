"""The parts of a quantity: controls, which may be varied, outputs, and where the function is that computes it."""

import math
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fmjax.sentences import THEORY

__all__ = ["Control", "Late", "Output", "Quantity", "Values", "shortest"]

Values = Mapping[str, Any]


def shortest(value: Any) -> str:
    """A word, or the shortest text that is read back as the same number.

    Example:
        >>> print(shortest(0.5), shortest(4.0), shortest(2**31), shortest("inf"))
        0.5 4 2147483648 inf
    """
    if isinstance(value, str):
        return value
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


@dataclass(frozen=True)
class Control:
    """A named control of a quantity, a number unless ``words`` lists what it may be.

    Attributes:
        about: what it is; becomes ``long_name`` and, on the command line, the help of an option.
        default: used where the request is silent; None: the request must give it.
        low, high: closed range; ``open_low``: ``low`` itself is not allowed.
        integer: whole numbers only.
        infinite: infinity, too.
        words: the allowed words, for a control that is not a number.
        static: part of the compiled program: each value has its own program, and its own blocks.
        along: the whole axis goes into one call, as an array: a curve costs little more than one of its points.
        optional: may be left out, and then it is not there at all.
        symbol: that of the field, which stands for a value in help texts.
    """

    about: str
    default: float | int | str | None = None
    low: float | int = -math.inf
    high: float | int = math.inf
    open_low: bool = False
    integer: bool = False
    infinite: bool = False
    words: tuple[str, ...] = ()
    static: bool = False
    along: bool = False
    optional: bool = False
    symbol: str = "X"

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.words:
            return "one of " + ", ".join(self.words)
        kind = "an integer" if self.integer else "a finite number"
        low = f" {'above' if self.open_low else 'from'} {shortest(self.low)}" if math.isfinite(self.low) else ""
        high = f" up to {shortest(self.high)}" if math.isfinite(self.high) else ""
        return kind + low + high + (", or inf" if self.infinite else "")

    def allows(self, value: Any) -> bool:
        """Whether one value may be asked for."""
        if self.words:
            return value in self.words
        if self.infinite and value == math.inf:
            return True
        above = value > self.low if self.open_low else value >= self.low
        return bool(math.isfinite(value) and above and value <= self.high and (not self.integer or value == round(value)))


@dataclass(frozen=True)
class Output:
    """A number per point."""

    units: str
    about: str
    dtype: str = "float64"


@dataclass(frozen=True)
class Late:
    """A function by its place, ``"module:name"``, which is imported when it is called: to name it imports no JAX.

    Attributes:
        place: of the function.
        first: its first arguments.
    """

    place: str
    first: tuple[Any, ...] = ()

    def __call__(self, *arguments: Any) -> Any:
        """What the function gives."""
        return pkgutil.resolve_name(self.place)(*self.first, *arguments)


@dataclass(frozen=True)
class Quantity:
    """What can be computed, at a point of the space of its controls.

    Attributes:
        about: one line.
        controls: by name, in the order in which they are documented.
        outputs: by name; ``result`` comes on top, the index of a sentence.
        evaluate: ``values -> outputs and result`` at one point. It is traced (numbers are scalars, controls
            ``along`` arrays, static ones Python values), unless the quantity is ``on_host``.
        sentences: what a status code stands for; the first one means success.
        block: points (curves, where a control runs ``along``) per block of a sweep unless the request says so: about a
            second.
        seconds: of one point on one core, for estimates before anything ran (AMD EPYC, jax 0.10.2).
        vectorised: cheap enough to be computed for all points of a block together, on a CPU as well.
        on_host: `evaluate` is Python that calls compiled programs; every control is static, or runs ``along``.
        check: called with the static controls of each program before anything runs; raises for what does not go together.
        data: called with them: a hash of the files that decide the outputs, too; raises where they are not here.
        prepare: called with them before a program is compiled: what `evaluate` is given in their place. Arrays in it are
            data of the program, which static controls that differ in nothing else share.
        details: what a help text says beyond `about`: lines of at most 78 characters.
        example: a command for an example, without ``fmjax``; empty where there is none but `fmjax sweep`.
    """

    about: str
    controls: Mapping[str, Control]
    outputs: Mapping[str, Output]
    evaluate: Callable[[Values], dict[str, Any]]
    sentences: tuple[str, ...] = THEORY
    block: int = 1
    seconds: float = 1.0
    vectorised: bool = False
    on_host: bool = False
    check: Callable[[Values], Any] | None = None
    data: Callable[[Values], str] | None = None
    prepare: Callable[[Values], Values] | None = None
    details: str = ""
    example: str = ""

    @property
    def along(self) -> tuple[str, ...]:
        """Controls of which whole axes go into one call."""
        return tuple(name for name, control in self.controls.items() if control.along)
