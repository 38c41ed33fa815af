"""Typical solutions: entropies and overlaps against limits, exact formulas and an independent program."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fmjax
from tests.oracles import equilibrium as oracle, spherical
from tests.perceptron_theory import typical


@pytest.mark.parametrize(
    ("margin", "alpha"),
    [(0.0, 1.9), (0.0, 1.95), (0.0, 1.999), (-0.5, 4.6), (-0.5, 4.7), (-1.0, 13.0), (1.0, 0.51)],
)
def test_typical_volumes_of_spherical_weights_follow_gardners_integral_up_to_capacity(margin, alpha):
    model = fmjax.Perceptron(margin=margin, weights=fmjax.Spherical())
    point = fmjax.solve(fmjax.Equilibrium(model), alpha=alpha)
    entropy, gap = spherical.typical(alpha, margin)
    assert point.result == "converged"
    assert abs(point.entropy - entropy) < 1e-10
    assert abs(point.order.gap / gap - 1) < 1e-9
    assert abs(point.entropy - entropy) < point.error_estimate + 1e-11 < 1e-6


def test_typical_volumes_of_spherical_weights_end_at_capacity():
    model = fmjax.Perceptron(weights=fmjax.Spherical())
    assert fmjax.solve(fmjax.Equilibrium(model), alpha=2.0).result != "converged"


@pytest.mark.parametrize("alpha", [0.3, 1.2])
def test_the_symmetric_constraint_has_the_entropy_of_its_first_moment(alpha):
    model = fmjax.Model(fmjax.Binary(), fmjax.Perceptron().architecture, fmjax.SymmetricMargin(1.0))
    point = fmjax.solve(fmjax.Equilibrium(model), alpha=alpha)
    inside = np.log(0.6826894921370859)  # P[|z| < 1]
    # The saddle is at q = 0, which its coordinate ln q only approaches.
    assert abs(point.entropy - (np.log(2) + alpha * inside)) < 1e-11


@settings(max_examples=10)
@given(st.floats(0.05, 0.9), st.floats(-0.4, 0.3))
def test_typical_entropy_and_overlap_agree_with_an_independent_program(alpha, margin):
    if alpha > 0.98 * oracle.capacity(margin):
        alpha = 0.98 * oracle.capacity(margin)
    entropy, overlap = oracle.equilibrium(alpha, margin).entropy, oracle.equilibrium(alpha, margin).overlap
    point = typical(alpha, margin)
    assert abs(point.entropy - entropy) < 1e-13
    assert abs(point.order.q - overlap) < 1e-12


def test_entropy_without_patterns_is_ln_2():
    assert abs(typical(1e-9, 0.0).entropy - np.log(2)) < 1e-8


def test_entropy_beyond_capacity_is_negative_and_reported():
    point = typical(0.9, 0.0)
    assert point.result == "converged"
    assert point.entropy < -0.07
