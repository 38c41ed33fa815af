"""Theory of tree committees: capacities, margins and their gradients, against an independent program and exact limits."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.models import ACTIVATIONS
from tests.oracles import committee as oracle, literature
from tests.oracles.committee import KERNELS


def test_a_linear_committee_is_a_perceptron():
    double = fmjax.TreeCommittee(lambda u: 2.0 * u)
    one, two = fmjax.thresholds.capacity(fmjax.Perceptron()), fmjax.thresholds.capacity(double)
    assert abs(one.value - two.value) < 1e-12
    assert abs(one.distance - two.distance) < 1e-11
    one, two = (fmjax.thresholds.kappa_max(model, 0.5).value for model in (fmjax.Perceptron(), double))
    assert abs(2.0 * one - two) < 1e-11  # margins in units of the pre-activation


@pytest.mark.parametrize("factor", [1000.0, 1e-4])
def test_margins_scale_with_the_activation_and_nothing_else_changes(factor):
    model = fmjax.TreeCommittee(jnp.tanh, margin=0.1)
    scaled = fmjax.TreeCommittee(lambda u: factor * jnp.tanh(u), margin=0.1 * factor)
    one, two = (fmjax.thresholds.capacity(each) for each in (model, scaled))
    assert abs(one.value - two.value) < 1e-12
    for alpha in (0.05, 0.5):
        one, two = (fmjax.thresholds.kappa_max(each, alpha) for each in (model, scaled))
        assert two.result == "converged"
        assert abs(two.value / (factor * one.value) - 1.0) < 1e-12
        assert two.error_estimate < 1e-10 * factor
    with pytest.raises(ValueError, match="margin"):
        fmjax.thresholds.capacity(scaled.with_margin(13.0 * factor))  # tanh has deviation 0.63: 20 of them are the limit


@pytest.mark.slow
def test_onsets_of_flat_regions_scale_with_the_activation_too():
    model, scaled = fmjax.TreeCommittee("relu"), fmjax.TreeCommittee(lambda u: 1000.0 * jnp.maximum(u, 0.0))
    one, two = (fmjax.thresholds.kappa_u(each, 0.5) for each in (model, scaled))
    assert two.result == "converged"
    assert abs(two.value / (1000.0 * one.value) - 1.0) < 1e-9
    assert abs(two.distance / one.distance - 1.0) < 1e-7
    one, two = (fmjax.thresholds.alpha_u(each) for each in (model, scaled))
    assert abs(two.value - one.value) < 1e-10
    assert abs(two.margin / (1000.0 * one.margin) - 1.0) < 1e-9


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_capacity_agrees_with_an_independent_program(name, margin):
    found = fmjax.thresholds.capacity(fmjax.TreeCommittee(name, margin=margin))
    alpha, overlap = oracle.capacity(KERNELS[name], margin)
    assert found.result == "converged"
    assert abs(found.value - alpha) < 1e-11
    assert abs(1 - 2 * found.distance - overlap) < 1e-10


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_kappa_max_is_the_inverse_function_of_capacity(name):
    largest = fmjax.thresholds.kappa_max(fmjax.TreeCommittee(name), 0.6)
    assert largest.result == "converged"
    assert largest.value > 0
    again = fmjax.thresholds.capacity(fmjax.TreeCommittee(name, margin=float(largest.value)))
    assert abs(again.value - 0.6) < 1e-11


def differences(function, at, step):
    """Derivative by central differences of fourth order along every coordinate."""
    rows = []
    for unit in np.eye(at.size).reshape(-1, *at.shape):
        near, far = (float(function(at + k * step * unit) - function(at - k * step * unit)) for k in (1, 2))
        rows.append((8 * near - far) / (12 * step))
    return np.reshape(rows, at.shape)


@pytest.mark.parametrize(
    ("family", "at"),
    [(fmjax.LeakyReLU, jnp.asarray(0.1)), (fmjax.Hermite, jnp.array([0.8, 0.3, -0.4]))],
    ids=["leaky slope", "hermite coefficients"],
)
def test_the_gradient_of_capacity_in_the_activation_is_that_of_its_differences(family, at):
    @jax.jit
    def value(parameters):
        return fmjax.thresholds.capacity(fmjax.TreeCommittee(family(parameters))).value

    np.testing.assert_allclose(jax.grad(value)(at), differences(value, at, 1e-3), atol=1e-9)


def test_the_gradient_passes_through_the_quadrature_of_an_activation():
    @jax.jit
    def value(steepness):
        activation = jax.tree_util.Partial(lambda a, u: jnp.tanh(a * u), steepness)
        return fmjax.thresholds.capacity(fmjax.TreeCommittee(activation)).value

    at = jnp.asarray(1.0)
    assert abs(jax.grad(value)(at) - differences(value, at, 1e-3)) < 1e-9


def test_climbing_the_capacity_of_a_hermite_family_raises_it_and_says_where_it_went():
    def capacity(coefficients):
        return fmjax.thresholds.capacity(fmjax.TreeCommittee(fmjax.Hermite(coefficients))).value

    way = fmjax.climb(capacity, jnp.array([0.5, 1.0]), steps=5)
    assert way.parameters.shape == (6, 2)
    assert np.all(np.diff(way.values) > 0)
    assert abs(capacity(way.best) - way.values[-1]) < 1e-10


def test_climbing_no_step_is_refused():
    with pytest.raises(ValueError, match="steps = 0"):
        fmjax.climb(lambda x: x, 1.0, steps=0)


@pytest.mark.slow
def test_alpha_u_of_a_committee_is_where_the_fold_meets_the_largest_margin():
    found = fmjax.thresholds.alpha_u(fmjax.TreeCommittee("relu"))
    assert found.result == "converged"
    assert abs(fmjax.thresholds.kappa_u(fmjax.TreeCommittee("relu"), float(found.value)).value - found.margin) < 1e-8


def ratio(model):
    flat, capacity = fmjax.thresholds.alpha_u(model), fmjax.thresholds.capacity(model)
    return flat.value / capacity.value, (flat.value, capacity.value, flat.distance)


of_kernels = jax.jit(jax.value_and_grad(ratio, has_aux=True))  # one program for all families


@pytest.mark.slow
def test_the_gradient_of_alpha_u_over_alpha_c_in_the_activation_is_that_of_its_differences():
    def value(family, parameters):
        return of_kernels(jax.tree.map(jnp.asarray, fmjax.TreeCommittee(family(parameters))))[0][0]

    for family, at in ((fmjax.LeakyReLU, jnp.asarray(0.5)), (fmjax.Hermite, jnp.array([0.8, 0.3, 0.5]))):
        model, pull_back = jax.vjp(lambda parameters, family=family: fmjax.TreeCommittee(family(parameters)), at)
        (slope,) = pull_back(of_kernels(jax.tree.map(jnp.asarray, model))[1])
        assert np.linalg.norm(slope) > 1e-3
        np.testing.assert_allclose(slope, differences(partial(value, family), at, 1e-3), atol=1e-8)


def spherical_capacity(activation, margin=0.0):
    return fmjax.thresholds.capacity(fmjax.TreeCommittee(activation, margin, weights=fmjax.Spherical()))


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_spherical_weights_behind_kinked_activations_have_the_capacity_of_their_slope(slope):
    """``2 Q'(1) / Q(1)``: with the mean square of the slope, and what a mean takes from the variance."""
    found = spherical_capacity(fmjax.LeakyReLU(slope))
    square, mean = (1 + slope**2) / 2, (1 - slope) / np.sqrt(2 * np.pi)
    assert abs(found.value - 2 * square / (square - mean**2)) < found.error_estimate < 1e-11


