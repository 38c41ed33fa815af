"""Local entropies and slopes, and the margins where they reach zero: oracles, limits, finer quadrature."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from tests.oracles import enumeration
from tests.perceptron_theory import binary_entropy, local, local_padded, typical

REFERENCE = json.loads((Path(__file__).parent / "oracles" / "franz_parisi_reference.json").read_text())["rows"]
CONNECTED = [row for row in REFERENCE if row["connected_to_maximum"]]


@pytest.mark.parametrize(("distance", "entropy"), [(0.4, -3.0594358), (1e-3, -2.773209963)])
def test_local_entropies_of_spherical_weights_are_those_of_an_independent_program(distance, entropy):
    model = fmjax.Perceptron(weights=fmjax.Spherical())
    found = fmjax.curve(fmjax.FranzParisi(model, 0.1), alpha=1.5, distance=[distance])
    assert found.result[0] == "converged"
    assert abs(found.entropy[0] - entropy) < 1e-7
    finer = fmjax.curve(fmjax.FranzParisi(model, 0.1).resized(2.0), alpha=1.5, distance=[distance])
    assert abs(found.entropy[0] - finer.entropy[0]) < 1e-8
    assert abs(found.slope[0] - finer.slope[0]) < found.error_estimate[0]


@pytest.mark.parametrize("alpha", [alpha for alpha, *_ in enumeration.CASES])
def test_entropies_of_enumerated_systems_extrapolate_to_those_of_the_theory(alpha):
    for limit in enumeration.limits(alpha):
        if limit.distance is None:
            assert limit.error < 2e-3
            found = typical(alpha, 0.0).entropy
        else:
            assert limit.error < 4e-3
            (found,) = local(alpha, 0.0, limit.reference_margin, jnp.array([limit.distance])).entropy
        assert abs(limit.value - found) < 3 * limit.error


@pytest.mark.parametrize("row", CONNECTED, ids=lambda r: f"{r['alpha']}-{r['reference_margin']:.3g}-{r['distance']}")
def test_local_entropy_and_slope_agree_with_the_three_dimensional_oracle(row):
    found = local(row["alpha"], row["margin"], row["reference_margin"], jnp.array([row["distance"]]))
    assert list(found.result) == ["converged"]
    assert abs(found.entropy[0] - row["entropy"]) < 1e-8
    assert abs(found.slope[0] - row["slope"]) < 1e-8
    assert abs(found.entropy[0] - row["entropy"]) <= found.error_estimate[0] + 1e-13
    assert abs(found.slope[0] - row["slope"]) <= found.error_estimate[0] + 1e-12


def test_200_random_points_differ_from_a_finer_quadrature_by_less_than_their_error_estimates():
    rng = np.random.default_rng(20211203)
    alphas, shares = rng.uniform(0.05, 0.83, 50), rng.uniform(0.0, 1.0, 50)
    shares[:5] = 1.0 - 1e-9  # references at kappa_max
    distances = np.exp(rng.uniform(np.log(1e-4), np.log(0.5), (50, 5)))
    largest = jax.jit(jax.vmap(lambda alpha: fmjax.thresholds.kappa_max(fmjax.Perceptron(), alpha).value))(alphas)
    entropies, slopes = [], []
    for alpha, margin, distance in zip(alphas, shares * largest, distances, strict=True):
        found, finer = (local(alpha, 0.0, margin, jnp.asarray(distance), finer=flag) for flag in (False, True))
        both = np.asarray(found.converged & finer.converged)
        bound = np.asarray(found.error_estimate + finer.error_estimate)[both]
        for differences, name in ((entropies, "entropy"), (slopes, "slope")):
            difference = np.abs(np.asarray(getattr(found, name) - getattr(finer, name)))[both]
            assert (difference <= bound).all()
            differences.extend(difference)
    assert len(entropies) >= 230
    assert max(entropies) < 1e-8
    assert np.mean(np.array(slopes) < 1e-8) > 0.98


def test_rows_come_back_in_the_order_of_the_distances():
    distance = jnp.array([0.3, 0.02, 0.1])
    together = local(0.5, 0.0, 0.3, distance)
    alone = [local(0.5, 0.0, 0.3, d[None]).entropy[0] for d in distance]
    np.testing.assert_allclose(together.entropy, jnp.stack(alone), atol=1e-10)
    np.testing.assert_array_equal(together.distance, distance)


@pytest.mark.parametrize(("alpha", "margin", "reference_margin"), [(0.5, 0.0, 0.3), (0.3, 0.1, 0.5), (0.7, 0.0, 0.05)])
def test_the_maximum_over_distance_is_the_entropy_of_typical_solutions(alpha, margin, reference_margin):
    expected = typical(alpha, margin)
    found = local(alpha, margin, reference_margin, jnp.linspace(0.15, 0.4, 26))
    # Newton on the slope from the best grid point: phi_max = phi - slope^2 / (2 phi''), up to the third order.
    best = int(jnp.argmax(found.entropy))
    curvature = (found.slope[best + 1] - found.slope[best - 1]) / (found.distance[best + 1] - found.distance[best - 1])
    distance = found.distance[best] - found.slope[best] / curvature
    top = local(alpha, margin, reference_margin, distance[None])
    assert abs(top.entropy[0] - expected.entropy) < 1e-7
    assert abs(top.order.q[0] - expected.order.q) < 5e-3
    assert abs(top.order.p_hat[0] - top.order.t_hat[0]) < 5e-2
    assert abs(1 - 2 * distance - top.order.t[0]) < 5e-3


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.8])
def test_at_equal_margins_entropy_and_slope_are_smooth_through_the_maximum(alpha):
    point = typical(alpha, 0.0)
    away = np.array([1e-6, 1e-4, 1e-3, 2e-3, 4e-3, 8e-3])
    offset = np.concatenate([-away[::-1], [0.0], away])
    curve = local(alpha, 0.0, 0.0, jnp.asarray(point.distance + offset))
    assert curve.converged.all()
    assert abs(curve.entropy[6] - point.entropy) < 1e-14
    assert abs(curve.slope[6]) < 1e-14
    assert abs(curve.order.t[6] - point.order.q) < 1e-12
    assert jnp.all(curve.entropy <= point.entropy + 1e-14)
    # Below and above a smooth maximum: d phi / d (offset^2) is that of the curvature, with corrections linear in the offset.
    curvature = np.asarray(curve.slope)[offset != 0] / offset[offset != 0]
    line = np.polynomial.Polynomial.fit(offset[offset != 0], curvature, 2)
    np.testing.assert_allclose(curvature, line(offset[offset != 0]), atol=2e-3)
    errors = np.abs(np.gradient(np.asarray(curve.entropy), offset) - np.asarray(curve.slope))[5:8]
    assert errors.max() < 1e-5


def test_beside_the_maximum_of_equal_margins_a_finer_quadrature_differs_by_less_than_error_estimates():
    """There coordinates run off like logarithms, and rounding decides how far."""
    generator = np.random.default_rng(11)
    for alpha in generator.uniform(0.08, 0.25, 20):
        top = float(typical(alpha, 0.0).distance)
        offset = generator.choice([-1.0, 1.0], 32) * np.geomspace(0.01, 0.1, 32)
        distance = jnp.asarray(1 / (1 + (1 / top - 1) * np.exp(-offset)))
        usual, finer = (local(alpha, 0.0, 0.0, distance, finer) for finer in (False, True))
        assert usual.converged.all()
        assert finer.converged.all()
        for number in ("entropy", "slope"):
            assert jnp.all(jnp.abs(getattr(usual, number) - getattr(finer, number)) <= usual.error_estimate)


def test_gradients_beside_the_maximum_of_equal_margins_are_those_of_differences():
    at = typical(0.5, 0.0)
    row = jnp.arange(32)

    def entropy(alpha, margin, reference_margin, offset):
        return local_padded(
            alpha, margin, reference_margin, jnp.where(row == 0, at.distance + offset, 0.3), finer=False
        ).entropy[0]

    arguments = (0.5, 0.0, 0.0)
    for offset in (0.0, 1e-3):
        gradient = jax.grad(entropy, (0, 1, 2))(*arguments, offset)
        for place, step in enumerate((1e-3, 5e-3, 5e-3)):
            # Other margins are unequal: these values do not come from the maximum's own formula.
            values = [
                entropy(*(a + sign * step * (i == place) for i, a in enumerate(arguments)), offset) for sign in (1, -1)
            ]
            assert abs(gradient[place] - (values[0] - values[1]) / (2 * step)) < 1e-4
    assert gradient[2] != 0.0


def test_knots_beside_the_maximum_do_not_spoil_the_rows_further_out():
    distance = jnp.append(jnp.linspace(0.421, 0.45, 30), 0.4656)
    assert local(0.1, 0.0, 0.03, distance).converged.all()
    assert local(0.5, 0.0, 0.0, jnp.linspace(0.339, 0.36, 31)).converged.all()


def test_local_entropy_stays_below_the_binary_entropy_and_reaches_it_without_patterns():
    distance = jnp.geomspace(1e-3, 0.5, 12)
    bound = binary_entropy(np.asarray(distance))
    found = local(0.5, 0.0, 0.3, distance)
    assert (found.entropy < bound).all()
    # phi is analytic in alpha: extrapolated from two small loads, it is the bound up to O(alpha^2).
    few, fewer = (local(alpha, 0.0, 0.3, distance).entropy for alpha in (0.02, 0.01))
    np.testing.assert_allclose(2 * fewer - few, bound, atol=2e-4)


def test_close_to_a_reference_of_larger_margin_the_bound_is_reached():
    distance = jnp.array([1e-4])
    found = local(0.5, 0.0, 0.418, distance)
    assert abs(found.entropy[0] - binary_entropy(1e-4)) < 1e-10


@pytest.mark.parametrize("alpha", [0.005, 0.045, 0.1])
def test_around_references_of_the_largest_margin_of_small_loads_every_row_is_found(alpha):
    limit = fmjax.thresholds.kappa_max(fmjax.Perceptron(), alpha).value
    distance = jnp.array([1e-3, 0.01, 0.05, 0.1, 0.2])
    found = local(alpha, 0.0, float(jnp.nextafter(limit, 0.0)), distance)
    assert list(found.result) == 5 * ["converged"]
    assert jnp.all(found.entropy <= binary_entropy(distance) + found.error_estimate)
    assert jnp.allclose(found.entropy[1:3], jnp.array([0.056002, 0.198515]), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("alpha", "reference_margin", "margin", "distance", "entropy"),
    [
        (0.6536887834, 0.1816681530, 0.0932147563, 1.6119163e-4, 0.00156706422),
        (0.1577050213, 1.5546780925, -0.0456030185, 0.0042519963, 0.02746040277),
    ],
)
def test_rows_that_were_found_in_curves_are_found_alone(alpha, reference_margin, margin, distance, entropy):
    found = local(alpha, margin, reference_margin, jnp.array([distance]))
    assert found.result[0] == "converged"
    assert abs(found.entropy[0] - entropy) < 1e-9


@pytest.mark.parametrize(
    ("reference_margin", "entropies"),
    [
        (1.0, {0.01: -0.0115219494, 0.05: 0.0520789014, 0.2: 0.2139693788, 0.45: 0.3089398323}),
        (0.8, {0.01: 0.0399925376, 0.05: 0.1021052780, 0.2: 0.2304440042}),
    ],
)
def test_local_entropy_of_the_symmetric_perceptron_agrees_with_its_two_dimensional_form(reference_margin, entropies):
    model = fmjax.Model(fmjax.Binary(), fmjax.models.PerceptronArchitecture(), fmjax.SymmetricMargin(1.0))
    found = fmjax.curve(fmjax.FranzParisi(model, reference_margin), alpha=1.0, distance=list(entropies))
    assert found.converged.all()
    np.testing.assert_allclose(found.entropy, list(entropies.values()), rtol=0, atol=1e-10)


def test_the_slope_is_the_derivative_of_the_entropy():
    step = 1e-5
    distance = jnp.array([0.05 - step, 0.05, 0.05 + step])
    found = local(0.6, 0.0, 0.2, distance)
    difference = (found.entropy[2] - found.entropy[0]) / (2 * step)
    assert abs(found.slope[1] - difference) < 1e-7


def test_gradients_with_respect_to_distance_are_slopes():
    def entropy(d):
        return local(0.5, 0.0, 0.3, d[None]).entropy[0]

    distance = jnp.asarray(0.1)
    assert abs(jax.grad(entropy)(distance) - local(0.5, 0.0, 0.3, distance[None]).slope[0]) < 1e-9


def test_an_rs_branch_that_ends_is_reported_with_its_reason():
    found = local(0.83, 0.0, 0.0, jnp.array([0.001, 0.05]))
    assert found.result[0].startswith("the branch could not be followed")
    assert found.result[1] == "converged"
    # Numbers of the row that was not found are none, and so are their derivatives; what was asked for, and how far Newton
    # was, stay.
    _, moved = jax.jvp(lambda d: local(0.83, 0.0, 0.0, d).entropy, (found.distance,), (jnp.ones(2),))
    np.testing.assert_array_equal(np.isnan(moved), [True, False])
    for numbers in (found.entropy, found.slope, found.order.q, found.order.t, found.error_estimate, found.replicon):
        np.testing.assert_array_equal(np.isnan(numbers), [True, False])
    assert np.isfinite([found.distance, found.alpha, found.residual]).all()


def test_kappa_min_and_kappa_u_are_where_their_conditions_hold():
    model = fmjax.Perceptron()
    minimum, flat = fmjax.thresholds.kappa_min(model, 0.7), fmjax.thresholds.kappa_u(model, 0.7)
    assert (minimum.result, flat.result) == ("converged", "converged")
    touching = local(0.7, 0.0, minimum.value, minimum.distance[None])
    assert abs(touching.entropy[0]) < 1e-9
    assert abs(touching.slope[0]) < 1e-8
    around = local(0.7, 0.0, flat.value, flat.distance * jnp.linspace(0.9, 1.1, 5))
    assert abs(around.slope[2]) < 1e-8
    assert jnp.argmin(around.slope) == 2
    assert minimum.value < flat.value < fmjax.thresholds.kappa_max(model, 0.7).value


@pytest.mark.parametrize("alpha", [0.005, 0.02, 0.1])
def test_kappa_min_and_kappa_u_are_found_down_to_small_loads_at_distances_of_their_square(alpha):
    model = fmjax.Perceptron()
    minimum, flat = (threshold(model, alpha) for threshold in (fmjax.thresholds.kappa_min, fmjax.thresholds.kappa_u))
    assert 0 < minimum.value < flat.value < 0.04 * alpha
    for threshold, lowest in ((minimum, lambda curve: curve.entropy), (flat, lambda curve: curve.slope)):
        below, above = (
            lowest(local(alpha, 0.0, share * threshold.value, threshold.value**2 * jnp.geomspace(0.003, 30.0, 32)))
            for share in (0.99, 1.01)
        )
        assert jnp.min(below) < 0 < jnp.min(above)
