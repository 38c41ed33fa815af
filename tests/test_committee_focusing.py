"""Message passing in committees: solutions that are solutions."""

import numpy as np
import pytest

from fmjax.message_passing import Committee, Instance, focusing
from tests.committee_instances import count_errors, key, stability, sums_of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("committee", "size", "alpha", "least"),
    [
        (Committee("relu", 10, tree=True), 1010, 0.7, 9),
        (Committee("sign", 5), 1005, 0.05, 10),
    ],
    ids=["relu-10-tree", "sign-5"],
)
def test_how_many_of_ten_committees_are_solved(committee, size, alpha, least):
    instances = [Instance.random(key(seed), size, alpha, committee=committee) for seed in range(10)]
    found = [focusing(instance).weights for instance in instances]
    assert sum(count_errors(*pair) == 0 for pair in zip(instances, found, strict=True)) >= least


def test_units_that_share_inputs_need_a_random_field_at_small_loads():
    instance = Instance.random(key(0), 1005, 0.1, committee=Committee("sign", 5))
    assert focusing(instance).result == "solved"
    alike = focusing(instance, random_field=0.0)
    assert "not solved" in alike.result
    np.testing.assert_array_equal(*np.asarray(alike.weights).reshape(5, -1)[:2])
    first, second = (np.asarray(focusing(instance, seed=seed).weights) for seed in (1, 2))
    assert abs(np.mean(first * second)) < 0.9


def test_labels_of_rectified_units_are_kept():
    rng = np.random.default_rng(0)
    patterns, labels = rng.choice([-1, 1], (30, 51)), rng.choice([-1, 1], 30)
    instance = Instance.labelled(patterns, labels, committee=Committee("relu", 4))
    found = focusing(instance)
    assert found.result == "solved"
    assert count_errors(instance, found.weights) == 0
    np.testing.assert_array_equal(np.sign(stability(instance.committee, sums_of(instance, found.weights), 51)), labels)
