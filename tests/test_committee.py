"""Tree committees: kernels against closed forms and scipy, the theory against an independent program and exact limits."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

import fmjax
from fmjax.models import ACTIVATIONS, CommitteeArchitecture
from fmjax.replica import EquilibriumControls, FranzParisiControls
from fmjax.replica.franz_parisi_order import Covariances
from fmjax.solvers import front
from tests.oracles import committee as oracle, literature
from tests.oracles.franz_parisi import Order

KERNELS = {"sign": oracle.SIGN, "relu": oracle.RELU, "erf": oracle.ERF}
OVERLAPS = jnp.array([-0.9, -0.4, -1e-3, 1e-6, 0.1, 0.5, 0.9, 0.999])

# By quadrature, not by the closed forms that the names stand for.
BY_QUADRATURE = {
    "sign": jnp.sign,
    "relu": lambda u: jnp.maximum(u, 0.0),
    "leaky-relu": lambda u: jnp.where(u > 0, u, 0.1 * u),
    "erf": jax.scipy.special.erf,
}


@pytest.mark.parametrize("name", BY_QUADRATURE)
def test_closed_forms_agree_with_quadrature_to_1e_12_relative_down_to_gaps_of_1e_12(name):
    closed, integrated = (CommitteeArchitecture.of(which) for which in (name, BY_QUADRATURE[name]))
    gaps = jnp.geomspace(1e-12, 1.9, 100)
    first, second = (jax.vmap(architecture.complement)(gaps) for architecture in (closed, integrated))
    np.testing.assert_allclose(first, second, rtol=1e-12)
    np.testing.assert_allclose(closed.variance(), integrated.variance(), rtol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_are_the_formulas_of_the_theory(name):
    architecture = CommitteeArchitecture.of(name)
    np.testing.assert_allclose(architecture.variance(), KERNELS[name].power, rtol=1e-13)
    expected = KERNELS[name].value(OVERLAPS) / KERNELS[name].power
    np.testing.assert_allclose(jax.vmap(architecture.kernel)(OVERLAPS), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("name", "activation"), [("tanh", np.tanh), ("gelu", lambda u: u * ndtr(u))], ids=["tanh", "gelu"])
def test_kernels_by_quadrature_agree_with_adaptive_integration_in_scipy(name, activation):
    architecture = CommitteeArchitecture.of(name)
    found = architecture.variance() * jax.vmap(architecture.kernel)(jnp.array([-0.5, 0.3, 0.8]))
    np.testing.assert_allclose(found, [oracle.covariance(activation, q) for q in (-0.5, 0.3, 0.8)], atol=1e-9)


def test_the_kernel_of_a_hermite_sum_is_its_power_series():
    coefficients = jnp.array([0.7, 0.2, -0.4])
    architecture = CommitteeArchitecture.of(fmjax.Hermite(coefficients))
    found = architecture.variance() * jax.vmap(architecture.kernel)(OVERLAPS)
    series = np.square(coefficients) @ jnp.stack([OVERLAPS, OVERLAPS**2, OVERLAPS**3])
    np.testing.assert_allclose(found, series, rtol=1e-11)
    by_hand = CommitteeArchitecture.of(jax.tree_util.Partial(fmjax.Hermite(coefficients)))  # by quadrature
    np.testing.assert_allclose(by_hand.variance(), architecture.variance(), rtol=1e-12)


def test_a_linear_committee_is_a_perceptron():
    double = fmjax.TreeCommittee(lambda u: 2.0 * u)
    one, two = fmjax.thresholds.capacity(fmjax.Perceptron()), fmjax.thresholds.capacity(double)
    assert abs(one.value - two.value) < 1e-12
    assert abs(one.distance - two.distance) < 1e-11
    one, two = (fmjax.thresholds.kappa_max(model, 0.5).value for model in (fmjax.Perceptron(), double))
    assert abs(2.0 * one - two) < 1e-11  # margins in units of the pre-activation


@pytest.mark.parametrize("factor", [1000.0, 1e-4])
def test_margins_scale_with_the_activation_and_nothing_else_changes(factor):
    model = fmjax.TreeCommittee(jnp.tanh, margin=0.1)
    scaled = fmjax.TreeCommittee(lambda u: factor * jnp.tanh(u), margin=0.1 * factor)
    one, two = (fmjax.thresholds.capacity(each) for each in (model, scaled))
    assert abs(one.value - two.value) < 1e-12
    for alpha in (0.05, 0.5):
        one, two = (fmjax.thresholds.kappa_max(each, alpha) for each in (model, scaled))
        assert two.result == "converged"
        assert abs(two.value / (factor * one.value) - 1.0) < 1e-12
        assert two.error_estimate < 1e-10 * factor
    with pytest.raises(ValueError, match="margin"):
        fmjax.thresholds.capacity(scaled.with_margin(13.0 * factor))  # tanh has deviation 0.63: 20 of them are the limit


@pytest.mark.slow
def test_onsets_of_flat_regions_scale_with_the_activation_too():
    model, scaled = fmjax.TreeCommittee("relu"), fmjax.TreeCommittee(lambda u: 1000.0 * jnp.maximum(u, 0.0))
    for threshold in (fmjax.thresholds.kappa_min, fmjax.thresholds.kappa_u):
        one, two = (threshold(each, 0.5) for each in (model, scaled))
        assert two.result == "converged"
        assert abs(two.value / (1000.0 * one.value) - 1.0) < 1e-9
        assert abs(two.distance / one.distance - 1.0) < 1e-7
    one, two = (fmjax.thresholds.alpha_u(each) for each in (model, scaled))
    assert abs(two.value - one.value) < 1e-10
    assert abs(two.margin / (1000.0 * one.margin) - 1.0) < 1e-9


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_capacity_agrees_with_an_independent_program(name, margin):
    found = fmjax.thresholds.capacity(fmjax.TreeCommittee(name, margin=margin))
    alpha, overlap = oracle.capacity(KERNELS[name], margin)
    assert found.result == "converged"
    assert abs(found.value - alpha) < 1e-11
    assert abs(1 - 2 * found.distance - overlap) < 1e-10


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_kappa_max_is_the_inverse_function_of_capacity(name):
    largest = fmjax.thresholds.kappa_max(fmjax.TreeCommittee(name), 0.6)
    assert largest.result == "converged"
    assert largest.value > 0
    again = fmjax.thresholds.capacity(fmjax.TreeCommittee(name, margin=float(largest.value)))
    assert abs(again.value - 0.6) < 1e-11


DISTANCES = np.concatenate([[1e-3, 3e-3, 1e-2, 0.05, 0.15, 0.3], np.geomspace(1e-4, 0.45, 18)])


@jax.jit
def around_maximum_margin(model, alpha):
    largest = fmjax.thresholds.kappa_max(model, alpha).value
    return largest, fmjax.curve(fmjax.FranzParisi(model, largest), alpha=alpha, distance=jnp.asarray(DISTANCES))


def test_local_entropies_of_all_activations_converge_below_the_binary_entropy_and_one_program_computes_them():
    for name, alpha in [*((name, 0.5) for name in ACTIVATIONS), ("sign", 0.56)]:
        _, found = around_maximum_margin(front.as_float64(fmjax.TreeCommittee(name)), jnp.asarray(alpha))
        assert np.all(found.converged), name
        bound = -DISTANCES * np.log(DISTANCES) - (1 - DISTANCES) * np.log1p(-DISTANCES)
        assert np.all(np.asarray(found.entropy) < bound + 1e-12), name
        assert np.all(np.asarray(found.error_estimate) < 1e-6), name
    assert around_maximum_margin._cache_size() == 1


@jax.jit
def close_to(model, alpha, reference_margin):
    """Where counted solutions hardly feel their constraint: ``q_hat`` of 1e-6 and below."""
    return fmjax.curve(fmjax.FranzParisi(model, reference_margin), alpha=alpha, distance=jnp.geomspace(1e-4, 6e-4, 8))


@pytest.mark.parametrize("name", ["erf", "gelu", "tanh"])
def test_rounding_the_margin_of_the_reference_changes_slopes_by_no_more_than_their_error_estimates(name):
    model, alpha = front.as_float64(fmjax.TreeCommittee(name)), jnp.asarray(0.5)
    largest = float(around_maximum_margin(model, alpha)[0])
    curves = [
        close_to(model, alpha, jnp.asarray(largest + units * np.spacing(largest))) for units in (-2, -1, 0, 1, 3, 10**5)
    ]
    for curve in curves:
        assert np.all(curve.converged)
        assert np.all(curve.error_estimate < 1e-6)
        assert np.all(np.abs(curve.slope - curves[0].slope) <= curve.error_estimate)


@pytest.mark.parametrize("name", [None, "erf", "relu", "sign", "tanh"])
def test_covariances_of_a_committee_are_positive_wherever_overlaps_of_weights_are(name):
    """Overlaps are correlations of weights; of these a kernel makes covariances (Schur), down to the smallest variance."""
    model = fmjax.Perceptron(teacher=True) if name is None else fmjax.TreeCommittee(name, teacher=True)
    Q, complement = jax.vmap(model.architecture.kernel), jax.vmap(model.architecture.complement)

    def at(key):
        of_reference, of_counted, of_own = jax.random.split(key, 3)
        functional, alpha = fmjax.Equilibrium(model, 60), jnp.asarray(0.5)
        fields = jax.random.uniform(of_reference, (2,), minval=1e-3, maxval=4.0)
        reference = functional.saddle(fields, EquilibriumControls(alpha)).order
        controls = FranzParisiControls(alpha, jnp.asarray(0.1), reference)
        shared, R_hat, eta = jax.random.normal(of_counted, (3,)) * jnp.array([2.0, 1.0, 3.0])
        own = 10.0 ** jax.random.uniform(of_own, minval=-12.0, maxval=1.0)
        counted = fmjax.FranzParisi(model, 0.3, (20, 20, 160, 64))
        at, _ = counted._site(shared, own, eta, R_hat, controls, None)
        return reference, at, at.t, at.R, Covariances.of(at, model.architecture)

    reference, at, t, R, found = jax.jit(jax.vmap(at))(jax.random.split(jax.random.key(0), 500))
    g = (found.rest * found.v) ** 2
    assert jnp.all(g > 0)
    assert jnp.all(at.variance > 0)  # q > t²/q~ + (p-t)²/(1-q~) >= p²
    q, p = 1.0 - at.gap, 1.0 - at.p_gap
    np.testing.assert_allclose(at.variance, q - t**2 / reference.q - (p - t) ** 2 / reference.gap, atol=1e-11)
    q_ref, gap_ref, R_ref = Q(reference.q), complement(reference.gap), Q(reference.R)
    a, c, b = found.a, found.ratio * found.v, found.beside / found.rest
    np.testing.assert_allclose(g, 1.0 - complement(at.gap) - a**2 - c**2, atol=1e-11)
    np.testing.assert_allclose(a * jnp.sqrt(q_ref), Q(t), atol=1e-11)
    np.testing.assert_allclose(c * jnp.sqrt(gap_ref) + Q(t), Q(p), atol=1e-11)
    np.testing.assert_allclose(a * R_ref / jnp.sqrt(q_ref) + jnp.sqrt(g) * b, Q(R), atol=1e-11)
    assert jnp.all(b**2 <= 1.0 - R_ref**2 / q_ref + 1e-12)  # equal where the counted weights are the teacher's


@jax.jit
def at_equal_margins(model, alpha, distance):
    return fmjax.curve(fmjax.FranzParisi(model, 0.0), alpha=alpha, distance=distance)


@pytest.mark.parametrize("name", ["sign", "relu"])
def test_at_equal_margins_slopes_beside_the_maximum_continue_those_further_out_within_their_error_estimates(name):
    model = front.as_float64(fmjax.TreeCommittee(name))
    offset = np.linspace(-0.04, 0.04, 41)  # of logit(distance); within 0.01 a cubic stands for the curve
    for alpha in (0.3, 0.6):
        top = float(fmjax.solve(fmjax.Equilibrium(model), alpha=alpha).distance)
        distance = 1 / (1 + (1 / top - 1) * np.exp(-offset))
        found = at_equal_margins(model, jnp.asarray(alpha), jnp.asarray(distance))
        slope, near = np.asarray(found.slope), np.abs(offset) < 0.01
        further_out = np.polynomial.Chebyshev.fit(distance[~near], slope[~near], 9)
        error = np.abs(slope - further_out(distance))
        assert error[~near].max() < 1e-11  # the fit is that good
        assert np.all(error[near] <= np.asarray(found.error_estimate)[near])


@pytest.mark.parametrize("name", ["sign", "relu"])
def test_local_entropy_and_slope_agree_with_an_independent_program(name):
    margin, found = around_maximum_margin(front.as_float64(fmjax.TreeCommittee(name)), jnp.asarray(0.5))
    for i, distance in enumerate(DISTANCES[:6]):
        order = Order(*(float(getattr(found.order, part)[i]) for part in Order._fields))
        reference = float(found.reference.q[i]), float(found.reference.q_hat[i])
        check = oracle.local_entropy(KERNELS[name], 0.5, distance, *reference, float(margin), order)
        assert abs(found.entropy[i] - check.entropy) < 1e-8
        assert abs(found.slope[i] - check.slope) < 1e-7 * max(1.0, abs(check.slope))
        assert check.residual < 1e-6 * max(1.0, order.q_hat)


def differences(function, at, step):
    """Derivative by central differences of fourth order along every coordinate."""
    rows = []
    for unit in np.eye(at.size).reshape(-1, *at.shape):
        near, far = (float(function(at + k * step * unit) - function(at - k * step * unit)) for k in (1, 2))
        rows.append((8 * near - far) / (12 * step))
    return np.reshape(rows, at.shape)


@pytest.mark.parametrize(
    ("family", "at"),
    [(fmjax.LeakyReLU, jnp.asarray(0.1)), (fmjax.Hermite, jnp.array([0.8, 0.3, -0.4]))],
    ids=["leaky slope", "hermite coefficients"],
)
def test_the_gradient_of_capacity_in_the_activation_is_that_of_its_differences(family, at):
    @jax.jit
    def value(parameters):
        return fmjax.thresholds.capacity(fmjax.TreeCommittee(family(parameters))).value

    np.testing.assert_allclose(jax.grad(value)(at), differences(value, at, 1e-3), atol=1e-9)


def test_the_gradient_passes_through_the_quadrature_of_an_activation():
    @jax.jit
    def value(steepness):
        activation = jax.tree_util.Partial(lambda a, u: jnp.tanh(a * u), steepness)
        return fmjax.thresholds.capacity(fmjax.TreeCommittee(activation)).value

    at = jnp.asarray(1.0)
    assert abs(jax.grad(value)(at) - differences(value, at, 1e-3)) < 1e-9


def test_climbing_the_capacity_of_a_hermite_family_raises_it_and_says_where_it_went():
    def capacity(coefficients):
        return fmjax.thresholds.capacity(fmjax.TreeCommittee(fmjax.Hermite(coefficients))).value

    way = fmjax.climb(capacity, jnp.array([0.5, 1.0]), steps=5)
    assert way.parameters.shape == (6, 2)
    assert np.all(np.diff(way.values) > 0)
    assert abs(capacity(way.best) - way.values[-1]) < 1e-10


def test_climbing_no_step_is_refused():
    with pytest.raises(ValueError, match="steps = 0"):
        fmjax.climb(lambda x: x, 1.0, steps=0)


@pytest.mark.slow
def test_alpha_u_of_a_committee_is_where_the_fold_meets_the_largest_margin():
    found = fmjax.thresholds.alpha_u(fmjax.TreeCommittee("relu"))
    assert found.result == "converged"
    assert abs(fmjax.thresholds.kappa_u(fmjax.TreeCommittee("relu"), float(found.value)).value - found.margin) < 1e-8


def ratio(model):
    flat, capacity = fmjax.thresholds.alpha_u(model), fmjax.thresholds.capacity(model)
    return flat.value / capacity.value, (flat.value, capacity.value, flat.distance)


of_kernels = jax.jit(jax.value_and_grad(ratio, has_aux=True))  # one program for all families


@pytest.mark.slow
def test_the_gradient_of_alpha_u_over_alpha_c_in_the_activation_is_that_of_its_differences():
    def value(family, parameters):
        return of_kernels(jax.tree.map(jnp.asarray, fmjax.TreeCommittee(family(parameters))))[0][0]

    for family, at in ((fmjax.LeakyReLU, jnp.asarray(0.5)), (fmjax.Hermite, jnp.array([0.8, 0.3, 0.5]))):
        model, pull_back = jax.vjp(lambda parameters, family=family: fmjax.TreeCommittee(family(parameters)), at)
        (slope,) = pull_back(of_kernels(jax.tree.map(jnp.asarray, model))[1])
        assert np.linalg.norm(slope) > 1e-3
        np.testing.assert_allclose(slope, differences(partial(value, family), at, 1e-3), atol=1e-8)


@pytest.mark.parametrize(
    ("activation", "named"),
    [
        (3.0, ["function", "3.0", "tanh"]),
        (None, ["function", "None", "tanh"]),
        (jnp.maximum, ["one number", "trace", "argument"]),
        (lambda u: max(u, 0.0), ["one number", "trace", "jnp.where"]),
        (np.tanh, ["one number", "trace", "jnp.tanh"]),
        ("softsign", ["relu", "'softsign'"]),
        (lambda u: jnp.stack([u, u]), ["one number"]),
        (lambda u: u > 0, ["real number", "bool"]),
        (lambda u: 0.1 + 0.0 * u, ["zero variance", "0.1"]),
        (lambda u: -0.0 * u, ["zero variance", "is 0 everywhere"]),
        (fmjax.Hermite(jnp.zeros(2)), ["zero variance"]),
        (jnp.log, ["finite", "nan"]),
        (lambda u: 1.0 / u, ["finite", "at 0", "inf"]),
        (fmjax.LeakyReLU(jnp.nan), ["finite", "nan"]),
        (lambda u: u * jnp.exp(u**2), ["finite variance", "tanh"]),
        (lambda u: u * jnp.exp(jnp.abs(u) ** 2.7), ["finite variance", "tanh"]),
        (jnp.square, ["even", "odd"]),
        (jnp.cos, ["even", "odd"]),
        (fmjax.LeakyReLU(-1.0), ["even", "odd"]),
        (fmjax.Hermite(jnp.array([0.0, 1.0])), ["even", "odd"]),
        (lambda u: jnp.clip(u, -1.0, 1.0), ["kinks"]),
    ],
    ids=[
        *("number", "nothing", "of two numbers", "Python's if", "numpy", "unknown name", "vector", "truth value"),
        *(
            "constant",
            "zero",
            "zero sum",
            "log",
            "pole",
            "slope not a number",
            "infinite variance",
            "overflow",
        ),
        *("square", "cosine", "modulus", "even sum", "kink not named"),
    ],
)
def test_an_activation_without_a_kernel_is_refused_in_one_sentence(activation, named):
    with pytest.raises(ValueError, match=r".") as error:
        fmjax.TreeCommittee(activation)
    message = str(error.value)
    assert "\n" not in message
    for word in named:
        assert word in message


def test_an_activation_with_its_kinks_named_is_accepted():
    hard = fmjax.TreeCommittee(lambda u: jnp.clip(u, -1.0, 1.0), kinks=(-1.0, 1.0))
    assert fmjax.thresholds.capacity(hard).result == "converged"


def test_kinks_that_are_not_places_are_refused():
    with pytest.raises(ValueError, match="kinks"):
        fmjax.TreeCommittee("relu", kinks=(jnp.inf,))


def test_a_committee_made_with_float64_off_is_the_same():
    with jax.enable_x64(False):
        found = fmjax.TreeCommittee("relu")
    expected = fmjax.TreeCommittee("relu")
    assert jax.tree.all(jax.tree.map(np.array_equal, found, expected))


def spherical_capacity(activation, margin=0.0):
    return fmjax.thresholds.capacity(fmjax.TreeCommittee(activation, margin, weights=fmjax.Spherical()))


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_spherical_weights_behind_kinked_activations_have_the_capacity_of_their_slope(slope):
    """``2 Q'(1) / Q(1)``: with the mean square of the slope, and what a mean takes from the variance."""
    found = spherical_capacity(fmjax.LeakyReLU(slope))
    square, mean = (1 + slope**2) / 2, (1 - slope) / np.sqrt(2 * np.pi)
    assert abs(found.value - 2 * square / (square - mean**2)) < found.error_estimate < 1e-11


