"""Capacity and the margins that invert it: published constants, exact formulas, and no value where there is none."""

import jax
import mpmath
import numpy as np
import pytest

import fmjax
from tests.oracles import literature
from tests.perceptron_theory import typical


def test_capacity_at_zero_margin_is_the_published_constant_to_1e_12():
    threshold = fmjax.thresholds.capacity(fmjax.Perceptron(margin=0.0))
    assert threshold.result == "converged"
    assert abs(threshold.value - 0.83307859973957923) < 1e-12
    assert threshold.error_estimate < 1e-12


@pytest.mark.parametrize(("margin", "enclosure"), literature.CAPACITY_ENCLOSURES.items())
def test_capacity_lies_in_its_certified_enclosure(margin, enclosure):
    value = float(fmjax.thresholds.capacity(fmjax.Perceptron(margin=margin)).value)
    assert enclosure.low <= value <= enclosure.high


@pytest.mark.parametrize("alpha", [0.002, 0.01, 0.6, 3.0])
def test_kappa_max_is_the_inverse_function_of_capacity(alpha):
    margin = fmjax.thresholds.kappa_max(fmjax.Perceptron(), alpha).value
    assert fmjax.thresholds.capacity(fmjax.Perceptron(margin=float(margin))).value == pytest.approx(alpha, rel=1e-11)


def test_the_derivative_of_capacity_is_that_of_its_differences():
    def value(k):
        return fmjax.thresholds.capacity(fmjax.Perceptron(margin=k)).value

    step = 1e-4
    difference = (value(0.1 + step) - value(0.1 - step)) / (2 * step)
    assert abs(jax.grad(value)(0.1) - difference) < 1e-7


def test_spherical_weights_at_zero_margin_have_capacity_two():
    threshold = fmjax.thresholds.capacity(fmjax.Perceptron(weights=fmjax.Spherical()))
    assert abs(threshold.value - 2.0) < threshold.error_estimate < 1e-8


@pytest.mark.parametrize("margin", [-19.0, -9.0, -2.0, 0.5, 15.0])
def test_spherical_capacity_follows_gardners_formula_at_any_margin(margin):
    threshold = fmjax.thresholds.capacity(fmjax.Perceptron(margin=margin, weights=fmjax.Spherical()))
    with mpmath.workdps(120):  # at negative margins next to nothing is left of the sum
        exact = 1 / ((1 + margin**2) * mpmath.ncdf(margin) + margin * mpmath.npdf(margin))
    assert abs(threshold.value - float(exact)) < threshold.error_estimate < 1e-11 * (1 + float(exact))


def test_solutions_and_thresholds_that_were_not_found_are_nan_and_keep_what_was_asked():
    point = typical(5.0, 0.0)  # q = 1 is reached at alpha = 4/pi
    assert point.result != "converged"
    assert np.isnan([point.entropy, point.order.q, point.distance, point.error_estimate]).all()
    assert point.alpha == 5.0
    threshold = fmjax.thresholds.kappa_max(fmjax.Perceptron(), 1e300)  # solutions end below -30, where the scan ends
    assert "a scan over the whole range" in threshold.result
    assert np.isnan([threshold.value, threshold.margin, threshold.distance, threshold.error_estimate]).all()
    assert threshold.alpha == 1e300
    assert np.isnan(jax.grad(lambda load: fmjax.thresholds.kappa_max(fmjax.Perceptron(), load).value)(1e300))
    assert np.isnan(jax.grad(lambda load: fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=load).entropy)(5.0))


def test_kappa_min_ends_where_it_meets_kappa_max():
    model = fmjax.Perceptron()
    before, beyond = (fmjax.thresholds.kappa_min(model, alpha) for alpha in (0.74, 0.79))
    assert 0 < before.value < fmjax.thresholds.kappa_max(model, 0.74).value
    assert np.isnan(beyond.value)
    assert beyond.result.startswith("a scan over the whole range found no point")
