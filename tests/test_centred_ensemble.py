"""Entropy of replicas around a common centre: limits, identities, values of an independent program."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

import fmjax
from fmjax.cli import app
from fmjax.replica import RobustEnsembleControls

ALPHA = 0.6
STEP = 1e-4
DENSE = fmjax.CentredEnsemble(fmjax.Perceptron(), 10.0)
TYPICAL = fmjax.CentredEnsemble(fmjax.Perceptron(), "typical")
SYMMETRIC = fmjax.Model(fmjax.Binary(), fmjax.models.PerceptronArchitecture(), fmjax.SymmetricMargin(1.0))
DENSEST = fmjax.CentredEnsemble(fmjax.Perceptron(), jnp.inf)


@pytest.fixture(scope="module")
def typical():
    return fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=ALPHA)


@pytest.fixture(scope="module")
def dense():
    """Around 0.02, and further out."""
    return fmjax.curve(DENSE, alpha=ALPHA, distance=[0.02, 0.02 - STEP, 0.02 + STEP, 0.001, 0.1, 0.3, 0.4999])


def test_entropies_are_those_of_an_independent_program(dense):
    """Of the project's specification."""
    found = 10.0 * dense.entropy[0], dense.order.local_entropy[0], dense.order.centre_entropy[0]
    np.testing.assert_allclose(found, [0.759197149, 0.071854731, 0.040649843], rtol=0, atol=1e-9)
    assert dense.result[0] == "converged"


def test_one_solution_around_a_centre_is_a_typical_one_and_the_centre_any_weights_at_its_distance(typical):
    distance = np.array([0.05, 0.1, 0.3, 0.49])
    one = fmjax.curve(fmjax.CentredEnsemble(fmjax.Perceptron(), 1.0), alpha=ALPHA, distance=distance)
    binary_entropy = -distance * np.log(distance) - (1 - distance) * np.log1p(-distance)
    np.testing.assert_allclose(one.entropy, typical.entropy + binary_entropy, rtol=0, atol=1e-13)
    np.testing.assert_allclose(one.slope, np.log((1 - distance) / distance), rtol=0, atol=1e-11)
    np.testing.assert_allclose(one.order.centre_entropy + one.order.local_entropy, one.entropy, rtol=0, atol=1e-13)


def test_half_way_the_centre_says_nothing_and_replicas_are_typical(dense, typical):
    assert dense.order.local_entropy[-1] == pytest.approx(float(typical.entropy), abs=1e-6)
    assert dense.order.centre_entropy[-1] == pytest.approx(np.log(2.0), abs=1e-6)
    assert dense.order.q1[-1] == pytest.approx(float(typical.order.q), abs=1e-6)


def test_the_slope_is_that_of_differences_and_the_local_entropy_that_in_the_number_of_replicas(dense):
    assert dense.slope[0] == pytest.approx(float(dense.entropy[2] - dense.entropy[1]) / (2 * STEP), abs=1e-4)
    more, fewer = (
        y * fmjax.curve(fmjax.CentredEnsemble(fmjax.Perceptron(), y), alpha=ALPHA, distance=[0.02]).entropy[0]
        for y in (10.02, 9.98)
    )
    assert dense.order.local_entropy[0] == pytest.approx(float(more - fewer) / 0.04, abs=1e-6)


def test_fields_imply_order_parameters_at_which_the_free_entropy_has_their_value_and_no_slope_in_conjugates():
    functional = fmjax.CentredEnsemble(fmjax.TreeCommittee("tanh"), 3.0)
    alpha, fields = jnp.asarray(0.5), jnp.array([0.9, 0.7, 0.4])
    saddle = jax.jit(fmjax.CentredEnsemble.saddle)(functional, fields, RobustEnsembleControls(alpha, jnp.asarray(jnp.nan)))
    assert jnp.all(jnp.abs(saddle.residual) > 0.01)
    controls = RobustEnsembleControls(alpha, jax.nn.sigmoid(saddle.position))
    value, slope = jax.jit(jax.value_and_grad(fmjax.CentredEnsemble.__call__, 1))(functional, saddle.order, controls)
    assert value == pytest.approx(float(saddle.value), abs=1e-12)
    for conjugate in (slope.q0_hat, slope.p_hat, slope.stretch_hat):
        assert conjugate == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("model", "replicas", "named"),
    [
        (fmjax.Perceptron(), "most", "replicas must be a number from 1 up to 64, inf or \"typical\", not 'most'"),
        (SYMMETRIC, jnp.inf, "no limit with a SymmetricMargin"),
        (fmjax.Perceptron(), 65, "replicas must be a number from 1 up to 64, or inf, not 65"),
        (fmjax.Perceptron(teacher=True), 3, "of a teacher's students around a centre"),
        (fmjax.Perceptron(weights=fmjax.Spherical()), 3, "binary weights, not Spherical"),
    ],
)
def test_ensembles_that_make_no_sense_are_refused(model, replicas, named):
    with pytest.raises(ValueError, match=named):
        fmjax.CentredEnsemble(model, replicas)


