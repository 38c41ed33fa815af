"""From a result to text and an exit status: what every command does after computing."""

import contextlib
import hashlib
import inspect
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import typer

from fmjax.cli.options import Setup

# Plain help texts: importing rich takes as long as everything else that `--help` needs together.
STYLE: dict[str, Any] = {
    "rich_markup_mode": None,
    "add_completion": False,
    "no_args_is_help": True,
    "context_settings": {"max_content_width": 110},
}

Document = dict[str, Any]  # what becomes JSON


def plain(value: Any) -> Any:
    """A number of JSON, or None where there is none (absent, NaN or infinite)."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


def column(values: Any, size: int) -> list[float | None]:
    return [None] * size if values is None else [plain(value) for value in values]


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def text_of(document: Mapping[str, Any], as_json: bool) -> str:
    """The document as JSON, or as `name  value` lines followed by its lists of rows as tables."""
    if as_json:
        return json.dumps(document, indent=2, allow_nan=False)
    scalars = {name: value for name, value in document.items() if not isinstance(value, list)}
    width = max(map(len, scalars))
    lines = [f"{name:<{width}}  {_cell(value)}" for name, value in scalars.items()]
    for rows in (value for value in document.values() if isinstance(value, list) and value):
        names = [name for name, value in rows[0].items() if not isinstance(value, list)]
        table = [names, *([_cell(row[name]) for name in names] for row in rows)]
        widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
        aligned = ("  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)) for row in table)
        lines += ["", *(line.rstrip() for line in aligned)]
    return "\n".join(lines)


def check_new_file(out: Path | None) -> None:
    """Refuse now what would be lost after hours: a NetCDF file that cannot be written, or that is there already."""
    if out is None:
        return
    missing = [name for name in ("xarray", "h5netcdf", "h5py") if find_spec(name) is None]
    if missing:
        raise ValueError(f"--out needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ValueError(f"--out must name a file in a directory that exists, not {str(out)!r}")
    if out.exists():
        raise ValueError(f"{out} is there already: choose another name for --out")
    if not os.access(out.absolute().parent, os.W_OK):
        raise ValueError(f"--out {out} cannot be written: its directory is not writable")


def _fail(message: str) -> NoReturn:
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(2)


def _keep_programs() -> None:
    """Have JAX keep compiled programs for the next command and for workers, unless the user has told it where to.

    In a folder per processor: they run on the kind that they were compiled for, and a home may be shared by several.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    lines = []
    with contextlib.suppress(OSError):  # what is not Linux
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    # Other lines hold the clock, which changes.
    features = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    processor = f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    kept = caches / "fmjax" / "programs" / processor
    with contextlib.suppress(OSError):  # a home that cannot be written to: every command compiles
        kept.mkdir(parents=True, exist_ok=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(kept)


def run(compute: Callable[[], tuple[str, bool]]) -> None:
    """Compute a text and whether all of it converged; print it; turn what can go wrong into an exit status."""
    _keep_programs()  # an environment variable, which JAX reads when it is imported
    import jax

    jax.config.update("jax_enable_x64", True)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            text, converged = compute()
    except ValueError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    if text:
        typer.echo(text)
    if not converged:
        typer.echo("Warning: part of the answer did not converge; its `result` says why.", err=True)
        raise typer.Exit(3)


def theory_command(group: typer.Typer, name: str, body: Callable[..., tuple[Document, bool]]) -> None:
    """Register `body(setup, ...) -> document, converged` as a command that also takes the options of `Setup`."""
    shared = inspect.signature(Setup).parameters
    own = [parameter for parameter in inspect.signature(body).parameters.values() if parameter.name != "setup"]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *shared.values())]

    def command(**options: Any) -> None:
        setup = Setup(**{field: options.pop(field) for field in shared})

        def compute() -> tuple[str, bool]:
            document, converged = body(setup, **options)
            return text_of(setup.about() | document, setup.as_json), converged

        run(compute)

    # Typer reads the options off the signature and the help off the docstring.
    command.__doc__ = body.__doc__
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    group.command(name)(command)
