"""Matching: the best of all permutations and signs, and the overlaps that are left."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fmjax import networks
from tests.oracles.networks import best_by_enumeration
from tests.small_networks import KEY, distinct_neurons, generators, network, odd_sizes, symmetry


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


def test_the_error_of_a_mean_over_pairs_is_the_jackknife_over_networks():
    pairs = np.random.default_rng(4).uniform(size=15)
    of = np.array(list(combinations(range(6), 2)))
    without = np.array([pairs[(of != network).all(axis=1)].mean() for network in range(6)])
    spread = np.sqrt(5 / 6 * np.sum((without - without.mean()) ** 2))
    assert networks.mean_overlap(pairs, 6) == pytest.approx((pairs.mean(), spread), rel=1e-12)


def test_overlaps_with_others_are_means_over_the_pairs_of_each_network():
    ensemble = networks.random_networks((33, 9, 2), 4, KEY)
    pairs = networks.pair_overlaps(ensemble)
    found = networks.overlaps_with_others(ensemble)
    for index in range(4):
        mine = [value for pair, value in zip(combinations(range(4), 2), pairs, strict=True) if index in pair]
        assert found[index] == pytest.approx(np.mean(mine), abs=1e-15)
    assert networks.mean_over_networks(found) == pytest.approx(networks.mean_overlap(pairs, 4), abs=1e-15)
    assert np.isnan(networks.overlaps_with_others([layer[:1] for layer in ensemble])).all()
