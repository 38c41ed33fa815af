"""Front doors of message passing and networks: what people have in arrays is taken for what it is, or refused by name."""

import dataclasses
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fmjax import networks
from fmjax.message_passing import Instance, belief_propagation, focusing, local_entropy
from tests.oracles.networks import integer_scores

KEY = jax.random.key(0)


def every_type(values):
    """±1, or other small whole numbers, in every type that holds them."""
    types = (np.int8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64)
    yield from (np.asarray(values, dtype) for dtype in types)
    yield from (jnp.asarray(values, dtype) for dtype in (jnp.int8, jnp.int32, jnp.bfloat16, jnp.float32))
    yield np.asarray(values, dtype=int).tolist()
    yield np.asfortranarray(values)


# Message passing: patterns --------------------------------------------------------------------------------------------


def test_signs_of_any_type_are_the_same_problem():
    """At even N a tie is an error: as real numbers, the patterns would have threshold 0 and not 2."""
    signs = np.asarray(Instance.random(KEY, 40, 0.5).patterns)
    weights = np.where(np.arange(40) % 3 == 0, -1, 1).astype(np.int8)
    sums = signs.astype(int) @ weights
    wanted = int((sums < 2).sum())
    assert (sums == 0).any()
    for patterns in every_type(signs):
        instance = Instance(patterns)
        assert instance.patterns.dtype == jnp.int8
        assert instance.threshold == 2
        assert int(instance.errors(weights)) == wanted
        np.testing.assert_array_equal(instance.patterns, signs)
    batch = Instance(np.stack([signs, -signs]).astype(np.int64))
    assert batch.errors(np.stack([weights, weights])).tolist() == [wanted, int((-sums < 2).sum())]


def test_inside_programs_a_tie_of_signs_is_an_error():
    """A traced float may be a sign: one that adds up to zero is on neither side."""
    errors = jax.jit(lambda patterns: Instance(patterns).errors(np.ones(4, np.int8)))
    assert int(errors(np.array([[1.0, 1.0, -1.0, -1.0], [1.0, 1.0, 1.0, -1.0]]))) == 1


def test_weights_and_references_of_any_type_are_the_same():
    instance = Instance.random(KEY, 40, 0.3)
    weights = np.where(np.arange(40) % 3 == 0, -1, 1)
    wanted, around = int(instance.errors(weights)), local_entropy(instance, weights, [0.0, 1.0]).entropy
    for same in every_type(weights):
        assert int(instance.errors(same)) == wanted
        np.testing.assert_array_equal(local_entropy(instance, same, [0.0, 1.0]).entropy, around)


def test_real_patterns_stay_real():
    drawn = np.random.default_rng(0).normal(size=(5, 12))
    for patterns in (drawn, drawn.astype(np.float32), jnp.asarray(drawn), drawn.tolist(), 2.0 * np.sign(drawn)):
        instance = Instance(patterns)
        assert instance.patterns.dtype == jnp.float32
        assert 0 < instance.threshold < 1e-37
        np.testing.assert_allclose(instance.patterns, np.asarray(patterns), rtol=1e-6)
    assert Instance(np.zeros((0, 12))).patterns.shape == (0, 12)


def test_labels_are_taken_in_any_type_and_as_a_column():
    signs, labels = np.asarray(Instance.random(KEY, 15, 1.0).patterns), np.where(np.arange(15) % 2, 1, -1)
    wanted = signs * labels[:, None]
    for same in [*every_type(labels), *every_type(labels[:, None])]:
        found = Instance.labelled(signs, same)
        assert found.patterns.shape == (15, 15)
        np.testing.assert_array_equal(found.patterns, wanted)
    traced = jax.jit(lambda labels: Instance.labelled(signs, labels).patterns)(labels[:, None])
    np.testing.assert_array_equal(traced, wanted)


