"""Front doors of networks: what people have in arrays is taken for what it is, or refused by name."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fmjax import networks
from tests.array_types import KEY, every_type
from tests.oracles.networks import integer_scores


@pytest.fixture(scope="module")
def images():
    """40 images of 8×8 in 0..16, whole numbers, their classes, and random networks, which get nearly all of them wrong."""
    pixels, labels = networks.load("digits")
    return pixels[:40].astype(int), labels[:40].astype(int), networks.random_networks((64, 9, 10), 3, KEY)


def wrong(weights, images, labels):
    scores = integer_scores([np.asarray(layer) for layer in weights], images)
    own = scores[np.arange(len(labels)), labels]
    return (np.sum(scores >= own[:, None], axis=1) > 1).astype(float)


def test_images_and_labels_of_any_type_are_scored_as_whole_numbers(images):
    pixels, labels, weights = images
    one = [layer[0] for layer in weights]
    wanted = wrong(one, pixels, labels)
    assert 0 < wanted.mean() < 1
    for inputs in [*every_type(pixels), pixels.astype(np.uint8), jnp.asarray(pixels, jnp.uint8), pixels.astype(">f4")]:
        np.testing.assert_array_equal(networks.mistakes(one, inputs, labels), wanted)
    for classes in [*every_type(labels), *every_type(labels[:, None]), labels.astype(np.uint8)]:
        np.testing.assert_array_equal(networks.mistakes(one, pixels, classes), wanted)
    for same in zip(*map(every_type, one), strict=True):
        np.testing.assert_array_equal(networks.mistakes(same, pixels, labels), wanted)
    assert networks.mistakes(one, pixels[:0], labels[:0]).shape == (0,)


def test_pixels_that_are_there_or_not_are_zeros_and_ones(images):
    pixels, labels, weights = images
    one = [layer[0] for layer in weights]
    np.testing.assert_array_equal(networks.mistakes(one, pixels > 7, labels), wrong(one, (pixels > 7).astype(int), labels))


def test_inside_programs_images_of_any_type_are_scored(images):
    pixels, labels, weights = images
    one = [layer[0] for layer in weights]
    wanted = wrong(one, pixels, labels)
    for inputs, classes in ((pixels.astype(np.uint8), labels), (jnp.asarray(pixels, jnp.float32), labels[:, None])):
        np.testing.assert_array_equal(jax.jit(networks.mistakes)(one, inputs, classes), wanted)
    each = jax.vmap(networks.mistakes, in_axes=(0, None, None))(list(map(jnp.asarray, weights)), pixels, labels)
    np.testing.assert_array_equal(each, [wrong([layer[i] for layer in weights], pixels, labels) for i in range(3)])


def test_the_local_energy_of_any_images_and_labels_is_the_same(images):
    pixels, labels, weights = images
    fractions = [0.0, 0.1]
    wanted = networks.local_energy(weights, pixels.astype(np.float32), labels, fractions, KEY, draws=2)
    for i in range(3):
        np.testing.assert_allclose(wanted[i, :, 0], wrong([w[i] for w in weights], pixels, labels).mean(), atol=1e-7)
    for inputs, classes in (
        (pixels, labels[:, None]),
        (pixels.astype(np.uint8), labels.astype(float)),
        (pixels.tolist(), labels),
    ):
        found = networks.local_energy(weights, inputs, classes, np.array(fractions), jax.random.PRNGKey(0), draws=2)
        np.testing.assert_array_equal(found, wanted)


def test_training_on_any_images_labels_and_keys_is_the_same(images):
    pixels, labels, _ = images
    config = networks.Config([64, 9, 10], [10, 20], seeds=2, epochs=2, batch=10)
    assert config == networks.Config((64, 9, 10), (10, 20), seeds=2, epochs=2, batch=10)
    wanted = networks.train(config, pixels.astype(np.float32), labels, KEY)
    calls = (
        (pixels.astype(np.uint8), labels[:, None], KEY),
        (pixels.astype(np.float64), labels.astype(np.float32), jax.random.PRNGKey(0)),
        (jnp.asarray(pixels), labels.tolist(), jax.random.PRNGKey(0)),
    )
    for call in calls:
        for one, two in zip(jax.tree.leaves(wanted), jax.tree.leaves(networks.train(config, *call)), strict=True):
            np.testing.assert_array_equal(one, two)


def test_two_classes_have_one_output_and_labels_of_any_type(images):
    pixels, labels, _ = images
    config = networks.Config((64, 9, 1), (20,), seeds=1, epochs=1)
    parity = labels % 2
    wanted = networks.train(config, pixels, parity, KEY)
    for same in (parity == 1, (2 * parity - 1 + 1) // 2, parity[:, None].astype(float)):
        np.testing.assert_array_equal(networks.train(config, pixels, same, KEY).loss, wanted.loss)


def test_studies_and_networks_take_lists(images):
    shape = {"patterns": [10, 20], "hidden": [9], "seeds": 2, "epochs": 1, "fractions": [0.0, 0.01, 0.02, 0.05], "draws": 1}
    found = networks.run(dataclasses.replace(networks.STUDIES["digits"], **shape))
    assert found.attrs["sizes"] == [64, 9, 10]
    assert [w.shape for w in networks.BinaryMLP([8, 5, 3], rngs=nnx.Rngs(0)).weights()] == [(8, 5), (5, 3)]


N = "fmjax.networks"
W = "[np.ones((4, 3), np.int8), np.ones((3, 2), np.int8)]"
P = "np.eye(4)[:3], np.zeros(3, int)"
CONFIG = f"{N}.Config((4, 3, 2), (3,), seeds=1, epochs=1)"
KEY_0 = "jax.random.key(0)"
SETS = "[np.ones((2, 4, 3), np.int8), np.ones((2, 3, 2), np.int8)]"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (f"{N}.mistakes({W}, np.eye(4)[:3], [0, 1])", ["3 patterns and 2 labels"]),
        (f"{N}.mistakes({W}, np.eye(4)[:3], [0, 1, 2])", ["between 0 and 1 for 2 outputs", "not reach 2"]),
        (f"{N}.mistakes({W}, np.eye(4)[:3], [0, 1, -2])", ["between 0 and 1", "not reach -2"]),
        (f"{N}.mistakes({W}, np.eye(4)[:3], [0, 0.5, 1])", ["labels", "whole numbers", "0.5"]),
        (f"{N}.mistakes({W}, np.eye(4)[:3], [0, np.nan, 1])", ["labels", "NaN"]),
        (f"{N}.mistakes({W}, np.eye(4)[:3], ['a', 'b', 'a'])", ["labels", "real numbers"]),
        (f"{N}.mistakes({W}, np.eye(4)[:3], np.eye(3, 2))", ["labels", "(3, 2)", "np.argmax(labels, axis=1)"]),
        (f"{N}.mistakes({W}, np.eye(5), np.zeros(5, int))", ["5 inputs, the networks 4"]),
        (f"{N}.mistakes({W}, np.ones((3, 2, 2)), np.zeros(3, int))", ["inputs", "reshape(len(inputs), -1)"]),
        (f"{N}.mistakes({W}, np.ones(4), [0])", ["inputs", "one row", "(4,)"]),
        (f"{N}.class_scores({W}, np.full((3, 4), np.nan))", ["inputs", "12 of 12"]),
        (f"{N}.class_scores({W}, np.full((3, 4), 1e39))", ["inputs", "1e+39", "float32 holds"]),
        (f"{N}.class_scores({W}, np.full((3, 4), 1e-60))", ["inputs", "1e-60", "divide them by their scale"]),
        (f"{N}.sign('+')", ["u must hold real numbers", "'+'"]),
        (f"{N}.sign([1.0, np.nan])", ["u must be finite", "1 of 2"]),
        (f"{N}.load('digits', 'validation')", ["split must be 'train' or 'test', not 'validation'"]),
        (f"{N}.load('imagenet')", ["name", "'digits'", "'mnist'", "'imagenet'"]),
        (f"{N}.load_task(['digits'])", ["task", "'digits'", "['digits']"]),
        (f"{N}.BinaryMLP((4, 2), rngs=0)", ["rngs must be Rngs", "flax.nnx.Rngs(0)"]),
        (f"{N}.train({CONFIG}, np.eye(4)[:3], [0, 1, 0], {KEY_0}, checkpoints=7)", ["checkpoints", "7"]),
        (f"{N}.Config((4, 2), 100)", ["a list of positive and increasing ones", "try [100]"]),
        (f"{N}.class_scores({W}, np.full((3, 4), 1j))", ["inputs", "complex"]),
        (f"{N}.class_scores({W}[0], np.eye(4))", ["weights", "list of layers", "(inputs, neurons)"]),
        (f"{N}.class_scores({W}[::-1], np.eye(3))", ["weights", "neurons below", "(3, 2)"]),
        (f"{N}.class_scores({SETS}, np.eye(4))", ["weights", "[layer[0] for layer in weights]"]),
        (f"{N}.class_scores([], np.eye(4))", ["weights", "at least one layer"]),
        (f"{N}.class_scores([w > 0 for w in {W}], np.eye(4))", ["layer 1 of weights", "True and False"]),
        (f"{N}.class_scores([0.5 * w for w in {W}], np.eye(4))", ["layer 1 of weights", "but 0.5"]),
        (f"{N}.class_scores([{W}[0], 0 * {W}[1]], np.eye(4))", ["layer 2 of weights", "but 0", "np.where"]),
        (f"{N}.BinaryMLP((4, 2), rngs=__import__('flax').nnx.Rngs(0))(np.eye(3))", ["3 inputs, the networks 4"]),
        (f"{N}.BinaryMLP((4, 2.5), rngs=None)", ["a size", "whole number", "2.5"]),
        (f"{N}.BinaryMLP('42', rngs=None)", ["sizes", "'42'"]),
        (f"{N}.local_energy({SETS}, np.eye(4)[:3], [[0], [1], [2]], [0.1], {KEY_0})", ["between 0 and 1", "reach 2"]),
        (f"{N}.local_energy({SETS}, np.eye(4)[:3], [0, 1], [0.1], {KEY_0})", ["3 patterns and 2 labels"]),
        (f"{N}.local_energy({SETS}, np.full((3, 4), np.inf), [0, 1, 1], [0.1], {KEY_0})", ["inputs", "12 of 12"]),
        (f"{N}.local_energy({SETS}, np.eye(4)[:0], [], [0.1], {KEY_0})", ["there are none"]),
        (f"{N}.local_energy({SETS}, {P}, 0.1, {KEY_0})", ["fractions", "at least one", "()"]),
        (f"{N}.local_energy({SETS}, {P}, [0.1], 0)", ["key", "jax.random.key(0)"]),
        (f"{N}.local_energy({W}, {P}, [0.1], {KEY_0})", ["weights", "(network, inputs, neurons)"]),
        (f"{N}.flipped({W}, [0.1], {KEY_0})", ["fractions", "each of 2 layers", "(1,)"]),
        (f"{N}.flipped({W}, [0.1, 2], {KEY_0})", ["fractions", "between 0 and 1", "2"]),
        (f"{N}.flipped({W}, [0.1, 0.2], 'seed')", ["key", "'seed'"]),
        (f"{N}.train({CONFIG}, np.where(np.eye(4) > 0, np.nan, 0)[:3], [0, 1, 0], {KEY_0})", ["inputs", "3 of 12"]),
        (f"{N}.train({CONFIG}, np.where(np.eye(4) > 0, np.inf, 0)[:3], [0, 1, 0], {KEY_0})", ["inputs", "3 of 12"]),
        (f"{N}.train({CONFIG}, np.eye(4)[:3], [0, 1, 2], {KEY_0})", ["between 0 and 1 for 2 outputs", "reach 2"]),
        (f"{N}.train({CONFIG}, np.eye(4)[:2], [0, 1], {KEY_0})", ["3 patterns were asked for", "there are 2"]),
        (f"{N}.train({CONFIG}, {P}, jax.random.split({KEY_0}))", ["one key", "(2,)"]),
        (f"{N}.train((4, 3, 2), {P}, {KEY_0})", ["config", "Config((64, 51, 10), patterns=(100,))"]),
        (
            f"{N}.train({N}.Config((4, 3, 1), (3,)), np.eye(4)[:3], [-1, 1, 1], {KEY_0})",
            ["between 0 and 1 for 1 output, not reach -1", "(labels + 1) // 2"],
        ),
        (f"{N}.Config((4, 3, 2), (3.5,))", ["number of patterns", "3.5"]),
        (f"{N}.Config((4, 3, 2), 'all')", ["patterns", "all"]),
        (f"{N}.Config((4,), (3,))", ["sizes", "(4,)"]),
        (f"{N}.Config((4, 0), (3,))", ["sizes", "(4, 0)"]),
        (f"{N}.Config((4, 2), (3,), learning_rate='fast')", ["learning_rate", "'fast'"]),
        (f"{N}.Config((4, 2), (3,), seeds=1.5)", ["seeds", "1.5"]),
        (f"{N}.overlap({W}, [2 * w for w in {W}])", ["layer 1 of other", "but 2"]),
        (f"jax.jit(lambda w: {N}.overlap(w, w))({W})", ["networks", "traced", "outside"]),
        (f"{N}.pair_overlaps({W})", ["networks", "(network, inputs, neurons)"]),
        (f"{N}.match({W}, {W}).apply([np.ones((4, 2)), np.ones((2, 1))])", ["[3] neurons", "[2]"]),
        (f"{N}.mean_overlap([0.1, 0.2], 3)", ["3 networks make 3 pairs", "2 overlaps"]),
        (f"{N}.mean_overlap([], 1)", ["networks", "at least 2", "1"]),
        (f"{N}.mean_overlap([np.nan], 2)", ["overlaps", "NaN"]),
        (f"{N}.random_networks((4,), 2, {KEY_0})", ["sizes", "(4,)"]),
        (f"{N}.random_networks((4, 2), 0, {KEY_0})", ["count", "at least 1"]),
        (f"{N}.threshold([10, 20], [[0.0, np.nan], [0.1, 0.1]])", ["errors", "1 of 4"]),
        (f"{N}.threshold([10, 20], [[0.0, 0.1]])", ["errors", "2 numbers of patterns", "not 1"]),
        (f"{N}.threshold([20, 10], [[0.0], [0.1]])", ["increasing"]),
        (f"{N}.shape_at_zero([0, 0.01, 0.02, 0.03], np.ones((1, 1, 3, 1)), 0.05)", ["energy", "4", "(1, 1, 3, 1)"]),
        (f"{N}.shape_at_zero([0, 0.01, 0.02, 0.03], np.ones((1, 4)), 0.05)", ["energy", "network, part, fraction, draw"]),
        (f"{N}.run({N}.Study('digits', (9,), (10,), fractions=(0, 0.1)))", ["three more fractions"]),
        (f"{N}.run({N}.Study('digits', (9,), (10,), draws=0))", ["draws", "at least 1"]),
        (f"{N}.run({N}.Study('digits', (9,), (10,), seed=2**40))", ["seed", "4294967295"]),
    ],
)
def test_what_networks_cannot_take_is_refused_by_name(call, named, without_type_checks):
    message = without_type_checks(call)
    assert all(name in message for name in named), message