def test_typical_replicas_are_as_many_as_leave_no_centres_and_their_entropy_is_least_in_their_number():
    """The values at a distance of 0.05 are those of the project's specification."""
    found = fmjax.curve(TYPICAL, alpha=ALPHA, distance=[0.05, 0.02, 0.1, 0.003])
    assert list(found.result) == ["converged"] * 4
    assert found.entropy[0] == pytest.approx(0.126245261, abs=1e-9)
    assert found.order.replicas[0] == pytest.approx(14.67018, abs=1e-5)
    assert jnp.all(jnp.abs(found.order.centre_entropy) < 1e-9)
    np.testing.assert_allclose(found.order.local_entropy, found.entropy, rtol=0, atol=1e-10)
    for row in (0, 1):
        y, distance = float(found.order.replicas[row]), found.distance[row : row + 1]
        fewer, same, more = (
            fmjax.curve(fmjax.CentredEnsemble(fmjax.Perceptron(), near), alpha=ALPHA, distance=distance)
            for near in (y - 0.5, y, y + 0.5)
        )
        assert same.entropy[0] == pytest.approx(float(found.entropy[row]), abs=1e-10)
        assert min(fewer.entropy[0], more.entropy[0]) > found.entropy[row]
        assert same.slope[0] == pytest.approx(float(found.slope[row]), abs=1e-7)


def test_twice_the_nodes_give_the_same_within_the_error_estimates_and_entropies_rise_as_their_slope_says():
    distance = np.array([0.02, 0.05, 0.05 - STEP, 0.05 + STEP, 0.1, 0.0045])
    found = fmjax.curve(TYPICAL, alpha=ALPHA, distance=distance)
    finer = fmjax.curve(TYPICAL.resized(2.0), alpha=ALPHA, distance=distance)
    for number in ("entropy", "slope"):
        changed = jnp.abs(getattr(finer, number) - getattr(found, number))
        assert jnp.all(changed <= found.error_estimate + 1e-14)
        assert jnp.all(changed < 1e-8)
    assert found.slope[1] == pytest.approx(float(found.entropy[3] - found.entropy[2]) / (2 * STEP), abs=1e-5)


def test_the_entropy_of_typical_replicas_has_the_derivative_of_differences_in_the_load():
    def entropy(alpha):
        return fmjax.curve(TYPICAL, alpha=alpha, distance=jnp.array([0.05])).entropy[0]

    differences = (entropy(ALPHA + STEP) - entropy(ALPHA - STEP)) / (2 * STEP)
    assert jax.grad(entropy)(ALPHA) == pytest.approx(float(differences), abs=1e-6)


def test_infinitely_many_replicas_are_the_limit_of_many_and_lie_on_the_curve_without_a_centre():
    distance = [0.05, 0.2, 0.45]
    densest = fmjax.curve(DENSEST, alpha=ALPHA, distance=distance)
    assert list(densest.result)[:2] == ["converged"] * 2
    assert densest.result[2].startswith("the branch could not be followed")
    many, twice = (
        fmjax.curve(fmjax.CentredEnsemble(fmjax.Perceptron(), y), alpha=ALPHA, distance=distance).entropy[:2]
        for y in (32.0, 64.0)
    )
    assert jnp.all(jnp.abs(twice - densest.entropy[:2]) < 0.6 * jnp.abs(many - densest.entropy[:2]))
    assert jnp.all(jnp.isnan(densest.order.centre_entropy))


def test_infinitely_many_replicas_at_a_small_load_keep_the_field_that_groups_share():
    """Without one all patterns are solved at no cost: the entropy is that of all weights, which is stationary as well."""
    distance = np.array([0.1, 0.15, 0.2, 0.21, 0.3])
    found = fmjax.curve(DENSEST, alpha=0.05, distance=distance)
    assert np.all(found.converged), found.result
    missing = -distance * np.log(distance) - (1 - distance) * np.log1p(-distance) - np.asarray(found.entropy)
    assert np.all(missing[1:] > 1e-5)
    assert missing[0] == pytest.approx(1.15e-7, abs=5e-9)
    easy = fmjax.CentredEnsemble(fmjax.Perceptron(), jnp.inf, centre="solution", centre_margin=-1.0)
    held = fmjax.curve(easy, alpha=0.05, distance=distance)  # by a constraint that every such centre obeys: other integrals
    apart = np.abs(np.asarray(held.entropy) - np.asarray(found.entropy))
    assert np.all(apart <= np.asarray(held.error_estimate + found.error_estimate))
    assert np.all(apart < 1e-8)
    assert np.all(np.asarray(found.order.q0_hat) > 0.0)