def test_inside_programs_types_are_known_and_values_pass():
    batch = Instance.random(KEY, 20, 0.5, samples=3)
    weights = np.ones(20, np.int8)
    wanted = batch.errors(np.ones((3, 20))).tolist()
    for dtype in (jnp.int8, jnp.int32):
        patterns = batch.patterns.astype(dtype)
        assert jax.vmap(lambda one: Instance(one).errors(weights))(patterns).tolist() == wanted
        assert jax.jit(lambda all_of_them: Instance(all_of_them).threshold)(patterns) == 2
    found = jax.jit(lambda instance: focusing(instance).weights)(batch)
    np.testing.assert_array_equal(found, focusing(batch).weights)
    gradient = jax.grad(lambda gammas: local_entropy(Instance(batch.patterns[0]), weights, gammas).gamma.sum())
    assert gradient(jnp.asarray([0.0, 1.0])).tolist() == [1, 1]


@pytest.mark.parametrize("margin", [0.2, np.float32(0.2), jnp.float32(0.2), np.array(0.2), jnp.asarray(0.2)])
def test_a_margin_of_any_type_is_its_decimal_number(margin):
    """0.2 sqrt 100 = 2 lies on the lattice, and 0.2 of float32 is a little above."""
    assert Instance.random(KEY, 100, 0.1, margin).threshold == 2
    assert Instance(np.ones((1, 100)), margin).margin == 0.2


def test_numbers_of_any_type_are_sizes_and_loads_and_old_keys_are_keys():
    wanted = Instance.random(KEY, 20, 0.5)
    for size, alpha in ((20, 0.5), (np.int64(20), np.float32(0.5)), (20.0, jnp.float32(0.5)), (jnp.asarray(20), 0.5)):
        np.testing.assert_array_equal(Instance.random(jax.random.PRNGKey(0), size, alpha).patterns, wanted.patterns)


def test_messages_of_another_precision_are_a_start():
    instance = Instance.random(KEY, 51, 0.3)
    single, double = (belief_propagation(instance, dtype=dtype) for dtype in (jnp.float32, jnp.float64))
    again = belief_propagation(instance, start=single.messages, dtype=jnp.float64)
    np.testing.assert_allclose(again.fields, double.fields, atol=1e-5)


