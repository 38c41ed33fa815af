"""Message passing in committees: what a pattern asks of its units, entropies against exact counts, identities."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmjax.message_passing import (
    AMP,
    Committee,
    Edges,
    Instance,
    belief_propagation,
    bethe_free_entropy,
    hidden,
    local_entropy,
)
from tests.committee_instances import key, stability

from .oracles.message_passing import count_tree_of_three, enumerate_committee

TREE3 = Committee("sign", 3, tree=True)


# What a pattern asks --------------------------------------------------------------------------------------------------


def test_the_number_of_minus_units_is_counted_exactly():
    rng = np.random.default_rng(0)
    plus = rng.uniform(0.01, 0.99, (4, 5))
    for most in (0, 2, 5):
        exact = []
        for row in plus:
            law = np.ones(1)
            for p in row:
                law = np.convolve(law, [p, 1 - p])
            exact.append(math.log(law[: most + 1].sum()))
        found = jax.jit(hidden.at_most_minus, static_argnums=0)(most, jnp.log(plus).T, jnp.log1p(-plus).T)
        np.testing.assert_allclose(found, exact, atol=1e-13)


def test_the_gradient_of_the_count_is_that_of_its_differences():
    logs = jnp.log(jnp.linspace(0.1, 0.8, 5)[:, None]), jnp.log1p(-jnp.linspace(0.1, 0.8, 5)[:, None])

    @jax.jit
    def count(shift):
        return hidden.at_most_minus(2, logs[0] + shift[:, None], logs[1])[0]

    at, steps = jnp.linspace(-0.1, 0.1, 5), 1e-5 * jnp.eye(5)
    differences = [(count(at + step) - count(at - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(jax.grad(count)(at), differences, atol=1e-9)
    # Far from where Z is a number: the sum is the mean number of plus units, the first one and two that hardly ever are.
    far = jax.grad(count)(jnp.array([0.0, -1000.0, -1000.0, -1000.0, -1000.0]))
    assert bool(jnp.all(jnp.isfinite(far)))
    assert float(far.sum()) == pytest.approx(3.0, abs=1e-9)


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_moments_of_rectified_units_are_those_of_quadrature(slope):
    mean, variance = jnp.array([[-3.0, -0.5], [0.0, 2.0]]), jnp.array([[0.7, 0.01], [1.0, 0.4]])
    u = np.linspace(-9, 9, 200_001)
    measure = np.exp(-0.5 * u**2) / math.sqrt(2 * math.pi) * (u[1] - u[0])
    fields = np.asarray(mean)[..., None] + np.sqrt(np.asarray(variance))[..., None] * u
    values = np.maximum(fields, 0) + slope * np.minimum(fields, 0)
    first = values @ measure
    second = np.square(values - first[..., None]) @ measure
    found = hidden.leaky_moments(slope, mean, variance)
    np.testing.assert_allclose(found[0], first, atol=1e-9)
    np.testing.assert_allclose(found[1], second, atol=1e-9)


def test_moments_of_any_unit_by_quadrature():
    mean, variance = jnp.array([[-1.0, 0.3]]), jnp.array([[0.5, 0.9]])
    first, second = hidden.numerical_moments(jax.scipy.special.erf, mean, variance)
    np.testing.assert_allclose(first, jax.scipy.special.erf(mean / jnp.sqrt(1 + 2 * variance)), atol=1e-6)
    assert np.all(np.asarray(second) > 0)


# Against enumeration --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("inputs", "count", "form"), [(6, 8, "edge"), (13, 11, "amp")])
def test_trees_of_three_have_the_entropy_of_exact_counts(inputs, count, form):
    """Measured: N (phi - exact) is 0.01 to 0.07 with a spread of 0.05 to 0.22; 0 in place of -1 for even n costs 0.1 N."""
    size = 3 * inputs
    batch = Instance.random(key(1), size, count / size, committee=TREE3, samples=8)
    exact = [count_tree_of_three(np.asarray(one, dtype=int).reshape(count, 3, inputs)) for one in batch.patterns]
    beliefs = belief_propagation(batch, form=form, dtype="float64", damping=0.2)
    assert bool(beliefs.converged.all())
    differences = size * (np.asarray(bethe_free_entropy(batch, beliefs)) - exact)
    assert abs(differences.mean()) < 0.3
    assert differences.std() < 0.5


def test_the_exact_counts_agree():
    patterns = np.random.default_rng(0).choice([-1, 1], (7, 3, 5))
    by_masks = count_tree_of_three(patterns)
    assert by_masks == enumerate_committee(patterns, np.ones(7), 3, lambda s: np.where(s >= 0, 1, -1).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("committee", "inputs", "count", "margin"),
    [(Committee("sign", 3), 6, 4, 0.0), (Committee("relu", 4, tree=True), 4, 3, 0.1)],
    ids=["sign", "relu"],
)
def test_free_entropies_are_those_of_enumeration(committee, inputs, count, margin):
    """Measured, N (phi - exact): -0.04, and 0.16 by the central limit for four rectified units; 0.7 for two of them."""
    size = committee.units * inputs
    rng, differences = np.random.default_rng(2), []
    for _ in range(6):
        patterns, labels = rng.choice([-1, 1], (count, size if committee.tree else inputs)), rng.choice([-1, 1], count)
        instance = Instance.labelled(patterns, labels, margin, committee=committee)
        blocks = np.asarray(instance.patterns, dtype=int).reshape(count, committee.units if committee.tree else 1, inputs)
        least = margin - 1e-6 if margin else 1e-6
        signs = np.ones(count) if instance.labels is None else labels
        exact = enumerate_committee(blocks, signs, committee.units, lambda s: stability(committee, s, inputs), least)
        beliefs = belief_propagation(instance, dtype="float64", damping=0.5)
        assert beliefs.result == "converged"
        differences.append(size * (float(bethe_free_entropy(instance, beliefs)) - exact))
    assert abs(np.mean(differences)) < 0.3


# Identities -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("committee", "margin", "damping"),
    [
        (Committee("sign", 5), 0.2, 0.5),
        (Committee("relu", 10, tree=True), 0.1, 0.3),
    ],
    ids=lambda value: f"{value.activation}-{value.units}" if isinstance(value, Committee) else str(value),
)
def test_the_free_entropy_has_the_overlap_as_derivative(committee, margin, damping):
    size = committee.units * (105 // committee.units)
    instance = Instance.random(key(5), size, 0.3, margin, committee=committee)
    reference = np.where(np.arange(size) % 3 == 0, -1, 1)
    gammas = 0.7 + 1e-4 * np.array([-1.0, 0.0, 1.0])
    local = local_entropy(instance, reference, gammas, dtype="float64", tolerance=1e-13, sweeps=3000, damping=damping)
    assert bool(local.converged.all())
    derivative = (local.free_entropy[2] - local.free_entropy[0]) / (gammas[2] - gammas[0])
    assert abs(float(derivative) - (1 - 2 * float(local.distance[1]))) < 1e-7
    slope = (local.entropy[2] - local.entropy[0]) / (local.distance[2] - local.distance[0])
    assert slope == pytest.approx(1.4, abs=1e-6)


def test_one_unit_is_a_perceptron():
    perceptron = Instance.random(key(3), 101, 0.5)
    unit = Instance(perceptron.patterns, committee=Committee("sign", 1))
    rng = np.random.default_rng(0)
    field, response = jnp.asarray(rng.normal(size=101)), jnp.asarray(rng.normal(size=50))
    sweep = eqx.filter_jit(lambda messages, instance: messages.sweep(instance, 0.1 * field))
    one, check = sweep(AMP(field, response), perceptron)
    other, same = sweep(AMP(field, response[:, None]), unit)
    np.testing.assert_allclose(other.field, one.field, rtol=1e-10)
    np.testing.assert_allclose(other.response[:, 0], one.response, rtol=1e-10)
    assert int(check.errors) == int(same.errors) > 0
    both = [sweep(Edges(0.1 * jnp.tile(field, (50, 1))), instance) for instance in (perceptron, unit)]
    np.testing.assert_allclose(both[0][0].messages, both[1][0].messages, rtol=1e-8)
    assert int(both[0][1].errors) == int(both[1][1].errors)


def test_the_central_limit_approaches_the_exact_count(monkeypatch):
    mean, variance = 0.3 * jax.random.normal(key(0), (20, 25), float), jnp.full((20, 25), 0.8)
    many = Committee("sign", 25)
    exact = many.log_weight(mean, variance, None, 0.0, 101, True)
    monkeypatch.setattr(Committee, "most_exact", 1)
    limit = many.log_weight(mean, variance, None, 0.0, 101, True)
    assert 1e-6 < float(jnp.max(jnp.abs(limit - exact))) < 0.01
