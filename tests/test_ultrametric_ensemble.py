"""Groups of replicas: independent quadrature, limits of one level, derivatives, published loads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_ndtr, logsumexp

import fmjax
from fmjax.replica import EquilibriumControls, UltrametricEnsemble
from fmjax.solvers.front import as_float64, in_float64
from fmjax.solvers.ultrametric import least_load
from tests.oracles import literature, symmetric as oracle

robust_capacity = fmjax.thresholds.robust_capacity


def symmetric(margin=1.0):
    return fmjax.Model(fmjax.Binary(), fmjax.models.PerceptronArchitecture(), fmjax.SymmetricMargin(margin))


@in_float64
def found(model, groups, replicas):
    """The root and its order parameters."""
    functional = as_float64(UltrametricEnsemble(model, groups, replicas))
    root = least_load(functional)
    return functional, root, functional.order(*root.numbers[3:])


def weighted(reach, size):
    u = np.linspace(-reach, reach, size)
    return u, -0.5 * u**2 + np.log((u[1] - u[0]) / np.sqrt(2 * np.pi))


def nested(potential, shared, spreads, groups, replicas, reaches, size):
    """``1/(ab) E ln ∫Dz {∫Du exp(b potential)}^a`` by sums over equidistant nodes, for the fields and weights ``shared``."""
    (z, of_z), (u, of_u) = (weighted(reach, size) for reach in reaches)
    total = []
    for field in shared[0]:
        inside = logsumexp(replicas * potential(field + spreads[0] * z[:, None] + spreads[1] * u) + of_u, axis=1)
        total.append(logsumexp(groups * inside + of_z))
    return shared[1] @ np.array(total) / (groups * replicas)


def entropies(functional, order, size, shared=1):
    """``phi`` without patterns, and ``G_E``, at given order parameters: the definition in the overlaps themselves."""
    a, b = float(functional.groups), float(functional.replicas)
    q2, q1, q0, q0_hat = (float(x) for x in (order.q2, order.q1, order.q0, order.q0_hat))
    q1_hat = q0_hat + float(order.outer_hat) / (a * b)
    q2_hat = q1_hat + float(order.inner_hat) / b
    x, of_x = weighted(8.5, shared) if shared > 1 else (np.zeros(1), np.zeros(1))
    probability = np.exp(of_x)
    hats = np.sqrt(q1_hat - q0_hat), np.sqrt(q2_hat - q1_hat)
    reaches = 9 + a * b * hats[0], 9 + b * hats[1]
    fields = np.sqrt(q0_hat) * x, probability
    weights = nested(lambda h: np.logaddexp(h, -h), fields, hats, a, b, reaches, size)
    spreads = np.sqrt(q1 - q0), np.sqrt(q2 - q1)
    margin, width = float(functional.model.margin), np.sqrt(1 - q2)
    even = functional.model.constraint.even
    fields = np.sqrt(q0) * x, probability

    def pattern(h):
        return oracle.inside(h, 1 - q2, margin) if even else log_ndtr((h - margin) / width)

    patterns = nested(pattern, fields, spreads, a, b, (12.0, 12.0), size)
    interaction = q2_hat * (1 + (b - 1) * q2) + (a - 1) * b * q1 * q1_hat - a * b * q0 * q0_hat
    return weights - 0.5 * interaction, patterns


@pytest.mark.parametrize(("groups", "replicas"), [(2.0, 2.0), (3.0, 4.0)])
def test_families_of_groups_end_where_their_mean_number_is_one(groups, replicas):
    functional, root, order = found(symmetric(), groups, replicas)
    entropic, energetic = entropies(functional, order, 300)
    assert abs(root.unknowns[-1] + entropic / energetic) < 1e-9


def test_of_all_overlaps_the_load_is_least_at_those_that_were_found():
    """At neighbours of the fields, which imply other overlaps, it vanishes at larger loads, quadratically."""
    functional, root, _ = found(symmetric(), 3.0, 4.0)
    load = float(root.unknowns[-1])
    controls = EquilibriumControls(jnp.ones(()))
    saddle = jax.jit(lambda fields: functional.saddle(fields, controls))
    for change in ([0.01, 0.0], [0.0, 0.01], [0.01, 0.01], [0.01, -0.01]):
        above = []
        for sign in (1, -1):
            moved = saddle(root.unknowns[:-1] * jnp.exp(sign * jnp.asarray(change)))
            above.append(float(1.0 - moved.value / moved.slope) - load)
        assert min(above) > 0
        assert max(above) < 2e-2
        assert abs(above[0] - above[1]) < 0.5 * max(above)


def test_loads_of_two_levels_are_those_in_print():
    for replicas, groups, at in (
        (4.0, 1.0 + 1e-9, literature.SYMMETRIC_REPLICAS[4]),
        (4.0, 3.0, literature.SYMMETRIC_GROUPS),
    ):
        load = robust_capacity(symmetric(), replicas, groups)
        assert load.result == "converged"
        assert abs(load.value - at.value) <= at.error


@pytest.mark.parametrize(("groups", "replicas"), [(1.0 + 1e-9, 4.0), (4.0, 1.0 + 1e-9)])
def test_with_nothing_to_group_there_is_one_level(groups, replicas):
    load, _ = oracle.robust_capacity(4, 1.0)
    assert abs(robust_capacity(symmetric(), replicas, groups).value - load) < 1e-8


def test_grouped_replicas_end_before_those_of_one_level():
    """Two levels include one: groups without overlap, and groups that are one."""
    load = robust_capacity(symmetric(), 2.0, 2.0)
    assert load.value < min(oracle.robust_capacity(y, 1.0)[0] for y in (2, 4))


def test_loads_move_with_the_margin_and_both_numbers_as_their_derivatives_say():
    at, step = np.array([1.0, 4.0, 3.0]), 1e-4

    def load(point):
        return robust_capacity(symmetric(point[0]), point[1], point[2]).value

    slope = jax.grad(load)(jnp.asarray(at))
    for change, expected in zip(step * np.eye(3), slope, strict=True):
        assert abs((load(at + change) - load(at - change)) / (2 * step) - expected) < 1e-6


def test_the_numbers_of_least_load_are_where_it_does_not_move():
    slope = jax.grad(lambda sizes: robust_capacity(symmetric(), sizes[1], sizes[0]).value)(
        jnp.array([2.87256275, 3.9654311])
    )
    assert np.all(np.abs(slope) < 1e-9)


# The one-sided constraint, whose families overlap -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_sided():
    return found(fmjax.Perceptron(), 2.0, 2.0)


def test_the_entropy_is_the_nested_integral(one_sided):
    functional, root, order = one_sided
    entropic, energetic = entropies(functional, order, 200, shared=100)
    assert abs(entropic + float(root.unknowns[-1]) * energetic) < 1e-8
    assert root.unknown_errors[-1] < 1e-8


def test_the_entropy_is_stationary_in_all_order_parameters(one_sided):
    functional, root, order = one_sided
    controls = EquilibriumControls(root.unknowns[-1])
    value, slope = jax.jit(jax.value_and_grad(functional.resized(0.75)))(order, controls)
    free = jnp.stack([slope.q2, slope.outer, slope.inner, slope.q0_hat, slope.outer_hat, slope.inner_hat])
    assert abs(value) < 1e-8
    assert np.all(np.abs(free) < 1e-6)


def test_groups_of_a_perceptron_end_before_replicas_of_one_level(one_sided):
    _, root, _ = one_sided
    assert root.unknowns[-1] < 0.78438  # of 4 replicas, the least of one level


@pytest.mark.parametrize(
    ("model", "sizes", "words"),
    [
        (fmjax.Perceptron(), (3.0, 8.0), "3 groups of 8 replicas are more than 16: try 3 of 4"),
        (fmjax.Perceptron(), (0.5, 4.0), "groups must be a number from 1 up to 16, not 0.5"),
        (fmjax.Perceptron(), (2.0, np.inf), "replicas must be a number from 1 up to 16, not inf"),
        (fmjax.Perceptron(teacher=True), (2.0, 2.0), "groups of a teacher's students are not implemented"),
        (fmjax.Perceptron(weights=fmjax.Spherical()), (2.0, 2.0), "binary weights, not Spherical ones"),
    ],
)
def test_groups_that_make_no_sense_are_refused_by_a_sentence(model, sizes, words):
    groups, replicas = sizes
    with pytest.raises(ValueError, match=words):
        robust_capacity(model, replicas, groups)


def test_true_is_no_number_of_groups(without_type_checks):
    refused = without_type_checks("fmjax.thresholds.robust_capacity(fmjax.Perceptron(), 4, True)")
    assert "groups must be a number from 1 up to 16, not True" in refused
