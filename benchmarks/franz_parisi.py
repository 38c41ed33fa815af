"""Time per point of a grid of local entropies, against the NumPy/SciPy program beside this file, in the same run.

    python benchmarks/franz_parisi.py [--curves 20] [--distances 100] [--record]

Compilation and run are timed apart; both programs solve the same points, and the largest differences between their
entropies and slopes are printed with the table. Below it, what bounds the time: evaluations of the saddle equations, times
nodes, times what the weights and forces of one node take by themselves; and the kernels that XLA makes of an evaluation.
Committees follow, one in closed form and one tabulated by quadrature, at the same loads and shares of their own largest
margins: their time per point relative to that of the perceptron. On a GPU, 10,000 curves together.
"""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import record
from numpy_franz_parisi import solve_curve

import fmjax
from fmjax.special import derivatives

jax.config.update("jax_enable_x64", True)


MODELS = {
    "perceptron": fmjax.Perceptron(),
    "committee, relu": fmjax.TreeCommittee("relu"),
    "committee, tanh": fmjax.TreeCommittee("tanh"),
}


@jax.jit
def largest_margins(model, alphas):
    return jax.vmap(lambda alpha: fmjax.thresholds.kappa_max(model, alpha).value)(alphas)


def points(model, curves, distances):
    """References at loads and margins where the replica-symmetric branch reaches every distance of the grid."""
    alphas = np.linspace(0.2, 0.6, curves)
    largest = np.asarray(largest_margins(model, alphas))
    return alphas, largest * np.linspace(0.4, 1.0, curves), np.geomspace(1e-3, 0.5, distances)


@jax.jit
def solve_one(model, alpha, margin, distance):
    found = fmjax.curve(fmjax.FranzParisi(model, margin), alpha=alpha, distance=distance)
    return found.entropy, found.slope, found.converged, found.error_estimate, found.steps


def compile_for(model, distance):
    start = time.perf_counter()
    compiled = solve_one.lower(model, np.float64(0.5), np.float64(0.1), jnp.asarray(distance)).compile()
    return compiled, time.perf_counter() - start


def run_curves(compiled, model, alphas, margins, distance, threads):
    """Curve by curve: what fits the cache is fastest, and the memory does not depend on the grid. Rows, and seconds."""

    def run(curve):
        return jax.block_until_ready(compiled(model, *curve, jnp.asarray(distance)))

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        rows = list(pool.map(run, zip(alphas, margins, strict=True)))
    seconds = time.perf_counter() - start
    return [np.stack(parts) for parts in zip(*rows, strict=True)], seconds


def seconds_of(function, *arguments):
    """The fastest of several calls, compiled before."""
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def floor(model, nodes):
    """Seconds that the functions of a pattern and of a weight take by themselves at the nodes of one evaluation.

    Value and two derivatives of each: what saddle equations and their Jacobian are made of.
    """
    x, w, site_x, y = nodes

    @jax.jit
    def pattern(mean):
        return model.constraint.log_weight(mean, 0.7), *derivatives(lambda at: model.constraint.log_weight(at, 0.7), mean)

    @jax.jit
    def weight(field):
        return model.weights.log_partition(field, 1.0), *derivatives(lambda at: model.weights.log_partition(at, 1.0), field)

    def one_after_the_other(*shapes):
        return sum(
            seconds_of(one, np.linspace(-6.0, 6.0, size)) for one, size in zip((pattern, weight), shapes, strict=True)
        )

    return one_after_the_other(x * w, site_x * y)


def kernels(compiled):
    """Fused kernels and library calls in the largest loop body of a program: one evaluation and its Newton step."""
    text = compiled.as_text()
    bodies = {name: text.split(f"%{name} (", 1)[1].split("\n}", 1)[0] for name in re.findall(r"body=%([\w.-]+)", text)}
    return max(len(re.findall(r" (?:fusion|custom-call|dot)\(", body)) for body in bodies.values())