def test_where_nothing_pulls_at_infinitely_many_replicas_they_are_those_without_a_centre():
    """At its extrema: both loads are those of `thresholds.robust_alpha_u`, where the maximum meets the minimum."""
    distance = np.geomspace(0.01, 0.05, 40)
    for alpha, monotonic in ((0.7552, True), (0.7554, False)):
        curve = fmjax.curve(DENSEST, alpha=alpha, distance=distance)
        assert bool(jnp.all(curve.slope > 0)) == monotonic


@pytest.mark.parametrize("alpha", [0.6, 0.7])
def test_where_replicas_do_not_interact_rounding_does_not_lose_the_start(alpha):
    """Of tabulated kernels, whose differences at equal overlaps are below zero."""
    many = fmjax.CentredEnsemble(fmjax.TreeCommittee("relu"), 64)
    assert fmjax.curve(many, alpha=alpha, distance=[0.1]).converged.all()


def test_distances_beyond_one_half_are_refused():
    with pytest.raises(ValueError, match=r"between 0 and 0\.5"):
        fmjax.curve(DENSE, alpha=ALPHA, distance=[0.6])


def test_entropies_per_replica_fall_with_their_number_by_the_entropy_of_centres():
    def entropy(replicas):
        ensemble = fmjax.CentredEnsemble(fmjax.Perceptron(), replicas)
        return fmjax.curve(ensemble, alpha=ALPHA, distance=jnp.array([0.02])).entropy[0]

    found = fmjax.curve(DENSE, alpha=ALPHA, distance=jnp.array([0.02])).order.centre_entropy[0]
    assert -(10.0**2) * jax.grad(entropy)(10.0) == pytest.approx(float(found), abs=1e-9)


def printed(*arguments):
    result = CliRunner().invoke(app, ["robust-ensemble", "--centre", "free", "--alpha", str(ALPHA), *arguments, "--json"])
    assert result.exit_code in (0, 3), result.stderr
    return json.loads(result.stdout)


def test_the_command_documents_typical_replicas_and_what_they_count():
    document = printed("--replicas", "typical", "--distance", "0.05", "--distance", "0.0001")
    assert (document["centre"], document["replicas"]) == ("free", "typical")
    row, lost = document["rows"]
    assert row["result"] == "converged"
    assert row["entropy"] == pytest.approx(0.126245261, abs=1e-9)
    assert row["replicas"] == pytest.approx(14.67018, abs=1e-5)
    assert row["free_entropy"] == pytest.approx(row["replicas"] * row["entropy"] + row["centre_entropy"], abs=1e-12)
    assert lost["replicas"] is lost["entropy"] is None
    assert lost["result"].startswith(("the branch", "the best centres here"))


def test_the_command_documents_given_numbers_of_replicas_as_sweeps_do(tmp_path):
    row, *_ = printed("--replicas", "10", "--distance", "0.02")["rows"]
    found = [row[name] for name in ("free_entropy", "entropy", "centre_entropy")]
    np.testing.assert_allclose(found, [0.759197149, 0.071854731, 0.040649843], rtol=0, atol=1e-9)
    grid = {"alpha": ALPHA, "replicas": 10, "distance": [0.02, 0.1]}
    swept = fmjax.sweep({"quantity": "centred-ensemble", "grid": grid}, tmp_path / "centred.zarr").isel(distance=0)
    for name in ("free_entropy", "entropy", "centre_entropy", "pull", "cross_overlap"):
        assert float(swept[name]) == pytest.approx(row[name], abs=1e-11)


def test_infinitely_many_replicas_are_printed_by_name_and_count_no_centres():
    (row,) = printed("--replicas", "inf", "--distance", "0.05")["rows"]
    assert row["replicas"] == "inf"
    assert row["free_entropy"] is row["centre_entropy"] is None


class AtMost(fmjax.models.Constraint):
    """A margin from the other side."""

    margin: float

    def log_weight(self, mean, std):
        return fmjax.special.log_H((mean - self.margin) / std)

    def edges(self):
        return jnp.asarray(self.margin)[None]

    def support(self):
        return jnp.asarray(-jnp.inf), jnp.asarray(self.margin)


def test_infinitely_many_replicas_of_a_constraint_of_ones_own_are_those_of_its_mirror_image():
    model, distance = fmjax.Perceptron(0.3), [0.05, 0.1]
    mirrored = model.with_constraint(AtMost(-0.3))
    found, expected = (
        fmjax.curve(fmjax.CentredEnsemble(each, jnp.inf), alpha=0.4, distance=distance) for each in (mirrored, model)
    )
    assert np.all(expected.converged)
    np.testing.assert_allclose(found.entropy, expected.entropy, rtol=0, atol=1e-11)
