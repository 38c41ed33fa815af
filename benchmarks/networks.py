"""An ensemble of binary networks against a PyTorch loop over the same networks, and the matching of all its pairs.

    pip install --group benchmark
    python benchmarks/networks.py [--networks 10] [--steps 200] [--repeats 5] [--record]

Both programs train the same networks (784 inputs, 2 × 101 hidden, 10 outputs, batch 100) from the same latent weights on the
same batches, in turns, on all cores; the best of the turns counts. The floor is the time of the matrix products of a
step alone, batched over networks, in JAX and in PyTorch. After as many steps the losses of the two programs are compared.
"""

import os
import time
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import record
import torch
from flax import nnx

from fmjax import networks
from fmjax.networks import training

SIZES, BATCH, PATTERNS = (784, 101, 101, 10), 100, 10000
RATE = 30.0


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(context, values):
        context.save_for_backward(values)
        return torch.where(values >= 0, 1.0, -1.0)

    @staticmethod
    def backward(context, gradient):
        (values,) = context.saved_tensors
        return gradient * (values.abs() <= 1)


def torch_program(latent, inputs, labels, batches):
    """Networks one after another, each with its own optimiser; batches of shape (steps, network, batch)."""
    inputs, labels, batches = (torch.from_numpy(np.array(x)) for x in (inputs, labels, batches))
    labels, batches = labels.long(), batches.long()
    models = [[torch.nn.Parameter(torch.from_numpy(np.array(w[i]))) for w in latent] for i in range(len(latent[0]))]
    optimisers = [torch.optim.SGD(model, lr=RATE) for model in models]

    def step(model, optimiser, batch):
        hidden = inputs[batch]
        for layer, matrix in enumerate(model):
            hidden = (Sign.apply(hidden) if layer else hidden) @ Sign.apply(matrix) * len(matrix) ** -0.5
        loss = torch.nn.functional.cross_entropy(hidden, labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for matrix in model:
                matrix.clamp_(-1, 1)
        return loss.item()

    def run():
        return [[step(*pair, batch) for *pair, batch in zip(models, optimisers, row, strict=True)] for row in batches]

    return run


def jax_program(latent, inputs, labels, batches):
    """The step of `fmjax.networks.train`, for given batches."""
    structure, state = nnx.split(nnx.eval_shape(lambda: networks.BinaryMLP(SIZES, rngs=nnx.Rngs(0))))
    state = jax.tree.unflatten(jax.tree.structure(state), list(map(jnp.asarray, latent)))

    @jax.jit
    def scan(state, batches):
        def step(state, batch):
            one = jax.vmap(lambda *each: training._step(structure, jnp.float32(RATE), *each))
            return one(state, inputs[batch], labels[batch])

        return jax.lax.scan(step, state, batches)

    start = time.perf_counter()
    compiled = scan.lower(state, batches).compile()
    compilation = time.perf_counter() - start

    def run():
        nonlocal state
        state, losses = jax.block_until_ready(compiled(state, batches))
        return losses

    return run, compilation


def shapes():
    """The products of one step: forward, gradient of the weights, and of all inputs but the first."""
    for layer, (fan_in, fan_out) in enumerate(pairwise(SIZES)):
        yield (BATCH, fan_in), (fan_in, fan_out)
        yield (fan_in, BATCH), (BATCH, fan_out)
        if layer:
            yield (BATCH, fan_out), (fan_out, fan_in)


def jax_floor(count, steps):
    pairs = [[jnp.ones((count, *shape), jnp.float32) for shape in pair] for pair in shapes()]

    @jax.jit
    def products(pairs):
        def step(scale, _):
            # Each product depends on the one before the step, or it would be computed once.
            return scale + 1e-30 * sum((a * scale @ b)[0, 0, 0] for a, b in pairs), None

        return jax.lax.scan(step, jnp.float32(1), None, length=steps)[0]

    products(pairs).block_until_ready()
    return lambda: products(pairs).block_until_ready()


def torch_floor(count, steps):
    pairs = [[torch.ones(count, *shape) for shape in pair] for pair in shapes()]
    return lambda: [[a @ b for a, b in pairs] for _ in range(steps)]


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def profile(count):
    """Where the time of training goes: seconds per step of parts of it, each alone."""
    key = jax.random.key(0)
    inputs = jax.random.normal(key, (PATTERNS, SIZES[0]))
    batch = jax.random.randint(key, (200, count, BATCH), 0, PATTERNS)
    latent = [jax.random.uniform(key, (count, *shape), minval=-1.0) for shape in pairwise(SIZES)]
    gather = jax.jit(lambda: jax.lax.scan(lambda total, index: (total + inputs[index], None), inputs[batch[0]], batch)[0])
    clip = jax.jit(
        lambda: jax.lax.scan(
            lambda state, _: ([jnp.clip(w - 1e-3 * networks.sign(w), -1, 1) for w in state], None), latent, None, length=200
        )[0]
    )
    order = jax.jit(
        lambda: training._batches(
            networks.Config(SIZES, (PATTERNS,), count, batch=BATCH), PATTERNS, jax.random.split(key, count)
        )
    )
    for name, function, steps in [
        ("gather of the batches", gather, 200),
        ("signs, step and clip of the weights", clip, 200),
        ("permutation of the patterns", order, PATTERNS // BATCH),
    ]:
        jax.block_until_ready(function())
        yield name, min(timed(lambda f=function: jax.block_until_ready(f()))[0] for _ in range(5)) / steps


def main():
    parser = record.parser(__doc__)
    parser.add_argument("--networks", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--width", type=int, default=501, help="of the networks that are matched")
    arguments = parser.parse_args()
    with record.results("networks", arguments.record, "torch") as out:
        measure(out, arguments)


def measure(out, arguments):
    count, steps = arguments.networks, arguments.steps

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(PATTERNS, SIZES[0])).astype(np.float32)
    labels = rng.integers(10, size=PATTERNS).astype(np.int32)
    latent = [rng.uniform(-1, 1, size=(count, *shape)).astype(np.float32) for shape in pairwise(SIZES)]
    batches = rng.integers(PATTERNS, size=(steps, count, BATCH)).astype(np.int32)
    ours, compilation = jax_program(latent, jnp.asarray(inputs), jnp.asarray(labels), jnp.asarray(batches))
    programs = {
        "PyTorch, loop over networks": torch_program(latent, inputs, labels, batches),
        "fmjax, all networks": ours,
        "matrix products alone, PyTorch": torch_floor(count, steps),
        "matrix products alone, JAX": jax_floor(count, steps),
    }
    best, first = dict.fromkeys(programs, np.inf), {}
    for _ in range(arguments.repeats):
        for name, program in programs.items():
            seconds, result = timed(program)
            best[name] = min(best[name], seconds)
            first.setdefault(name, result)

    baseline, floor = best["PyTorch, loop over networks"], min(best[name] for name in programs if "products" in name)
    out.say(
        f"{count} networks {'-'.join(map(str, SIZES))}, batch {BATCH}, {steps} steps, float32, best of {arguments.repeats} "
        f"turns, PyTorch on {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}"
    )
    out.table("program", "ms/step", "patterns/s", "ratio", "x floor")
    for name, seconds in best.items():
        rate = count * BATCH * steps / seconds
        out.row(name, f"{1e3 * seconds / steps:.2f}", f"{rate:.0f}", f"{baseline / seconds:.2f}", f"{seconds / floor:.2f}")
    out.say(f"compilation of fmjax: {compilation:.2f} s")
    torch_loss, jax_loss = (np.asarray(first[name]) for name in list(programs)[:2])
    out.say(f"mean loss of the first 10 steps: PyTorch {torch_loss[:10].mean():.5f}, fmjax {jax_loss[:10].mean():.5f}")
    out.table("where the time of a step goes", "ms")
    for name, seconds in profile(count):
        out.row(name, f"{1e3 * seconds:.3f}")

    wide = networks.random_networks((784, arguments.width, arguments.width, 10), count, jax.random.key(1))
    seconds, overlaps = timed(lambda: networks.pair_overlaps(wide))
    out.say(f"matching {len(overlaps)} pairs of {count} networks of width {arguments.width}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