def together(out, model, curves, distance):
    """Points per second of a batch of curves that advance together, as a GPU has them."""
    alphas, margins, _ = points(model, curves, distance.size)
    batch = jax.jit(jax.vmap(solve_one, in_axes=(None, 0, 0, None))).lower(model, alphas, margins, distance).compile()
    jax.block_until_ready(batch(model, alphas, margins, distance))
    start = time.perf_counter()
    _, _, converged, *_ = jax.block_until_ready(batch(model, alphas, margins, distance))
    seconds = time.perf_counter() - start
    out.say(
        f"{converged.size} points together: {seconds:.2f} s, {converged.size / seconds:.3g} per second, "
        f"{int(converged.sum())} converged"
    )


def main():
    parser = record.parser(__doc__)
    parser.add_argument("--curves", type=int, default=20)
    parser.add_argument("--distances", type=int, default=100)
    arguments = parser.parse_args()
    with record.results("franz_parisi", arguments.record) as out:
        measure(out, arguments)


def measure(out, arguments):
    models = {name: jax.tree.map(jnp.asarray, model) for name, model in MODELS.items()}
    perceptron = models.pop("perceptron")
    alphas, margins, distance = points(perceptron, arguments.curves, arguments.distances)
    size = alphas.size * distance.size

    start = time.perf_counter()
    reference = [solve_curve(a, k, distance) for a, k in zip(alphas, margins, strict=True)]
    baseline = time.perf_counter() - start

    compiled, compilation = compile_for(perceptron, distance)
    seconds = {}
    for threads in (1, os.cpu_count()):
        rows, seconds[threads] = run_curves(compiled, perceptron, alphas, margins, distance, threads)
    entropy, slope, converged, error, steps = rows

    out.say(f"{size} points on {jax.devices()[0].device_kind} ({jax.device_count()} device), float64")
    out.table("program", "seconds", "ms/point", "ratio")
    for name, taken in [
        ("NumPy/SciPy, one core", baseline),
        *((f"fmjax, {threads} thread{'s' * (threads > 1)}", spent) for threads, spent in seconds.items()),
        ("fmjax, compilation", compilation),
        ("fmjax, compiled and run", compilation + min(seconds.values())),
    ]:
        out.row(name, f"{taken:.2f}", f"{1e3 * taken / size:.3f}", f"{baseline / taken:.2f}")
    for index, (name, values) in enumerate([("entropy", entropy), ("slope", slope)]):
        difference = np.abs(values - np.stack([row[index] for row in reference]))
        out.say(f"largest difference in {name}: {np.nanmax(np.where(converged, difference, 0)):.1e}")
    out.say(f"converged: {converged.sum()} of {size}, largest error estimate {error[converged].max():.1e}")

    x, w, site_x, y = nodes = fmjax.FranzParisi(perceptron, 0.0).nodes
    bare, evaluations = floor(perceptron, nodes), steps[:, 0].sum()
    out.say(
        f"{evaluations / size:.2f} evaluations per point, {x * w} nodes of a pattern and {site_x * y} of a weight, "
        f"{kernels(compiled)} kernels per evaluation"
    )
    out.say(f"floor, one thread: {1e3 * bare * evaluations / size:.3f} ms/point, {1e3 * bare:.3f} ms per evaluation")

    out.table("one thread", "seconds", "ms/point", "times the perceptron", "not converged")
    program, _ = compile_for(next(iter(models.values())), distance)  # one for all activations
    for name, model in models.items():
        own_alphas, own_margins, _ = points(model, arguments.curves, arguments.distances)
        (_, _, converged, *_), taken = run_curves(program, model, own_alphas, own_margins, distance, 1)
        # Again in turns with the perceptron: a busy machine slows both.
        _, beside = run_curves(compiled, perceptron, alphas, margins, distance, 1)
        missed = converged.size - converged.sum()
        out.row(name, f"{taken:.2f}", f"{1e3 * taken / size:.3f}", f"{taken / beside:.2f}", missed)
    if jax.default_backend() != "cpu":
        together(out, perceptron, 10_000, distance)


if __name__ == "__main__":
    main()
