"""Binary multilayer networks: gradient, symmetries, matching, training, local energy, and the study that joins them."""

import dataclasses
import json
from itertools import combinations, pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from flax import nnx
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from fmjax import networks
from fmjax.cli import app
from fmjax.networks import study, training
from fmjax.reproduce import deep_networks
from tests.oracles.networks import best_by_enumeration, integer_scores, loss_and_gradient

KEY = jax.random.key(11)


def signs(rng, *shape):
    return rng.choice(np.array([-1, 1], np.int8), size=shape)


def network(rng, sizes):
    return [signs(rng, *shape) for shape in pairwise(sizes)]


def distinct_neurons(weights):
    """Whether no two neurons of a hidden layer have the same incoming weights, up to sign."""
    return all(np.abs(w.T.astype(int) @ w - len(w) * np.eye(w.shape[1])).max() < len(w) for w in weights[:-1])


def symmetry(rng, sizes):
    permutations = tuple(rng.permutation(size) for size in sizes[1:-1])
    return networks.Symmetry(permutations, tuple(signs(rng, size) for size in sizes[1:-1]))


# Odd inputs, odd widths and odd integers: no pre-activation is ever 0.
odd_sizes = st.lists(st.integers(1, 5).map(lambda n: 2 * n + 1), min_size=1, max_size=4).map(lambda hidden: (31, *hidden, 3))
generators = st.integers(0, 2**31).map(np.random.default_rng)


@pytest.fixture(scope="module")
def digits():
    task = networks.load_task("digits")
    return jnp.asarray(task.inputs), jnp.asarray(task.labels)


@pytest.fixture(scope="module")
def solved(digits):
    """Networks that learned 40 digits."""
    config = networks.Config((64, 21, 21, 10), (20, 40), seeds=3, epochs=150, batch=20)
    return config, networks.train(config, *digits, KEY)


# The network ----------------------------------------------------------------------------------------------------------


def test_the_derivative_of_the_sign_is_that_of_a_hard_tanh():
    at = jnp.array([-1.5, -1.0, -0.3, 0.0, 0.3, 1.0, 1.0001], jnp.float32)
    values, slopes = jax.jvp(networks.sign, (at,), (jnp.ones_like(at),))
    assert values.tolist() == [-1, -1, -1, 1, 1, 1, 1]
    assert slopes.tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert values.dtype == slopes.dtype == jnp.float32


def test_the_gradient_is_the_straight_through_gradient_by_hand():
    rng = np.random.default_rng(1)
    model = networks.BinaryMLP((15, 9, 7, 4), rngs=nnx.Rngs(2))
    structure, latent = nnx.split(model)
    inputs, labels = rng.normal(size=(12, 15)).astype(np.float32), rng.integers(4, size=12)

    def loss(latent):
        scores = nnx.merge(structure, latent)(jnp.asarray(inputs))
        return -jax.nn.log_softmax(scores)[jnp.arange(12), labels].mean()

    value, gradient = jax.value_and_grad(loss)(latent)
    expected, by_hand = loss_and_gradient([np.asarray(w, np.float64) for w in jax.tree.leaves(latent)], inputs, labels)
    assert value == pytest.approx(expected, rel=1e-6)
    for found, wanted in zip(jax.tree.leaves(gradient), by_hand, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-7)
        assert np.abs(wanted).max() > 1e-3


@pytest.mark.parametrize("outputs", [10, 1])
def test_exported_weights_give_the_forward_pass_bit_for_bit_and_integers_agree(digits, outputs):
    inputs = digits[0][:200]
    model = networks.BinaryMLP((64, 33, 20, outputs), rngs=nnx.Rngs(0))
    weights = model.weights()
    assert all(matrix.dtype == jnp.int8 and set(np.unique(matrix)) == {-1, 1} for matrix in weights)
    scores = np.asarray(model(inputs))
    np.testing.assert_array_equal(scores, networks.class_scores(weights, inputs))
    integers = integer_scores([np.asarray(w) for w in weights], np.asarray(inputs) * 8)
    exact = integers.astype(np.float32) * np.float32(20**-0.5)
    np.testing.assert_array_equal(scores, np.concatenate([-exact, exact], axis=1) if outputs == 1 else exact)


