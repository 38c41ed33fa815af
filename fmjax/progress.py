"""How long loops show how far they are: a function that wraps what is iterated over."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Progress", "bar", "silent"]

Progress = Callable[[Iterable[Any], str], Iterable[Any]]  # the items, and what they are


def silent(items: Iterable[Any], _: str) -> Iterable[Any]:
    """Show nothing."""
    return items


def bar(items: Iterable[Any], description: str) -> Iterable[Any]:
    """A bar on standard error, gone when the loop ends."""
    from tqdm import tqdm  # noqa: PLC0415  (a library call that shows nothing must not need it)

    return tqdm(items, desc=description, file=sys.stderr, leave=False)
