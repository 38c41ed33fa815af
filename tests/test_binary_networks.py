"""The binary network: its gradient by hand, its integers, its ties, its symmetries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given

from fmjax import networks
from tests import small_networks
from tests.oracles.networks import integer_scores, loss_and_gradient
from tests.small_networks import generators, network, odd_sizes, symmetry

digits = small_networks.digits


def test_the_derivative_of_the_sign_is_that_of_a_hard_tanh():
    at = jnp.array([-1.5, -1.0, -0.3, 0.0, 0.3, 1.0, 1.0001], jnp.float32)
    values, slopes = jax.jvp(networks.sign, (at,), (jnp.ones_like(at),))
    assert values.tolist() == [-1, -1, -1, 1, 1, 1, 1]
    assert slopes.tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert values.dtype == slopes.dtype == jnp.float32


def test_the_gradient_is_the_straight_through_gradient_by_hand():
    rng = np.random.default_rng(1)
    model = networks.BinaryMLP((15, 9, 7, 4), rngs=nnx.Rngs(2))
    structure, latent = nnx.split(model)
    inputs, labels = rng.normal(size=(12, 15)).astype(np.float32), rng.integers(4, size=12)

    def loss(latent):
        scores = nnx.merge(structure, latent)(jnp.asarray(inputs))
        return -jax.nn.log_softmax(scores)[jnp.arange(12), labels].mean()

    value, gradient = jax.value_and_grad(loss)(latent)
    expected, by_hand = loss_and_gradient([np.asarray(w, np.float64) for w in jax.tree.leaves(latent)], inputs, labels)
    assert value == pytest.approx(expected, rel=1e-6)
    for found, wanted in zip(jax.tree.leaves(gradient), by_hand, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-7)
        assert np.abs(wanted).max() > 1e-3


@pytest.mark.parametrize("outputs", [10, 1])
def test_exported_weights_give_the_forward_pass_bit_for_bit_and_integers_agree(digits, outputs):
    inputs = digits[0][:200]
    model = networks.BinaryMLP((64, 33, 20, outputs), rngs=nnx.Rngs(0))
    weights = model.weights()
    assert all(matrix.dtype == jnp.int8 and set(np.unique(matrix)) == {-1, 1} for matrix in weights)
    scores = np.asarray(model(inputs))
    np.testing.assert_array_equal(scores, networks.class_scores(weights, inputs))
    integers = integer_scores([np.asarray(w) for w in weights], np.asarray(inputs) * 8)
    exact = integers.astype(np.float32) * np.float32(20**-0.5)
    np.testing.assert_array_equal(scores, np.concatenate([-exact, exact], axis=1) if outputs == 1 else exact)


def test_a_tie_is_a_mistake():
    weights = [np.array([[1, 1, -1]], np.int8)]
    inputs = jnp.array([[1.0], [-1.0], [-1.0]], jnp.float32)
    assert networks.mistakes(weights, inputs, jnp.array([0, 2, 1])).tolist() == [1, 0, 1]
    single = [np.array([[1], [-1]], np.int8)]
    inputs = jnp.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]], jnp.float32)
    assert networks.mistakes(single, inputs, jnp.array([1, 1, 1])).tolist() == [0, 1, 1]


@pytest.mark.parametrize("sizes", [(3,), (3, 0, 2)])
def test_sizes_that_make_no_network_are_refused(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        networks.BinaryMLP(sizes, rngs=nnx.Rngs(0))


@given(odd_sizes, generators)
def test_the_function_is_invariant_under_permutations_and_flips(sizes, rng):
    weights = network(rng, sizes)
    inputs = jnp.asarray(2 * rng.integers(-20, 20, size=(25, 31)) + 1, jnp.float32)
    copy = symmetry(rng, sizes).apply(weights)
    np.testing.assert_array_equal(networks.class_scores(weights, inputs), networks.class_scores(copy, inputs))
