"""Training: one step by hand, every pattern in every epoch, one program, and going on after an interruption."""

import dataclasses
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmjax import networks
from fmjax.networks import training
from tests import small_networks
from tests.oracles.networks import loss_and_gradient
from tests.small_networks import KEY

digits, solved = small_networks.digits, small_networks.solved


def test_one_step_is_clipped_gradient_descent(digits):
    inputs, labels = digits
    config = networks.Config((64, 9, 10), (30,), seeds=2, epochs=1, learning_rate=40.0, batch=30)
    start = training._start(config, jax.random.split(KEY)[0])
    before = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(start)]
    structure, key = training._structure(config), jax.random.key(5)
    after, loss = training._epoch(config, structure, start, inputs, labels, jnp.float32(40.0), key)
    for seed in range(2):
        value, gradient = loss_and_gradient([w[0, seed] for w in before], inputs[:30], np.asarray(labels[:30]))
        assert loss[0, seed] == pytest.approx(value, rel=1e-5)
        for found, old, slope in zip(jax.tree.leaves(after), before, gradient, strict=True):
            np.testing.assert_allclose(found[0, seed], np.clip(old[0, seed] - 40.0 * slope, -1, 1), atol=1e-5)
    assert any((np.abs(leaf) == 1).any() for leaf in jax.tree.leaves(after))


@pytest.mark.parametrize("size", [7, 20, 50, 53])
def test_every_epoch_shows_every_pattern(size):
    config = networks.Config((64, 9, 10), (size,), seeds=2, batch=20)
    batches = np.asarray(training._batches(config, size, jax.random.split(KEY, 2)))
    assert batches.shape == (-(-size // 20), 2, 20)
    for seed in range(2):
        counts = np.bincount(batches[:, seed].ravel(), minlength=size)
        assert counts.min() >= 1
        assert counts.max() - counts.min() <= 1
    assert (batches[:, 0] != batches[:, 1]).any()


def test_all_seeds_and_patterns_are_one_program_and_the_key_decides(digits, solved):
    config, found = solved
    compiled = training._epoch._cache_size()
    again = networks.train(config, *digits, KEY)
    assert training._epoch._cache_size() == compiled
    assert found.loss.shape == (150, 2, 3)
    for one, two in zip(found.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, two)
        assert all((one[p, a] != one[p, b]).any() for p in range(2) for a, b in combinations(range(3), 2))
    other = networks.train(config, *digits, jax.random.key(12))
    assert (np.asarray(other.weights[0]) != np.asarray(found.weights[0])).any()


def test_with_a_key_for_each_seed_every_network_is_the_one_of_its_key(digits):
    config = networks.Config((64, 9, 10), (20, 50), seeds=2, epochs=4, batch=20)
    keys = jax.random.split(KEY, 2)
    together = networks.train(config, *digits, keys)
    for seed in range(2):
        alone = networks.train(dataclasses.replace(config, seeds=1), *digits, keys[seed : seed + 1])
        np.testing.assert_allclose(together.loss[:, :, seed], alone.loss[..., 0], rtol=1e-4)
    again = networks.train(config, *digits, keys[::-1])
    np.testing.assert_allclose(again.loss, together.loss[..., ::-1], rtol=1e-4)


def test_few_patterns_are_learned_and_the_error_is_that_of_the_weights(digits, solved):
    config, found = solved
    assert (np.asarray(found.error) == 0).all()
    assert float(found.loss[-1].max()) < float(found.loss[0].min())
    untrained = networks.train(dataclasses.replace(config, epochs=1, learning_rate=1e-6), *digits, KEY)
    assert float(untrained.error.min()) > 0.5
    for p, size in enumerate(config.patterns):
        mistakes = networks.mistakes([w[p, 1] for w in untrained.weights], digits[0][:size], digits[1][:size])
        assert untrained.error[p, 1] == pytest.approx(float(mistakes.mean()), abs=1e-7)


def test_an_interrupted_training_goes_on_to_the_same_weights(digits, tmp_path):
    config = networks.Config((64, 11, 10), (20, 50), seeds=2, epochs=12, batch=20)
    whole = networks.train(config, *digits, KEY)

    def interrupted(items, description):
        for done, item in enumerate(items):
            if done == 7:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        networks.train(config, *digits, KEY, checkpoints=tmp_path, progress=interrupted)
    left = []
    resumed = networks.train(
        config, *digits, KEY, checkpoints=tmp_path, progress=lambda items, description: (left.append(x) or x for x in items)
    )
    assert left == [6, 7, 8, 9, 10, 11]  # kept after every second epoch
    for one, two in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="another training .different epochs"):
        networks.train(dataclasses.replace(config, epochs=13), *digits, KEY, checkpoints=tmp_path)
    with pytest.raises(ValueError, match="different key"):
        networks.train(config, *digits, jax.random.key(1), checkpoints=tmp_path)
    with pytest.raises(ValueError, match="different data"):
        networks.train(config, digits[0], 9 - digits[1], KEY, checkpoints=tmp_path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"patterns": ()}, "increasing"),
        ({"patterns": (20, 20)}, "increasing"),
        ({"patterns": (0, 20)}, "positive"),
        ({"seeds": 0}, "seeds"),
        ({"epochs": 0}, "epochs"),
        ({"batch": -1}, "batch"),
        ({"learning_rate": float("nan")}, "learning_rate"),
    ],
)
def test_a_wrong_config_is_refused_by_name(change, named):
    with pytest.raises(ValueError, match=named):
        networks.Config(**({"sizes": (64, 5, 10), "patterns": (10, 20)} | change))


@pytest.mark.parametrize(
    ("sizes", "patterns", "named"),
    [((63, 5, 10), (10,), "64 inputs"), ((64, 5, 10), (2000,), "2000"), ((64, 5, 3), (100,), "between 0 and 2")],
)
def test_data_that_do_not_fit_are_refused(sizes, patterns, named, digits):
    with pytest.raises(ValueError, match=named):
        networks.train(networks.Config(sizes, patterns), *digits, KEY)


def test_patterns_that_are_one_number_or_have_no_label_are_refused(without_type_checks):
    assert "increasing ones, not 20: try [100]" in without_type_checks("fmjax.networks.Config((2, 3, 2), 20)")
    data = "np.ones((5, 2), np.float32), np.zeros(4, int), jax.random.key(0)"
    message = without_type_checks(f"fmjax.networks.train(fmjax.networks.Config((2, 3, 2), (3,)), {data})")
    assert "5 patterns and 4 labels" in message


def test_keys_that_are_not_one_for_each_seed_are_refused_and_lists_of_them_will_do(without_type_checks):
    asked = (
        "fmjax.networks.train(fmjax.networks.Config((2, 3, 2), (3,), seeds=2, epochs=1), np.eye(3)[:, :2], [0, 1, 1], {})"
    )
    message = without_type_checks(asked.format("jax.random.split(jax.random.key(0), 3)"))
    assert "one key of jax.random" in message
    assert "or one key for each of 2 seeds" in message
    config, keys = networks.Config((2, 3, 2), (3,), seeds=2, epochs=1), jax.random.split(KEY, 2)
    inputs, labels = np.eye(3, dtype=np.float32)[:, :2], np.array([0, 1, 1])
    one, other = (networks.train(config, inputs, labels, key).loss for key in (keys, list(keys)))
    np.testing.assert_array_equal(one, other)
