"""Focusing: schedules, and solutions that are solutions."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.message_passing import Instance, PseudoReinforcement, Reinforcement, Scoping, focusing, local_entropy
from fmjax.message_passing.schedules import through
from tests.single_instances import FORMS, count_errors, key


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_field_behind_a_coupling(dtype):
    a, b = np.meshgrid(np.linspace(-3, 3, 13, dtype=dtype), np.linspace(-2, 4, 13, dtype=dtype))
    exact = np.arctanh(np.tanh(a.astype(float)) * np.tanh(b.astype(float)))
    np.testing.assert_allclose(
        through(jnp.asarray(a), jnp.asarray(b)), exact, rtol=1e-5 if dtype == np.float32 else 1e-9, atol=1e-7
    )
    assert through(jnp.asarray(300.0), jnp.asarray(-200.0)) == -200
    assert through(jnp.asarray(jnp.inf), jnp.asarray(-2.0)) == -2
    assert through(jnp.asarray(0.0), jnp.asarray(5.0)) == 0


def test_schedules_are_limits_of_each_other():
    field, last = jnp.linspace(-3, 3, 13), jnp.asarray(4)
    many, infinite = (Scoping(y=y, gamma_max=1.5, steps=5).message(last, field) for y in (1e9, math.inf))
    np.testing.assert_allclose(infinite, 1.5 * np.sign(field))
    np.testing.assert_allclose(many, infinite, atol=1e-6)
    strong = Scoping(y=3.0, gamma_max=30.0, steps=5).message(last, field)  # gamma = inf: (y - 1) B
    rho = 2 / 3  # Reinforcement: rho / (1 - rho) = y - 1
    np.testing.assert_allclose(strong, 2 * field, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(Reinforcement(steps=3).message(jnp.asarray(2), field), rho / (1 - rho) * field, rtol=1e-6)
    first = PseudoReinforcement().message(jnp.asarray(0), field)
    np.testing.assert_allclose(first, 0, atol=1e-12)


def test_focusing_finds_solutions_that_are_solutions():
    batch = Instance.random(key(1), 501, 0.6, samples=4)
    found = focusing(batch)
    assert list(found.result) == ["solved"] * 4
    for patterns, weights, errors in zip(batch.patterns, found.weights, found.errors, strict=True):
        assert set(np.unique(weights)) == {-1, 1}
        assert count_errors(Instance(patterns), weights) == errors == 0
    alone = focusing(Instance(batch.patterns[2]))
    assert count_errors(Instance(batch.patterns[2]), alone.weights) == 0


def test_polarisation_ends_in_the_weights_that_focusing_returns():
    instance = Instance.random(key(4), 501, 0.6)
    found = focusing(instance)
    sweeps = int(found.sweeps)
    seen = fmjax.message_passing.polarisation(instance, sweeps=sweeps + 5)
    assert seen.errors[sweeps - 1] == found.errors == 0
    assert bool(jnp.all(seen.errors[: sweeps - 1] > 0))
    # The solution is read off the fields before its last sweep; afterwards nothing moves.
    np.testing.assert_array_equal(np.sign(seen.magnetisations[sweeps - 2]), found.weights)
    np.testing.assert_array_equal(seen.magnetisations[sweeps - 1], seen.magnetisations[-1])
    overlap = np.mean(np.square(seen.magnetisations), axis=1)
    assert overlap[0] < 0.2 < 0.5 < overlap[-1]


def test_polarisation_refuses_a_batch_and_no_sweeps():
    with pytest.raises(ValueError, match="one of the batch"):
        fmjax.message_passing.polarisation(Instance.random(key(4), 11, 0.5, samples=2))
    with pytest.raises(ValueError, match="sweeps = 0"):
        fmjax.message_passing.polarisation(Instance.random(key(4), 11, 0.5), sweeps=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("schedule", [PseudoReinforcement(200), Reinforcement(200), Scoping(), Scoping(y=7.0)], ids=str)
def test_every_schedule_solves_an_easy_instance_in_both_forms(form, schedule):
    instance = Instance.random(key(2), 151, 0.3)
    found = focusing(instance, schedule, form=form)
    assert found.result == "solved"
    assert count_errors(instance, found.weights) == 0


def test_a_margin_is_respected():
    instance = Instance.random(key(3), 301, 0.3, 0.4)
    found = focusing(instance)
    assert found.result == "solved"
    sums = np.asarray(instance.patterns, dtype=int) @ np.asarray(found.weights, dtype=int)
    assert sums.min() / math.sqrt(301) >= 0.4


def test_gaussian_patterns_are_learned_too():
    instance = Instance.random(key(3), 301, 0.4, kind="gaussian")
    found = focusing(instance)
    assert found.result == "solved"
    assert (np.asarray(instance.patterns, dtype=float) @ np.asarray(found.weights)).min() > -1e-4


def test_without_damping_the_fast_form_finds_nothing():
    assert focusing(Instance.random(key(1), 1001, 0.6), damping=0.0).result != "solved"


def test_the_answer_depends_on_the_instance_only():
    instance = Instance.random(key(6), 201, 0.5)
    first, second = focusing(instance), focusing(instance)
    np.testing.assert_array_equal(first.weights, second.weights)
    assert first.sweeps == second.sweeps


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "steps", "least"), [(0.5, 500, 20), (0.6, 500, 20), (0.7, 500, 19), (0.74, 500, 9), (0.74, 2500, 13)]
)
def test_how_many_of_twenty_instances_are_solved(alpha, steps, least):
    batch = [Instance.random(key(seed), 1001, alpha) for seed in range(20)]
    assert sum(bool(focusing(instance, PseudoReinforcement(steps)).solved) for instance in batch) >= least


def test_solutions_at_the_end_of_the_schedule_lie_deeper_in_their_region_than_the_first():
    instance = Instance.random(key(3), 1001, 0.5)
    first, last = focusing(instance), focusing(instance, to_the_end=True)
    assert (first.result, last.result) == ("solved", "solved")
    assert first.sweeps < last.sweeps == PseudoReinforcement().steps
    assert count_errors(instance, last.weights) == int(last.errors) == 0
    smallest = [int(instance.sums(found.weights).min()) for found in (first, last)]
    assert smallest[0] == 1  # the least that an odd number of signs allows
    assert smallest[1] >= 3
    around = [local_entropy(instance, found.weights) for found in (first, last)]
    near = [np.interp(0.02, np.asarray(one.distance)[::-1], np.asarray(one.entropy)[::-1]) for one in around]
    assert near[1] > near[0] + 5e-4


def test_to_the_end_of_the_schedule_an_instance_that_is_not_solved_has_the_same_best_weights():
    instance = Instance.random(key(0), 101, 1.2)
    stopped, ended = focusing(instance), focusing(instance, to_the_end=True)
    assert stopped.result == ended.result
    assert "not solved" in ended.result
    np.testing.assert_array_equal(stopped.weights, ended.weights)
