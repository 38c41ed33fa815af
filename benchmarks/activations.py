"""Which activation keeps flat regions longest: gradient ascent of alpha'_U / alpha_c over families of tree committees.

    python benchmarks/activations.py [--steps 20] [--record]

The ratio is differentiated once, with respect to the kernel of the committee; the parameters of a family move its kernel,
so that one compiled program climbs in all of them. Prints each way up, and the ratio along the way from the linear
activation, a perceptron, to each Hermite polynomial.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import record

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


def climb(out, name, family, parameters, steps):
    optimiser = optax.adam(0.05)
    state = optimiser.init(parameters)
    for step in range(steps + 1):
        (value, numbers), slope = score(family, parameters)
        if step % 5 == 0:
            out.row(name, step, *cells(parameters, value, numbers), f"{np.linalg.norm(slope):.1e}")
        moves, state = optimiser.update(-slope, state)
        parameters = optax.apply_updates(parameters, moves)


def cells(parameters, value, numbers):
    flat, capacity, distance = numbers
    place = ", ".join(f"{number:+.4f}" for number in np.atleast_1d(parameters))
    return f"{place:<26}", f"{value:.8f}", f"{flat:.8f}", f"{capacity:.8f}", f"{distance:.5f}"


COLUMNS = ("ratio", "alpha'_U", "alpha_c", "distance")


def measure(out, steps):
    start = time.perf_counter()
    out.table("family", "step", f"{'parameters':<26}", *COLUMNS, "slope")
    for name, (family, parameters) in FAMILIES.items():
        climb(out, name, family, jnp.asarray(parameters), steps)
    out.table("from linear towards", f"{'share of variance':<26}", *COLUMNS)
    for degree in (2, 3, 4, 5):
        for share in (0.01, 0.3, 0.8):
            coefficients = np.sqrt([1.0 - share, *np.zeros(degree - 2), share])
            (value, numbers), _ = score(fmjax.Hermite, jnp.asarray(np.append(coefficients, np.zeros(5 - degree))))
            out.row(f"h_{degree}", *cells([share], value, numbers))
    out.say(f"altogether {time.perf_counter() - start:.0f} s")


def main():
    parser = record.parser(__doc__)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    with record.results("activations", arguments.record) as out:
        measure(out, arguments.steps)


if __name__ == "__main__":
    main()
