"""How a command ends: the exit status and the sentence for everything that can go wrong.

0 done; 1 the environment failed: something could not be written, there is no device or not enough memory, a library is
missing; 2 the request makes no sense; 3 part of the answer did not converge; 130 interrupted.
"""

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import typer

from fmjax.progress import tell

ENVIRONMENT, REQUEST, UNCONVERGED, INTERRUPTED = 1, 2, 3, 130
# Of the operating system, where another request would not help; others name a file that is not there, or may not be used.
_FAILURES = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EPIPE, errno.EBADF, errno.ENOMEM),
    *(errno.EMFILE, errno.ENFILE, errno.ECONNABORTED),
}


def ending_of(error: BaseException) -> tuple[int, str] | None:
    """Exit status and sentence of an error; None for one that should not happen, which deserves its traceback."""
    if _was_interrupted(error):
        return INTERRUPTED, "interrupted"
    if isinstance(error, OSError):
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        return (ENVIRONMENT if error.errno in _FAILURES else REQUEST), text
    if isinstance(error, ModuleNotFoundError):
        return ENVIRONMENT, f"this needs {error.name}, which is not installed: pip install {error.name}"
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        what = "room on the disk" if os.strerror(errno.ENOSPC) in str(error) else "memory"
        return ENVIRONMENT, f"there is not enough {what}: {_first_line(error)}"
    if isinstance(error, RuntimeError | AssertionError) and not _is_device_there():
        chosen = os.environ.get("JAX_PLATFORMS", "")
        return ENVIRONMENT, f"JAX finds no device for JAX_PLATFORMS={chosen}: set JAX_PLATFORMS=cpu to use the processor"
    return (REQUEST, str(error)) if isinstance(error, ValueError) else None


def fail(status: int, sentence: str) -> NoReturn:
    """End the command with one sentence on standard error."""
    tell(f"Error: {sentence}")
    raise typer.Exit(status)


def write(text: str) -> None:
    """Write an answer to standard output; what cannot be written there is kept on standard error."""
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")  # noqa: TRY301  (the same as where it breaks off)
        typer.echo(text)
    except BrokenPipeError:  # who reads has seen enough
        silence(sys.stdout)
        fail(ENVIRONMENT, "standard output was closed before the whole answer was read")
    except OSError as error:
        silence(sys.stdout)
        tell(f"Error: standard output cannot be written to ({error.strerror}); this is the answer:\n{text}")
        raise typer.Exit(ENVIRONMENT) from None


def silence(stream: Any) -> None:
    """Have a stream that cannot be written to forget what it holds, or Python complains of it at the end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def open_closed_streams() -> None:
    """A file that is opened must not get the number of a closed standard stream: messages would end up in it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the smallest number that is free
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Have an interruption wait: libraries in C that are just being imported crash, or make another error of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        raise KeyboardInterrupt


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Have an interruption come again that Python ignores, as it does in what runs while memory is collected."""
    usual = sys.unraisablehook

    def again(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()  # now it would be ignored again
        else:
            usual(ignored)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = usual


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether it all began with an interruption, whatever a library made of it."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    return _was_interrupted(error.__cause__ or error.__context__)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _is_device_there() -> bool:
    import jax

    try:
        return bool(jax.local_devices())
    except (RuntimeError, AssertionError):  # without the plugin that it asks for, JAX asserts that it has one
        return False
