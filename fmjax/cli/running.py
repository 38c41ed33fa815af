"""What every command does: compute an answer, keep it, print it, and end with a status."""

import contextlib
import hashlib
import inspect
import os
import platform
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import typer

from fmjax.cli.ending import ENVIRONMENT, REQUEST, UNCONVERGED, ending_of, fail, interruptible, uninterrupted, write
from fmjax.cli.options import Setup
from fmjax.cli.printing import Document, column, given, plain, shown
from fmjax.progress import Loop, tell

__all__ = ["STYLE", "Answer", "Document", "check_new_file", "column", "given", "plain", "run", "theory_command"]

# Plain help texts: importing rich takes as long as everything else that `--help` needs together.
STYLE: dict[str, Any] = {
    "rich_markup_mode": None,
    "add_completion": False,
    "no_args_is_help": True,
    "context_settings": {"max_content_width": 110},
}


class Answer(NamedTuple):
    """What a command found.

    Attributes:
        content: a document, or lines of text.
        converged: whether all of it did.
        keep: writes it to a file as well.
    """

    content: Document | str
    converged: bool = True
    keep: Callable[[], None] | None = None


def check_new_file(out: Path | None) -> None:
    """Refuse now what would be lost after hours: a NetCDF file that cannot be written, or that is there already."""
    if out is None:
        return
    missing = [name for name in ("xarray", "h5netcdf", "h5py") if find_spec(name) is None]
    if missing:
        raise ValueError(f"--out needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ValueError(f"--out must name a file in a directory that exists, not {str(out)!r}")
    if out.suffix != ".nc":
        raise ValueError(f"--out must name a NetCDF file, like {out.stem}.nc, not {out.name}")
    if out.exists():
        raise ValueError(f"{out} is there already: choose another name for --out")
    if not os.access(out.absolute().parent, os.W_OK):
        raise ValueError(f"--out {out} cannot be written: its directory is not writable")


def _keep_programs() -> None:
    """Have JAX keep compiled programs for the next command and for workers, unless the user has told it where to.

    In a folder per processor: they run on the kind that they were compiled for, and a home may be shared by several.
    """
    # By itself JAX keeps what takes it a second: on a fast machine that is nothing of a short command.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
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


def run(compute: Callable[[], Answer], as_json: bool = False, if_stopped: str = "") -> None:
    """Compute an answer and print it; turn what can go wrong into an exit status and a sentence.

    ``if_stopped`` says what is left of a command that ends before it is done.
    """
    try:
        _keep_programs()  # an environment variable, which JAX reads when it is imported
        with uninterrupted():
            import jax

        jax.config.update("jax_enable_x64", True)
        with contextlib.redirect_stdout(sys.stderr), interruptible():
            answer = compute()
    except (Exception, KeyboardInterrupt) as error:
        ending = ending_of(error)
        if ending is None:
            raise
        status, sentence = ending
        known = status == REQUEST or if_stopped in sentence
        fail(status, sentence if known else f"{sentence}; {if_stopped}")
    text = shown(answer.content, as_json)
    try:
        if text:
            write(text)
    finally:
        lost = _kept(answer)
        if lost:
            tell(f"Error: {lost}")
    if lost:
        raise typer.Exit(ENVIRONMENT)
    if not answer.converged:
        tell("Warning: part of the answer did not converge; its `result` says why.")
        raise typer.Exit(UNCONVERGED)


def _kept(answer: Answer) -> str:
    """Write the file of an answer that is printed already; why it could not be written, empty where it could."""
    try:
        if answer.keep:
            answer.keep()
    except OSError as error:
        return f"--out could not be written: {error}"
    except KeyboardInterrupt:
        return "--out was not written: interrupted"
    return ""


def theory_command(group: typer.Typer, name: str, body: Callable[..., tuple[Document, bool]]) -> None:
    """Register `body(setup, ...) -> document, converged` as a command that also takes the options of `Setup`."""
    shared = inspect.signature(Setup).parameters
    own = [parameter for parameter in inspect.signature(body).parameters.values() if parameter.name != "setup"]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *shared.values())]

    def command(**options: Any) -> None:
        setup = Setup(**{field: options.pop(field) for field in shared})

        def compute() -> Answer:
            with Loop(name):  # most of it is compilation
                document, converged = body(setup, **options)
            if _is_unstable(document):
                tell("Note: where the replicon is negative replica symmetry is unstable, and this is what it would give.")
            return Answer(setup.about() | document, converged)

        run(compute, setup.as_json)

    # Typer reads the options off the signature and the help off the docstring.
    command.__doc__ = body.__doc__
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    group.command(name)(command)


_VANISHING = 1e-9  # of a replicon that vanishes, as at a spinodal


def _is_unstable(document: Document) -> bool:
    """Whether a symmetric answer, or a row of them, has a negative replicon; a row that tells its phase is none."""
    rows = [document, *(row for rows in document.values() if isinstance(rows, list) for row in rows)]
    return any((row.get("replicon") or 0.0) < -_VANISHING for row in rows if "phase" not in row)
