"""Replicas around a centre that is a solution itself: identities, limits, and the formula in print."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_ndtr, logsumexp, roots_hermitenorm
from typer.testing import CliRunner

import fmjax
from fmjax.cli import app
from fmjax.replica import RobustEnsembleControls

ALPHA, STEP = 0.6, 1e-4
MODEL = fmjax.Perceptron()
SYMMETRIC = fmjax.Model(fmjax.Binary(), fmjax.models.PerceptronArchitecture(), fmjax.SymmetricMargin(1.0))
DISTANCES = np.array([0.02, 0.05, 0.05 - STEP, 0.05 + STEP, 0.1, 0.2, 0.35, 0.005])


def around(y, margin=None):
    return fmjax.CentredEnsemble(MODEL, y, centre="solution", centre_margin=margin)


@pytest.fixture(scope="module")
def ten():
    found = fmjax.curve(around(10.0), alpha=ALPHA, distance=DISTANCES)
    assert np.all(found.converged), found.result
    return found


def test_one_replica_and_its_centre_are_a_pair_of_replicas():
    one = fmjax.curve(around(1.0), alpha=ALPHA, distance=DISTANCES)
    pair = fmjax.curve(fmjax.RobustEnsemble(MODEL, 2.0), alpha=ALPHA, distance=DISTANCES)
    common = np.asarray(pair.converged)
    assert common.sum() == 7  # a pair is not followed beyond the distance of typical solutions
    for number in ("entropy", "slope"):
        apart = np.abs(np.asarray(getattr(one, number) - 2.0 * getattr(pair, number)))[common]
        assert np.all(apart <= np.asarray(one.error_estimate + 2.0 * pair.error_estimate)[common])
        assert np.all(apart < 1e-7)


def test_the_slope_is_that_of_differences_and_the_local_entropy_that_in_the_number_of_replicas(ten):
    assert ten.slope[1] == pytest.approx(float(ten.entropy[3] - ten.entropy[2]) / (2 * STEP), abs=1e-5)
    more, fewer = (y * fmjax.curve(around(y), alpha=ALPHA, distance=DISTANCES).entropy for y in (10.02, 9.98))
    np.testing.assert_allclose((more - fewer) / 0.04, ten.order.local_entropy, rtol=0, atol=1e-7)


def test_fields_imply_order_parameters_at_which_the_free_entropy_has_their_value_and_no_slope(ten):
    order = jax.tree.map(lambda leaf: leaf[4], ten.order)
    at = RobustEnsembleControls(jnp.asarray(ALPHA), jnp.asarray(DISTANCES[4]))
    value, slopes = jax.jit(jax.value_and_grad(lambda order: around(10.0)(order, at)))(order)
    assert value == pytest.approx(float(ten.entropy[4]), abs=1e-13)
    assert max(abs(float(slope)) for slope in jax.tree.leaves(slopes)) < 1e-10


def test_the_entropy_is_the_nested_integral_in_print_at_the_saddle(ten):
    """By Gauss and Hermite, over the field of the centre and the rest of that of the replicas, in the other order."""
    o, y = jax.tree.map(lambda leaf: float(leaf[5]), ten.order), 10.0
    nodes, weights = roots_hermitenorm(100)
    weights = weights / weights.sum()
    x, rest, u = nodes[:, None, None], nodes[:, None], nodes
    q1_hat = o.q0_hat + o.stretch_hat / y
    root, s = math.sqrt(o.centre_hat), np.array([1.0, -1.0])[:, None, None, None]
    field = o.t_hat / root * x + math.sqrt(o.q0_hat - o.t_hat**2 / o.centre_hat) * rest
    field = field + math.sqrt(q1_hat - o.q0_hat) * u + (o.p_hat - o.t_hat) * s
    inner = logsumexp(y * np.logaddexp(field, -field), axis=-1, b=weights)
    site = logsumexp(s[..., 0] * root * nodes[:, None] + inner, axis=0)
    theta = -math.sqrt(o.centre) * x / math.sqrt(1 - o.centre)
    rho = (o.p - o.t) / math.sqrt((1 - o.centre) * (o.q1 - o.q0))
    seen = o.t / math.sqrt(o.centre) * x + math.sqrt(o.q0 - o.t**2 / o.centre) * rest + math.sqrt(o.q1 - o.q0) * u
    solved = log_ndtr(-(theta - rho * u) / math.sqrt(1 - rho**2)) + y * log_ndtr(seen / math.sqrt(1 - o.q1))
    pattern = logsumexp(solved, axis=-1, b=weights)
    free = weights @ site @ weights + ALPHA * weights @ pattern @ weights
    free += -0.5 * o.centre_hat * (1 - o.centre) - 0.5 * y * q1_hat * (1 + (y - 1) * o.q1)
    free += 0.5 * y**2 * o.q0 * o.q0_hat - y * o.p * o.p_hat + y * o.t * o.t_hat
    assert free / y == pytest.approx(float(ten.entropy[5]), abs=1e-8)


def test_more_nodes_give_the_same_within_the_error_estimates(ten):
    """At the order parameters that were found, where the free entropy is stationary."""
    finer, controls = (
        around(10.0).resized(1.5),
        RobustEnsembleControls(jnp.full(8, ALPHA), jnp.asarray(DISTANCES), jnp.zeros(8)),
    )
    entropies = jax.jit(lambda each: jax.lax.map(lambda one: finer(*one), each))((ten.order, controls))
    changed = np.abs(np.asarray(entropies - ten.entropy))
    assert np.all(changed <= np.asarray(ten.error_estimate))
    assert np.all(changed < 1e-8)


def test_slopes_close_to_a_centre_of_a_larger_margin_are_within_their_error_estimates():
    """There the pull of the centre is sharp in what a group of replicas shares: 96 nodes missed it by 4 estimates."""
    ensemble = fmjax.CentredEnsemble(fmjax.Perceptron(), replicas=6.10, centre="solution", centre_margin=0.402)
    found, finer = (fmjax.curve(each, alpha=0.413, distance=[0.004]) for each in (ensemble, ensemble.resized(1.25)))
    assert np.all(np.abs(np.asarray(found.slope - finer.slope)) <= np.asarray(found.error_estimate))
    assert np.all(np.asarray(found.error_estimate) < 1e-7)


def test_where_centre_and_replicas_know_nothing_of_each_other_both_are_typical(ten):
    typical = fmjax.solve(fmjax.Equilibrium(MODEL), alpha=ALPHA)
    near = fmjax.curve(around(10.0), alpha=ALPHA, distance=np.full(8, float(typical.distance)))
    for entropy in (near.order.local_entropy, near.order.centre_entropy):
        np.testing.assert_allclose(entropy, typical.entropy, rtol=0, atol=1e-7)
    assert np.all(np.abs(near.slope) < 1e-6)
    assert np.all(ten.slope[jnp.asarray(DISTANCES) > typical.distance] < 0.0)


def test_the_densest_centre_that_is_a_solution_has_no_more_of_them_around_than_the_densest_of_all():
    found = fmjax.curve(around("typical"), alpha=ALPHA, distance=[0.05])
    densest = 0.126245261  # of a free centre, see tests/test_centred_ensemble.py
    assert found.result[0] == "converged"
    assert found.order.centre_entropy[0] == pytest.approx(0.0, abs=1e-10)
    assert densest - 1e-3 < found.entropy[0] < densest


def test_a_centre_of_a_margin_that_has_no_solutions_is_named_in_the_result():
    beyond = fmjax.curve(around(10.0, 0.5), alpha=ALPHA, distance=DISTANCES)
    assert not np.any(beyond.converged)
    assert all("the centre has no solution at this alpha and its own margin" in result for result in beyond.result)


def test_the_entropy_has_the_derivative_of_differences_in_the_margin_of_the_centre():
    def entropy(margin):
        return fmjax.curve(around(10.0, margin), alpha=ALPHA, distance=DISTANCES).entropy[4]

    measured = (entropy(0.1 + STEP) - entropy(0.1 - STEP)) / (2 * STEP)
    assert jax.grad(entropy)(0.1) == pytest.approx(float(measured), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((MODEL, 4, "free", 0.1), "a free centre has no margin"),
        ((MODEL, 4, "typical"), "centre must be"),
        ((fmjax.TreeCommittee("sign"), math.inf, "solution"), "units that jump"),
        ((MODEL, 4, "solution", "0.1"), "centre margin"),
        ((MODEL, 4, "solution", math.nan), "centre margin"),
        (
            (fmjax.Model(fmjax.Binary(), fmjax.models.PerceptronArchitecture(), fmjax.SymmetricMargin(1.0)), 4, "solution"),
            "even",
        ),
    ],
)
def test_centres_that_make_no_sense_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        fmjax.curve(fmjax.CentredEnsemble(*arguments), alpha=ALPHA, distance=[0.1])


def test_the_command_documents_the_margin_of_the_centre_and_its_rows(ten):
    command = [
        "robust-ensemble",
        "--centre",
        "solution",
        "--alpha",
        "0.6",
        "--replicas",
        "10",
        "--distance",
        "0.1",
        "--json",
    ]
    document = json.loads(CliRunner().invoke(app, command).stdout)
    assert (document["centre"], document["centre_margin"]) == ("solution", 0.0)
    (row,) = document["rows"]
    assert row["entropy"] == pytest.approx(float(ten.order.local_entropy[4]), abs=1e-10)
    assert row["centre_overlap"] == pytest.approx(float(ten.order.centre[4]), abs=1e-8)
    assert row["pull"] == pytest.approx(0.5 * float(ten.slope[4]), abs=1e-8)
