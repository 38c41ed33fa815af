"""How long loops show how far they are: a function that wraps what is iterated over, or a `Loop` for what is none.

On a terminal that is a bar, which is gone when the loop ends. Into a file or a log it is a line every half minute, of all
loops that are open then: what ends sooner says nothing.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Executor
from typing import Any

__all__ = ["Loop", "Progress", "bar", "ending", "inner", "silent", "tell"]

Progress = Callable[[Iterable[Any], str], Iterable[Any]]  # the items, and what they are

EVERY = 30.0  # seconds between two lines of a log
_TICK = 1.0  # seconds after which a bar shows that time goes by
_COMPILED = "/jax/core/compile/backend_compile_duration"


def silent(items: Iterable[Any], _: str) -> Iterable[Any]:
    """Show nothing."""
    return items


def bar(items: Iterable[Any], description: str) -> Iterable[Any]:
    """Show on standard error how many items are done, and which is at hand: words are names of steps."""
    with Loop(description, len(items) if isinstance(items, Sized) else None) as loop:
        for item in items:
            loop.at(item if isinstance(item, str) else "")
            yield item
            loop.update()


def inner(items: Iterable[Any], description: str) -> Iterable[Any]:
    """`bar` where a loop is shown already, in any thread, and `silent` elsewhere: for what is done inside of others."""
    return bar(items, description) if _open else silent(items, description)


def tell(text: str) -> None:
    """A line on standard error, above the bars, if there are any; it may be that nobody can read it."""
    with _lock, contextlib.suppress(OSError, ValueError, AttributeError):
        shown = [loop.shown for loop in _open if loop.shown is not None]
        for one in shown:
            one.clear()
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
        for one in shown:
            one.refresh()


@contextlib.contextmanager
def ending(pool: Executor) -> Iterator[None]:
    """Start nothing more after a failure; who interrupts is told what is waited for."""
    try:
        yield
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, KeyboardInterrupt):
            tell("waiting for the blocks at hand to end; Ctrl-C once more ends them at once")
        raise


class Loop:
    """Something that takes long, between the beginning and the end of a ``with`` block.

    Args:
        description: what is done.
        total: how many there are; None where nothing can be counted but time, and the programs that JAX compiles.
        done: how many were there before.
        unit: of what is counted, if it is not the loop's own.
        shows: False for a loop that shows nothing.
    """

    def __init__(self, description: str, total: int | None = None, done: int = 0, unit: str = "", shows: bool = True):
        self.description, self.total, self.done, self.unit, self._shows = description, total, done, unit, shows
        self.step = ""
        self.shown: Any = None

    def __enter__(self) -> Any:
        self._begun, self._compiled = time.monotonic(), _count_compilations()
        if self._shows:
            self.shown = self._terminal() if _is_terminal() else None
            with _lock:
                _open.append(self)
            _start_ticking()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def at(self, step: str) -> None:
        """Name the step that is at hand; what is compiled from here on is counted for it."""
        self.step, self._compiled = step, _count_compilations()
        if self.shown is not None:
            self.shown.set_postfix_str(self._at_hand(), refresh=bool(step))

    def update(self, more: int = 1) -> None:
        """So many more are done."""
        self.done += more
        if self.shown is not None:
            self.shown.total = self.total
            self.shown.update(more)

    def reset(self) -> None:
        """Count from the beginning again."""
        self.done = 0
        if self.shown is not None:
            self.shown.reset(self.total)

    def close(self) -> None:
        """The end."""
        with _lock:
            if self in _open:
                _open.remove(self)
            _Log.busy = time.monotonic()
        if self.shown is not None:
            with contextlib.suppress(OSError, ValueError):
                self.shown.close()
            self.shown = None

    def tick(self) -> None:
        """Show that time goes by."""
        if self.shown is not None:
            with contextlib.suppress(OSError, ValueError):
                self.shown.set_postfix_str(self._at_hand(), refresh=True)

    def __str__(self) -> str:
        """For a line of a log."""
        counted = f" {self.done}/{self.total}" if self.total is not None else ""
        at_hand = self._at_hand()
        return f"{self.description}{counted}{f' {self.unit}' if self.unit else ''}{f' ({at_hand})' if at_hand else ''}"

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._begun

    def _at_hand(self) -> str:
        # Where items are counted, and some are done, there is no need to count programs.
        counts = self.step or self.total in {None, 1} or not self.done
        programs = _compilations[0] - self._compiled if counts else 0
        parts = [self.step, f"{programs} program{'s' * (programs > 1)} compiled" if programs else ""]
        return ", ".join(filter(None, parts))

    def _terminal(self) -> Any:
        from tqdm import tqdm  # noqa: PLC0415  (a library call that shows nothing must not need it)

        spent = "{desc}: {elapsed}{postfix}" if self.total is None else None
        options = {"unit": self.unit or "it", "unit_scale": bool(self.unit), "bar_format": spent}
        return tqdm(desc=self.description, total=self.total, initial=self.done, file=sys.stderr, leave=False, **options)


_open: list[Loop] = []  # from the outermost in
_lock = threading.RLock()
_compilations = [0]
_listening = threading.Event()
_ticker: list[threading.Thread] = []


def _is_terminal() -> bool:
    return bool(getattr(sys.stderr, "isatty", bool)())


def _count_compilations() -> int:
    """Programs that JAX compiled, or read from its cache, since the first loop began."""
    if "jax" in sys.modules and not _listening.is_set():
        import jax  # noqa: PLC0415  (it is there already: who computes nothing must not wait for it)

        _listening.set()
        jax.monitoring.register_event_duration_secs_listener(lambda event, *_, **__: _heard(event))
    return _compilations[0]


def _heard(event: str) -> None:
    _compilations[0] += event == _COMPILED


class _Log:
    """When the last line was written, and when the last loop ended; between loops that follow each other time goes on."""

    line = busy = 0.0


def _start_ticking() -> None:
    with _lock:
        if _ticker:
            return
        now = time.monotonic()
        if now - _Log.busy > _TICK:
            _Log.line = now
        _ticker.append(threading.Thread(target=_tick, daemon=True, name="fmjax progress"))
        _ticker[0].start()


def _tick() -> None:
    """While loops are open: let bars show the time, or write a line now and then."""
    while True:
        time.sleep(min(_TICK, EVERY))
        with _lock:
            if not _open:
                _ticker.clear()
                return
            for loop in _open:
                loop.tick()
            if _open[0].shown is None and time.monotonic() - _Log.line >= EVERY:
                _Log.line = time.monotonic()
                minutes, seconds = divmod(int(_open[-1].seconds), 60)
                tell(f"{', '.join(map(str, _open))}; {minutes}:{seconds:02d}")
