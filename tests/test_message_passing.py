"""Single instances: against enumeration, exact messages, identities, the replica theory, and under pressure."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.message_passing import (
    Edges,
    Instance,
    PseudoReinforcement,
    Reinforcement,
    Scoping,
    belief_propagation,
    bethe_entropy,
    bethe_free_entropy,
    focusing,
    local_entropy,
    passes,
)
from fmjax.message_passing.schedules import through

from .oracles.message_passing import enumerate_weights, exact_messages

FORMS = ("amp", "edge")


def key(seed):
    return jax.random.key(seed)


def count_errors(instance, weights):
    """In NumPy integers, independently of the package."""
    sums = np.asarray(instance.patterns, dtype=np.int64) @ np.asarray(weights, dtype=np.int64)
    return int((sums < instance.threshold).sum())


def assert_finite(tree):
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(tree))


# Instances ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "margin", "threshold"),
    [
        (1001, 0.0, 1),
        (21, 0.2, 1),  # 0.2 sqrt 21 = 0.92
        (21, 0.3, 3),  # 1.37
        (21, -0.3, -1),  # -1.37
        (16, 0.5, 2),  # on the lattice: 2
        (16, 0.51, 4),
        (16, 0.0, 2),  # a tie is an error
        (16, -0.1, 0),
        (100, 0.2, 2),  # on the lattice, though 0.2 is not a binary fraction
        (1, 0.0, 1),
        (1, 2.0, 3),
    ],
)
def test_the_threshold_is_the_smallest_sum_that_satisfies_a_pattern(size, margin, threshold):
    instance = Instance.random(key(0), size, 1.0, margin)
    assert instance.threshold == threshold
    assert instance.midpoint == threshold - 1


def test_a_sample_of_a_batch_is_drawn_as_it_would_be_alone():
    batch = Instance.random(key(3), 65, 0.6, samples=3)
    assert batch.patterns.shape == (3, 39, 65)
    assert batch.patterns.dtype == jnp.int8
    alone = Instance.random(jax.random.fold_in(key(3), 2), 65, 0.6)
    np.testing.assert_array_equal(batch.patterns[2], alone.patterns)


@pytest.mark.parametrize("kind", ["binary", "gaussian"])
def test_a_larger_load_adds_patterns_to_the_same_ones(kind):
    few, many = (Instance.random(key(1), 301, alpha, kind=kind).patterns for alpha in (0.2, 1.7))
    np.testing.assert_array_equal(many[: len(few)], few)
    assert len(np.unique(np.asarray(many), axis=0)) == len(many)
    assert abs(np.mean(many)) < 5 / math.sqrt(many.size)
    assert abs(np.mean(np.square(many)) - 1) < 7 / math.sqrt(many.size)
    if kind == "binary":
        assert set(np.unique(many)) == {-1, 1}


def test_labels_are_absorbed_and_anything_but_signs_is_refused():
    patterns, labels = np.array([[1, -1, 1], [1, 1, 1]]), np.array([1, -1])
    np.testing.assert_array_equal(Instance.labelled(patterns, labels).patterns, [[1, -1, 1], [-1, -1, -1]])
    with pytest.raises(ValueError, match="labels must be .* 0"):
        Instance.labelled(patterns, np.array([1, 0]))
    with pytest.raises(ValueError, match=r"patterns must be .* 0\.5"):
        Instance.labelled(0.5 * patterns, labels)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((0, 0.5), "size.*0"),
        ((11, -0.1), r"alpha.*-0\.1"),
        ((11, math.nan), "alpha.*nan"),
        ((11, 0.5, math.inf), "margin.*inf"),
    ],
)
def test_an_instance_that_makes_no_sense_is_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        Instance.random(key(0), *arguments)


@pytest.mark.parametrize("count", [1, 8, 17, 40])
def test_products_in_blocks_are_those_of_the_whole_matrix(count, monkeypatch):
    monkeypatch.setattr(passes, "_BLOCK_BYTES", {jax.default_backend(): 8 * 33 * 4})  # eight rows
    instance = Instance.random(key(2), 33, count / 33)
    X, vectors = np.asarray(instance.patterns, dtype=float), np.linspace(-1, 1, 66).reshape(33, 2)
    own = jnp.arange(count, dtype=float)

    def respond(sums, start):
        return jnp.tanh(sums[:, 0]) + jax.lax.dynamic_slice(own, (start,), sums.shape[:1])

    sums, response, back = passes.blocked_pass(instance.patterns, jnp.asarray(vectors), respond)
    np.testing.assert_allclose(sums, X @ vectors, atol=1e-12)
    np.testing.assert_allclose(response, np.tanh(X @ vectors)[:, 0] + own, atol=1e-12)
    np.testing.assert_allclose(back, np.asarray(response) @ X, atol=1e-10)
    weights = jnp.where(jnp.arange(33) % 3 == 0, -1, 1).astype(jnp.int8)
    np.testing.assert_array_equal(instance.sums(weights), X @ np.asarray(weights))


def test_the_fast_path_holds_no_float_array_of_the_size_of_the_patterns():
    from fmjax.message_passing.focusing import focus

    instance = Instance.random(key(0), 4001, 0.7)
    compiled = focus.lower(instance, PseudoReinforcement(), False, "amp", 0.3, 1e-3, jnp.dtype("float32")).compile()
    floats = 4 * instance.count * instance.size
    temporary = compiled.compiled.memory_analysis().temp_size_in_bytes
    assert temporary < 0.1 * floats


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


# Focusing -------------------------------------------------------------------------------------------------------------


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


# Under pressure -------------------------------------------------------------------------------------------------------


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


# The entropy around a solution ----------------------------------------------------------------------------------------


def test_the_local_entropy_goes_from_that_of_all_solutions_to_zero():
    instance = Instance.random(key(3), 501, 0.5)
    found = focusing(instance)
    local = local_entropy(instance, found.weights, np.linspace(0, 6, 31))
    good = np.asarray(local.converged)
    d, entropy = np.asarray(local.distance, dtype=float), np.asarray(local.entropy, dtype=float)
    assert good[:10].all()
    assert np.all(np.diff(d[good]) < 0)
    assert np.all(np.diff(entropy[good]) < 0)
    assert np.all(entropy[good] < (-d * np.log(d) - (1 - d) * np.log1p(-d))[good])
    beliefs = belief_propagation(instance)
    assert entropy[0] == pytest.approx(float(bethe_entropy(instance, beliefs)), abs=1e-5)
    # Below five flips nothing is called converged, and nothing is NaN.
    assert (501 * d < 5).any()
    assert not good[501 * d < 5].any()
    assert all("Gaussian" in reason or "sweeps" in reason for reason in local.result[501 * d < 5])
    assert_finite(local)


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


def test_fields_must_increase_and_the_reference_must_be_signs():
    instance = Instance.random(key(3), 11, 0.5)
    with pytest.raises(ValueError, match="increasing"):
        local_entropy(instance, np.ones(11), [1.0, 0.5])
    with pytest.raises(ValueError, match=r"\(11,\)"):
        local_entropy(instance, np.zeros(11))


def test_the_entropy_around_a_solution_may_be_part_of_a_program():
    instance = Instance.random(key(3), 11, 0.5)

    def around(reference):
        return local_entropy(instance, reference, [0.0, 1.0]).entropy

    reference = np.ones(11, np.float32)
    np.testing.assert_allclose(jax.jit(around)(reference), around(reference), atol=1e-6)


def test_patterns_that_are_no_numbers_are_not_solved_where_nobody_can_look_at_them():
    patterns = jnp.full((5, 11), jnp.nan, jnp.float32)
    assert jax.jit(lambda x: Instance(x).errors(jnp.ones(11, jnp.int8)))(patterns) == 5
