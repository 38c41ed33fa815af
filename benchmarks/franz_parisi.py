"""Time per point of a grid of local entropies, against the NumPy/SciPy program beside this file, in the same run.

    python benchmarks/franz_parisi.py [--curves 20] [--distances 100] [--block 20]

Compilation and run are timed apart; both programs solve the same points, and the largest differences between their
entropies and slopes are printed with the table.
"""

import argparse
import time

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
def solve_block(alphas, margins, distance):
    def one(alpha, margin):
        found = fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), margin), alpha=alpha, distance=distance)
        return found.entropy, found.slope, found.converged

    return jax.vmap(one)(alphas, margins)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=20)
    parser.add_argument("--distances", type=int, default=100)
    parser.add_argument("--block", type=int, default=20, help="curves per compiled call: bounds the memory")
    arguments = parser.parse_args()
    alphas, margins, distance = points(arguments.curves, arguments.distances)
    size = alphas.size * distance.size

    start = time.perf_counter()
    reference = [solve_curve(a, k, distance) for a, k in zip(alphas, margins, strict=True)]
    baseline = time.perf_counter() - start

    start = time.perf_counter()
    compiled = solve_block.lower(
        *(jnp.asarray(x[: arguments.block]) for x in (alphas, margins)), jnp.asarray(distance)
    ).compile()
    compilation = time.perf_counter() - start

    start = time.perf_counter()
    blocks = [
        jax.block_until_ready(compiled(alphas[i : i + arguments.block], margins[i : i + arguments.block], distance))
        for i in range(0, alphas.size, arguments.block)
    ]
    run = time.perf_counter() - start
    entropy, slope, converged = (np.concatenate(parts) for parts in zip(*blocks, strict=True))

    print(f"{size} points on {jax.devices()[0].device_kind} ({jax.device_count()} device), float64")
    print(f"{'program':<28}{'seconds':>10}{'ms/point':>10}{'ratio':>8}")
    for name, seconds in [
        ("NumPy/SciPy, one core", baseline),
        ("fmjax, run", run),
        ("fmjax, compilation", compilation),
        ("fmjax, both", run + compilation),
    ]:
        print(f"{name:<28}{seconds:>10.2f}{1e3 * seconds / size:>10.3f}{baseline / seconds:>8.2f}")
    for index, (name, values) in enumerate([("entropy", entropy), ("slope", slope)]):
        difference = np.abs(values - np.stack([row[index] for row in reference]))
        print(f"largest difference in {name}: {np.nanmax(np.where(converged, difference, 0)):.1e}")
    print(f"converged: {converged.sum()} of {size}")


if __name__ == "__main__":
    main()