def test_a_tie_is_a_mistake():
    weights = [np.array([[1, 1, -1]], np.int8)]
    inputs = jnp.array([[1.0], [-1.0], [-1.0]], jnp.float32)
    assert networks.mistakes(weights, inputs, jnp.array([0, 2, 1])).tolist() == [1, 0, 1]
    single = [np.array([[1], [-1]], np.int8)]
    inputs = jnp.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]], jnp.float32)
    assert networks.mistakes(single, inputs, jnp.array([1, 1, 1])).tolist() == [0, 1, 1]


@pytest.mark.parametrize("sizes", [(3,), (3, 0, 2)])
def test_sizes_that_make_no_network_are_refused(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        networks.BinaryMLP(sizes, rngs=nnx.Rngs(0))


@given(odd_sizes, generators)
def test_the_function_is_invariant_under_permutations_and_flips(sizes, rng):
    weights = network(rng, sizes)
    inputs = jnp.asarray(2 * rng.integers(-20, 20, size=(25, 31)) + 1, jnp.float32)
    copy = symmetry(rng, sizes).apply(weights)
    np.testing.assert_array_equal(networks.class_scores(weights, inputs), networks.class_scores(copy, inputs))


# Matching -------------------------------------------------------------------------------------------------------------


@given(odd_sizes, generators)
def test_a_permuted_and_flipped_copy_has_overlap_one(sizes, rng):
    weights = network(rng, sizes)
    if not distinct_neurons(weights):  # three inputs of ±1 tell few neurons apart
        return
    copy = symmetry(rng, sizes).apply(weights)
    assert networks.overlap(weights, copy) == 1.0
    for found, wanted in zip(networks.match(weights, copy).apply(copy), weights, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_copy_of_a_wide_network_has_overlap_one_at_every_depth(depth):
    rng = np.random.default_rng(depth)
    sizes = (64, *(41,) * depth, 10)
    weights = network(rng, sizes)
    copy = symmetry(rng, sizes).apply(weights)
    assert networks.overlap(weights, copy) == 1.0
    raw = sum(np.vdot(a.astype(float), b) for a, b in zip(weights, copy, strict=True))
    assert abs(raw) / sum(w.size for w in weights) < 0.1


@given(st.lists(st.integers(1, 6), min_size=1, max_size=2), generators)
def test_matching_is_the_best_of_all_permutations_and_signs(hidden, rng):
    sizes = (7, *hidden, 3)
    first, second = network(rng, sizes), network(rng, sizes)
    found = networks.match(first, second).apply(second)
    for here, matched in zip(first[:-1], found[:-1], strict=True):
        assert np.vdot(here.astype(int), matched.astype(int)) == best_by_enumeration(here, matched)


def test_the_overlap_does_not_depend_on_the_order_and_matching_creates_some():
    first, second = ([w[i] for w in networks.random_networks((101, 31, 31, 1), 2, KEY)] for i in range(2))
    found = networks.overlap(first, second)
    assert found == networks.overlap(second, first)
    raw = sum(np.vdot(a.astype(float), b) for a, b in zip(first, second, strict=True)) / sum(w.size for w in first)
    assert abs(raw) < 0.06 < 0.1 < found < 0.4


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), generators)
def test_the_overlap_is_the_better_of_both_directions_in_either_order(hidden, rng):
    """Small layers have many best matches: those found from the one side and from the other lead to other overlaps."""
    first, second = (network(rng, (9, *hidden, 3)) for _ in range(2))

    def one_way(reference, other):
        matched = networks.match(reference, other).apply(other)
        products = [np.vdot(a.astype(float), b) for a, b in zip(reference, matched, strict=True)]
        return sum(products) / sum(w.size for w in matched)

    found = networks.overlap(first, second)
    assert found == networks.overlap(second, first)
    assert found == max(one_way(first, second), one_way(second, first))


@pytest.mark.parametrize("sizes", [(9, 7, 7, 3), (784, 101, 101, 10)])
def test_the_overlaps_of_an_ensemble_do_not_depend_on_the_order_of_its_networks(sizes):
    ensemble = networks.random_networks(sizes, 4, KEY)
    found = dict(zip(combinations(range(4), 2), networks.pair_overlaps(ensemble), strict=True))
    turned = dict(zip(combinations(range(4), 2), networks.pair_overlaps([layer[::-1] for layer in ensemble]), strict=True))
    assert all(value == turned[3 - b, 3 - a] for (a, b), value in found.items())