@pytest.mark.parametrize(("slope", "capacity"), [(0.1, 2.68556670), (0.5, 2.13598076), (0.9, 2.00352343)])
def test_these_are_the_numbers_of_an_independent_program(slope, capacity):
    assert abs(spherical_capacity(fmjax.LeakyReLU(slope)).value - capacity) < 5e-9


@pytest.mark.parametrize(("name", "margin"), [("relu", 0.2), ("erf", 0.0), ("erf", -1.0)])
def test_spherical_weights_of_a_committee_follow_gardners_formula_with_a_steeper_kernel(name, margin):
    kernel = KERNELS[name]
    exact = kernel.slope(1.0) / kernel.power * literature.spherical_capacity(margin / np.sqrt(kernel.power))
    assert spherical_capacity(name, margin).value == pytest.approx(exact, rel=1e-11)


def test_spherical_weights_behind_any_activation_have_the_capacity_of_its_mean_square_slope():
    """``Q'(1) = E[g'^2]`` for what is odd and smooth (Price's theorem)."""
    u, weight = np.polynomial.hermite_e.hermegauss(120)
    weight = weight / np.sqrt(2 * np.pi)
    exact = 2 * (weight @ np.cosh(u) ** -4.0) / (weight @ np.tanh(u) ** 2)
    assert spherical_capacity("tanh").value == pytest.approx(exact, rel=1e-9)


