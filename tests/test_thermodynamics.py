"""Energies and entropies at a temperature, and local entropies around what is drawn there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.models import Margin, Temperature

ALPHA, BETA = 0.5, 2.0


def at(beta):
    return fmjax.Equilibrium(fmjax.Perceptron().with_constraint(Temperature(beta)))


def thermal(beta, alpha=ALPHA):
    return fmjax.thermodynamics(at(beta), alpha=alpha)


def test_the_free_entropy_is_stationary_in_the_gardner_derrida_equations():
    """``phi`` at the order parameters that were found, by a trapezoid of its own, and its derivatives in them."""
    point, x = thermal(BETA), np.linspace(-9.5, 9.5, 4001)
    measure = np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi) * (x[1] - x[0])

    def phi(q, q_hat):
        entropic = np.sum(measure * np.logaddexp(np.sqrt(q_hat) * x, -np.sqrt(q_hat) * x))
        chance = np.asarray(jax.scipy.stats.norm.cdf(np.sqrt(q / (1.0 - q)) * x))
        energetic = np.sum(measure * np.log(np.exp(-BETA) + (1.0 - np.exp(-BETA)) * chance))
        return -0.5 * q_hat * (1.0 - q) + entropic + ALPHA * energetic

    q, q_hat, h = float(point.order.q), float(point.order.q_hat), 1e-5
    assert float(point.free_entropy) == pytest.approx(phi(q, q_hat), abs=1e-12)
    assert phi(q + h, q_hat) - phi(q - h, q_hat) == pytest.approx(0.0, abs=1e-13)
    assert phi(q, q_hat + h) - phi(q, q_hat - h) == pytest.approx(0.0, abs=1e-13)


def test_the_energy_is_the_derivative_of_the_free_entropy():
    h, point = 1e-4, thermal(BETA)
    slope = (thermal(BETA + h).free_entropy - thermal(BETA - h).free_entropy) / (2.0 * h)
    assert float(point.energy) == pytest.approx(float(-slope / ALPHA), abs=1e-8)
    assert float(point.error) == pytest.approx(float(point.energy), abs=1e-14)  # errors are what it counts
    assert float(point.entropy) == pytest.approx(float(point.free_entropy + BETA * ALPHA * point.energy), abs=1e-14)
    assert float(point.error_estimate) < 1e-12


def test_an_inverse_temperature_is_found_again_from_its_energy():
    found = fmjax.thresholds.inverse_temperature(at(1.0).model, ALPHA, thermal(BETA).energy)
    assert float(found.value) == pytest.approx(BETA, abs=1e-11)
    assert bool(found.converged)
    # Below the capacity a fraction of violated patterns is possible, but none that is negative.
    nothing = fmjax.thresholds.inverse_temperature(at(1.0).model, ALPHA, -0.1)
    assert "found no point" in nothing.result
    assert np.isnan(nothing.value)


def test_solutions_are_what_is_left_at_temperature_zero():
    cold, solutions = thermal(60.0), fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=ALPHA)
    assert float(cold.entropy) == pytest.approx(float(solutions.entropy), abs=1e-12)
    assert float(cold.order.q) == pytest.approx(float(solutions.order.q), abs=1e-11)
    assert float(cold.error) < 1e-20


@pytest.mark.parametrize(("beta", "alpha"), [(30.0, 1.3), (55.0, 1.4)])
def test_cold_errors_are_resolved_where_fluctuations_are_rarer_than_they(beta, alpha):
    """Beyond the capacity; nodes at the margin alone left 1e-4 of an entropy."""
    found, finer = (fmjax.thermodynamics(each, alpha=alpha) for each in (at(beta), at(beta).resized(2.0)))
    for number in ("free_entropy", "energy", "entropy"):
        changed = abs(float(getattr(finer, number) - getattr(found, number)))
        assert changed < min(1e-11, float(found.error_estimate))


@pytest.fixture(scope="module")
def around():
    """Local entropies around references at an inverse temperature, by one program."""
    distance = np.array([0.1, 0.2 - 1e-4, 0.2, 0.2 + 1e-4, 0.3, 0.35])

    def curve(beta):
        local = fmjax.FranzParisi(fmjax.Perceptron(), reference=Temperature(beta))
        return fmjax.curve(local, alpha=ALPHA, distance=distance)

    return curve


def test_references_at_temperature_zero_are_typical_solutions(around):
    cold = around(60.0)
    solutions = fmjax.curve(
        fmjax.FranzParisi(fmjax.Perceptron(), reference=Margin(0.0)), alpha=ALPHA, distance=cold.distance
    )
    np.testing.assert_allclose(cold.entropy, solutions.entropy, atol=1e-10)
    np.testing.assert_allclose(cold.slope, solutions.slope, atol=1e-8)


def test_the_slope_around_a_warm_reference_is_that_of_its_entropies(around):
    curve = around(BETA)
    assert all(result == "converged" for result in curve.result)
    difference = (curve.entropy[3] - curve.entropy[1]) / 2e-4
    assert float(curve.slope[2]) == pytest.approx(float(difference), abs=1e-6)
    # The maximum over all distances is the entropy of solutions.
    top = float(fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=ALPHA).entropy)
    assert top - 0.02 < float(jnp.max(curve.entropy)) < top