def test_networks_of_different_shape_are_not_matched():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="same shape"):
        networks.match(network(rng, (5, 3, 1)), network(rng, (5, 4, 1)))


def test_all_pairs_in_order_with_progress():
    ensemble = networks.random_networks((33, 9, 2), 4, KEY)
    seen = []
    found = networks.pair_overlaps(ensemble, lambda items, description: (seen.append(x) or x for x in items))
    assert seen == list(combinations(range(4), 2))
    for (a, b), value in zip(seen, found, strict=True):
        assert value == networks.overlap([w[a] for w in ensemble], [w[b] for w in ensemble])


def test_the_error_of_a_mean_over_pairs_is_that_of_independent_networks():
    own = np.random.default_rng(3).normal(size=7)
    pairs = np.array([0.3 + own[a] + own[b] for a, b in combinations(range(7), 2)])
    mean, error = networks.mean_overlap(pairs, 7)
    assert mean == pytest.approx(0.3 + 2 * own.mean(), abs=1e-12)
    assert error == pytest.approx(2 * own.std(ddof=1) / np.sqrt(7), rel=1e-10)
    assert np.isnan(networks.mean_overlap(pairs[:1], 2)[1])


# Training -------------------------------------------------------------------------------------------------------------


def test_one_step_is_clipped_gradient_descent(digits):
    inputs, labels = digits
    config = networks.Config((64, 9, 10), (30,), seeds=2, epochs=1, learning_rate=40.0, batch=30)
    start = training._start(config, jax.random.split(KEY)[0])
    before = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(start)]
    structure, key = training._structure(config), jax.random.key(5)
    after, loss = training._epoch(config, structure, start, inputs, labels, jnp.float32(40.0), key)
    for seed in range(2):
        value, gradient = loss_and_gradient([w[0, seed] for w in before], inputs[:30], np.asarray(labels[:30]))
        assert loss[0, seed] == pytest.approx(value, rel=1e-5)
        for found, old, slope in zip(jax.tree.leaves(after), before, gradient, strict=True):
            np.testing.assert_allclose(found[0, seed], np.clip(old[0, seed] - 40.0 * slope, -1, 1), atol=1e-5)
    assert any((np.abs(leaf) == 1).any() for leaf in jax.tree.leaves(after))


@pytest.mark.parametrize("size", [7, 20, 50, 53])
def test_every_epoch_shows_every_pattern(size):
    config = networks.Config((64, 9, 10), (size,), seeds=2, batch=20)
    batches = np.asarray(training._batches(config, size, jax.random.split(KEY, 2)))
    assert batches.shape == (-(-size // 20), 2, 20)
    for seed in range(2):
        counts = np.bincount(batches[:, seed].ravel(), minlength=size)
        assert counts.min() >= 1
        assert counts.max() - counts.min() <= 1
    assert (batches[:, 0] != batches[:, 1]).any()


def test_all_seeds_and_patterns_are_one_program_and_the_key_decides(digits, solved):
    config, found = solved
    compiled = training._epoch._cache_size()
    again = networks.train(config, *digits, KEY)
    assert training._epoch._cache_size() == compiled
    assert found.loss.shape == (150, 2, 3)
    for one, two in zip(found.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, two)
        assert all((one[p, a] != one[p, b]).any() for p in range(2) for a, b in combinations(range(3), 2))
    other = networks.train(config, *digits, jax.random.key(12))
    assert (np.asarray(other.weights[0]) != np.asarray(found.weights[0])).any()


def test_few_patterns_are_learned_and_the_error_is_that_of_the_weights(digits, solved):
    config, found = solved
    assert (np.asarray(found.error) == 0).all()
    assert float(found.loss[-1].max()) < float(found.loss[0].min())
    untrained = networks.train(dataclasses.replace(config, epochs=1, learning_rate=1e-6), *digits, KEY)
    assert float(untrained.error.min()) > 0.5
    for p, size in enumerate(config.patterns):
        mistakes = networks.mistakes([w[p, 1] for w in untrained.weights], digits[0][:size], digits[1][:size])
        assert untrained.error[p, 1] == pytest.approx(float(mistakes.mean()), abs=1e-7)


def test_an_interrupted_training_goes_on_to_the_same_weights(digits, tmp_path):
    config = networks.Config((64, 11, 10), (20, 50), seeds=2, epochs=12, batch=20)
    whole = networks.train(config, *digits, KEY)

    def interrupted(items, description):
        for done, item in enumerate(items):
            if done == 7:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        networks.train(config, *digits, KEY, checkpoints=tmp_path, progress=interrupted)
    left = []
    resumed = networks.train(
        config, *digits, KEY, checkpoints=tmp_path, progress=lambda items, description: (left.append(x) or x for x in items)
    )
    assert left == [6, 7, 8, 9, 10, 11]  # kept after every second epoch
    for one, two in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="another training .different epochs"):
        networks.train(dataclasses.replace(config, epochs=13), *digits, KEY, checkpoints=tmp_path)
    with pytest.raises(ValueError, match="different key"):
        networks.train(config, *digits, jax.random.key(1), checkpoints=tmp_path)
    with pytest.raises(ValueError, match="different data"):
        networks.train(config, digits[0], 9 - digits[1], KEY, checkpoints=tmp_path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"patterns": ()}, "increasing"),
        ({"patterns": (20, 20)}, "increasing"),
        ({"patterns": (0, 20)}, "positive"),
        ({"seeds": 0}, "seeds"),
        ({"epochs": 0}, "epochs"),
        ({"batch": -1}, "batch"),
        ({"learning_rate": float("nan")}, "learning_rate"),
    ],
)
def test_a_wrong_config_is_refused_by_name(change, named):
    with pytest.raises(ValueError, match=named):
        networks.Config(**({"sizes": (64, 5, 10), "patterns": (10, 20)} | change))