def test_spherical_weights_behind_signs_store_any_number_of_patterns():
    found = spherical_capacity("sign")
    assert (found.value, found.result) == (np.inf, "converged")


def test_the_gradient_of_a_spherical_capacity_in_the_slope_and_the_margin_is_that_of_its_differences():
    def value(parameters):
        return spherical_capacity(fmjax.LeakyReLU(parameters[0]), parameters[1]).value

    at = jnp.array([0.3, 0.2])
    np.testing.assert_allclose(jax.grad(value)(at), differences(value, at, 1e-3), atol=1e-8)


def test_far_from_a_reference_entropies_are_resolved_or_say_that_they_are_not():
    """There solutions of units that jump end ever more steeply: most of their entropy lies on the last hundredth."""
    local = fmjax.FranzParisi(fmjax.TreeCommittee("sign"), 0.1)
    found, finer = (fmjax.curve(each, alpha=0.5, distance=[0.98, 0.995, 0.999]) for each in (local, local.resized(2.0)))
    assert finer.converged.all()
    assert found.converged.tolist() == [True, True, False]
    assert found.result[2].startswith("the error estimate is as large as the answer")
    assert np.all(np.abs(found.entropy - finer.entropy)[:2] < (found.error_estimate + finer.error_estimate)[:2])
