"""The load from which on the densest regions of solutions are islands: a pass of the entropy of centres at sea level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import root

import fmjax
from fmjax.compilation import run
from fmjax.replica import RobustEnsembleControls
from fmjax.solvers.folds import ensemble_pass
from fmjax.solvers.outcome import NO_CANDIDATE
from fmjax.solvers.start_around_centres import start_at_a_kink

TYPICAL = fmjax.CentredEnsemble(fmjax.Perceptron(), "typical")


@pytest.fixture(scope="module")
def torn():
    return fmjax.thresholds.centred_alpha_u(fmjax.Perceptron())


def test_it_is_the_number_and_lies_where_the_curve_is_known_to_tear(torn):
    assert torn.result == "converged"
    assert float(torn.value) == pytest.approx(0.7668205756368, abs=1e-12)
    assert float(torn.distance) == pytest.approx(0.0435024130, abs=1e-9)
    assert float(torn.error_estimate) < 1e-12
    assert float(torn.alpha) == float(torn.value)


def test_the_curve_from_large_distances_is_whole_below_it_and_turns_back_above_it(torn):
    """At distances on both sides of where it happens; the slope vanishes on no branch."""
    distance = np.linspace(0.036, 0.06, 9)
    below, above = (fmjax.curve(TYPICAL, alpha=float(torn.value) + step, distance=distance) for step in (-8e-4, 1.2e-3))
    assert below.converged.all()
    assert list(above.converged) == list(distance > torn.distance)
    assert jnp.all(below.slope > 0.0)
    assert jnp.all(above.slope[above.converged] > 0.0)


def test_it_is_a_saddle_point_of_the_load_over_distances_and_numbers_of_replicas(torn):
    """Found without multipliers: at a position and a number of replicas the equations are solved for the load."""

    @jax.jit
    def equations(unknowns, position, many):
        *fields, alpha = unknowns
        saddle = TYPICAL.saddle(jnp.stack([*fields, many]), RobustEnsembleControls(alpha, jnp.zeros(())))
        return jnp.append(saddle.residual, saddle.position - position)

    jacobian = jax.jit(jax.jacfwd(equations))
    many, position = np.log(16.864303705638 / 64.0), float(jnp.log(torn.distance / (1.0 - torn.distance)))
    middle, step = np.array([0.79889072, 1.46394083, 0.12532205, 0.7668]), 1e-3

    def load(along, across):
        at = (position + along * step, many + across * step)
        return root(equations, middle, at, jac=jacobian, tol=1e-13).x[-1]

    loads = np.array([[load(along, across) for across in (-1, 0, 1)] for along in (-1, 0, 1)])
    assert loads[1, 1] == pytest.approx(float(torn.value), abs=1e-11)
    slopes = np.array([loads[2, 1] - loads[0, 1], loads[1, 2] - loads[1, 0]]) / (2 * step)
    np.testing.assert_allclose(slopes, 0.0, atol=1e-4)
    bends = np.array([loads[2, 1] + loads[0, 1], loads[1, 2] + loads[1, 0]]) - 2 * loads[1, 1]
    twist = (loads[2, 2] + loads[0, 0] - loads[2, 0] - loads[0, 2]) / 4
    assert np.all(bends > 0)
    assert twist**2 > 1.05 * bends.prod()


def test_its_derivative_is_that_of_differences_in_the_margin():
    value, slope = jax.value_and_grad(lambda k: fmjax.thresholds.centred_alpha_u(fmjax.Perceptron(margin=k)).value)(0.1)
    before, after = (
        float(fmjax.thresholds.centred_alpha_u(fmjax.Perceptron(margin=0.1 + step)).value) for step in (-1e-4, 1e-4)
    )
    assert before > value > after
    assert float(slope) == pytest.approx((after - before) / 2e-4, abs=1e-7)


@pytest.mark.parametrize(
    ("model", "value"),
    [
        pytest.param(fmjax.TreeCommittee("relu"), 0.80441282175, id="relu"),
        pytest.param(fmjax.TreeCommittee("sign"), 0.85159404869, id="sign"),
        pytest.param(fmjax.Perceptron(margin=1.0), 0.25671769903, id="margin 1"),
    ],
)
def test_of_other_models_it_lies_well_below_the_capacity(model, value):
    """The equations have other zeros, beyond it; of units that jump curves do not reach the smallest distances."""
    found = fmjax.thresholds.centred_alpha_u(model)
    assert float(found.value) == pytest.approx(value, abs=1e-10)
    assert 0.8 < found.value / fmjax.thresholds.capacity(model).value < 0.96


def test_just_before_it_is_torn_the_curve_begins_to_fold(torn):
    """Followed along a field instead of the distance, which is monotonic at smaller loads alone."""
    found = fmjax.thresholds.centred_fold(fmjax.Perceptron())
    assert found.result == "converged"
    assert float(found.value) == pytest.approx(0.7665301336419, abs=1e-12)
    assert float(found.distance) == pytest.approx(0.0419664855, abs=1e-9)
    assert found.value < torn.value

    @jax.jit
    def saddle(unknowns, stretch, alpha):
        amplitude, pull, many = unknowns
        fields = jnp.stack([amplitude, stretch, pull, many])
        return TYPICAL.saddle(fields, RobustEnsembleControls(alpha, jnp.zeros(())))

    jacobian = jax.jit(jax.jacfwd(lambda *point: saddle(*point).residual))

    def monotonic(alpha):
        positions, at = [], np.array([0.834390117, 0.148682028, -1.42522194])
        for stretch in 1.38746320 + np.linspace(0.0, 0.02, 9):
            at = root(lambda *point: saddle(*point).residual, at, (stretch, alpha), jac=jacobian, tol=1e-13).x
            positions.append(float(saddle(at, stretch, alpha).position))
        return np.all(np.diff(positions) > 0) or np.all(np.diff(positions) < 0)

    assert monotonic(float(found.value) - 2e-5)
    assert not monotonic(float(found.value) + 2e-5)


def test_twice_the_nodes_give_the_same_load(torn):
    finer = ensemble_pass.search((TYPICAL.resized(2.0),), start_at_a_kink(run, TYPICAL))
    assert abs(float(finer.at.alpha - torn.value)) <= float(torn.error_estimate) + float(finer.errors.alpha) + 2e-14


def test_a_zero_of_the_equations_far_from_the_scan_is_none_of_the_curve(torn):
    """They have others, as at 0.856, beyond the capacity, with 162 replicas."""
    start = start_at_a_kink(run, TYPICAL)
    least, most = start.between
    assert least < torn.value < most
    assert fmjax.thresholds.capacity(fmjax.Perceptron()).value > most
    elsewhere = start._replace(between=(0.9 * least, 0.99 * least))
    lost = ensemble_pass.search((TYPICAL,), elsewhere)
    assert int(lost.status) == NO_CANDIDATE
    assert np.isnan(lost.at.alpha)


def test_in_a_symmetric_interval_where_groups_have_no_overlap_it_is_found_too():
    model = fmjax.models.named_model(constraint="symmetric", margin=1.0)
    found = fmjax.thresholds.centred_alpha_u(model)
    assert float(found.value) == pytest.approx(1.3566519893, abs=1e-9)
    assert float(found.distance) == pytest.approx(0.3051420133, abs=1e-8)


@pytest.mark.parametrize("alpha", [0.3, 0.4, 0.9])
def test_far_from_centres_rows_say_that_there_are_too_many_replicas_unless_there_are_no_solutions(alpha):
    curve = fmjax.curve(TYPICAL, alpha=alpha, distance=[0.05, 0.3])
    assert curve.result[1].startswith("the best centres here are those of more replicas") == (alpha < 0.83)
    assert (curve.result[0] == "converged") == (alpha == 0.4)


def test_where_no_pass_is_found_it_says_so_and_there_are_no_numbers():
    found = fmjax.thresholds.centred_alpha_u(fmjax.Perceptron(margin=3.0))
    assert found.result != "converged"
    assert np.isnan([found.value, found.error_estimate, found.distance]).all()
