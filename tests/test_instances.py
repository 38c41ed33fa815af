"""Instances: patterns, their lattice and threshold, and products with them in little memory."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmjax.message_passing import Instance, PseudoReinforcement, passes
from tests.single_instances import key


@pytest.mark.parametrize(
    ("size", "margin", "threshold"),
    [
        (1001, 0.0, 1),
        (21, 0.2, 1),  # 0.2 sqrt 21 = 0.92
        (21, 0.3, 3),  # 1.37
        (21, -0.3, -1),  # -1.37
        (16, 0.5, 2),  # on the lattice: 2
        (16, 0.51, 4),
        (16, 0.0, 2),  # a tie is an error
        (16, -0.1, 0),
        (100, 0.2, 2),  # on the lattice, though 0.2 is not a binary fraction
        (1, 0.0, 1),
        (1, 2.0, 3),
    ],
)
def test_the_threshold_is_the_smallest_sum_that_satisfies_a_pattern(size, margin, threshold):
    instance = Instance.random(key(0), size, 1.0, margin)
    assert instance.threshold == threshold
    assert instance.midpoint == threshold - 1


def test_a_sample_of_a_batch_is_drawn_as_it_would_be_alone():
    batch = Instance.random(key(3), 65, 0.6, samples=3)
    assert batch.patterns.shape == (3, 39, 65)
    assert batch.patterns.dtype == jnp.int8
    alone = Instance.random(jax.random.fold_in(key(3), 2), 65, 0.6)
    np.testing.assert_array_equal(batch.patterns[2], alone.patterns)


@pytest.mark.parametrize("kind", ["binary", "gaussian"])
def test_a_larger_load_adds_patterns_to_the_same_ones(kind):
    few, many = (Instance.random(key(1), 301, alpha, kind=kind).patterns for alpha in (0.2, 1.7))
    np.testing.assert_array_equal(many[: len(few)], few)
    assert len(np.unique(np.asarray(many), axis=0)) == len(many)
    assert abs(np.mean(many)) < 5 / math.sqrt(many.size)
    assert abs(np.mean(np.square(many)) - 1) < 7 / math.sqrt(many.size)
    if kind == "binary":
        assert set(np.unique(many)) == {-1, 1}


def test_labels_are_absorbed_and_anything_but_signs_is_refused():
    patterns, labels = np.array([[1, -1, 1], [1, 1, 1]]), np.array([1, -1])
    np.testing.assert_array_equal(Instance.labelled(patterns, labels).patterns, [[1, -1, 1], [-1, -1, -1]])
    with pytest.raises(ValueError, match="labels must be .* 0"):
        Instance.labelled(patterns, np.array([1, 0]))
    with pytest.raises(ValueError, match=r"patterns must be .* 0\.5"):
        Instance.labelled(0.5 * patterns, labels)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((0, 0.5), "size.*0"),
        ((11, -0.1), r"alpha.*-0\.1"),
        ((11, math.nan), "alpha.*nan"),
        ((11, 0.5, math.inf), "margin.*inf"),
    ],
)
def test_an_instance_that_makes_no_sense_is_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        Instance.random(key(0), *arguments)


@pytest.mark.parametrize("count", [1, 8, 17, 40])
def test_products_in_blocks_are_those_of_the_whole_matrix(count, monkeypatch):
    monkeypatch.setattr(passes, "_BLOCK_BYTES", {jax.default_backend(): 8 * 33 * 4})  # eight rows
    instance = Instance.random(key(2), 33, count / 33)
    X, vectors = np.asarray(instance.patterns, dtype=float), np.linspace(-1, 1, 66).reshape(33, 2)
    own = jnp.arange(count, dtype=float)

    def respond(sums, start):
        return jnp.tanh(sums[:, 0]) + jax.lax.dynamic_slice(own, (start,), sums.shape[:1])

    sums, response, back = passes.blocked_pass(instance.patterns, jnp.asarray(vectors), respond)
    np.testing.assert_allclose(sums, X @ vectors, atol=1e-12)
    np.testing.assert_allclose(response, np.tanh(X @ vectors)[:, 0] + own, atol=1e-12)
    np.testing.assert_allclose(back, np.asarray(response) @ X, atol=1e-10)
    weights = jnp.where(jnp.arange(33) % 3 == 0, -1, 1).astype(jnp.int8)
    np.testing.assert_array_equal(instance.sums(weights), X @ np.asarray(weights))


def test_the_fast_path_holds_no_float_array_of_the_size_of_the_patterns():
    from fmjax.message_passing.focusing import focus

    instance = Instance.random(key(0), 4001, 0.7)
    compiled = focus.lower(instance, PseudoReinforcement(), False, "amp", 0.3, 1e-3, jnp.dtype("float32")).compile()
    floats = 4 * instance.count * instance.size
    temporary = compiled.compiled.memory_analysis().temp_size_in_bytes
    assert temporary < 0.1 * floats


def test_patterns_that_are_no_numbers_are_not_solved_where_nobody_can_look_at_them():
    patterns = jnp.full((5, 11), jnp.nan, jnp.float32)
    assert jax.jit(lambda x: Instance(x).errors(jnp.ones(11, jnp.int8)))(patterns) == 5
