"""Quantities as text: all as one table, as the README shows it, and the command that prints one of them."""

from typing import Any

from fmjax.quantities import QUANTITIES, THRESHOLDS
from fmjax.quantities.quantity import shortest

__all__ = ["command", "table"]


def table() -> str:
    """A row for each quantity: its name in sweeps, what it is, and a command for an example; in Markdown.

    Example:
        >>> print(next(line for line in table().splitlines() if "kappa-u" in line))
        | `kappa-u` | kappa_u(alpha): above it phi(d) is monotonic | `fmjax threshold kappa-u --alpha 0.5` |
    """
    rows = ["| quantity | what it is | command |", "|---|---|---|"]
    for name, quantity in QUANTITIES.items():
        command = f"`fmjax {quantity.example}`" if quantity.example else "in sweeps"
        rows.append(f"| `{name}` | {quantity.about} | {command} |")
    return "\n".join(rows)


def command(name: str, **controls: Any) -> str:
    """The command that prints this answer.

    Example:
        >>> print(command("kappa-u", alpha=0.5, margin=0.0))
        fmjax threshold kappa-u --alpha 0.5
    """
    asked = {key: value for key, value in controls.items() if value != QUANTITIES[name].controls[key].default}
    options = [f"--{key.replace('_', '-')} {shortest(value)}" for key, value in asked.items()]
    return " ".join(["fmjax", *(["threshold"] if name in THRESHOLDS else []), name, *options])
