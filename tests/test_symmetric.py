"""The symmetric binary perceptron: local entropies, thresholds and replicas against forms that its symmetry makes simple."""

import jax
import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import fmjax
from fmjax.reproduce import symmetric as figure
from fmjax.reproduce.engine import Engine
from tests.oracles import literature, symmetric as oracle


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


def half_width(alpha):
    """The margin at which the first moment of the number of solutions is one: ``alpha ln P[|z| < margin] = -ln 2``."""
    return norm.ppf(0.5 + 0.5 * 2 ** (-1 / alpha))


@pytest.mark.parametrize("alpha", [0.3, 1.0, literature.symmetric_capacity(1.0), 100.0, 1e6])
def test_the_hardest_margin_is_the_smallest_one_and_known_from_the_first_moment(alpha):
    """At the capacity of margin 1, too, where the logarithm that is solved for is zero."""
    found = fmjax.thresholds.kappa_max(symmetric(), alpha)
    assert found.result == "converged"
    assert found.value == pytest.approx(half_width(alpha), rel=1e-11 if alpha > 1e3 else 1e-13)


@pytest.mark.parametrize("alpha", [0.002, 0.01, 0.05])
def test_at_small_loads_it_is_exponentially_small(alpha):
    """Where the two halves of ``P[|z| < kappa]`` have no digits in common."""
    found = float(fmjax.thresholds.kappa_max(symmetric(), alpha).value)
    assert found == pytest.approx(np.sqrt(np.pi / 2) * 2 ** (-1 / alpha) * (1 + found**2 / 6), rel=1e-12, abs=0)


def test_its_derivative_is_that_of_the_first_moment():
    step = 1e-5
    slope = jax.grad(lambda alpha: fmjax.thresholds.kappa_max(symmetric(), alpha).value)(0.7)
    assert abs(slope - (half_width(0.7 + step) - half_width(0.7 - step)) / (2 * step)) < 1e-9


def test_a_perceptron_of_hardest_margin_zero_is_one_like_others():
    found = fmjax.thresholds.kappa_max(fmjax.Perceptron(), literature.CAPACITY.value)
    assert found.result == "converged"
    assert abs(found.value) < 1e-15


def test_the_lowest_point_around_kappa_min_is_zero():
    found = fmjax.thresholds.kappa_min(symmetric(), 1.0)
    assert found.result == "converged"
    assert half_width(1.0) < found.value < 1.0
    distance = float(found.distance)
    below, here, above = (oracle.entropies(1.0, d, 1.0, float(found.value))[0] for d in distance * np.array([0.99, 1, 1.01]))
    assert abs(here) < 1e-11
    assert abs(above - below) < 1e-7  # of numbers of 1e-3
    assert min(above, below) > 0


def test_around_kappa_u_entropies_cease_to_descend():
    found = fmjax.thresholds.kappa_u(symmetric(), 1.0)
    assert found.result == "converged"
    assert half_width(1.0) < found.value < 1.0
    at = float(found.distance) * np.linspace(0.9, 1.1, 5)
    slope, harder = (around(margin, at).slope for margin in (found.value, 0.999 * found.value))
    assert abs(slope[2]) < 1e-8
    assert np.argmin(slope) == 2
    assert min(harder) > 1e-3


def test_alpha_u_is_where_kappa_u_is_the_hardest_margin():
    found = fmjax.thresholds.alpha_u(symmetric())
    assert found.result == "converged"
    assert abs(found.margin - half_width(found.value)) < 1e-12
    at = float(found.distance) * np.linspace(0.9, 1.1, 5)
    slope = around(found.margin * (1 + 1e-14), at, alpha=float(found.value)).slope
    assert abs(slope[2]) < 1e-8
    assert np.argmin(slope) == 2


def test_flat_regions_end_at_the_square_of_narrow_margins_times_its_logarithm():
    """As loads at which stable algorithms fail do (Gamarnik, Kizildag, Perkins, Xu 2022): the square alone is not enough."""
    margins = np.array([0.1, 0.05])
    found = [fmjax.thresholds.alpha_u(symmetric(float(margin))) for margin in margins]
    assert [each.result for each in found] == ["converged"] * 2
    shares = np.array([float(each.value) for each in found]) / margins**2
    assert 0.95 < (shares[1] - shares[0]) / np.log(2.0) < 1.02
    assert np.all(np.abs(shares - np.log(1 / margins) - 1.07) < 0.01)


@pytest.mark.parametrize("replicas", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_replicas_exist_at_any_distance_up_to_published_loads(replicas):
    found = fmjax.thresholds.robust_capacity(symmetric(), float(replicas))
    load, distance = oracle.robust_capacity(replicas, 1.0)
    assert abs(found.value - load) < 1e-11
    assert abs(found.distance - distance) < 1e-7
    assert abs(found.value - literature.SYMMETRIC_REPLICAS[replicas].value) <= literature.SYMMETRIC_REPLICAS[replicas].error


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: around(0.3, [0.1]), "reference margin 0.3 is below kappa_max = 0.67449, the smallest margin .* larger one"),
        (
            lambda: around(-0.5, [0.1]),
            "reference margin = -0.5 .* the margin of a SymmetricMargin is positive",
        ),
        (lambda: fmjax.thresholds.capacity(symmetric(0.0)), "margin = 0 is not possible"),
        (lambda: fmjax.thresholds.kappa_max(symmetric(), 1e-3), r"alpha = 0.001 .* from 0.002 on .* 2\^\(-1 / alpha\)"),
        (lambda: fmjax.thresholds.robust_capacity(symmetric()), "replicas = inf has no limit with a SymmetricMargin"),
        (lambda: fmjax.thresholds.robust_alpha_u(symmetric()), "replicas = inf has no limit with a SymmetricMargin"),
    ],
)
def test_what_makes_no_sense_is_refused_by_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# The figure -----------------------------------------------------------------------------------------------------------


def parts_of_the_capacity(quantity, block, *, margin, constraint, **controls):
    """In place of the sweep engine: thresholds of which one was not found."""
    assert constraint == "symmetric"
    capacity = -np.log(2) / np.log(1.0 - 2.0 * norm.sf(margin))
    value = {"capacity": 1.0, "alpha-u": 0.5, "robust-capacity": 0.9}[quantity] * capacity
    result = np.full(value.shape, "converged", dtype=object)
    if quantity == "alpha-u":
        value[2], result[2] = np.nan, "no solution was found nearby"
    names = {"value": value, "error_estimate": 1e-9 * capacity, "distance": 0.01 * capacity, "result": result}
    return xr.Dataset({name: ("margin", values) for name, values in names.items()})


def test_the_figure_shows_parts_of_the_capacity_where_they_were_found(monkeypatch):
    monkeypatch.setattr(Engine, "grid", staticmethod(parts_of_the_capacity))
    data = figure.compute(False)
    assert figure.compute(True).robust_capacity.shape == (0, len(figure.settings(True)["margin"]))
    assert all(data[name].dims == ("margin",) for name in ("capacity", "alpha_u_result", "alpha_u_error_estimate"))
    assert data.robust_capacity.dims == ("replicas", "margin")
    axes = figure.draw(data).axes[0]
    drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.lines}
    ends = drawn[r"$\alpha'_U$"]
    assert np.flatnonzero(np.isnan(ends)).tolist() == [2]
    np.testing.assert_allclose(np.delete(ends, 2), 0.5)
    np.testing.assert_allclose(drawn["$y=2$ replicas"], 0.9)
