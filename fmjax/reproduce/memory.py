"""What compiled programs keep, and how a long run gives it back."""

import ctypes
import gc
import os
from pathlib import Path

import jax

_MEMORY, _MAPS = Path("/proc/self/statm"), Path("/proc/self/maps")
_MOST_MAPS = 25_000  # of the 65,530 that Linux gives a process; without one, JAX aborts


def give_back(most: int = 2 << 30) -> None:
    """Forget compiled programs where the process holds more than ``most`` bytes, or many memory maps; on Linux only.

    That of a curve keeps 0.2 GiB and 3,000 maps, and its compilation leaves 0.7 GiB of free memory to the process: all
    programs of a report take 6 GiB. One that is needed again comes from JAX's cache on disk, where there is one.
    """
    if not _MEMORY.exists():
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None and _resident() > most:
        trim(0)
    if _resident() > most or _MAPS.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()
        gc.collect()
        if trim is not None:
            trim(0)


def _resident() -> int:
    return int(_MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
