"""Labels of a teacher: the Nishimori line, perfect generalisation, and the measure over patterns, each with its oracle."""

from functools import partial
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_ndtr, ndtr

import fmjax
from fmjax.replica import EquilibriumOrder, FranzParisiControls, FranzParisiOrder
from tests.oracles import stability as fields


@jax.jit
def typical(alpha, margin):
    functional = fmjax.Equilibrium(fmjax.Perceptron(margin=margin, teacher=True))
    return fmjax.solve(functional, alpha=alpha)


def gauss(function):
    return quad(lambda x: np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi) * function(x), -12, 12, epsabs=1e-13, limit=400)[0]


def log_2cosh(x):
    return abs(x) + np.log1p(np.exp(-2 * abs(x)))


def free_entropy(alpha, margin, q, R, q_hat, R_hat):
    """The equilibrium free entropy as it is written in the literature, by adaptive quadrature."""
    site = gauss(lambda x: log_2cosh(np.sqrt(q_hat) * x + R_hat))
    slope = R / np.sqrt(q - R * R)
    pattern = gauss(lambda x: 2 * ndtr(slope * x) * log_ndtr((np.sqrt(q) * x - margin) / np.sqrt(1 - q)))
    return -q_hat * (1 - q) / 2 - R * R_hat + site + alpha * pattern


class Nishimori:
    """The whole branch ``q = R``, explicit in ``q_hat``: there the saddle equations are linear in ``alpha``."""

    @staticmethod
    def q(q_hat):
        return gauss(lambda x: np.tanh(np.sqrt(q_hat) * x + q_hat))

    @classmethod
    def alpha(cls, q_hat):
        """From ``q_hat / 2 = alpha G_E'(q)``, ``G_E = 2 ∫Dx Phi(s x) ln Phi(s x)``, ``s² = q / (1-q)``."""
        q = cls.q(q_hat)
        s = np.sqrt(q / (1 - q))
        slope = gauss(lambda x: 2 * (1 + log_ndtr(s * x)) * np.exp(-0.5 * (s * x) ** 2) * x) / np.sqrt(2 * np.pi)
        slope = slope / (2 * s * (1 - q) ** 2)
        return q_hat / (2 * slope)

    @classmethod
    def entropy(cls, q_hat):
        q = cls.q(q_hat)
        s = np.sqrt(q / (1 - q))
        pattern = gauss(lambda x: 2 * ndtr(s * x) * log_ndtr(s * x))
        site = gauss(lambda x: log_2cosh(np.sqrt(q_hat) * x + q_hat))
        return -q_hat * (1 + q) / 2 + site + cls.alpha(q_hat) * pattern


@pytest.mark.parametrize("alpha", [1e-3, 0.5, 1.2, 1.4])
def test_at_margin_zero_a_solution_and_the_teacher_are_as_close_as_two_solutions(alpha):
    point = typical(alpha, 0.0)
    assert point.result == "converged"
    np.testing.assert_allclose(point.order.R, point.order.q, atol=1e-12)
    np.testing.assert_allclose(point.order.R_hat, point.order.q_hat, atol=1e-10)


@pytest.mark.parametrize("margin", [0.05, 0.2])
def test_at_a_positive_margin_solutions_are_closer_to_each_other_than_to_the_teacher(margin):
    point = typical(0.6, margin)
    assert point.result == "converged"
    assert point.order.R > 0
    assert point.order.q - point.order.R > 0.01


@pytest.mark.parametrize(("alpha", "margin"), [(0.5, 0.1), (0.9, 0.05), (1.0, -0.2)])
def test_the_saddle_point_is_stationary_in_an_independent_quadrature(alpha, margin):
    point = typical(alpha, margin)
    place = np.array([float(getattr(point.order, name)) for name in ("q", "R", "q_hat", "R_hat")])
    assert point.entropy == pytest.approx(free_entropy(alpha, margin, *place), abs=1e-10)
    for step in 1e-4 * np.eye(4):
        ahead, behind = (free_entropy(alpha, margin, *(place + sign * step)) for sign in (1, -1))
        assert ahead - behind == pytest.approx(0.0, abs=1e-10)


