"""The oracles, before anything is measured by them: against each other, other rules, and exact limits."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from .oracles import enumeration, literature
from .oracles.equilibrium import capacity, equilibrium, equilibrium_mpmath, maximum_margin
from .oracles.franz_parisi import REFERENCE_FILE, Order, functional, gradient, maximum, point_at, reference, solve

TABLE = json.loads(REFERENCE_FILE.read_text(encoding="utf-8"))["rows"]


def binary_entropy(distance):
    return -distance * np.log(distance) - (1 - distance) * np.log(1 - distance)


def test_equilibrium_reproduces_the_published_capacity():
    alpha = capacity()
    point = equilibrium(alpha, 0.0)
    assert abs(alpha - literature.CAPACITY.value) < 1e-14
    assert abs(point.overlap - literature.CAPACITY_OVERLAP.value) < literature.CAPACITY_OVERLAP.error
    assert abs(point.conjugate - literature.CAPACITY_CONJUGATE.value) < literature.CAPACITY_CONJUGATE.error
    for margin, interval in literature.CAPACITY_ENCLOSURES.items():
        assert interval.low < capacity(margin) < interval.high


def test_maximum_margin_inverts_the_capacity():
    for margin in (-0.45, 0.1, 1.0):
        assert abs(maximum_margin(capacity(margin)) - margin) < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "margin"), [(0.5, 0.4), (0.05, 3.3)])
def test_equilibrium_against_adaptive_quadrature(alpha, margin):
    point = equilibrium(alpha, margin)
    exact = equilibrium_mpmath(alpha, margin, point.overlap, digits=22)
    np.testing.assert_allclose([float(value) for value in exact], point, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("alpha", "margin", "reference_margin"), [(0.5, 0.0, 0.3), (0.3, 0.2, 0.2), (0.7, -0.2, 0.1)])
def test_maximum_is_the_typical_solution(alpha, margin, reference_margin):
    point = point_at(maximum(reference(alpha, reference_margin), margin), reference(alpha, reference_margin), margin)
    typical = equilibrium(alpha, margin)
    assert abs(point.entropy - typical.entropy) < 1e-13
    assert abs(point.slope) < 1e-12
    assert abs(point.order.q - typical.overlap) < 1e-12
    assert abs(point.order.t - (1 - 2 * point.distance)) < 1e-12  # p = t


@pytest.mark.parametrize(("margin", "distance"), [(0.0, 0.2), (0.2, 0.03)])
def test_gradient_is_the_derivative_of_the_functional(margin, distance):
    ref, p = reference(0.5, 0.3), 1 - 2 * distance
    (point,) = solve(ref, [distance], margin)
    q, t, q_hat, t_hat, p_hat = point.order
    order = Order(q + 0.1 * (1 - q), t, 1.3 * q_hat + 0.1, 0.8 * t_hat, p_hat + 0.3)  # nothing is stationary here
    arguments, steps = np.array([*order, p]), np.array([1e-3, 1e-3, 5e-3, 5e-3, 1e-2, 1e-3]) * np.sqrt(distance)
    stencil = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))  # sixth order
    numerical = [
        sum(
            weight * sign * functional(Order(*moved[:5]), moved[5], ref, margin)
            for count, weight in stencil
            for sign in (1, -1)
            for moved in [arguments + sign * count * step * np.eye(6)[place]]
        )
        / step
        for place, step in enumerate(steps)
    ]
    np.testing.assert_allclose(gradient(order, p, ref, margin), numerical, atol=2e-9)


def test_reference_table_is_converged():
    for row in TABLE:
        assert row["doubling"]["entropy"] < 1e-14
        assert row["doubling"]["slope"] < 5e-14
        assert row.get("mpmath_difference", 0.0) < 1e-13
        assert row["entropy"] <= binary_entropy(row["distance"]) + 1e-15
    assert sum("mpmath_difference" in row for row in TABLE) >= 5


@pytest.mark.parametrize("row", [TABLE[4], TABLE[5], TABLE[8]], ids=lambda row: f"{row['alpha']}-{row['distance']}")
def test_reference_table_is_reproduced(row):
    (point,) = solve(reference(row["alpha"], row["reference_margin"]), [row["distance"]], row["margin"])
    np.testing.assert_allclose([point.entropy, point.slope], [row["entropy"], row["slope"]], atol=1e-13)


@pytest.mark.parametrize("kind", ["gaussian", "binary"])
def test_enumeration_against_plain_loops(kind):
    patterns = enumeration.random_patterns(np.random.default_rng(3), 4, 9, kind)
    weights = enumeration.weights_of(np.arange(2**9), 9)
    stability = weights @ patterns.T / 3
    index, smallest = enumeration.solutions(patterns, margin=1 / 3)
    np.testing.assert_array_equal(index, np.flatnonzero(np.all(stability >= 1 / 3 - 1e-6, axis=1)))
    np.testing.assert_allclose(smallest, stability[index].min(axis=1), atol=1e-6)


def test_mean_number_of_solutions_is_the_annealed_one():
    rng = np.random.default_rng(7)
    for kind, exact in (
        ("gaussian", enumeration.annealed_entropy(0.4, 0.2)),
        ("binary", enumeration.annealed_entropy_binary(10, 4, 0.2)),
    ):
        counts = [len(enumeration.solutions(enumeration.random_patterns(rng, 4, 10, kind), 0.2)[0]) for _ in range(3000)]
        assert abs(np.mean(counts) - np.exp(10 * exact)) < 4 * np.std(counts) / np.sqrt(len(counts))


@pytest.mark.parametrize("alpha", [alpha for alpha, *_ in enumeration.CASES])
def test_finite_sizes_converge_to_the_replica_result(alpha):
    for limit in enumeration.limits(alpha):
        if limit.distance is None:
            assert limit.error < 2e-3
            found = equilibrium(alpha, 0.0).entropy
        else:
            assert limit.error < 4e-3
            (point,) = solve(reference(alpha, limit.reference_margin), [limit.distance])
            found = point.entropy
        assert abs(limit.value - found) < 3 * limit.error


@pytest.mark.slow
def test_statistics_are_reproduced():
    row = enumeration.on_file()[0]
    distances = sorted({one["distance"] for one in row["local"]})
    again = enumeration.finite_size_entropies(
        row["size"], row["alpha"], enumeration.REFERENCE_MARGINS, distances, row["instances"], row["seed"]
    )
    assert abs(again["entropy"]["mean"] - row["entropy"]["mean"]) < 1e-9
    np.testing.assert_allclose([a["mean"] for a in again["local"]], [a["mean"] for a in row["local"]], atol=1e-9)


def test_numpy_baseline_has_the_accuracy_that_it_claims():
    path = Path(__file__).parents[1] / "benchmarks" / "numpy_franz_parisi.py"
    spec = importlib.util.spec_from_file_location("numpy_franz_parisi", path)
    baseline = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(baseline)
    for row in TABLE:
        (entropy,), (slope,) = baseline.solve_curve(row["alpha"], row["reference_margin"], [row["distance"]], row["margin"])
        if row["connected_to_maximum"]:
            assert abs(entropy - row["entropy"]) < 1e-8
            assert abs(slope - row["slope"]) < 1e-7
        else:
            assert np.isnan(entropy)
