"""Time per point of a grid of local entropies, against the NumPy/SciPy program beside this file, in the same run.

    python benchmarks/franz_parisi.py [--curves 20] [--distances 100]

Compilation and run are timed apart; both programs solve the same points, and the largest differences between their
entropies and slopes are printed with the table. Committees follow, one in closed form and one tabulated by quadrature, at
the same loads and shares of their own largest margins: their time per point relative to that of the perceptron.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from numpy_franz_parisi import solve_curve

import fmjax

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
    return found.entropy, found.slope, found.converged, found.error_estimate


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=20)
    parser.add_argument("--distances", type=int, default=100)
    arguments = parser.parse_args()
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
    entropy, slope, converged, error = rows

    print(f"{size} points on {jax.devices()[0].device_kind} ({jax.device_count()} device), float64")
    print(f"{'program':<28}{'seconds':>10}{'ms/point':>10}{'ratio':>8}")
    for name, taken in [
        ("NumPy/SciPy, one core", baseline),
        *((f"fmjax, {threads} thread{'s' * (threads > 1)}", spent) for threads, spent in seconds.items()),
        ("fmjax, compilation", compilation),
        ("fmjax, compiled and run", compilation + min(seconds.values())),
    ]:
        print(f"{name:<28}{taken:>10.2f}{1e3 * taken / size:>10.3f}{baseline / taken:>8.2f}")
    for index, (name, values) in enumerate([("entropy", entropy), ("slope", slope)]):
        difference = np.abs(values - np.stack([row[index] for row in reference]))
        print(f"largest difference in {name}: {np.nanmax(np.where(converged, difference, 0)):.1e}")
    print(f"converged: {converged.sum()} of {size}, largest error estimate {error[converged].max():.1e}")

    print(f"{'one thread':<28}{'seconds':>10}{'ms/point':>10}{'times the perceptron':>22}")
    program, _ = compile_for(next(iter(models.values())), distance)  # one for all activations
    for name, model in models.items():
        own_alphas, own_margins, _ = points(model, arguments.curves, arguments.distances)
        (_, _, converged, _), taken = run_curves(program, model, own_alphas, own_margins, distance, 1)
        # Again in turns with the perceptron: a busy machine slows both.
        _, beside = run_curves(compiled, perceptron, alphas, margins, distance, 1)
        missed = "" if converged.all() else f"  {converged.size - converged.sum()} not converged"
        print(f"{name:<28}{taken:>10.2f}{1e3 * taken / size:>10.3f}{taken / beside:>22.2f}{missed}")


if __name__ == "__main__":
    main()
