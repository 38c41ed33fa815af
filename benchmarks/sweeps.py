"""What a sweep costs beside its points: overhead over the bare solve, workers, memory, start-up. On a CPU.

    python benchmarks/sweeps.py [--curves 100] [--distances 100] [--only overhead workers memory startup]

Curves of the Franz-Parisi entropy, but for memory and start-up, which take a functional that costs nothing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np

from fmjax import sweeps
from fmjax.sweeps.blocks import compute

jax.config.update("jax_enable_x64", True)

FIRST_MOMENT = """
import resource, sys, fmjax
side = int(sys.argv[1])
grid = {"alpha": f"0.01:1:{side}", "margin": f"0:1:{side}"}
fmjax.sweep({"quantity": "first-moment", "block": 10000, "grid": grid}, sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def request(curves, distances):
    return {
        "quantity": "franz-parisi",
        "grid": {"alpha": f"0.3:0.6:{curves}", "reference_margin": 0.2, "distance": f"1e-3:0.5:{distances}:log"},
    }


def overhead(asked, directory):
    """The same points by the bare vmapped function, in blocks of the same size, and by a sweep; both compiled before."""
    plan = sweeps.read(asked)
    static, _, _ = plan.columns(0)
    along = plan.along()
    bare = jax.jit(jax.vmap(lambda row: plan.quantity.evaluate({**static, **row, **along})))
    rows = [plan.columns(index)[1] for index in range(plan.count)]
    threads = len(os.sched_getaffinity(0))
    start = time.perf_counter()
    jax.block_until_ready(bare(rows[0]))
    print(f"compilation of the bare vmap: {time.perf_counter() - start:.1f} s")
    compute(plan, 0)

    def bare_run():
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda row: jax.block_until_ready(bare(row)), rows))

    def sweep_run():
        sweeps.sweep(asked, directory / f"overhead-{time.monotonic_ns()}.zarr")

    taken = {"bare vmap": [], "sweep": []}
    for _ in range(2):  # in turns: other work comes and goes
        for name, run in [("bare vmap", bare_run), ("sweep", sweep_run)]:
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    best = {name: min(seconds) for name, seconds in taken.items()}
    for name, seconds in best.items():
        print(f"{name:<12}{seconds:8.2f} s{1e3 * seconds / plan.points:10.3f} ms/point")
    print(f"overhead {100 * (best['sweep'] / best['bare vmap'] - 1):+.1f} % ({plan.points} points, {threads} threads)")


def rate(asked, workers, directory):
    """Blocks per second while no worker compiles: from when the last three quarters of the blocks were finished."""
    out = directory / f"workers-{workers}.zarr"
    start = time.perf_counter()
    sweeps.sweep(asked, out, workers=workers)
    total = time.perf_counter() - start
    times = np.sort([chunk.stat().st_mtime for chunk in (out / "block_checksum" / "c").iterdir()])
    times = times[times.size // 4 :]
    blocks_per_second = (times.size - 1) / (times[-1] - times[0])
    print(f"{workers} worker(s): {blocks_per_second:.3f} blocks/s, {total:.1f} s with start-up and compilation")
    return blocks_per_second


def workers(asked, directory):
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        one = rate(asked, 1, directory)
    finally:
        os.sched_setaffinity(0, cores)
    print(f"two workers are {rate(asked, 2, directory) / one:.2f} times one that is pinned to a core")


def in_process(side, directory):
    command = [sys.executable, "-c", FIRST_MOMENT, str(side), str(directory / f"first-moment-{side}.zarr")]
    start = time.perf_counter()
    megabytes = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return megabytes, time.perf_counter() - start


def memory(_, directory):
    for side in (100, 1000):
        peak, seconds = in_process(side, directory)
        store = directory / f"first-moment-{side}.zarr"
        size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
        print(f"{side**2:>8} points: peak {peak:.0f} MiB, {seconds:.1f} s, {size / side**2:.1f} bytes/point on disk")


def startup(_, directory):
    _, seconds = in_process(1, directory)
    print(f"start-up, one point from nothing to a finished store: {seconds:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=100)
    parser.add_argument("--distances", type=int, default=100)
    measured = {function.__name__: function for function in (startup, memory, overhead, workers)}
    parser.add_argument("--only", nargs="+", choices=measured, default=list(measured))
    arguments = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, jax {jax.__version__}")
    with tempfile.TemporaryDirectory() as directory:
        for name in arguments.only:
            measured[name](request(arguments.curves, arguments.distances), Path(directory))
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