X = "np.where(np.arange(44).reshape(4, 11) % 3 == 0, -1, 1)"
I = f"fmjax.message_passing.Instance({X})"
E = "__import__('fmjax.message_passing.experiment', fromlist=['experiment'])"
B = "fmjax.message_passing.belief_propagation(fmjax.message_passing.Instance.random(jax.random.key(0), 11, 0.5))"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (f"fmjax.message_passing.Instance({X} > 0)", ["patterns", "True and False", "np.where(patterns, 1, -1)"]),
        (f"fmjax.message_passing.Instance(({X} > 0).astype(np.int8))", ["patterns", "but 0", "np.where(patterns, 1, -1)"]),
        (f"fmjax.message_passing.Instance(({X} > 0).astype(np.uint8))", ["patterns", "but 0", "np.where(patterns, 1, -1)"]),
        (f"fmjax.message_passing.Instance(({X} > 0).astype(float))", ["patterns", "but 0.0", "np.where(patterns, 1, -1)"]),
        (f"fmjax.message_passing.Instance(jax.numpy.asarray({X} > 0, int))", ["patterns", "but 0"]),
        (f"fmjax.message_passing.Instance(2 * {X})", ["patterns", "unit variance", "2"]),
        (f"fmjax.message_passing.Instance(np.where({X} > 0, np.nan, 1))", ["patterns", "NaN or infinite", "of 44"]),
        (f"fmjax.message_passing.Instance(np.where({X} > 0, np.inf, 0.5))", ["patterns", "NaN or infinite"]),
        (f"fmjax.message_passing.Instance(np.where({X} > 0, 1e300, 0.5))", ["patterns", "1e+300", "float32 holds"]),
        (f"fmjax.message_passing.Instance(1e-60 * np.where({X} > 0, 1, 0.5))", ["patterns", "1e-60", "their scale"]),
        (f"fmjax.message_passing.Instance({X}[0])", ["patterns", "(P, N)", "(11,)"]),
        ("fmjax.message_passing.Instance(1)", ["patterns", "(P, N)", "()"]),
        ("fmjax.message_passing.Instance(np.zeros((3, 0)))", ["patterns", "(3, 0)"]),
        ("fmjax.message_passing.Instance([[1, -1], [1]])", ["patterns", "rows differ"]),
        ("fmjax.message_passing.Instance([['a', 'b']])", ["patterns", "real numbers"]),
        (
            f"fmjax.message_passing.Instance(np.ma.masked_less({X}, 0))",
            ["patterns", "15 of 44 are masked", "leave them out"],
        ),
        (f"fmjax.message_passing.Instance({X}, True)", ["margin", "not True"]),
        (f"fmjax.message_passing.Instance({X}, np.ma.array(5.0, mask=True))", ["margin", "1 of 1 are masked"]),
        (f"fmjax.message_passing.Instance({X}.astype('m8[s]'))", ["patterns", "real numbers", "timedelta64"]),
        (f"fmjax.message_passing.Instance({X} * 1j)", ["patterns", "real numbers", "complex"]),
        (f"fmjax.message_passing.Instance({X}, float('nan'))", ["margin", "nan"]),
        (f"fmjax.message_passing.Instance({X}, np.array([0.1]))", ["margin", "shape (1,)"]),
        (f"jax.jit(lambda k: fmjax.message_passing.Instance({X}, k).threshold)(0.1)", ["margin", "traced", "jax.jit"]),
        (
            f"jax.jit(lambda x: fmjax.message_passing.Instance(x).threshold)({X} > 0)",
            ["patterns", "True and False", "np.where"],
        ),
        (f"jax.jit(lambda x: fmjax.message_passing.Instance(x).threshold)(({X} > 0).astype(np.uint8))", ["no -1"]),
        (f"fmjax.message_passing.Instance.labelled({X}, np.ones(1))", ["labels", "(4,)", "(1,)"]),
        (f"fmjax.message_passing.Instance.labelled({X}, np.ones((1, 4)))", ["labels", "(4,)", "(1, 4)"]),
        (f"fmjax.message_passing.Instance.labelled({X}, [True, False, True, True])", ["labels", "True and False"]),
        (f"fmjax.message_passing.Instance.labelled({X}, [1, 0, 1, 1])", ["labels", "but 0", "np.where(labels, 1, -1)"]),
        (f"fmjax.message_passing.Instance.labelled({X}, [1, 2, 1, 1])", ["labels", "but 2 is among them"]),
        (f"fmjax.message_passing.Instance.labelled({X} > 0, np.ones(4))", ["patterns", "True and False"]),
        (f"fmjax.message_passing.Instance.labelled({X}[None], np.ones(4))", ["patterns", "(P, N)", "(1, 4, 11)"]),
        (f"{I}.errors(np.ones(11) > 0)", ["weights", "True and False", "np.where(weights, 1, -1)"]),
        (f"{I}.errors(np.ones(1))", ["weights", "(11,)", "(1,)"]),
        (f"{I}.errors(np.ones((11, 1)))", ["weights", "(11,)", "(11, 1)"]),
        (f"{I}.errors(0.3 * np.ones(11))", ["weights", "0.3"]),
        (f"{I}.sums(np.zeros(11))", ["weights", "0.0"]),
        (f"{I}.sums([1, np.nan, *[1] * 9])", ["weights", "nan"]),
        ("fmjax.message_passing.Instance.random(0, 11, 0.5)", ["key", "jax.random.key(0)", "not 0"]),
        ("fmjax.message_passing.Instance.random(jax.random.split(jax.random.key(0)), 11, 0.5)", ["one key", "(2,)"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), 11.5, 0.5)", ["size", "whole number", "11.5"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), '11', 0.5)", ["size", "'11'"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), 11, [0.5])", ["alpha", "[0.5]"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), 11, 0.5, samples=0)", ["samples", "at least 1", "0"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), 11, 0.5, kind='normal')", ["'gaussian'", "'normal'"]),
        (f"fmjax.message_passing.focusing({X})", ["instance", "Instance(patterns)", "(4, 11)"]),
        (f"fmjax.message_passing.focusing({I}, 500)", ["schedule", "PseudoReinforcement", "500"]),
        (f"fmjax.message_passing.focusing({I}, to_the_end='yes')", ["to_the_end must be True or False, not 'yes'"]),
        (f"fmjax.message_passing.focusing({I}, to_the_end=1)", ["to_the_end must be True or False, not 1"]),
        (
            f"fmjax.message_passing.FocusingClassifier().fit(np.ma.masked_less({X}, 0), [0, 1, 0, 1])",
            ["X", "15 of 44 are masked"],
        ),
        (
            f"fmjax.message_passing.FocusingClassifier().fit({X}, np.ma.masked_less([0, 1, 0, 1], 1))",
            ["y", "2 of 4 are masked"],
        ),
        (f"fmjax.message_passing.focusing({I}, damping=np.nan)", ["damping", "nan"]),
        (f"fmjax.message_passing.focusing({I}, tolerance=0)", ["tolerance", "positive", "0"]),
        (f"fmjax.message_passing.focusing({I}, form='map')", ["form", "'amp' or 'edge'", "'map'"]),
        (f"fmjax.message_passing.focusing({I}, fmjax.message_passing.Reinforcement(2.5))", ["steps", "2.5"]),
        ("fmjax.message_passing.PseudoReinforcement(0)", ["steps of a schedule", "at least 1", "not 0"]),
        ("fmjax.message_passing.Reinforcement(sweeps='all')", ["sweeps", "at least 1", "'all'"]),
        ("fmjax.message_passing.Scoping(y=1.5)", ["y must be at least 2, or inf, not 1.5"]),
        ("fmjax.message_passing.Scoping(gamma_max=np.inf)", ["gamma_max must be positive and finite, not inf"]),
        (f"fmjax.message_passing.polarisation({I}, sweeps=2.5)", ["sweeps", "2.5"]),
        (f"fmjax.message_passing.belief_propagation({I}, dtype='half')", ["dtype", "float32", "float16"]),
        (f"fmjax.message_passing.belief_propagation({I}, sweeps=1.5)", ["sweeps", "1.5"]),
        (f"fmjax.message_passing.belief_propagation({I}, np.full(11, np.inf))", ["fields", "11 of 11"]),
        (f"fmjax.message_passing.belief_propagation({I}, np.full(11, 1e39))", ["fields", "1e+39", "float32 holds"]),
        (f"fmjax.message_passing.belief_propagation({I}, np.ones(11) > 0)", ["fields", "True and False"]),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(11), [True])", ["gammas", "True and False"]),
        (f"fmjax.message_passing.belief_propagation({I}, start=np.zeros(11))", ["start", "beliefs.messages"]),
        (
            f"fmjax.message_passing.belief_propagation({I}, start=fmjax.message_passing.AMP(np.zeros(3), np.zeros(4)))",
            ["start.field", "(11,)", "(3,)"],
        ),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(11) > 0)", ["solution", "True and False"]),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(1))", ["solution", "(11,)", "(1,)"]),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(11), 0.5)", ["gammas", "increasing"]),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(11), [])", ["gammas", "increasing"]),
        (f"fmjax.message_passing.bethe_entropy({I}, {X})", ["beliefs", "belief_propagation(instance)"]),
        (f"fmjax.message_passing.bethe_entropy({I}, {B})", ["beliefs.messages.response", "(4,)", "(6,)"]),
        (
            f"jax.jit(lambda i: fmjax.message_passing.belief_propagation(i).result)({I})",
            ["sentence", "inside jax.jit", "status"],
        ),
        (f"{E}.find_solutions(11, 0.5, seeds=[])", ["seeds", "at least one"]),
        (f"{E}.find_solutions(11, 0.5, seeds=[0.5])", ["seed", "0.5"]),
        (f"{E}.measure_entropies(11, 0.5, seeds=[0], rows=1)", ["rows", "at least 2"]),
    ],
)
def test_what_message_passing_cannot_take_is_refused_by_name(call, named, without_type_checks):
    message = without_type_checks(call)
    assert all(name in message for name in named), message


