"""From a result to text: a document, which is what becomes JSON, as JSON or as a table."""

import json
import math
from collections.abc import Mapping
from typing import Any

from fmjax.progress import tell

Document = dict[str, Any]


def plain(value: Any) -> Any:
    """A number of JSON, or None where there is none (absent, NaN or infinite)."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


def given(value: Any) -> Any:
    """What was asked for: a word, or a number of JSON, which has none for infinity: that becomes a word."""
    return value if isinstance(value, str) else "inf" if value == math.inf else plain(value)


def column(values: Any, size: int) -> list[float | None]:
    return [None] * size if values is None else [plain(value) for value in values.tolist()]


def text_of(document: Mapping[str, Any], as_json: bool) -> str:
    """The document as JSON, or as `name  value` lines followed by its lists of rows as tables."""
    if as_json:
        return json.dumps(document, indent=2, allow_nan=False)
    tables = {name: value for name, value in document.items() if _is_table(value)}
    lines = _aligned([[name, _cell(value)] for name, value in document.items() if name not in tables])
    for rows in filter(None, tables.values()):
        names = [name for name in dict.fromkeys(name for row in rows for name in row) if not _is_table(rows[0].get(name))]
        lines += ["", *_aligned([names, *([_cell(row.get(name)) for name in names] for row in rows)])]
    return "\n".join(lines)


def shown(answer: Document | str, as_json: bool) -> str:
    """An answer as text, in the plainest form there is where it cannot be laid out: it may have taken hours."""
    try:
        return answer if isinstance(answer, str) else text_of(answer, as_json)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        tell(f"Warning: the answer could not be laid out ({error!r}), which is an error of fmjax: here it is as it is.")
        return json.dumps(answer, indent=2, default=str)


def _is_table(value: Any) -> bool:
    """Whether a value is a list of rows."""
    return isinstance(value, list) and all(isinstance(row, Mapping) for row in value)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    return "-" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def _aligned(table: list[list[str]]) -> list[str]:
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return [line.rstrip() for line in lines]
