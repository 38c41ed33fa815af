"""Focusing belief propagation: CPU time per solved instance, time per step against floors, solved fractions.

    python benchmarks/focusing.py cost                       # N = 1001, ten instances, on one core and on two
    python benchmarks/focusing.py steps [--sizes 1001 ...]   # both forms, against matrix products and memory
    python benchmarks/focusing.py solved [--sizes 1001 4001 10001] [--samples 20] [--steps 500]
    python benchmarks/focusing.py committees [--samples 20]  # trees and fully connected ones of n inputs per unit
    python benchmarks/focusing.py large --sizes 30001 [--sweeps 0]   # one instance; --sweeps: only so many of them

A C++ focusing library needs 3.4 CPU seconds per instance of `cost` at alpha = 0.5, and 8.2 at 0.7. A batch waits for its
last instance. Patterns stay int8 and are read once per sweep, in blocks; the products beside them need a float32 copy.

Of committees, the first try is cold, with its compilation; another package was measured at 6.2 to 6.7 CPU seconds for the
fully connected one of K = 5, n = 321 at alpha = 0.3.

CPU time is that of the process, compilation excluded; a step is one sweep. With --record, each of the five has its own
section of RESULTS.md.
"""

import math
import multiprocessing
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor

import record

BATCH, SIZE = 10, 1001


def clock(function, repeat=1):
    """Smallest wall and CPU seconds of one call."""
    import jax

    times = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        result = jax.block_until_ready(function())
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return result, *map(min, zip(*times, strict=True))