@pytest.mark.parametrize(
    ("sizes", "patterns", "named"),
    [((63, 5, 10), (10,), "64 inputs"), ((64, 5, 10), (2000,), "2000"), ((64, 5, 3), (100,), "between 0 and 2")],
)
def test_data_that_do_not_fit_are_refused(sizes, patterns, named, digits):
    with pytest.raises(ValueError, match=named):
        networks.train(networks.Config(sizes, patterns), *digits, KEY)


def test_patterns_that_are_one_number_or_have_no_label_are_refused(without_type_checks):
    assert "increasing ones, not 20: try [100]" in without_type_checks("fmjax.networks.Config((2, 3, 2), 20)")
    data = "np.ones((5, 2), np.float32), np.zeros(4, int), jax.random.key(0)"
    message = without_type_checks(f"fmjax.networks.train(fmjax.networks.Config((2, 3, 2), (3,)), {data})")
    assert "5 patterns and 4 labels" in message


# Local energy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.2, 0.5, 1.0])
def test_as_many_weights_are_flipped_as_was_asked(fraction):
    weights = networks.random_networks((300, 200, 100), 1, KEY)
    fractions = jnp.array([fraction, 0.3], jnp.float32)
    found = networks.flipped(weights, fractions, jax.random.key(2))
    for old, new, f in zip(weights, found, (fraction, 0.3), strict=True):
        deviation = np.sqrt(f * (1 - f) / old.size)
        assert abs((np.asarray(new) == -old).mean() - f) <= 5 * deviation + 1e-9
        assert (np.abs(new) == 1).all()


def test_a_larger_fraction_flips_the_same_weights_and_more():
    weights = networks.random_networks((50, 40), 1, KEY)
    few, many = (networks.flipped(weights, jnp.array([f], jnp.float32), KEY)[0] != weights[0] for f in (0.1, 0.3))
    assert (many | ~few).all()
    assert few.sum() < many.sum()


def test_without_flips_the_local_energy_of_solutions_is_zero_and_with_all_flips_that_of_the_negative(digits, solved):
    _, found = solved
    weights = [np.asarray(w[1]) for w in found.weights]
    inputs, labels = digits[0][:40], digits[1][:40]
    fractions = np.array([0.0, 0.1, 0.5, 1.0])
    energy = networks.local_energy(weights, inputs, labels, fractions, KEY, draws=2)
    assert energy.shape == (3, 4, 4, 2)
    assert (energy[:, :, 0] == 0).all()
    assert (energy[:, 0, 2] > 0.5).all()
    for part, layers in enumerate([(0, 1, 2), (0,), (1,), (2,)]):
        for seed in range(3):
            negative = [-w[seed] if layer in layers else w[seed] for layer, w in enumerate(weights)]
            expected = float(networks.mistakes(negative, inputs, labels).mean())
            np.testing.assert_allclose(energy[seed, part, 3], expected, atol=1e-6)
    assert (energy[:, 1, 1, 0] != energy[:, 1, 1, 1]).any()