# Networks: images, labels, weights ------------------------------------------------------------------------------------


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


# Theory: numbers ------------------------------------------------------------------------------------------------------


DOUBLE = "jax.enable_x64(True)"
A = "fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=a)"
K = "fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(a)), alpha=0.5)"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (f"{DOUBLE}(jax.jit(lambda a: {A}.entropy))(0.5 + 2j)", ["alpha must be a real number, not complex"]),
        (f"{DOUBLE}(jax.jit(lambda a: {A}.entropy))(True)", ["alpha must be a real number, not bool"]),
        (f"{DOUBLE}(jax.vmap(lambda a: {A}.entropy))(np.array([0.5j, 0.4]))", ["alpha must be a real number, not complex"]),
        (f"{DOUBLE}(jax.jit(lambda a: {K}.entropy))(0.1 + 3j)", ["margin must be a real number, not complex"]),
        (
            f"{DOUBLE}(jax.jit(lambda a: fmjax.thresholds.kappa_max(fmjax.Perceptron(), a)))(0.5j)",
            ["alpha must be a real number, not complex"],
        ),
        (f"(lambda a: {A})(np.timedelta64(1, 'D'))", ["alpha must be a real number", "timedelta64"]),
        (f"(lambda a: {A})(np.inf)", ["alpha = inf", "positive and finite"]),
        (f"(lambda a: {A})('x')", ["alpha must be a real number, not 'x'"]),
        ("fmjax.LeakyReLU('a')", ["slope must hold real numbers", "'a'"]),
        ("fmjax.LeakyReLU(None)", ["slope must hold real numbers", "None"]),
        ("fmjax.LeakyReLU(True)", ["slope must be numbers, not True and False"]),
        ("fmjax.Hermite(2.0)", ["coefficients must be several numbers, not 2.0", "jnp.array([2.0])"]),
        ("fmjax.TreeCommittee('tanh', kinks='a')", ["kinks must hold real numbers", "'a'"]),
        ("fmjax.TreeCommittee('tanh', kinks=(1j,))", ["kinks must hold real numbers", "complex"]),
    ],
)
def test_what_the_theory_cannot_take_is_refused_by_name(call, named, without_type_checks):
    message = without_type_checks(call)
    assert all(name in message for name in named), message


