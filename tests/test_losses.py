"""Constraints with a loss: each log weight against an independent integral, and its limits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import fmjax
from fmjax.models import CrossEntropy, Hinge, Margin, Power, Temperature

CAVITIES = [(-3.0, 0.3), (-0.4, 0.6), (0.1, 1.0), (0.9, 0.2), (-0.6, 1.7)]


def mean_weight(loss, mean, std, end=np.inf):
    """Log of the mean of ``exp(-loss(Delta))`` over a Gaussian below ``end``, by Gauss and Legendre between 2000 breaks."""
    breaks = np.linspace(mean - 30.0 * std, min(mean + 30.0 * std, end), 2001)
    x, w = np.polynomial.legendre.leggauss(12)
    width = np.diff(breaks)[:, None]
    at = breaks[:-1, None] + 0.5 * width * (x + 1.0)
    logs = -0.5 * ((at - mean) / std) ** 2 - loss(at) - np.log(std * np.sqrt(2.0 * np.pi)) + np.log(0.5 * width * w)
    return np.max(logs) + np.log(np.sum(np.exp(logs - np.max(logs))))


@pytest.mark.parametrize("beta", [0.0, 0.3, 4.0, 60.0])
@pytest.mark.parametrize("sharpness", [0.5, 1.0])
def test_the_log_weight_of_a_cross_entropy_is_an_integral(beta, sharpness):
    constraint = CrossEntropy(beta, 0.2, sharpness)
    for mean, std in CAVITIES:

        def loss(at):
            return beta * np.logaddexp(0.0, -sharpness * (at - 0.2))

        at = jnp.asarray(mean), jnp.asarray(std)
        np.testing.assert_allclose(constraint.log_weight(*at), mean_weight(loss, mean, std), rtol=2e-12, atol=2e-12)
        np.testing.assert_allclose(constraint.log_error(*at), mean_weight(loss, mean, std, 0.2), rtol=1e-10, atol=1e-10)


def test_the_force_of_a_cross_entropy_is_its_mean_pull():
    def log_of(loss, mean, std, h=1e-4):
        return (mean_weight(loss, mean + h, std) - mean_weight(loss, mean - h, std)) / (2.0 * h)

    for mean, std in CAVITIES:
        force = jax.grad(lambda m, s=std: CrossEntropy(7.0).log_weight(m, jnp.asarray(s)))(jnp.asarray(mean))
        assert force == pytest.approx(log_of(lambda at: 7.0 * np.logaddexp(0.0, -at), mean, std), rel=1e-6)


@pytest.mark.parametrize("beta", [0.0, 0.7, 20.0, 300.0])
def test_a_hinge_is_an_integral_in_two_pieces(beta):
    for mean, std in CAVITIES:
        below = mean_weight(lambda at: beta * (0.2 - at), mean, std, 0.2)
        above = float(Margin(0.2).log_weight(jnp.asarray(mean), jnp.asarray(std)))
        found = Hinge(beta, 0.2).log_weight(jnp.asarray(mean), jnp.asarray(std))
        np.testing.assert_allclose(found, np.logaddexp(below, above), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gamma", [0.3, 2.5, 10.0])
def test_a_power_is_a_parabolic_cylinder_function(gamma):
    mean = jnp.asarray([-30.0, -3.0, 0.0, 3.0, 30.0])
    found = Power(gamma, 0.0).log_weight(mean, jnp.asarray(1.0))
    for value, u in zip(found, -np.asarray(mean), strict=True):
        exact = mpmath.log(mpmath.gamma(gamma + 1.0) * mpmath.pcfd(-gamma - 1.0, u) / mpmath.sqrt(2 * mpmath.pi)) - u**2 / 4
        assert float(value) == pytest.approx(float(exact), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("limit", [Temperature(700.0, 0.2), Power(0.0, 0.2), Hinge(1e9, 0.2)], ids=repr)
def test_a_margin_is_the_limit_of_each_loss(limit):
    mean, std = jnp.linspace(-2.0, 2.0, 9), jnp.asarray(0.5)
    np.testing.assert_allclose(limit.log_weight(mean, std), Margin(0.2).log_weight(mean, std), atol=1e-7)


@pytest.mark.parametrize("kind", [Temperature(2.0, 0.3), Hinge(2.0, 0.3), CrossEntropy(2.0, 0.3), Power(2.0, 0.3)], ids=repr)
def test_a_loss_is_the_same_in_all_units_of_the_pre_activation(kind):
    mean, std, unit = jnp.linspace(-1.0, 1.0, 5), jnp.asarray(0.5), 0.37
    expected = kind.log_weight(mean, std)
    np.testing.assert_allclose(kind.divided(unit).log_weight(mean / unit, std / unit), expected, atol=1e-12)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_a_loss_refuses_what_is_no_inverse_temperature(wrong):
    for kind, name in ((Temperature, "beta"), (Hinge, "beta"), (CrossEntropy, "beta"), (Power, "gamma")):
        with pytest.raises(ValueError, match=f"{name} = .* is not possible"):
            kind(wrong)
    with pytest.raises(ValueError, match="sharpness"):
        CrossEntropy(1.0, sharpness=wrong)
    for unit in (wrong, 0.0):
        with pytest.raises(ValueError, match="unit = .* is not possible"):
            Power(1.0, unit=unit)


def test_what_is_said_of_solutions_is_refused_with_a_loss():
    soft = fmjax.Perceptron().with_constraint(Temperature(1.0))
    for ask in (
        lambda: fmjax.thresholds.capacity(soft),
        lambda: fmjax.thresholds.kappa_u(soft, 0.5),
        lambda: fmjax.RobustEnsemble(soft, 3),
        lambda: fmjax.CentredEnsemble(soft, 3),
        lambda: fmjax.clusters(fmjax.Equilibrium(soft), alpha=0.5),
    ):
        with pytest.raises(ValueError, match="Temperature does not count: use a margin"):
            ask()


def test_temperatures_are_those_of_a_loss():
    with pytest.raises(ValueError, match="a Margin has no temperature"):
        fmjax.thresholds.freezing(fmjax.Perceptron(), 0.5)
    spherical = fmjax.Perceptron(weights=fmjax.Spherical()).with_constraint(CrossEntropy(1.0))
    with pytest.raises(ValueError, match="use binary weights"):
        fmjax.thresholds.freezing(spherical, 0.5)
    with pytest.raises(ValueError, match="signs, which a Hinge does not follow"):
        fmjax.Perceptron(teacher=True).with_constraint(Hinge(1.0))


def test_a_reference_is_drawn_in_one_way():
    model = fmjax.Perceptron()
    with pytest.raises(ValueError, match="give reference_margin or reference"):
        fmjax.FranzParisi(model)
    with pytest.raises(ValueError, match="give reference_margin or reference"):
        fmjax.FranzParisi(model, 0.1, reference=Hinge(1.0))
    with pytest.raises(ValueError, match="learn from a teacher"):
        fmjax.FranzParisi(fmjax.Perceptron(teacher=True), reference=Hinge(1.0))
    one, other = fmjax.FranzParisi(model, 0.3), fmjax.FranzParisi(model, reference=Margin(0.3))
    assert eqx.tree_equal(one, other)


def test_several_energies_are_refused_by_a_sentence(without_type_checks):
    call = "fmjax.thresholds.inverse_temperature(fmjax.Perceptron().with_constraint(fmjax.Hinge(1.0)), 0.5, [0.1])"
    assert "energy must be one number, not an array of shape (1,)" in without_type_checks(call)