@pytest.mark.parametrize(
    ("fractions", "draws", "named"),
    [
        ([0.0, 1.1], 1, r"fractions .* between 0 and 1, not \[0.0, 1.1\]"),
        ([], 1, "fractions .* at least one, between 0 and 1"),
        ([0.0, np.nan], 1, r"fractions .* between 0 and 1, not \[0.0, nan\]"),
        ([0.0], 0, "draws must be at least 1, .*not 0"),
    ],
)
def test_wrong_fractions_and_draws_are_refused(fractions, draws, named, digits, solved):
    weights = [np.asarray(w[1]) for w in solved[1].weights]
    with pytest.raises(ValueError, match=named):
        networks.local_energy(weights, digits[0][:10], digits[1][:10], np.array(fractions), KEY, draws=draws)


def test_slope_and_curvature_are_those_of_a_cubic_with_errors_over_networks():
    f = np.array([0.0, 0.01, 0.02, 0.04, 0.05, 0.3])
    own = np.random.default_rng(0).normal(size=(6, 2))
    slopes, curvatures = 0.2 + own[:, 0], 30 + own[:, 1]
    energy = (0.1 + slopes[:, None] * f + curvatures[:, None] * f**2 / 2 - 90 * f**3)[:, None, :, None]
    energy[..., -1, :] = 0.9  # saturated, beyond the fit
    found = networks.shape_at_zero(f, energy, 0.05)
    assert found.slope[0] == pytest.approx(slopes.mean(), abs=1e-9)
    assert found.curvature[0] == pytest.approx(curvatures.mean(), abs=1e-6)
    assert found.slope_error[0] == pytest.approx(slopes.std(ddof=1) / np.sqrt(6), rel=1e-6)
    assert found.curvature_error[0] == pytest.approx(curvatures.std(ddof=1) / np.sqrt(6), rel=1e-6)
    with pytest.raises(ValueError, match="three more"):
        networks.shape_at_zero(f, energy, 0.01)


# The study ------------------------------------------------------------------------------------------------------------


def test_the_threshold_is_the_largest_number_learned_by_all():
    errors = np.zeros((4, 10))
    errors[2, 3] = 0.01
    assert networks.threshold(np.array([10, 20, 30, 40]), errors)[0] == 20
    assert networks.threshold(np.array([10, 20, 30, 40]), errors) == (20, 20, 40)
    errors[1] = 0.1
    assert networks.threshold(np.array([10, 20, 30, 40]), errors) == (10, 10, 10)
    errors[0] = 0.1
    assert np.isnan(networks.threshold(np.array([10, 20, 30, 40]), errors)).all()


def test_one_seed_in_ten_that_fails_is_missed_by_a_third_of_the_resamples():
    errors = np.zeros((1, 10))
    errors[0, 0] = 0.1
    value, low, high = networks.threshold(np.array([10]), errors)
    assert np.isnan(value)
    assert np.isnan(low)
    assert high == 10  # (9/10)^10 = 0.35 of the resamples


SMALL = networks.Study(
    "digits", (31,), (10, 20, 500), seeds=3, epochs=60, batch=10, fractions=(0.0, 0.01, 0.02, 0.05, 0.5), draws=2
)


@pytest.fixture(scope="module")
def small():
    return networks.run(SMALL)


def test_a_study_holds_everything_with_errors(small):
    assert small.train_error.dims == ("patterns", "seed")
    assert small.overlap.shape == (3, 3)
    assert float(small.mean_random_overlap) < float(small.mean_overlap[-1]) < 0.9
    assert float(small.mean_overlap_error.max()) < 0.1
    assert small.threshold.item() in {10, 20}
    assert small.local_energy_patterns.item() == small.threshold.item()
    assert float(abs(small.local_energy.sel(fraction=0)).max()) == 0
    assert small.part.to_numpy().tolist() == ["all", "layer 1", "layer 2"]
    assert np.isfinite(small.curvature_error).all()
    assert small.result.item() == "converged"
    xr.testing.assert_equal(small, networks.run(SMALL))


