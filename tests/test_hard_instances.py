"""Message passing under pressure: no solution, contradictions, the smallest problems, saturated weights."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from fmjax.message_passing import (
    Instance,
    PseudoReinforcement,
    Reinforcement,
    Scoping,
    belief_propagation,
    bethe_entropy,
    bethe_free_entropy,
    focusing,
)
from tests.single_instances import FORMS, assert_finite, count_errors, key


@pytest.mark.parametrize("schedule", [PseudoReinforcement(), Reinforcement(), Scoping(gamma_max=50.0)], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_above_capacity_the_best_weights_come_with_their_errors(schedule, form):
    instance = Instance.random(key(0), 101, 1.2)
    found = focusing(instance, schedule, form=form)
    assert "not solved" in found.result
    assert_finite(found)
    assert count_errors(instance, found.weights) == int(found.errors) > 0
    assert int(found.errors) < 0.2 * instance.count


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 2, 10, 11])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_smallest_problems(form, size, alpha):
    instance = Instance.random(key(size), size, alpha)
    beliefs, found = belief_propagation(instance, form=form), focusing(instance, form=form)
    assert_finite((beliefs.fields, found.weights, bethe_entropy(instance, beliefs)))
    assert count_errors(instance, found.weights) == int(found.errors)
    assert (found.result == "solved") == (int(found.errors) == 0)
    if instance.count == 0:
        assert found.result == "solved"
        assert float(bethe_entropy(instance, beliefs)) == pytest.approx(math.log(2))


def test_one_weight_and_one_pattern():
    instance = Instance.labelled(np.array([[1]]), np.array([-1]))
    for form in FORMS:
        assert focusing(instance, form=form).weights.tolist() == [-1]
    beliefs = belief_propagation(instance, form="edge", dtype=jnp.float64)
    assert beliefs.magnetisations[0] == pytest.approx(-1)
    assert float(bethe_free_entropy(instance, beliefs)) == pytest.approx(0, abs=1e-9)


def test_a_tie_is_an_error():
    instance = Instance.labelled(np.array([[1, 1]]), np.array([1]))
    assert instance.errors(jnp.asarray([1, -1], dtype=jnp.int8)) == 1
    assert instance.errors(jnp.asarray([1, 1], dtype=jnp.int8)) == 0
    assert focusing(instance).weights.tolist() == [1, 1]


@pytest.mark.parametrize("form", FORMS)
def test_a_margin_out_of_reach_is_a_contradiction(form):
    instance = Instance.random(key(0), 11, 0.5, 4.0)  # 4 sqrt 11 = 13.3 > 11
    beliefs, found = belief_propagation(instance, form=form), focusing(instance, form=form)
    assert "contradiction" in beliefs.result
    assert "cannot be satisfied" in found.result
    assert_finite((beliefs.fields, found.weights))


@pytest.mark.parametrize("form", FORMS)
def test_opposite_patterns_are_never_solved(form):
    patterns = np.asarray(Instance.random(key(0), 51, 0.2).patterns)
    instance = Instance.labelled(np.concatenate([patterns, -patterns[:1]]), np.ones(len(patterns) + 1))
    beliefs, found = belief_propagation(instance, form=form), focusing(instance, form=form)
    assert_finite((beliefs.fields, found.weights))
    assert "not solved" in found.result
    assert int(found.errors) == count_errors(instance, found.weights) == 1


def test_repeated_patterns_change_nothing_for_the_solution():
    patterns = np.asarray(Instance.random(key(0), 101, 0.3).patterns)
    instance = Instance.labelled(np.concatenate([patterns, patterns[:10]]), np.ones(len(patterns) + 10))
    assert focusing(instance).result == "solved"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("strength", [20.0, 1e4, 1e8])
def test_saturated_weights_give_numbers(form, strength):
    instance = Instance.random(key(1), 101, 0.4)
    solution = np.asarray(focusing(instance).weights)
    beliefs = belief_propagation(instance, strength * solution, form=form)
    assert_finite((beliefs.fields, bethe_free_entropy(instance, beliefs), bethe_entropy(instance, beliefs)))
    np.testing.assert_array_equal(beliefs.weights, solution)
    assert float(bethe_entropy(instance, beliefs)) == pytest.approx(0, abs=1e-3)
    against = belief_propagation(instance, -strength * solution, form=form)
    assert_finite(against.fields)
    if strength > 1e5:
        assert "contradiction" in against.result