# Settings of JAX ------------------------------------------------------------------------------------------------------

PROGRAM = """
import dataclasses, jax, fmjax, numpy as np
from fmjax import networks
from fmjax.message_passing import *

kinds = {"samples": None}, {"samples": 2}, {"kind": "gaussian"}
one, *others = (Instance.random(jax.random.key(0), 31, 0.3, **kind) for kind in kinds)
for instance in (one, *others):
    signs = np.ones((*instance.patterns.shape[:-2], 31))
    instance.errors(signs)
    for form in ("amp", "edge"):
        beliefs = belief_propagation(instance, form=form)
        bethe_entropy(instance, beliefs), bethe_free_entropy(instance, beliefs)
        local_entropy(instance, signs, [0.0, 1.0], form=form)
        assert np.all(np.asarray(focusing(instance, form=form).errors) == 0)
for schedule in (Reinforcement(20), Scoping(), Scoping(y=3.0)):
    focusing(one, schedule)
polarisation(one, sweeps=3)
committee = Instance.random(jax.random.key(0), 33, 0.2, committee=Committee("sign", 3))
assert bool(focusing(committee).solved)
committee.errors(np.ones(33))

study = {"hidden": (9,), "patterns": (10, 20), "seeds": 2, "epochs": 2, "fractions": (0.0, 0.01, 0.02, 0.05), "draws": 1}
assert np.isfinite(networks.run(dataclasses.replace(networks.STUDIES["digits"], **study)).loss).all()
perceptron = fmjax.Perceptron()
for alpha, found in ((0.5, True), (5.0, False)):
    assert np.isfinite(fmjax.solve(fmjax.Equilibrium(perceptron), alpha=alpha).entropy) == found
assert np.isnan(fmjax.solve(fmjax.FranzParisi(perceptron, 0.0), alpha=0.5, distance=1e-5).entropy)
layers = [layer[0] for layer in networks.random_networks((64, 9, 10), 2, jax.random.key(0))]
networks.flipped(layers, np.array([0.0, 0.1]), jax.random.key(0))
"""


@pytest.mark.parametrize(
    "settings",
    [
        {"JAX_NUMPY_DTYPE_PROMOTION": "strict", "JAX_NUMPY_RANK_PROMOTION": "raise"},
        {"JAX_NUMPY_DTYPE_PROMOTION": "strict", "JAX_NUMPY_RANK_PROMOTION": "raise", "JAX_ENABLE_X64": "1"},
        {"JAX_DEBUG_NANS": "1"},
    ],
    ids=" ".join,
)
def test_everything_runs_under_the_strict_settings_of_jax(settings):
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=os.environ | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
