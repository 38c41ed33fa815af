"""What benchmarks measure: printed as it comes, and with --record kept as a section of RESULTS.md beside this file.

A section holds the command that makes it again, the date, the machine, versions, and tables. Nothing else writes there,
and a benchmark replaces its own sections only.
"""

import argparse
import datetime as dt
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from fmjax import __version__

RESULTS = Path(__file__).resolve().with_name("RESULTS.md")
PACKAGES = ("jax", "numpy", "scipy")
HEADING = re.compile(r"^(?=## )", re.MULTILINE)


def parser(text: str | None) -> argparse.ArgumentParser:
    """Of the command line of a benchmark, which prints its docstring as help."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--record", action="store_true", help="write what was measured to benchmarks/RESULTS.md")
    return made


class Results:
    """Tables and sentences: printed at once, and remembered as Markdown."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._widths: list[int] = []

    def table(self, *columns: str) -> None:
        """Begin a table; the first column holds names."""
        self._widths = [max(36, len(columns[0])), *(max(10, len(column)) for column in columns[1:])]
        self._print(columns)
        self.lines += ["", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]

    def row(self, *cells: object) -> None:
        """One more row of the table."""
        texts = [str(cell) for cell in cells]
        self._print(texts)
        self.lines.append(f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |")

    def say(self, sentence: str) -> None:
        """A sentence between or below tables."""
        print(sentence, flush=True)
        self.lines += ["", sentence[0].upper() + sentence[1:] + ("" if sentence.endswith(".") else ".")]

    def _print(self, cells: tuple[str, ...] | list[str]) -> None:
        first, *others = zip(cells, self._widths, strict=True)
        print(first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others), sep="  ", flush=True)


@contextmanager
def results(name: str, keep: bool, *packages: str) -> Iterator[Results]:
    """The section of this name, written where it is kept and nothing failed.

    Args:
        name: of the file, and of its part where there are several.
        keep: whether `--record` was given.
        packages: whose versions count besides the usual ones.
    """
    made, before = Results(), machine()
    yield made
    if keep:
        versions = ", ".join(f"{package} {metadata.version(package)}" for package in (*PACKAGES, *packages))
        today = dt.datetime.now(dt.UTC).date()
        about = f"`{command()}`, {today}, {before}; Python {platform.python_version()}, fmjax {__version__}, {versions}."
        text = RESULTS.read_text(encoding="utf-8")
        RESULTS.write_text(replaced(text, name, "\n".join([about, *made.lines])), encoding="utf-8")


def replaced(text: str, name: str, section: str) -> str:
    """The whole file with this section in place of the one of the same name, in the order of their names."""
    opening, *sections = HEADING.split(text)
    named = {part.partition("\n")[0].removeprefix("## "): part.partition("\n")[2].strip() for part in sections}
    named[name] = section.strip()
    return opening.rstrip() + "\n" + "".join(f"\n## {title}\n\n{body}\n" for title, body in sorted(named.items()))


def command() -> str:
    """The command line that is running, as it is typed in the repository."""
    words = [word for word in sys.argv[1:] if word != "--record"]
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def machine() -> str:
    """Processor, the cores that this process may use, and how busy they are; accelerators where JAX sees some."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        model = found[1] if found else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = [model, f"{cores} cores", f"load {os.getloadavg()[0]:.1f} before"]
    jax = sys.modules.get("jax")
    if jax is not None and jax.default_backend() != "cpu":
        words.insert(0, jax.devices()[0].device_kind)
    return ", ".join(words)