def test_few_patterns_cost_one_bit_each_and_teach_two_over_pi():
    alpha = 1e-5
    point = typical(alpha, 0.0)
    assert point.entropy == pytest.approx(np.log(2) * (1 - alpha), abs=1e-9)
    assert point.order.R / alpha == pytest.approx(2 / np.pi, rel=1e-4)


@pytest.mark.parametrize(("alpha", "margin"), [(0.3, 0.5), (1.2, 0.0), (1.45, 0.0)])
def test_entropies_differ_from_a_finer_quadrature_by_less_than_their_error_estimates(alpha, margin):
    point = typical(alpha, margin)
    place = [float(getattr(point.order, name)) for name in ("q", "R", "q_hat", "R_hat")]
    if margin:
        assert abs(point.entropy - free_entropy(alpha, margin, *place)) < point.error_estimate + 1e-13
    else:
        q_hat = brentq(lambda q_hat: Nishimori.alpha(q_hat) - alpha, 0.1, 3.0, xtol=1e-13)
        assert abs(point.entropy - Nishimori.entropy(q_hat)) < point.error_estimate + 1e-12
    assert point.error_estimate < 1e-10


def test_the_generalisation_error_is_that_of_two_correlated_signs():
    model = fmjax.Perceptron(teacher=True)
    np.testing.assert_allclose(model.generalisation_error(jnp.array([0.0, 0.5, 1.0])), [0.5, 1 / 3, 0.0], atol=1e-12)
    rng = np.random.default_rng(0)
    teacher, other = rng.standard_normal((2, 400_000))
    measured = np.mean(np.sign(teacher) != np.sign(0.7 * teacher + np.sqrt(1 - 0.7**2) * other))
    assert model.generalisation_error(jnp.asarray(0.7)) == pytest.approx(measured, abs=4e-3)


def test_perfect_generalisation_is_where_the_explicit_branch_has_no_entropy_left():
    """Gyorgyi 1990; Sompolinsky, Tishby and Seung 1990: about 1.245."""
    found = fmjax.thresholds.perfect_generalisation(fmjax.Perceptron(teacher=True))
    assert found.result == "converged"
    expected = Nishimori.alpha(brentq(Nishimori.entropy, 1.0, 2.0, xtol=1e-12))
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert 1.2445 < found.value < 1.2495
    assert found.error_estimate < 1e-10


def test_the_spinodal_is_where_the_explicit_branch_turns_back():
    found = fmjax.thresholds.spinodal(fmjax.Perceptron(teacher=True))
    assert found.result == "converged"
    turn = minimize_scalar(
        lambda q_hat: -Nishimori.alpha(q_hat), bounds=(2.0, 5.0), method="bounded", options={"xatol": 1e-7}
    )
    assert found.value == pytest.approx(-turn.fun, abs=1e-9)
    assert found.distance == pytest.approx((1 - Nishimori.q(turn.x)) / 2, abs=1e-4)
    assert found.error_estimate < 1e-10


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (fmjax.Perceptron(), ["teacher"]),
        (fmjax.Perceptron(weights=fmjax.Spherical(), teacher=True), ["discrete"]),
        (fmjax.Perceptron(margin=0.1, teacher=True), ["margin", "0.1"]),
    ],
)
def test_only_a_teacher_of_discrete_weights_at_margin_zero_can_be_found(model, words):
    for threshold in (fmjax.thresholds.perfect_generalisation, fmjax.thresholds.spinodal):
        with pytest.raises(ValueError, match=r".") as refusal:
            threshold(model)
        assert all(word in str(refusal.value) for word in words)


