"""Focusing belief propagation: CPU time per solved instance, time per step against floors, solved fractions.

    python benchmarks/focusing.py cost                       # N = 1001, ten instances, on one core and on two
    python benchmarks/focusing.py steps [--sizes 1001 ...]   # both forms, against matrix products and memory
    python benchmarks/focusing.py solved [--sizes 1001 4001 10001] [--samples 20] [--steps 500]
    python benchmarks/focusing.py large --sizes 30001 [--sweeps 0]   # one instance; --sweeps: only so many of them

CPU time is that of the process, compilation excluded; a step is one sweep.
"""

import argparse
import math
import os
import resource
import subprocess
import sys
import time

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


def cost(cores):
    """One batch by vmap, and the same instances one after the other."""
    import jax
    import numpy as np

    from fmjax.message_passing import Instance, focusing

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
            per = f"{cpu / max(solved, 1):10.3f}{wall / max(solved, 1):10.3f}"
            print(f"{cores:>5}{alpha:>7}  {name:<12}{solved:>4}/{BATCH}{per}", flush=True)


def steps(sizes):
    """Nanoseconds per step and edge, next to what must at least be done."""
    import jax
    import jax.numpy as jnp

    from fmjax.message_passing import AMP, Edges, Instance

    print(f"{'N':>7}{'P':>7}{'amp':>9}{'edge':>9}{'products':>10}{'read int8':>11}{'read f32':>10}   CPU ns per edge")
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

            columns = [sweeps(AMP, max(3, int(3e8 / edges)))]
            small = edges < 3e7
            columns.append(sweeps(Edges, 3) if small else math.nan)
            columns += floors(instance.patterns) if edges < 1e9 else [math.nan] * 3
            cells = "".join(
                f"{1e9 * column / edges:{width}.3f}" for column, width in zip(columns, (9, 9, 10, 11, 10), strict=True)
            )
            print(f"{size:>7}{instance.count:>7}{cells}", flush=True)


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


def solved(sizes, samples, number, loads):
    """Fraction of instances solved in one try each, seeds 0, 1, ..., with the binomial standard error."""
    import numpy as np

    from fmjax.message_passing import PseudoReinforcement
    from fmjax.message_passing.experiment import find_solutions

    print(f"{number} steps; {'N':>7}" + "".join(f"{load:>16}" for load in loads))
    for size in sizes:
        cells = []
        for load in loads:
            found = find_solutions(size, load, seeds=range(samples), schedule=PseudoReinforcement(number)).solved
            p = float(np.mean(found))
            cells.append(f"{int(found.sum()):>5}/{samples} ± {math.sqrt(p * (1 - p) / samples):4.2f}")
            print(f"  N = {size}, alpha = {load}: {cells[-1]}", file=sys.stderr, flush=True)
        print(f"{'':>10}{size:>7}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


def large(size, alpha, sweeps):
    """One instance end to end, or a number of sweeps of it; the memory that it took."""
    import jax

    from fmjax.message_passing import Instance, PseudoReinforcement, focusing

    instance, wall, _ = clock(lambda: Instance.random(jax.random.key(0), size, alpha))
    print(f"N = {size}, P = {instance.count}: patterns {instance.patterns.nbytes / 2**30:.2f} GiB in {wall:.1f} s")
    schedule = PseudoReinforcement(sweeps) if sweeps else PseudoReinforcement()
    found, wall, cpu = clock(lambda: focusing(instance, schedule))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{found.result}, {found.errors} errors, {found.sweeps} sweeps: wall {wall:.1f} s, CPU {cpu:.1f} s, "
        f"{wall / int(found.sweeps):.3f} s per sweep, largest memory {peak:.2f} GiB"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cost", "steps", "solved", "large"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1001, 4001, 10001])
    parser.add_argument("--loads", type=float, nargs="+", default=[0.7, 0.72, 0.74, 0.76, 0.78])
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--sweeps", type=int, default=0)
    parser.add_argument("--cores", type=int, help="cost: stay on so many cores, in this process")
    arguments = parser.parse_args()
    if arguments.what == "cost" and arguments.cores is None:
        print("cores  alpha  how        solved   CPU s/solved  wall s/solved")
        for cores in (1, 2):
            subprocess.run([sys.executable, __file__, "cost", "--cores", str(cores)], check=True)
    elif arguments.what == "cost":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
        cost(arguments.cores)
    elif arguments.what == "steps":
        steps(arguments.sizes)
    elif arguments.what == "solved":
        solved(arguments.sizes, arguments.samples, arguments.steps, arguments.loads)
    else:
        for size in arguments.sizes:
            large(size, arguments.loads[0], arguments.sweeps)


if __name__ == "__main__":
    main()
