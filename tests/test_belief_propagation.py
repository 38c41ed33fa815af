"""Belief propagation and Bethe entropies: against enumeration, exact messages, identities and the theory."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.message_passing import Edges, Instance, belief_propagation, bethe_entropy, bethe_free_entropy, local_entropy
from tests.single_instances import FORMS, key

from .oracles.message_passing import enumerate_weights, exact_messages

# Belief propagation against enumeration -------------------------------------------------------------------------------


def staggered(size, gamma):
    return gamma * jnp.where(jnp.arange(size) % 2 == 0, 1.0, -1.0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("margin", [0.0, 0.3, -0.4])
def test_free_entropy_and_marginals_are_those_of_enumeration(form, margin):
    """Measured at N = 19: N (phi - exact) is 0.02 to 0.1 with a spread of 0.07 to 0.14, m is off by 0.02 to 0.08 (rms)."""
    size, fields = 19, staggered(19, 0.3)
    batch = Instance.random(key(0), size, 0.25, margin, samples=16)
    beliefs = belief_propagation(batch, jnp.tile(fields, (16, 1)), form=form, dtype=jnp.float64, damping=0.2)
    assert bool(beliefs.converged.all())
    exact = [enumerate_weights(np.asarray(patterns), batch.threshold, fields) for patterns in batch.patterns]
    differences = size * (np.asarray(bethe_free_entropy(batch, beliefs)) - [one.free_entropy for one in exact])
    assert abs(differences.mean()) < 0.2
    assert differences.std() < 0.3
    marginals = np.asarray(beliefs.magnetisations) - np.stack([one.magnetisations for one in exact])
    assert np.sqrt(np.mean(marginals**2)) < 0.1


def test_the_margin_itself_in_place_of_the_midpoint_is_far_off():
    """At N = 21, kappa = 0.2, the smallest sum is 1 and the midpoint 0; kappa sqrt N = 0.92 costs 0.1 in the entropy."""
    batch = Instance.random(key(1), 21, 0.5, 0.2, samples=8)
    exact = [enumerate_weights(np.asarray(patterns), 1, np.zeros(21)).free_entropy for patterns in batch.patterns]
    assert batch.midpoint == 0

    def bias(instance):
        beliefs = belief_propagation(instance, dtype=jnp.float64, damping=0.2)
        return float(np.mean(np.asarray(bethe_free_entropy(instance, beliefs)) - exact))

    # As real patterns, no lattice. An `Instance` of them would know that they are signs.
    raw = eqx.tree_at(lambda instance: instance.patterns, batch, batch.patterns.astype(jnp.float32))
    assert abs(bias(batch)) < 0.02
    assert -0.15 < bias(raw) < -0.05


@pytest.mark.parametrize(("size", "largest"), [(21, 0.04), (81, 0.004), (321, 0.001)])
def test_gaussian_messages_approach_exact_ones_faster_than_one_over_n(size, largest):
    """The largest error of a message (of size 1/sqrt N) falls by ten from N = 21 to 81 and 321: as N^(-3/2)."""
    rng = np.random.default_rng(size)
    pattern, fields = rng.choice([-1, 1], size), rng.uniform(-1, 1, size)
    for threshold in (1, 3):
        instance = Instance(jnp.asarray(pattern[None], dtype=jnp.int8), (threshold - 0.5) / math.sqrt(size))
        assert instance.threshold == threshold
        messages, _ = Edges.start(instance, jnp.float64).sweep(instance, jnp.asarray(fields))
        exact = exact_messages(pattern, np.tanh(fields), threshold)
        error = np.abs(np.asarray(messages.messages[0]) - exact).max()
        assert error < largest
        assert error < 0.1 * np.abs(exact).max()


# Identities -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_the_free_entropy_has_the_overlap_as_derivative_and_the_entropy_twice_the_field(form, margin):
    size, alpha = 151, 0.5
    instance = Instance.random(key(5), size, alpha, margin)
    reference = jnp.where(jnp.arange(size) % 3 == 0, -1, 1)
    options = {"form": form, "dtype": jnp.float64, "tolerance": 1e-12, "damping": 0.1}
    gammas = 0.7 + 1e-3 * np.array([-1.0, 0.0, 1.0])
    local = local_entropy(instance, reference, gammas, **options)
    assert bool(local.converged.all())
    step = gammas[2] - gammas[0]
    derivative = (local.free_entropy[2] - local.free_entropy[0]) / step
    slope = (local.entropy[2] - local.entropy[0]) / (local.distance[2] - local.distance[0])
    # The O(N+P) form is exactly stationary: what is left are the central differences. Edge by edge, the Gaussian of a
    # whole node and those of its cavities are not quite those of one free entropy: 0.01/N to 0.3/N, measured.
    allowed = {"amp": (1e-6, 1e-5), "edge": (0.5 / size, 2.0 / size)}[form]
    assert derivative == pytest.approx(1 - 2 * float(local.distance[1]), abs=allowed[0])
    assert slope == pytest.approx(2 * gammas[1], abs=allowed[1])


def test_without_patterns_everything_is_that_of_free_weights():
    instance = Instance.random(key(0), 101, 0.0)
    gammas = np.array([0.0, 0.5, 1.0])
    for form in FORMS:
        local = local_entropy(instance, np.ones(101), gammas, form=form, dtype=jnp.float64)
        d = (1 - np.tanh(gammas)) / 2
        np.testing.assert_allclose(local.distance, d, rtol=1e-12)
        np.testing.assert_allclose(local.entropy, -d * np.log(d) - (1 - d) * np.log1p(-d), rtol=1e-12)
        assert bool(local.converged.all())


# The two forms, precision, convergence --------------------------------------------------------------------------------


def test_the_two_forms_differ_by_one_over_n():
    instance = Instance.random(key(7), 501, 0.5)
    amp, edge = (belief_propagation(instance, form=form, dtype=jnp.float64) for form in FORMS)
    assert bool(amp.converged)
    assert bool(edge.converged)
    assert abs(float(bethe_free_entropy(instance, amp) - bethe_free_entropy(instance, edge))) < 0.5 / 501
    difference = np.asarray(amp.magnetisations - edge.magnetisations)
    assert 1e-5 < np.sqrt(np.mean(difference**2)) < 2 / 501


@pytest.mark.parametrize("form", FORMS)
def test_single_precision_gives_what_double_precision_gives(form):
    instance = Instance.random(key(8), 301, 0.6)
    single, double = (belief_propagation(instance, form=form, dtype=dtype) for dtype in (jnp.float32, jnp.float64))
    assert single.fields.dtype == jnp.float32
    assert double.fields.dtype == jnp.float64
    assert bool(single.converged)
    np.testing.assert_allclose(single.magnetisations, double.magnetisations, atol=1e-4)
    assert float(bethe_entropy(instance, single)) == pytest.approx(float(bethe_entropy(instance, double)), abs=1e-5)


def test_double_precision_without_its_switch_is_refused():
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        belief_propagation(Instance.random(key(0), 11, 0.5), dtype="float64")


def test_converged_means_that_nothing_changes_any_more():
    instance = Instance.random(key(9), 301, 0.7)
    beliefs = belief_propagation(instance, dtype=jnp.float64)
    further = belief_propagation(instance, dtype=jnp.float64, start=beliefs.messages, tolerance=1e-13)
    assert beliefs.result == further.result == "converged"
    np.testing.assert_allclose(beliefs.fields, further.fields, rtol=1e-5, atol=1e-5)
    damped = belief_propagation(instance, dtype=jnp.float64, damping=0.5)
    np.testing.assert_allclose(damped.fields, further.fields, rtol=1e-4, atol=1e-4)
    assert int(damped.sweeps) > int(beliefs.sweeps)
    stopped = belief_propagation(instance, sweeps=3)
    assert (int(stopped.sweeps), bool(stopped.converged)) == (3, False)
    assert "sweeps ran out" in stopped.result


def test_a_batch_is_its_instances():
    batch = Instance.random(key(4), 101, 0.5, samples=3)
    together = belief_propagation(batch)
    assert list(together.result) == ["converged"] * 3
    alone = belief_propagation(Instance(batch.patterns[1]))
    np.testing.assert_allclose(together.fields[1], alone.fields, rtol=1e-3, atol=1e-4)
    assert together.sweeps[1] == alone.sweeps


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"damping": 1.0}, "damping.*1.0"),
        ({"sweeps": 0}, "sweeps.*0"),
        ({"dtype": "float16"}, "float16"),
        ({"fields": jnp.zeros(3)}, r"\(11,\).*\(3,\)"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options, named):
    with pytest.raises(ValueError, match=named):
        belief_propagation(Instance.random(key(0), 11, 0.5), **options)


def test_the_average_entropy_is_that_of_the_theory():
    """Mean over 10 instances of N = 1001; what is left at infinite N is the statistical error and O(1/N)."""
    batch = Instance.random(key(2), 1001, 0.5, samples=10)
    beliefs = belief_propagation(batch)
    assert bool(beliefs.converged.all())
    entropies = np.asarray(bethe_entropy(batch, beliefs), dtype=float)
    error = entropies.std(ddof=1) / math.sqrt(len(entropies))
    theory = float(fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=batch.count / batch.size).entropy)
    assert error < 0.004
    assert abs(entropies.mean() - theory) < 3 * error + 1 / 1001