def test_a_symmetric_constraint_has_no_labels_to_learn():
    with pytest.raises(ValueError, match="SymmetricMargin"):
        fmjax.Model(fmjax.Binary(), fmjax.Perceptron().architecture, fmjax.SymmetricMargin(0.5), teacher=True)


@pytest.mark.parametrize("alpha", [0.05, 0.08, 0.1, 0.25, 0.344, 0.451, 0.9, 1.2])
def test_no_entropy_is_left_at_the_largest_margin_and_the_search_for_it_stays_on_the_branch(alpha):
    largest = fmjax.thresholds.kappa_max(fmjax.Perceptron(teacher=True), alpha)
    assert largest.result == "converged"
    assert largest.value > 0
    point = typical(alpha, largest.value)
    assert abs(point.entropy) < 1e-10
    place = [float(getattr(point.order, name)) for name in ("q", "R", "q_hat", "R_hat")]
    assert free_entropy(alpha, float(largest.value), *place) == pytest.approx(0.0, abs=1e-9)
    assert point.order.q_hat > 0.1  # of the root beyond the branch: 1e-4


@pytest.mark.slow
def test_planted_alpha_u_is_where_the_slope_around_maximum_margin_references_changes_sign():
    model = fmjax.Perceptron(teacher=True)
    found = fmjax.thresholds.alpha_u(model)
    assert found.result == "converged"
    assert 1.0 < found.value < fmjax.thresholds.perfect_generalisation(model).value
    near = found.distance * jnp.geomspace(0.8, 1.25, 7)
    for shift, monotonic in ((-0.003, True), (0.003, False)):
        alpha = float(found.value) + shift
        largest = float(fmjax.thresholds.kappa_max(model, alpha).value)
        assert largest == pytest.approx(float(found.margin), abs=2e-3)
        around = fmjax.curve(fmjax.FranzParisi(model, largest), alpha=alpha, distance=near)
        assert set(around.result) == {"converged"}
        assert (float(jnp.min(around.slope)) > 0) == monotonic


def test_margins_at_which_no_typical_solution_exists_are_not_answered_with_a_root_of_the_quadrature():
    """Beyond the end of the branch, at margin 0.89, a rule that is held has roots with ``R = sqrt(q)``."""
    margins = jnp.array([0.85, 0.9, 0.95, 1.05, 1.3])

    def solve(margin, nodes):
        functional = fmjax.Equilibrium(fmjax.Perceptron(margin=margin, teacher=True), nodes)
        return fmjax.solve(functional, alpha=0.44)

    found, fine = (jax.jit(jax.vmap(lambda margin, n=n: solve(margin, n)))(margins) for n in (128, 512))
    np.testing.assert_array_equal(found.converged, [True, False, False, False, False])
    assert abs(found.entropy[0] - fine.entropy[0]) <= found.error_estimate[0] < 1e-11


@pytest.mark.parametrize("distance", [0.02, 0.1])
def test_both_potentials_around_a_reference_agree_with_nested_sums(distance):
    """Entropic and energetic potential at order parameters of no saddle point, by the three-dimensional oracle."""
    margin, reference_margin = 0.05, 0.2
    functional = fmjax.FranzParisi(fmjax.Perceptron(margin=margin, teacher=True), reference_margin=reference_margin)
    reference = {"q": 0.55, "q_hat": 1.1, "R": 0.45, "R_hat": 0.8}
    at = EquilibriumOrder(gap=jnp.asarray(1 - reference["q"]), **jax.tree.map(jnp.asarray, reference))
    q, t, R = {0.02: (0.9475, 0.57, 0.51), 0.1: (0.76, 0.527, 0.52)}[distance]
    numbers = {"q": q, "t": t, "R": R, "q_hat": 1.085, "t_hat": 0.89, "p_hat": 2.06, "R_hat": 0.52}
    order = FranzParisiOrder(gap=jnp.asarray(1 - q), **jax.tree.map(jnp.asarray, numbers))
    p = 1 - 2 * distance
    controls = FranzParisiControls(jnp.asarray(0.7), jnp.asarray(distance), at)
    value, slopes = jax.jit(jax.value_and_grad(lambda controls: functional(order, controls)))(controls)

    # The free entropy is -q^(1-q)/2 - p p^ + t t^ - R R^ + G_S + alpha G_E.
    energetic = slopes.alpha
    entropic = value - 0.7 * energetic + 1.085 * (1 - q) / 2 + p * 2.06 - t * 0.89 + R * 0.52
    plain = SimpleNamespace(
        **numbers, p=p, ref=SimpleNamespace(**reference, margin=reference_margin), Q=lambda overlap: overlap
    )
    assert entropic == pytest.approx(fields.entropic(plain, fields.local_fields, 0.0), abs=1e-9)
    assert energetic == pytest.approx(fields.energetic(plain, fields.local_fields, 0.0, margin), abs=1e-9)


