"""Message passing in committees: lattices, errors and margins of instances, and what is refused."""

import numpy as np
import pytest

from fmjax.message_passing import Committee, Instance, focusing, messages
from tests.committee_instances import count_errors, key, stability, sums_of


@pytest.mark.parametrize(
    ("committee", "inputs", "margin", "threshold", "midpoint"),
    [
        (Committee("sign", 3), 5, 0.0, 1, 0),
        (Committee("sign", 4), 5, 0.0, 2, 1),  # a tie is an error
        (Committee("sign", 3), 5, 0.6, 3, 2),  # 0.6 sqrt 3 = 1.04
        (Committee("relu", 4), 5, 0.0, 1, 0.5),
        (Committee("relu", 4), 6, 0.0, 2, 1),
        (Committee("relu", 4), 6, 0.5, 4, 3),  # 0.5 sqrt 24 = 2.4
    ],
)
def test_sums_lie_on_a_lattice(committee, inputs, margin, threshold, midpoint):
    instance = Instance.random(key(0), committee.units * inputs, 1.0, margin, committee=committee)
    assert (instance.threshold, instance.midpoint) == (threshold, midpoint)


ALL = [
    Committee("sign", 3, tree=True),
    Committee("sign", 4),
    Committee("relu", 2, tree=True),
    Committee("relu", 4),
    Committee("tanh", 3),
]


@pytest.mark.parametrize("committee", ALL, ids=lambda c: f"{c.activation}-{c.units}-{c.tree}")
@pytest.mark.parametrize("margin", [0.0, 0.4, -0.3])
def test_errors_are_counted_exactly(committee, margin):
    rng = np.random.default_rng(1)
    for inputs in (5, 6):
        size = committee.units * inputs
        patterns = rng.choice([-1, 1], (40, size if committee.tree else inputs))
        instance = Instance.labelled(patterns, rng.choice([-1, 1], 40), margin, committee=committee)
        assert (instance.labels is None) == (committee.activation != "relu")
        weights = rng.choice([-1, 1], size)
        np.testing.assert_array_equal(instance.sums(weights), sums_of(instance, weights))
        assert int(instance.errors(weights)) == count_errors(instance, weights)
        signs = 1 if instance.labels is None else np.asarray(instance.labels)
        expected = signs * stability(committee, sums_of(instance, weights), inputs)
        np.testing.assert_allclose(instance.stabilities(weights), expected, atol=1e-6)


def test_a_margin_out_of_reach_is_a_contradiction():
    for committee, margin, largest in (
        (Committee("sign", 3), 2.0, 3**0.5),
        (Committee("relu", 2, tree=True), 1.3, 1.5**0.5),
    ):
        for reached in (True, False):
            at = largest - 1e-3 if reached else margin
            instance = Instance.random(key(0), 6 * committee.units // 2, 0.2, at, committee=committee)
            assert bool(messages.impossible(instance)) != reached
    assert "cannot be satisfied" in focusing(Instance.random(key(0), 9, 0.2, 2.0, committee=Committee("sign", 3))).result


X = "np.where(np.arange(44).reshape(4, 11) % 3 == 0, -1, 1)"
M = "fmjax.message_passing"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (f"{M}.Committee('step')", ["activation", "'sign'", "'step'"]),
        (f"{M}.Committee(3)", ["activation", "3"]),
        (f"{M}.Committee('sign', 0)", ["units", "at least 1", "0"]),
        (f"{M}.Committee('sign', 2.5)", ["units", "2.5"]),
        (f"{M}.Committee('relu', 3)", ["units = 3 is odd", "even number"]),
        (f"{M}.Committee(lambda u: 'a')", ["activation"]),
        (f"{M}.Instance({X}, 0.0, {M}.Committee('sign', 3, tree=True))", ["11 weights", "3 units", "12"]),
        (f"{M}.Instance({X}, 0.0, 3)", ["committee", "Committee", "3"]),
        (f"{M}.Instance({X}, labels=np.ones(4))", ["labels", "absorbed", "Instance.labelled"]),
        (f"{M}.Instance({X}, 0.0, {M}.Committee('relu', 2), np.ones(3))", ["labels", "(4,)", "(3,)"]),
        (f"{M}.Instance({X}, 0.0, {M}.Committee('relu', 2), np.zeros(4))", ["labels", "0"]),
        (f"{M}.Instance.random(jax.random.key(0), 10, 0.5, committee={M}.Committee('sign', 3))", ["10 weights", "3 units"]),
        (f"{M}.focusing({M}.Instance({X}, 0.0, {M}.Committee('relu', 2)), form='edge')", ["form", "'amp'", "'edge'"]),
        (f"{M}.focusing({M}.Instance({X}), random_field=-1)", ["random_field", "-1"]),
        (f"{M}.focusing({M}.Instance({X}), seed=0.5)", ["seed", "0.5"]),
    ],
)
def test_what_makes_no_sense_is_refused(call, named, without_type_checks):
    message = without_type_checks(call)
    assert all(word in message for word in named), message
    assert "not refused" not in message
