"""What every test runs under: float64, shapes and types checked at every call, one compilation cache for all."""

import ctypes
import gc
import getpass
import os
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

# In the environment, so that the processes that tests start have them too.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"fmjax-jax-{getpass.getuser()}"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
# What tests compile under a `jax.jit` of their own is ready in half the time or less, see `fmjax.compilation`. Another XLA
# would stop at a flag that it does not know.
if version("jaxlib").startswith("0.10."):
    soon = (
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_disable_hlo_passes=reshape-mover,simplify-while-loops",
        "--xla_backend_optimization_level=1",
        "--xla_llvm_disable_expensive_passes=true",
    )
    os.environ.setdefault("XLA_FLAGS", " ".join(soon))

import hypothesis
import jax
import jaxtyping
import pytest

jax.config.update("jax_enable_x64", True)
# Who starts the tests in the background of a script has them ignore interruptions, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Before anything imports fmjax: from here on every annotated function of the package checks shapes and types. Not the
# command line: Typer hands its callbacks other objects than the ones it has them declare.
PACKAGE = Path(__file__).resolve().parents[1] / "fmjax"
PARTS = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"} - {"__init__", "cli"}
jaxtyping.install_import_hook([f"fmjax.{part}" for part in sorted(PARTS)], "beartype.beartype")

hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_collection_modifyitems(items):
    """The address of an object in a test's name differs between workers, which then collect different tests and stop."""
    if unstable := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"names that change from run to run, give their parameters ids: {unstable}")


def resident():
    """Memory of this process, bytes; zero where that is not known."""
    memory = Path("/proc/self/statm")
    return int(memory.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if memory.exists() else 0


LEFT = {"after the last time": 0}


@pytest.fixture(autouse=True)
def forget_programs():
    """Compiled programs take memory, of all tests 6 GiB; what is freed the allocator keeps unless it is told otherwise.

    Not before half a GiB has come to what was left the last time, or programs would be compiled for every test.
    """
    yield
    if resident() > max(1 << 30, LEFT["after the last time"] + (1 << 29)):
        if blocks := sys.modules.get("fmjax.sweeps.blocks"):
            blocks.forget_programs()
        jax.clear_caches()
        gc.collect()
        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)(0)
        LEFT["after the last time"] = resident()


@pytest.fixture
def out(tmp_path):
    """Where the store of a sweep may be made."""
    return tmp_path / "store.zarr"


@pytest.fixture(scope="session")
def without_type_checks():
    """What an expression raises for users: in this process every annotated function checks its arguments first."""
    program = """
import sys, jax, numpy as np, fmjax
for call in sys.stdin:
    try:
        print("not refused:", *str(eval(call)).split(), flush=True)
    except Exception as error:
        print(*str(error).split(), flush=True)
"""
    python = [sys.executable, "-c", program]
    with subprocess.Popen(python, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:

        def message(call):
            process.stdin.write(call + "\n")
            return process.stdout.readline()

        yield message
        process.stdin.close()