@pytest.mark.slow
def test_fields_around_a_reference_imply_overlaps_that_make_the_free_entropy_stationary_in_all_fields():
    """And where they are those that the overlaps imply, in the overlaps; its derivative in the distance is the slope."""
    alpha = 0.6
    local = fmjax.FranzParisi(fmjax.Perceptron(margin=0.05, teacher=True), reference_margin=0.1)
    point = fmjax.solve(local, alpha=alpha, distance=0.1)
    assert point.result == "converged"

    @jax.jit
    @partial(jax.value_and_grad, argnums=(0, 1))
    def free_entropy(order, controls):
        return local(eqx.tree_at(lambda o: o.gap, order, 1.0 - order.q), controls)

    order, reference = point.order, point.reference
    value, (residual, slope) = free_entropy(order, FranzParisiControls(jnp.asarray(alpha), point.distance, reference))
    assert value == pytest.approx(float(point.entropy), abs=1e-12)
    assert slope.distance == pytest.approx(float(point.slope), abs=1e-9)
    np.testing.assert_allclose(jnp.stack(jax.tree.leaves(residual)), 0.0, atol=1e-9)

    shared = order.t_hat / jnp.sqrt(reference.q_hat)
    fields = 1.1 * jnp.stack([shared, order.q_hat - shared**2, order.p_hat - order.t_hat, order.R_hat])
    away = jax.jit(local.saddle)(fields, FranzParisiControls(jnp.asarray(alpha), jnp.asarray(jnp.nan), reference))
    assert jnp.all(jnp.abs(away.residual) > 1e-3)
    there = FranzParisiControls(jnp.asarray(alpha), jax.nn.sigmoid(away.position), reference)
    value, (residual, _) = free_entropy(away.order, there)
    assert value == pytest.approx(float(away.value), abs=1e-12)
    for name in ("q_hat", "t_hat", "R_hat", "p_hat"):
        assert getattr(residual, name) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
def test_around_a_solution_the_teacher_is_as_far_as_any_other():
    """At equal margins 0 the teacher and another solution are alike: ``R = t``; the maximum is the typical entropy."""
    alpha = 0.9
    own = typical(alpha, 0.0)
    distance = jnp.asarray([0.05, 0.12, float(own.distance), 0.4])
    local = fmjax.FranzParisi(fmjax.Perceptron(teacher=True), reference_margin=0.0)
    curve = fmjax.curve(local, alpha=alpha, distance=distance)
    good = np.asarray(curve.converged)
    assert good[1:].all()
    np.testing.assert_allclose(curve.order.R[good], curve.order.t[good], atol=1e-7)
    np.testing.assert_allclose(curve.order.R_hat[good], curve.order.t_hat[good], atol=1e-5)
    assert curve.entropy[2] == pytest.approx(float(own.entropy), abs=1e-9)
    assert curve.slope[2] == pytest.approx(0.0, abs=1e-7)
