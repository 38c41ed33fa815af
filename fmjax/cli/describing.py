"""Help texts from the rows of quantities."""

import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fmjax.quantities import Control, Output, Quantity

_WIDTH = 78


def sentence(control: Control) -> str:
    """What an option is and may be."""
    bounded = control.allowed not in {"a finite number", "an integer"} and not control.words
    return f"{control.about[0].upper()}{control.about[1:]}{f': {control.allowed}' if bounded else ''}."


def listed(outputs: Mapping[str, Output]) -> str:
    """A line for each output, or more where it is long; those without dimension need no units."""
    width = max(map(len, outputs)) + 2
    lines = []
    for name, output in outputs.items():
        about = output.about if output.units == "1" else f"{output.about}; {output.units}"
        first, *rest = textwrap.wrap(about, _WIDTH - width)
        lines += [name.ljust(width) + first, *(" " * width + line for line in rest)]
    return "\n".join(lines)


def names(quantities: Iterable[str], closing: str = "or") -> str:
    """A list in a sentence."""
    *most, last = quantities
    return f"{', '.join(most)} {closing} {last}"


def filled(body: Callable[..., Any], **parts: str) -> Callable[..., Any]:
    """The same function, its docstring with these parts in place of ``{NAME}``, indented as it is."""
    for name, text in parts.items():
        body.__doc__ = (body.__doc__ or "").replace(f"{{{name}}}", textwrap.indent(text, "    ").lstrip())
    return body


def help_of(quantity: Quantity) -> str:
    """The help text of a command that is a row and nothing else."""
    first = quantity.about.split(maxsplit=1)[0]
    about = quantity.about[0].upper() + quantity.about[1:] if first.isalpha() else quantity.about
    details = "\n".join(line.strip() for line in quantity.details.splitlines())
    return f"{about}.\n\n\b\n{details}\n\n\b\nExample\n  fmjax {quantity.example}".rstrip()