@pytest.mark.parametrize(("slope", "capacity"), [(0.1, 2.68556670), (0.5, 2.13598076), (0.9, 2.00352343)])
def test_these_are_the_numbers_of_an_independent_program(slope, capacity):
    assert abs(spherical_capacity(fmjax.LeakyReLU(slope)).value - capacity) < 5e-9


@pytest.mark.parametrize(("name", "margin"), [("relu", 0.2), ("erf", 0.0), ("erf", -1.0)])
def test_spherical_weights_of_a_committee_follow_gardners_formula_with_a_steeper_kernel(name, margin):
    kernel = KERNELS[name]
    exact = kernel.slope(1.0) / kernel.power * literature.spherical_capacity(margin / np.sqrt(kernel.power))
    assert spherical_capacity(name, margin).value == pytest.approx(exact, rel=1e-11)


def test_spherical_weights_behind_any_activation_have_the_capacity_of_its_mean_square_slope():
    """``Q'(1) = E[g'^2]`` for what is odd and smooth (Price's theorem)."""
    u, weight = np.polynomial.hermite_e.hermegauss(120)
    weight = weight / np.sqrt(2 * np.pi)
    exact = 2 * (weight @ np.cosh(u) ** -4.0) / (weight @ np.tanh(u) ** 2)
    assert spherical_capacity("tanh").value == pytest.approx(exact, rel=1e-9)


def test_spherical_weights_behind_signs_store_any_number_of_patterns():
    found = spherical_capacity("sign")
    assert (found.value, found.result) == (np.inf, "converged")


def test_the_gradient_of_a_spherical_capacity_in_the_slope_and_the_margin_is_that_of_its_differences():
    def value(parameters):
        return spherical_capacity(fmjax.LeakyReLU(parameters[0]), parameters[1]).value

    at = jnp.array([0.3, 0.2])
    np.testing.assert_allclose(jax.grad(value)(at), differences(value, at, 1e-3), atol=1e-8)