def test_a_threshold_outside_the_sweep_says_on_which_side():
    assert "above the sweep" in study._result(400.0, (20, 400))
    many = networks.run(dataclasses.replace(SMALL, patterns=(400,), epochs=1))
    assert "below the sweep" in many.result.item()
    assert np.isnan(many.threshold.item())
    assert many.local_energy_patterns.item() == 400


@pytest.mark.parametrize(("change", "named"), [({"seeds": 1}, "at least 2"), ({"patterns": (10, 5000)}, "1797")])
def test_a_study_that_makes_no_sense_is_refused(change, named):
    with pytest.raises(ValueError, match=named):
        networks.run(dataclasses.replace(SMALL, **change))


def test_the_name_of_a_data_set_is_no_study(without_type_checks):
    message = without_type_checks("fmjax.networks.run('digits')")
    assert "expected a study, and not 'digits': try fmjax.networks.STUDIES" in message


def test_the_usual_studies_are_the_data_sets_of_the_command():
    from fmjax.cli.networks import DataSet
    from fmjax.networks import data

    assert set(networks.STUDIES) == {name.value for name in DataSet} == set(data.TASKS)
    assert all(name == usual.dataset for name, usual in networks.STUDIES.items())


def test_the_figure_has_a_panel_per_data_set_and_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path))
    missing = dataclasses.replace(SMALL, dataset="mnist")
    other = dataclasses.replace(SMALL, hidden=(9, 9), patterns=(10, 300))
    monkeypatch.setattr(deep_networks, "_studies", lambda quick: [missing, SMALL, other])
    dataset = deep_networks.compute(True)
    dataset.to_netcdf(tmp_path / "figure.nc", engine="h5netcdf")
    dataset = xr.load_dataset(tmp_path / "figure.nc", engine="h5netcdf")
    assert dataset.dataset.to_numpy().tolist() == ["mnist", "digits", "digits"]
    assert "fmjax data fetch mnist" in str(dataset.result[0].item())
    top, bottom = np.reshape(deep_networks.draw(dataset).axes, (2, 3))
    assert any("fmjax data fetch" in text.get_text().replace("\n", " ") for text in top[0].texts)
    for row in (top, bottom):
        assert [[len(bars.lines[0].get_xdata()) for bars in axes.containers] for axes in row] == [[], [3], [2]]
    assert all(len(axes.child_axes) == 1 for axes in top[1:])


# The command ----------------------------------------------------------------------------------------------------------

SHORT = ["networks", "--dataset", "digits", "--width", "9", "--depth", "1", "--seeds", "2", "--epochs", "3", "--batch", "10"]


def test_the_command_prints_json_and_writes_all_results(tmp_path):
    out = tmp_path / "digits.nc"
    result = CliRunner().invoke(app, [*SHORT, "--patterns", "30", "--patterns", "10", "--json", "--out", str(out)])
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["sizes"] == [64, 9, 10]
    assert [row["patterns"] for row in document["rows"]] == [10, 30]
    assert all(0 <= row["train_error"] <= 1 and 0 < row["overlap"] < 1 for row in document["rows"])
    assert 0 < document["random_overlap"] < 1
    with xr.open_dataset(out, engine="h5netcdf") as dataset:
        assert dataset.mean_overlap.to_numpy().tolist() == [row["overlap"] for row in document["rows"]]
        assert dataset.attrs["dataset"] == "digits"
        assert dataset.attrs["epochs"] == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["networks", "--dataset", "cats"], ["cats", "digits"]),
        (["networks"], ["--dataset"]),
        (["networks", "--dataset", "mnist"], ["mnist", "fmjax data fetch mnist", "FMJAX_DATA"]),
        ([*SHORT, "--patterns", "0"], ["positive"]),
        ([*SHORT, "--patterns", "2000"], ["1797"]),
        ([*SHORT, "--width", "0"], ["--width"]),
        ([*SHORT, "--depth", "-1"], ["--depth"]),
        ([*SHORT, "--seeds", "1"], ["at least 2"]),
        ([*SHORT, "--learning-rate", "nan"], ["learning_rate", "nan"]),
    ],
    ids=lambda value: " ".join(value[-2:]),
)
def test_a_wrong_request_is_refused_with_one_message(arguments, named, monkeypatch, tmp_path):
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, (result.stdout, result.exception)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    message = result.stderr[result.stderr.index("Error: ") :]
    assert all(name in message for name in named), message
