"""Entropy of replicas at a given mutual overlap: limits, independent quadrature, the command."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr
from typer.testing import CliRunner

import fmjax
from fmjax.cli import app
from fmjax.replica import RobustEnsembleControls, RobustEnsembleOrder
from tests.oracles import literature

ALPHA = 0.6
DISTANCES = np.asarray([0.3, 0.2, 0.1, 0.05, 0.02, 0.01])


@pytest.fixture(scope="module")
def curves():
    return {
        y: fmjax.curve(fmjax.RobustEnsemble(fmjax.Perceptron(), y), alpha=ALPHA, distance=DISTANCES) for y in (3.0, math.inf)
    }


@pytest.fixture(scope="module")
def typical():
    return fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=ALPHA)


def gaussian(function):
    return quad(lambda x: function(x) * math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi), -9, 9, epsabs=1e-10, limit=200)[0]


def power_mean(function, size):
    """(1/m) ln E exp(m f(u)); at infinite m with the argument scaled by sqrt(m), max_u [-u²/2 + f(u)]."""
    if math.isinf(size):
        grid = np.linspace(-15, 15, 601)
        best = grid[np.argmax([-0.5 * u * u + function(u) for u in grid])]
        found = minimize_scalar(lambda u: 0.5 * u * u - function(u), bracket=(best - 0.05, best, best + 0.05), tol=1e-12)
        return -found.fun
    return math.log(gaussian(lambda u: math.exp(size * function(u)))) / size


def entropy_by_nested_quadrature(order, y):
    """The scalar of the docstring, term by term, at given order parameters."""
    q1, q0, q0_hat, stretch, stretch_hat = (
        float(x) for x in (order.q1, order.q0, order.q0_hat, order.stretch, order.stretch_hat)
    )
    share = 1.0 if math.isinf(y) else y
    gap = 1.0 - q1
    # For y = infinity q0 is q1 itself: only the product y (q1 - q0) differs from zero.
    field, spread = math.sqrt(q0), math.sqrt(stretch / share)

    def pattern(x):
        return power_mean(lambda u: log_ndtr((field * x + spread * u) / math.sqrt(gap)), y)

    def weight(x):
        argument = math.sqrt(q0_hat) * x
        return power_mean(lambda u: float(np.logaddexp(h := argument + math.sqrt(stretch_hat / share) * u, -h)), y)

    single = 0.0 if math.isinf(y) else stretch_hat / y
    interaction = -0.5 * ((q0_hat + single) * gap + q1 * stretch_hat + q0_hat * stretch)
    return interaction + gaussian(weight) + ALPHA * gaussian(pattern)


@pytest.mark.parametrize("y", [3.0, math.inf])
@pytest.mark.parametrize("row", [1, 3])
def test_the_entropy_is_the_nested_integral_at_the_saddle(curves, y, row):
    curve = curves[y]
    order = jax.tree.map(lambda leaf: leaf[row], curve.order)
    assert float(curve.entropy[row]) == pytest.approx(entropy_by_nested_quadrature(order, y), abs=1e-7)


@pytest.mark.parametrize("y", [3.0, math.inf])
def test_every_row_converges_and_the_slope_is_that_of_the_entropy(curves, y):
    curve = curves[y]
    assert np.all(curve.converged), curve.result
    assert np.all(curve.error_estimate < 2e-7)
    step = 1e-4
    around = fmjax.curve(
        fmjax.RobustEnsemble(fmjax.Perceptron(), y),
        alpha=ALPHA,
        distance=np.asarray([0.1 - step, 0.1 + step, 0.05 - step, 0.05 + step, 0.2, 0.2]),
    )
    measured = np.diff(np.asarray(around.entropy[:4]))[::2] / (2 * step)
    np.testing.assert_allclose(measured, np.asarray(curve.slope)[[2, 3]], atol=1e-4)


def test_many_replicas_close_to_each_other_are_resolved_as_their_error_estimates_say():
    many, distance = fmjax.RobustEnsemble(fmjax.Perceptron(), 56.7), 0.002 * 2.0 ** np.arange(DISTANCES.size)
    found, finer = (fmjax.curve(each, alpha=0.263, distance=distance) for each in (many, many.resized(1.5)))
    for number in ("entropy", "slope"):
        changed = np.abs(np.asarray(getattr(finer, number) - getattr(found, number)))
        assert np.all(changed <= np.asarray(found.error_estimate))
        assert np.all(changed < 1e-8)


def test_one_replica_has_the_entropy_of_typical_solutions_at_every_overlap(typical):
    one = fmjax.RobustEnsemble(fmjax.Perceptron(), 1.0)
    q0, q0_hat, none = typical.order.q, typical.order.q_hat, jnp.zeros(())
    for distance in (0.2, 0.05):
        q1 = jnp.asarray(1.0 - 2.0 * distance)
        order = RobustEnsembleOrder(q1, q0, q0_hat, stretch=q1 - q0, stretch_hat=jnp.asarray(0.7), R=none, R_hat=none)
        value = jax.jit(one)(order, RobustEnsembleControls(jnp.asarray(ALPHA), jnp.asarray(distance)))
        assert float(value) == pytest.approx(float(typical.entropy), abs=1e-12)


def test_replicas_at_the_distance_of_typical_solutions_have_their_entropy(typical):
    near = np.full(DISTANCES.size, float(typical.distance) - 1e-4)
    for y in (3.0, math.inf):
        curve = fmjax.curve(fmjax.RobustEnsemble(fmjax.Perceptron(), y), alpha=ALPHA, distance=near)
        assert float(curve.entropy[0]) == pytest.approx(float(typical.entropy), abs=1e-7)
        assert abs(float(curve.slope[0])) < 2e-3


def test_more_replicas_have_less_entropy_each(curves):
    # Han's inequality for exchangeable variables; see the docstring for where the ansatz breaks it.
    assert np.all(np.asarray(curves[3.0].entropy) > np.asarray(curves[math.inf].entropy))


def test_infinitely_many_replicas_cannot_have_more_than_all_configurations(curves):
    # Replicas at overlap q1 lie at overlap sqrt(q1) from their centre, and the centre may be any configuration.
    far = 0.5 * (1.0 - np.sqrt(1.0 - 2.0 * DISTANCES))
    bound = -far * np.log(far) - (1.0 - far) * np.log(1.0 - far)
    entropy = np.asarray(curves[math.inf].entropy)
    assert np.all(entropy < bound)
    assert bound[-1] - entropy[-1] < 1e-3


def test_no_answer_beyond_the_distance_of_typical_solutions():
    curve = fmjax.curve(
        fmjax.RobustEnsemble(fmjax.Perceptron(), 3.0), alpha=ALPHA, distance=np.asarray([0.45, 0.2, 0.2, 0.2, 0.2, 0.2])
    )
    assert not bool(curve.converged[0])
    assert "branch" in curve.result[0]
    assert bool(curve.converged[1])


def test_the_command_documents_its_rows():
    overlaps = [str(1.0 - 2.0 * d) for d in DISTANCES]
    flags = [flag for q in overlaps for flag in ("--overlap", q)]
    result = CliRunner().invoke(app, ["robust-ensemble", "--alpha", str(ALPHA), "--replicas", "inf", *flags, "--json"])
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["replicas"] == "inf"
    assert [row["distance"] for row in document["rows"]] == pytest.approx(DISTANCES)
    assert all(row["result"] == "converged" for row in document["rows"])
    names = {"overlap", "distance", "entropy", "slope", "cross_overlap", "conjugate", "residual", "error_estimate", "result"}
    assert names <= document["rows"][0].keys()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--replicas", "1", "--overlap", "0.9"], "--replicas"),
        (["--replicas", "100", "--overlap", "0.9"], "up to 64"),
        (["--replicas", "inf", "--overlap", "1.5"], "overlap 1.5"),
        (["--replicas", "inf"], "no overlap"),
        (["--replicas", "3", "--overlaps", "1:2"], "START:STOP:COUNT"),
    ],
)
def test_a_wrong_request_is_refused(arguments, named):
    result = CliRunner().invoke(app, ["robust-ensemble", "--alpha", "0.6", *arguments])
    assert result.exit_code == 2
    assert named in result.stderr


def test_other_weights_than_binary_ones_are_refused():
    with pytest.raises(ValueError, match="binary weights, not Spherical"):
        fmjax.RobustEnsemble(fmjax.Perceptron(weights=fmjax.Spherical()), math.inf)


@pytest.mark.parametrize(("y", "teacher"), [(3.0, False), (3.0, True), (math.inf, False)])
def test_fields_imply_order_parameters_at_which_the_free_entropy_has_their_value_and_no_slope_in_them(y, teacher):
    functional = fmjax.RobustEnsemble(fmjax.TreeCommittee("tanh", teacher=teacher), y)
    alpha, fields = jnp.asarray(0.5), jnp.array([0.9, 0.7, 0.6][: 2 + teacher])
    saddle = jax.jit(fmjax.RobustEnsemble.saddle)(functional, fields, RobustEnsembleControls(alpha, jnp.asarray(math.nan)))
    assert jnp.all(jnp.abs(saddle.residual) > 0.01)
    controls = RobustEnsembleControls(alpha, jax.nn.sigmoid(saddle.position))
    value, slope = jax.jit(jax.value_and_grad(fmjax.RobustEnsemble.__call__, 1))(functional, saddle.order, controls)
    assert value == pytest.approx(float(saddle.value), abs=1e-12)
    assert slope.q0_hat == pytest.approx(0.0, abs=1e-9)
    assert slope.stretch_hat == pytest.approx(0.0, abs=1e-9)
    if teacher:
        assert slope.R_hat == pytest.approx(0.0, abs=1e-9)


def test_the_entropy_of_infinitely_many_replicas_touches_a_slope_of_zero_at_its_alpha_u():
    found = fmjax.thresholds.robust_alpha_u(fmjax.Perceptron())
    assert found.result == "converged"
    assert found.error_estimate < 1e-11
    around = fmjax.curve(
        fmjax.RobustEnsemble(fmjax.Perceptron(), math.inf),
        alpha=found.value,
        distance=found.distance * jnp.array([0.5, 0.9, 1.0, 1.1, 2.0]),
    )
    assert jnp.argmin(around.slope) == 2
    assert abs(around.slope[2]) < 1e-9


@pytest.mark.parametrize(("y", "resolved"), [(16.0, 1e-8), (math.inf, 1e-11)])
def test_at_their_capacity_replicas_have_no_entropy_at_one_distance_and_a_positive_one_at_all_others(y, resolved):
    """Of 16 there are two minima, that touch zero at loads 0.004 apart; the first one counts."""
    found = fmjax.thresholds.robust_capacity(fmjax.Perceptron(), y)
    assert found.result == "converged"
    assert found.error_estimate < resolved
    typical = fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=found.value).distance
    distance = jnp.append(typical * jnp.geomspace(1e-4, 0.9, 60), found.distance)
    curve = fmjax.curve(fmjax.RobustEnsemble(fmjax.Perceptron(), y), alpha=found.value, distance=distance)
    assert jnp.sum(curve.converged) > 30
    assert jnp.nanargmin(curve.entropy) == 60
    assert abs(curve.entropy[60]) < min(resolved, 1e-9)
    assert abs(curve.slope[60]) < 100 * resolved


def test_replicas_that_are_copies_of_one_solution_share_its_entropy(typical):
    curve = fmjax.curve(
        fmjax.RobustEnsemble(fmjax.Perceptron(), 3.0), alpha=ALPHA, distance=np.asarray([1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3])
    )
    assert np.all(curve.converged)
    falls = np.polynomial.Polynomial.fit(np.sqrt(curve.distance[:3]), curve.entropy[:3], 1)
    assert falls(0.0) == pytest.approx(float(typical.entropy) / 3.0, abs=2e-6)
    assert np.all(curve.slope < 0)  # typical solutions are isolated


@pytest.mark.parametrize(
    ("model", "replicas", "error", "named"),
    [
        (fmjax.Perceptron(), 100.0, ValueError, "up to 64"),
        (fmjax.Perceptron(teacher=True), math.inf, ValueError, "infinitely many replicas of a teacher's students"),
        (fmjax.Perceptron(weights=fmjax.Spherical()), 4.0, ValueError, "binary weights"),
        (fmjax.Perceptron(), -math.inf, ValueError, "replicas must be a number from 1 up to 64, or inf, not -inf"),
        (fmjax.Perceptron(margin=30.0), 4.0, ValueError, "margins between"),
    ],
)
def test_thresholds_of_ensembles_that_make_no_sense_are_refused(model, replicas, error, named):
    with pytest.raises(error, match=named):
        fmjax.thresholds.robust_capacity(model, replicas)


def test_the_capacity_of_four_replicas_is_the_published_estimate_of_where_dense_clusters_end():
    found = fmjax.thresholds.robust_capacity(fmjax.Perceptron(), 4.0)
    assert found.value == pytest.approx(0.784, abs=5e-4)
    assert found.error_estimate < 1e-11


def test_the_derivative_of_the_capacity_of_replicas_in_the_margin_is_that_of_differences():
    @jax.jit
    def value(margin):
        return fmjax.thresholds.robust_capacity(fmjax.Perceptron(margin=margin)).value

    step = 1e-3
    differences = (value(step) - value(-step)) / (2 * step)
    assert jax.grad(value)(0.0) == pytest.approx(float(differences), abs=1e-5)


# Students of a teacher ------------------------------------------------------------------------------------------------

STUDENTS = fmjax.Perceptron(teacher=True)


@pytest.mark.parametrize(("y", "entropy"), list(literature.REPLICAS_OF_STUDENTS.items()))
def test_replicas_of_students_have_the_entropy_of_an_independent_program_and_the_slope_of_its_differences(y, entropy):
    step = 1e-4
    found = fmjax.curve(fmjax.RobustEnsemble(STUDENTS, y), alpha=1.0, distance=[0.1 - step, 0.1, 0.1 + step])
    assert found.entropy[1] == pytest.approx(entropy, abs=1e-10)
    assert found.slope[1] == pytest.approx(float(found.entropy[2] - found.entropy[0]) / (2 * step), abs=1e-6)


def test_replicas_of_students_at_the_distance_of_typical_ones_are_those_and_closer_ones_know_less_of_the_teacher():
    typical = fmjax.solve(fmjax.Equilibrium(STUDENTS), alpha=1.0)
    found = fmjax.curve(
        fmjax.RobustEnsemble(STUDENTS, 3.0), alpha=1.0, distance=typical.distance * jnp.array([1 - 1e-6, 0.5, 0.01])
    )
    assert found.entropy[0] == pytest.approx(float(typical.entropy), abs=1e-9)
    assert found.order.R[0] == pytest.approx(float(typical.order.q), abs=1e-5)
    assert abs(found.slope[0]) < 1e-4
    assert jnp.all(jnp.sqrt(found.order.q0) > found.order.R)


def test_the_load_up_to_which_replicas_of_students_exist_is_the_published_one():
    found = fmjax.thresholds.robust_capacity(STUDENTS, 4.0)
    assert found.error_estimate < 1e-11
    assert abs(found.value - literature.ROBUST_CAPACITY_OF_STUDENTS.value) < literature.ROBUST_CAPACITY_OF_STUDENTS.error
