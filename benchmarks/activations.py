"""Which activation keeps flat regions longest: gradient ascent of alpha'_U / alpha_c over families of tree committees.

    python benchmarks/activations.py [--steps 20]

The ratio is differentiated once, with respect to the kernel of the committee; the parameters of a family move its kernel,
so that one compiled program climbs in all of them. Prints each way up, and the ratio along the way from the linear
activation, a perceptron, to each Hermite polynomial.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fmjax

jax.config.update("jax_enable_x64", True)


def steep(a, u):
    return jnp.tanh(a * u)


FAMILIES = {
    "leaky ReLU, slope": (fmjax.LeakyReLU, 0.5),
    "h_1, h_2, h_3, coefficients": (fmjax.Hermite, [0.8, 0.3, 0.5]),
    "tanh(a u), a": (lambda a: jax.tree_util.Partial(steep, a), 1.0),
}


def ratio(model):
    flat, capacity = fmjax.thresholds.alpha_u(model), fmjax.thresholds.capacity(model)
    return flat.value / capacity.value, (flat.value, capacity.value, flat.distance)


compiled = jax.jit(jax.value_and_grad(ratio, has_aux=True))


def score(family, parameters):
    """``(ratio, (alpha'_U, alpha_c, distance of the fold))`` and the gradient of the ratio in the parameters."""
    model, pull_back = jax.vjp(lambda parameters: fmjax.TreeCommittee(family(parameters)), parameters)
    # A margin is a number of the model, too; as an array it is no part of the program.
    value, slope = compiled(jax.tree.map(jnp.asarray, model))
    return value, pull_back(slope)[0]


def climb(family, parameters, steps):
    optimiser = optax.adam(0.05)
    state = optimiser.init(parameters)
    for step in range(steps + 1):
        (value, numbers), slope = score(family, parameters)
        if step % 5 == 0:
            print(f"{step:>6}  {row(parameters, value, numbers)}  slope {np.linalg.norm(slope):.1e}", flush=True)
        moves, state = optimiser.update(-slope, state)
        parameters = optax.apply_updates(parameters, moves)


def row(parameters, value, numbers):
    flat, capacity, distance = numbers
    place = ", ".join(f"{number:+.4f}" for number in np.atleast_1d(parameters))
    return f"{place:<26} {value:.8f} = {flat:.8f} / {capacity:.8f}  d = {distance:.5f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    start = time.perf_counter()
    for name, (family, parameters) in FAMILIES.items():
        print(f"{name}: alpha'_U / alpha_c")
        climb(family, jnp.asarray(parameters), arguments.steps)
        print(f"    after {time.perf_counter() - start:.0f} s", flush=True)
    print("share of h_k in the variance, the rest linear: alpha'_U / alpha_c")
    for degree in (2, 3, 4, 5):
        for share in (0.01, 0.3, 0.8):
            coefficients = np.sqrt([1.0 - share, *np.zeros(degree - 2), share])
            (value, numbers), _ = score(fmjax.Hermite, jnp.asarray(np.append(coefficients, np.zeros(5 - degree))))
            print(f"h_{degree}  {share:.2f}  {row([share], value, numbers)}", flush=True)


if __name__ == "__main__":
    main()
