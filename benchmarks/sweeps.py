"""What a sweep costs beside its points: overhead over the bare solve, workers, memory, start-up. On a CPU.

    python benchmarks/sweeps.py [--curves 100] [--distances 100] [--record]
                                [--only overhead workers memory startup]

A sweep maps a block over its curves one by one, and so may be faster than the bare vmap. Local workers are kept on their
share of the cores, and keep their memory, which dask would have them return at once: without either, two of them wrote 1.92
blocks per second where they now write 3.08.

On paper, 10^9 Franz-Parisi points (10^7 curves of 100 distances) are 57 GB before compression and, at 1.6 ms of a core per
point, 19 days of one core, 5 hours of 100. What grows is the number of files, 10 per block, all of which --resume lists and
reads: 2.5e7 for blocks of 4 curves, 2.5e5 for blocks of 400, of 2.3 MB each.

Curves of the Franz-Parisi entropy, but for memory and start-up, which take a functional that costs nothing.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import record

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


def overhead(out, asked, directory):
    """The same points by the bare vmapped function, in blocks of the same size, and by a sweep; both compiled before."""
    plan = sweeps.read(asked)
    static, _, _ = plan.columns(0)
    along = plan.along()
    bare = jax.jit(jax.vmap(lambda row: plan.quantity.evaluate({**static, **row, **along})))
    rows = [plan.columns(index)[1] for index in range(plan.count)]
    threads = len(os.sched_getaffinity(0))
    start = time.perf_counter()
    jax.block_until_ready(bare(rows[0]))
    out.say(f"compilation of the bare vmap: {time.perf_counter() - start:.1f} s")
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
    out.table("program", "seconds", "ms/point")
    for name, seconds in best.items():
        out.row(name, f"{seconds:.2f}", f"{1e3 * seconds / plan.points:.3f}")
    out.say(f"overhead {100 * (best['sweep'] / best['bare vmap'] - 1):+.1f} % ({plan.points} points, {threads} threads)")


def rate(out, asked, workers, directory):
    """Blocks per second while no worker compiles: from when the last three quarters of the blocks were finished."""
    store = directory / f"workers-{workers}.zarr"
    start = time.perf_counter()
    sweeps.sweep(asked, store, workers=workers)
    total = time.perf_counter() - start
    times = np.sort([chunk.stat().st_mtime for chunk in (store / "block_checksum" / "c").iterdir()])
    times = times[times.size // 4 :]
    blocks_per_second = (times.size - 1) / (times[-1] - times[0])
    out.row(workers, f"{blocks_per_second:.3f}", f"{total:.1f}")
    return blocks_per_second


def workers(out, asked, directory):
    out.table("workers", "blocks/s", "seconds, with start-up and compilation")
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        one = rate(out, asked, 1, directory)
    finally:
        os.sched_setaffinity(0, cores)
    out.say(f"two workers are {rate(out, asked, 2, directory) / one:.2f} times one that is pinned to a core")


def in_process(side, directory):
    command = [sys.executable, "-c", FIRST_MOMENT, str(side), str(directory / f"first-moment-{side}.zarr")]
    start = time.perf_counter()
    megabytes = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return megabytes, time.perf_counter() - start


def memory(out, _, directory):
    out.table("points of the first moment", "peak MiB", "seconds", "bytes/point on disk")
    for side in (100, 1000):
        peak, seconds = in_process(side, directory)
        store = directory / f"first-moment-{side}.zarr"
        size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
        out.row(side**2, f"{peak:.0f}", f"{seconds:.1f}", f"{size / side**2:.1f}")


def startup(out, _, directory):
    _, seconds = in_process(1, directory)
    out.table("from nothing to a finished store", "seconds")
    out.row("one point of the first moment", f"{seconds:.1f}")


def main():
    parser = record.parser(__doc__)
    parser.add_argument("--curves", type=int, default=100)
    parser.add_argument("--distances", type=int, default=100)
    measured = {function.__name__: function for function in (startup, memory, overhead, workers)}
    parser.add_argument("--only", nargs="+", choices=measured, default=list(measured))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for name in arguments.only:
            with record.results(f"sweeps {name}", arguments.record) as out:
                measured[name](out, request(arguments.curves, arguments.distances), Path(directory))


if __name__ == "__main__":
    main()
