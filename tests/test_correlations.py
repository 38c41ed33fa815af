"""Saddle equations are written as correlations of magnetisations and forces: of the free entropy, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.models import Binary, Model, PerceptronArchitecture, Site, Spherical, SymmetricMargin, Weights
from fmjax.quadrature import Trapezoid, twins
from fmjax.replica import EquilibriumControls, FranzParisiControls, RobustEnsembleControls

ALPHA = jnp.asarray(0.5)
MODELS = {
    "perceptron": fmjax.Perceptron(margin=0.1),
    "relu": fmjax.TreeCommittee("relu", margin=0.1),
    "sign": fmjax.TreeCommittee("sign"),
    "teacher": fmjax.Perceptron(margin=0.05, teacher=True),
    "teacher of a committee": fmjax.TreeCommittee("relu", teacher=True),
    "spherical": fmjax.Perceptron(weights=Spherical()),
    "symmetric": Model(Binary(), PerceptronArchitecture(), SymmetricMargin(jnp.asarray(1.1))),
}


def as_correlations(functional, controls, fields):
    """Free entropy, slope, residual, and zeros: conjugates are as they are asked for."""
    saddle = functional.saddle(fields, controls)
    return saddle.value, saddle.slope, saddle.residual, jnp.zeros(3)


def typical_derivatives(functional, controls, fields):
    """The same for `Equilibrium`, from derivatives of ``phi`` at the overlaps that the fields imply."""
    order = functional.saddle(fields, controls).order
    value, (by, by_controls) = jax.value_and_grad(functional, argnums=(0, 1))(order, controls)
    residual = jnp.stack([2.0 * (by.q - by.gap), -by.R])[: fields.size]
    return value, by_controls.alpha, residual, jnp.stack([by.q_hat, by.R_hat, 0.0])


def local_derivatives(functional, controls, fields):
    """For `FranzParisi`."""
    saddle = functional.saddle(fields, controls)
    at = FranzParisiControls(controls.alpha, jax.nn.sigmoid(saddle.position), controls.reference)
    value, (by, by_controls) = jax.value_and_grad(functional, argnums=(0, 1))(saddle.order, at)
    shared, own = fields[0], fields[1]
    left = by.t / jnp.sqrt(controls.reference.q_hat)
    implied = saddle.order.q_hat - 2.0 * (by.q - by.gap) - (shared - left) ** 2
    residual = jnp.stack([left, own - implied, -by.R])[: fields.size - 1]
    return value, by_controls.distance, residual, jnp.stack([by.q_hat, by.t_hat, by.p_hat])


def ensemble_derivatives(functional, controls, fields):
    """For `RobustEnsemble`."""
    saddle = functional.saddle(fields, controls)
    at = RobustEnsembleControls(controls.alpha, jax.nn.sigmoid(saddle.position))
    value, (by, by_controls) = jax.value_and_grad(functional, argnums=(0, 1))(saddle.order, at)
    left = -2.0 * by.stretch  # q0^ minus what is implied
    implied = jnp.sqrt(saddle.order.q0_hat - left)
    residual = fields[0] - (jnp.log(implied) if functional.infinite else implied)
    return value, by_controls.distance + left, residual[None], jnp.stack([by.q0_hat, by.stretch_hat, 0.0])


def assert_same(derivatives, functional, controls, fields, tolerance):
    """Both ways: values, and their derivatives as the fields change."""
    direction = jnp.asarray(np.random.default_rng(3).normal(size=len(fields)))

    @jax.jit
    def both(functional, controls, fields):
        ways = [lambda fields, way=way: way(functional, controls, fields) for way in (as_correlations, derivatives)]
        return [jax.jvp(way, (fields,), (direction,)) for way in ways]

    correlations, literal = both(functional, controls, jnp.asarray(fields))
    assert np.max(np.abs(correlations[0][2])) > 0.01  # far from any saddle point
    for one, other in zip(jax.tree.leaves(correlations), jax.tree.leaves(literal), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", MODELS)
def test_equations_of_typical_solutions_are_derivatives_of_the_free_entropy_and_theirs_are_its_second(name):
    model = MODELS[name]
    fields = [0.7, 0.3][: 1 + model.teacher]
    assert_same(typical_derivatives, fmjax.Equilibrium(model, 200), EquilibriumControls(ALPHA), fields, 1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_equations_around_a_reference_are_derivatives_of_the_free_entropy_and_theirs_are_its_second(name):
    model = MODELS[name]
    typical = fmjax.Equilibrium(model, 200).saddle(jnp.array([1.1, 0.3])[: 1 + model.teacher], EquilibriumControls(ALPHA))
    controls = FranzParisiControls(ALPHA, jnp.asarray(0.1), typical.order)
    fields = [0.8, 0.3, 1.2, 0.4][: 3 + model.teacher]
    functional = fmjax.FranzParisi(model, 1.2 * jnp.asarray(model.margin), (80, 120, 120, 80))
    assert_same(local_derivatives, functional, controls, fields, 1e-7)


@pytest.mark.parametrize(("name", "replicas"), [("perceptron", 3.0), ("relu", 16.0), ("sign", np.inf)])
def test_equations_of_replicas_are_derivatives_of_the_free_entropy_and_theirs_are_its_second(name, replicas):
    functional = fmjax.RobustEnsemble(MODELS[name], replicas)
    controls = RobustEnsembleControls(ALPHA, jnp.asarray(0.1))
    assert_same(ensemble_derivatives, functional, controls, [0.9, 0.7], 1e-9)


class Signs(Weights):
    """A prior of one's own, of three methods: `Binary` with nothing folded, on rules that know of no layer."""

    discrete = True

    def log_partition(self, field, mean_square):
        return jnp.logaddexp(field, -field)

    def typical(self, q_hat, R_hat, nodes):
        x, probability = Trapezoid(nodes)()
        nothing = jnp.zeros_like(x)
        return Site(jnp.sqrt(q_hat) * x + R_hat, probability, twins(nodes), nothing, nothing)

    def local(self, at, nodes):
        (x, of_x), (y, of_y), sign = Trapezoid(nodes[0])(), Trapezoid(nodes[1])(), jnp.array([1.0, -1.0])
        mean = jnp.tanh(jnp.sqrt(at.reference_q_hat) * x)[:, None, None]
        field = at.shared * x[:, None, None] + jnp.sqrt(at.own) * y[:, None] + at.eta * sign
        probability = (of_x[:, None] * of_y)[:, :, None] * 0.5 * (1.0 + sign * mean)
        return Site(field, probability, twins(nodes[0])[:, None, None], sign[None, None], mean)


def test_a_prior_of_ones_own_is_three_methods():
    own = fmjax.Perceptron(weights=Signs())
    typical, expected = (fmjax.solve(fmjax.Equilibrium(model), alpha=0.5) for model in (own, fmjax.Perceptron()))
    assert abs(typical.entropy - expected.entropy) < 1e-12
    distance = np.array([0.02, 0.1, 0.3])
    found, expected = (
        fmjax.curve(fmjax.FranzParisi(model, 0.3), alpha=0.5, distance=distance) for model in (own, fmjax.Perceptron())
    )
    assert np.all(found.converged)
    np.testing.assert_allclose(found.entropy, expected.entropy, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.slope, expected.slope, rtol=0, atol=1e-6)
    assert np.all(np.abs(found.entropy - expected.entropy) <= found.error_estimate + expected.error_estimate)
