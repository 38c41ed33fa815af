r"""Training of an ensemble: every seed and every number of patterns, in one program.

Stochastic gradient descent on the cross-entropy, through the straight-through gradient (Hubara et al. 2016), for a fixed
number of epochs:

.. math::
    \omega \leftarrow \mathrm{clip}\big(\omega - \eta_e \nabla_\omega \mathcal{L}, -1, 1\big), \qquad
    \mathcal{L} = - \frac{1}{B} \sum_{\mu \in \mathrm{batch}} \log \mathrm{softmax}(z^L(x^\mu))_{y^\mu}, \qquad
    \eta_e = \eta \, (1 - e / E) \quad \text{in epoch } e = 0..E-1.

Networks at P patterns learn the first P of the training set; they differ by initial weights and by the order of their
batches. The step size falls linearly: at constant size some latent weights keep crossing zero, and 51-51 networks on 300
digits end with 1% of errors where the falling one leaves none.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import lax
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from fmjax.checks import Handed, as_path, random_key, refuse_another, whole
from fmjax.networks.binary import BinaryMLP, mistakes
from fmjax.networks.checks import images_of, labels_of, learning_rate_of, patterns_of, require_known, sizes_of
from fmjax.progress import Progress, silent

_Keys = Key[Array, "..."]
_CHECKPOINTS = 10  # written in the course of a training


@dataclasses.dataclass(frozen=True)
class Config:
    """What decides, with a key and the data, every weight of an ensemble.

    Attributes:
        sizes: inputs, hidden layers, outputs of each network; a tuple, or a list, which becomes one.
        patterns: numbers P of training patterns, increasing; a tuple or a list, too.
        seeds: networks at each P.
        epochs: E, passes over the P patterns.
        learning_rate: η, in units of the latent weights. Gradients of single weights are small, of order
            1/sqrt(product of the widths above), so that good values lie between 10 and 50.
        batch: B, patterns per step; the last batch of an epoch is filled up from its first patterns.

    Raises:
        ValueError: a value makes no sense.
    """

    sizes: Sequence[int]
    patterns: Sequence[int]
    seeds: int = 10
    epochs: int = 100
    learning_rate: float = 30.0
    batch: int = 50

    def __post_init__(self):
        counts = {name: whole(name, getattr(self, name), 1) for name in ("seeds", "epochs", "batch")}
        sizes, patterns = sizes_of(self.sizes), patterns_of(self.patterns)
        checked = counts | {"sizes": sizes, "patterns": patterns, "learning_rate": learning_rate_of(self.learning_rate)}
        for name, value in checked.items():
            object.__setattr__(self, name, value)


class Trained(NamedTuple):
    """Networks after training, axes (patterns, seed) in front.

    Attributes:
        weights: ±1 as int8, layers of shapes (patterns, seed, fan_in, fan_out).
        error: fraction of its own training patterns that each network gets wrong, shape (patterns, seed).
        loss: mean cross-entropy of the batches of each epoch, in nats, shape (epochs, patterns, seed).
    """

    weights: tuple[Int[Array, "patterns seed _ _"], ...]
    error: Float[Array, "patterns seed"]
    loss: Float[Array, "epochs patterns seed"]


def train(
    config: Config,
    inputs: Handed,
    labels: Handed,
    key: PRNGKeyArray | _Keys | Sequence[PRNGKeyArray],
    *,
    checkpoints: Path | str | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train all networks of an ensemble; the same config, data and key give the same weights.

    Args:
        config: sizes, numbers of patterns, seeds and schedule.
        inputs: training patterns, shape ``(available, inputs)``, numbers of any type, at least as many as the largest number
            of patterns; they stay on the device, as float32.
        labels: class of each pattern, from 0, shape ``(available,)`` or ``(available, 1)``.
        key: of the initial weights and of the order of batches; or one for each seed, shape ``(seeds,)``.
        checkpoints: directory to keep the state in about ten times; a training that was interrupted goes on from the
            last one, to the same weights.
        progress: wraps the loop over epochs; `tqdm.tqdm` will do.

    Returns:
        Weights, train errors and the history of the loss.

    Raises:
        ValueError: data and config do not fit together, pixels are not finite, or ``checkpoints`` holds another training.
        TypeError: what is no config.
    """
    inputs, labels = _checked(config, inputs, labels)
    key = _keys(config, key)
    start, order = _each(jax.random.split, key)
    state = _start(config, start), jnp.zeros((config.epochs, len(config.patterns), config.seeds), jnp.float32)
    structure = _structure(config)
    every = -(-config.epochs // _CHECKPOINTS)
    with _kept(checkpoints, config, inputs, labels, key) as kept:
        done, (latent, loss) = kept.restore(state) if kept else (0, state)
        for epoch in progress(range(done, config.epochs), "training"):
            rate = jnp.asarray(config.learning_rate * (1 - epoch / config.epochs), jnp.float32)
            now = _each(partial(jax.random.fold_in, data=epoch), order)
            latent, mean = _epoch(config, structure, latent, inputs, labels, rate, now)
            loss = jax.block_until_ready(loss.at[epoch].set(mean))  # or the progress bar would run ahead of the device
            if kept and ((epoch + 1) % every == 0 or epoch + 1 == config.epochs):
                kept.save(epoch + 1, (latent, loss))
    weights, error = _finish(config, structure, latent, inputs, labels)
    return Trained(weights, error, loss)


def _checked(config: Any, inputs: Any, labels: Any) -> tuple[Array, Array]:
    refuse_another("config", config, Config, "Config((64, 51, 10), patterns=(100,))")
    inputs, largest = images_of(inputs, config.sizes[0]), config.patterns[-1]
    if largest > len(inputs):
        raise ValueError(f"{largest} patterns were asked for, and there are {len(inputs)}")
    labels = labels_of(labels, len(inputs), config.sizes[-1], used=largest)
    require_known("inputs and labels", (inputs, labels))
    return inputs, labels


def _kept(directory: Path | str | None, config: Config, inputs: Array, labels: Array, key: _Keys) -> Any:
    """Checkpoints of this training and no other; None without a directory."""
    if directory is None:
        return nullcontext()
    from fmjax.networks.checkpoints import Checkpoints

    content = b"".join(np.asarray(part[: config.patterns[-1]]).tobytes() for part in (inputs, labels))
    data = hashlib.sha256(content).hexdigest()
    about = {"key": jax.random.key_data(key).tolist(), "data": data}
    return closing(Checkpoints(as_path("checkpoints", directory), dataclasses.asdict(config) | about))


def _keys(config: Config, key: Any) -> _Keys:
    if isinstance(key, list | tuple) and len(key) == config.seeds:
        return jnp.stack([random_key(one) for one in key])
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == (config.seeds,):
        return key
    try:
        return random_key(key)
    except ValueError as error:
        raise ValueError(f"{error}; or one key for each of {config.seeds} seeds: jax.random.split(key, seeds)") from None


def _each(function: Callable[[_Keys], _Keys], key: _Keys) -> _Keys:
    """Keys made of one key, or of one for each seed, along the last axis."""
    return jax.vmap(function, out_axes=-1)(key) if key.ndim else function(key)


def _of_networks(config: Config, key: _Keys) -> _Keys:
    """A key for each network, shape (patterns, seed)."""
    shape = (len(config.patterns), *(() if key.ndim else (config.seeds,)))
    return _each(partial(jax.random.split, num=shape), key)


def _structure(config: Config) -> Any:
    return nnx.split(nnx.eval_shape(lambda: BinaryMLP(config.sizes, rngs=nnx.Rngs(0))))[0]


@partial(jax.jit, static_argnames="config")
def _start(config: Config, key: _Keys) -> Any:
    """Latent weights of all networks, axes (patterns, seed) in front."""

    def one(key: _Keys) -> Any:
        return nnx.split(BinaryMLP(config.sizes, rngs=nnx.Rngs(params=key)))[1]

    shape = (len(config.patterns), config.seeds)
    latent = jax.vmap(one)(_of_networks(config, key).reshape(-1))  # one level of vmap compiles in half the time
    return jax.tree.map(lambda leaf: leaf.reshape(*shape, *leaf.shape[1:]), latent)


def _step(structure: Any, rate: Array, latent: Any, inputs: Array, labels: Array) -> tuple[Any, Array]:
    """One step of one network on one batch, and the loss before it."""

    def loss(latent: Any) -> Array:
        scores = nnx.merge(structure, latent)(inputs)
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

    value, gradient = jax.value_and_grad(loss)(latent)
    descent = optax.sgd(rate)
    updates, _ = descent.update(gradient, descent.init(latent))
    return jax.tree.map(lambda leaf: jnp.clip(leaf, -1, 1), optax.apply_updates(latent, updates)), value


def _batches(config: Config, size: int, keys: Array) -> Array:
    """Indices of the batches of one epoch over ``size`` patterns, shape (steps, seed, batch)."""
    steps = -(-size // config.batch)

    def one(key: _Keys) -> Array:
        order = jax.random.permutation(key, jnp.arange(size, dtype=jnp.int32))
        return order[jnp.arange(steps * config.batch) % size].reshape(steps, config.batch)

    return jax.vmap(one, out_axes=1)(keys)


@partial(jax.jit, static_argnames=("config", "structure"), donate_argnames="latent")
def _epoch(
    config: Config, structure: Any, latent: Any, inputs: Array, labels: Array, rate: Array, key: _Keys
) -> tuple[Any, Array]:
    """One epoch of all networks, and the mean loss of each, shape (patterns, seed)."""
    keys = _of_networks(config, key)
    batches = [_batches(config, size, keys[index]) for index, size in enumerate(config.patterns)]

    def step(latent: Any, batch: Array) -> tuple[Any, Array]:
        advance = jax.vmap(jax.vmap(partial(_step, structure, rate)))
        return advance(latent, inputs[batch], labels[batch])

    # Fewer patterns, fewer steps. The networks that still have some are a tail of the axis of P, so each stretch between
    # two different numbers of steps is one scan over a tail, and nothing is computed to be thrown away.
    total = jnp.zeros((len(config.patterns), config.seeds), jnp.float32)
    done = 0
    for first, steps in enumerate(map(len, batches)):
        if steps > done:
            chosen = jnp.stack([part[done:steps] for part in batches[first:]], axis=1)
            tail, losses = lax.scan(step, _tail(latent, first), chosen)
            latent = jax.tree.map(partial(_with_tail, first), latent, tail)
            total = total.at[first:].add(losses.sum(axis=0))
            done = steps
    return latent, total / jnp.asarray([[len(part)] for part in batches], jnp.float32)


def _tail(latent: Any, first: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[first:], latent)


def _with_tail(first: int, whole: Array, tail: Array) -> Array:
    return whole.at[first:].set(tail)


@partial(jax.jit, static_argnames=("config", "structure"))
def _finish(config: Config, structure: Any, latent: Any, inputs: Array, labels: Array) -> tuple[Any, Array]:
    """Binary weights of all networks, and the error of each on its own patterns, shape (patterns, seed)."""
    weights = jax.vmap(jax.vmap(lambda one: nnx.merge(structure, one).weights()))(latent)
    errors = []
    for index, size in enumerate(config.patterns):
        here = [matrix[index] for matrix in weights]
        errors.append(lax.map(lambda one, size=size: mistakes(one, inputs[:size], labels[:size]).mean(), here))
    return weights, jnp.stack(errors)
