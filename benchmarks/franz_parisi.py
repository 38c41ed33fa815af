"""Time per point of a grid of local entropies, against the NumPy/SciPy program beside this file, in the same run.

    python benchmarks/franz_parisi.py [--curves 20] [--distances 100]

Compilation and run are timed apart; both programs solve the same points, and the largest differences between their
entropies and slopes are printed with the table.
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


def points(curves, distances):
    """References at loads and margins where the replica-symmetric branch reaches every distance of the grid."""
    alphas = np.linspace(0.2, 0.6, curves)
    largest = jax.jit(jax.vmap(lambda a: fmjax.thresholds.kappa_max(fmjax.Perceptron(), a).value))(alphas)
    return alphas, np.asarray(largest) * np.linspace(0.4, 1.0, curves), np.geomspace(1e-3, 0.5, distances)


@jax.jit
def solve_one(alpha, margin, distance):
    found = fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), margin), alpha=alpha, distance=distance)
    return found.entropy, found.slope, found.converged, found.error_estimate


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=20)
    parser.add_argument("--distances", type=int, default=100)
    arguments = parser.parse_args()
    alphas, margins, distance = points(arguments.curves, arguments.distances)
    size = alphas.size * distance.size

    start = time.perf_counter()
    reference = [solve_curve(a, k, distance) for a, k in zip(alphas, margins, strict=True)]
    baseline = time.perf_counter() - start

    start = time.perf_counter()
    compiled = solve_one.lower(alphas[0], margins[0], jnp.asarray(distance)).compile()
    compilation = time.perf_counter() - start

    def run(curve):
        return jax.block_until_ready(compiled(*curve, jnp.asarray(distance)))

    # Curve by curve: what fits the cache is fastest, and the memory does not depend on the grid.
    seconds = {}
    for threads in (1, os.cpu_count()):
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            rows = list(pool.map(run, zip(alphas, margins, strict=True)))
        seconds[threads] = time.perf_counter() - start
    entropy, slope, converged, error = (np.stack(parts) for parts in zip(*rows, strict=True))

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


if __name__ == "__main__":
    main()
