"""All quantities as one table, as the README shows it."""

from fmjax.quantities import QUANTITIES

__all__ = ["table"]


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