def stay_on(cores):
    """Keep this process to so many cores, before JAX counts them."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def cost(out):
    """One batch by vmap, and the same instances one after the other; on so many cores, each in its own process."""
    out.table("how", "cores", "alpha", "solved", "CPU s/solved", "wall s/solved")
    for cores in (1, 2):
        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawned, initializer=stay_on, initargs=(cores,)) as pool:
            for row in pool.submit(costs, cores).result():
                out.row(*row)


def costs(cores):
    """The rows of one process."""
    import jax
    import numpy as np

    from fmjax.message_passing import Instance, focusing

    rows = []
    for alpha in (0.5, 0.7):
        batch = Instance.random(jax.random.key(0), SIZE, alpha, samples=BATCH)
        single = [Instance(patterns) for patterns in batch.patterns]
        programs = {
            "batch": lambda batch=batch: focusing(batch),
            "one by one": lambda single=single: [focusing(instance) for instance in single],
        }
        for name, program in programs.items():
            program()  # compiles
            found, wall, cpu = clock(program, 3)
            solved = int(np.sum([one.solved for one in found])) if name != "batch" else int(found.solved.sum())
            each = max(solved, 1)
            rows.append((name, cores, alpha, f"{solved}/{BATCH}", f"{cpu / each:.3f}", f"{wall / each:.3f}"))
    return rows


def steps(out, sizes):
    """Nanoseconds per step and edge, next to what must at least be done."""
    import jax
    import jax.numpy as jnp

    from fmjax.message_passing import AMP, Edges, Instance

    columns = ("amp", "edge", "two float32 products", "read int8", "read float32")
    out.table("CPU ns per sweep and pattern entry", "N", "P", *columns)
    for size in sizes:
        for alpha in (0.35, 0.7):
            instance = Instance.random(jax.random.key(0), size, alpha)
            edges, external = instance.count * size, jnp.zeros(size, jnp.float32)

            def sweeps(form, number, instance=instance, external=external):
                start = form.start(instance, jnp.float32)

                @jax.jit
                def run(messages, patterns):
                    own = Instance(patterns)
                    return jax.lax.fori_loop(0, number, lambda _, m: m.sweep(own, external)[0], messages)

                run(start, instance.patterns)
                return clock(lambda: run(start, instance.patterns), 3)[2] / number

            taken = [sweeps(AMP, max(3, int(3e8 / edges)))]
            small = edges < 3e7
            taken.append(sweeps(Edges, 3) if small else math.nan)
            taken += floors(instance.patterns) if edges < 1e9 else [math.nan] * 3
            out.row("", size, instance.count, *(f"{1e9 * column / edges:.3f}" for column in taken))


def floors(patterns):
    """Two products of a float32 copy of the patterns with vectors, and one reading of either array."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    whole = patterns.astype(jnp.float32)
    m, g = (jnp.linspace(-1, 1, n, dtype=jnp.float32) for n in (patterns.shape[1], patterns.shape[0]))
    products = jax.jit(lambda X, m, g: (X @ m, g @ X))
    products(whole, m, g)
    words = np.asarray(patterns).ravel()[: patterns.size // 8 * 8].view(np.int64)
    floats = np.asarray(whole).ravel()
    return [
        clock(lambda: products(whole, m, g), 5)[2],
        clock(lambda: np.maximum.reduce(words), 5)[2],
        clock(lambda: np.maximum.reduce(floats), 5)[2],
    ]


def solved(out, sizes, samples, number, loads):
    """Fraction of instances solved in one try each, seeds 0, 1, ..., with the binomial standard error."""
    import numpy as np

    from fmjax.message_passing import PseudoReinforcement
    from fmjax.message_passing.experiment import find_solutions

    out.table(f"{number} steps at most", *(f"alpha = {load}" for load in loads))
    for size in sizes:
        cells = []
        for load in loads:
            found = find_solutions(size, load, seeds=range(samples), schedule=PseudoReinforcement(number)).solved
            p = float(np.mean(found))
            cells.append(f"{int(found.sum())}/{samples} ± {math.sqrt(p * (1 - p) / samples):4.2f}")
        out.row(f"N = {size}", *cells)


def committees(out, samples):
    """Committees solved out of ``samples`` seeds, and CPU seconds of each try."""
    import jax

    from fmjax.message_passing import Committee, Instance, focusing

    cases = [
        (Committee("sign", 3, tree=True), 333, (0.65, 0.7)),
        (Committee("sign", 5, tree=True), 201, (0.6, 0.7)),
        (Committee("sign", 9, tree=True), 111, (0.6,)),
        (Committee("relu", 10, tree=True), 101, (0.6, 0.7)),
        (Committee("relu", 50, tree=True), 21, (0.6, 0.7)),
        (Committee("sign", 5), 321, (0.3,)),
        (Committee("sign", 5), 201, (0.05, 0.1, 0.3, 0.5)),
        (Committee("sign", 9), 111, (0.05, 0.4)),
    ]
    out.table("committee", "K", "n", "alpha", "solved", "cold", "warm")
    for committee, inputs, loads in cases:
        for alpha in loads:
            found, seconds = 0, []
            for seed in range(samples):
                instance = Instance.random(jax.random.key(seed), committee.units * inputs, alpha, committee=committee)
                one, _, cpu = clock(lambda instance=instance: focusing(instance))
                found += int(instance.errors(one.weights)) == 0
                seconds.append(cpu)
            name = f"{committee.activation}, {'tree' if committee.tree else 'fully connected'}"
            warm = sum(seconds[1:]) / max(samples - 1, 1)
            out.row(name, committee.units, inputs, alpha, f"{found}/{samples}", f"{seconds[0]:.2f}", f"{warm:.2f}")


def large(out, size, alpha, sweeps):
    """One instance end to end, or a number of sweeps of it; the memory that it took."""
    import jax

    from fmjax.message_passing import Instance, PseudoReinforcement, focusing

    instance, wall, _ = clock(lambda: Instance.random(jax.random.key(0), size, alpha))
    out.say(f"N = {size}, P = {instance.count}: patterns {instance.patterns.nbytes / 2**30:.2f} GiB in {wall:.1f} s")
    schedule = PseudoReinforcement(sweeps) if sweeps else PseudoReinforcement()
    found, wall, cpu = clock(lambda: focusing(instance, schedule))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    out.say(
        f"{found.result}, {found.errors} errors, {found.sweeps} sweeps: wall {wall:.1f} s, CPU {cpu:.1f} s, "
        f"{wall / int(found.sweeps):.3f} s per sweep, largest memory {peak:.2f} GiB"
    )


def main():
    parser = record.parser(__doc__)
    parser.add_argument("what", choices=["cost", "steps", "solved", "committees", "large"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1001, 4001, 10001])
    parser.add_argument("--loads", type=float, nargs="+", default=[0.7, 0.72, 0.74, 0.76, 0.78])
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--sweeps", type=int, default=0)
    arguments = parser.parse_args()
    with record.results(f"focusing {arguments.what}", arguments.record) as out:
        if arguments.what == "cost":
            cost(out)
        elif arguments.what == "steps":
            steps(out, arguments.sizes)
        elif arguments.what == "solved":
            solved(out, arguments.sizes, arguments.samples, arguments.steps, arguments.loads)
        elif arguments.what == "committees":
            committees(out, arguments.samples)
        else:
            for size in arguments.sizes:
                large(out, size, arguments.loads[0], arguments.sweeps)


if __name__ == "__main__":
    main()
