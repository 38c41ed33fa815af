"""The symmetric binary perceptron: local entropies, thresholds and replicas against forms that its symmetry makes simple."""

import numpy as np
import pytest

import fmjax
from tests.oracles import symmetric as oracle


def symmetric(margin=1.0):
    return fmjax.Model(fmjax.Binary(), fmjax.models.PerceptronArchitecture(), fmjax.SymmetricMargin(margin))


def around(reference_margin, distance, alpha=1.0):
    return fmjax.curve(fmjax.FranzParisi(symmetric(), reference_margin), alpha=alpha, distance=distance)


@pytest.mark.parametrize(
    ("reference_margin", "distance"), [(1.0, 0.003), (1.0, 0.3), (0.8, 0.001), (0.67449, 0.01), (1.2, 0.05)]
)
def test_local_entropy_and_slope_agree_with_a_one_dimensional_integral(reference_margin, distance):
    """Also around references that need not be counted themselves, of a margin of 1.2."""
    found = around(reference_margin, [distance])
    shifted = [oracle.entropies(1.0, d, 1.0, reference_margin) for d in distance * np.array([1 - 1e-4, 1.0, 1 + 1e-4])]
    (below,), (here,), (above,) = shifted
    assert abs(found.entropy[0] - here) < 1e-10
    assert abs(found.slope[0] - (above - below) / (2e-4 * distance)) < 1e-6 + found.error_estimate[0]
    assert abs(found.order.t[0]) < 1e-14


def test_where_the_integral_has_no_stationary_point_the_branch_has_ended():
    assert oracle.entropies(1.0, 0.001, 1.0, 1.0) == []
    assert around(1.0, [0.001]).result[0].startswith("the branch could not be followed")


def test_solutions_at_all_other_distances_are_typical_ones_half_way():
    """At d = 1/2 the reference says nothing, and the first moment of the number of solutions is exact."""
    (found,) = around(0.8, [0.5]).entropy
    assert abs(found - (np.log(2) + oracle.inside(0.0, 1.0, 1.0))) < 1e-12


def test_close_to_a_reference_of_smaller_margin_everything_is_a_solution():
    found = around(0.8, [1e-4])
    assert abs(found.entropy[0] - (-1e-4 * np.log(1e-4) - (1 - 1e-4) * np.log1p(-1e-4))) < 1e-12
