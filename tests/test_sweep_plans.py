"""A request becomes coordinates, and blocks that cover the grid."""

import numpy as np
import pytest

from fmjax.sweeps import plan
from tests.small_sweep import REQUEST


def test_numbers_lists_and_spans_become_coordinates_in_the_order_asked():
    grid = {"distance": "1e-3:0.1:3:log", "reference-margin": [0.2], "alpha": 0.5}
    laid = plan.read({"quantity": "franz-parisi", "grid": grid})
    assert list(laid.axes) == ["reference_margin", "distance"]  # what runs along a curve comes last
    np.testing.assert_allclose(laid.axes["distance"], [1e-3, 1e-2, 1e-1])
    words = {
        "weights": "binary",
        "constraint": "margin",
        "architecture": "perceptron",
        "activation": "none",
        "task": "storage",
    }
    assert laid.fixed == {"alpha": 0.5, "margin": 0.0, **words}
    assert (laid.shape, laid.count, laid.points) == ((1, 3), 1, 3)


@pytest.mark.parametrize("points", [1, 2, 3, 5, 7, 20, 100])
def test_blocks_cover_the_grid_once_and_are_not_larger_than_asked(points):
    laid = plan.read(REQUEST | {"block": points})
    seen = np.zeros(laid.shape, int)
    for index in range(laid.count):
        seen[laid.region(index)] += 1
        _, columns, shape = laid.columns(index)
        assert columns["alpha"].size == np.prod(shape) <= points
        np.testing.assert_array_equal(columns["margin"].reshape(shape)[0], laid.axes["margin"][laid.region(index)[1]])
    assert (seen == 1).all()


def test_static_controls_have_blocks_of_their_own():
    laid = plan.read(
        {"quantity": "entropy", "block": 50, "grid": {"alpha": "0.1:0.9:4", "weights": ["binary", "spherical"]}}
    )
    assert laid.block == (4, 1)
    assert [laid.columns(index)[0]["weights"] for index in range(laid.count)] == ["binary", "spherical"]


@pytest.mark.parametrize("points", [1, 2, 3, 20])
def test_blocks_hold_what_runs_along_one_of_their_axes(points):
    sizes = {"along": "alpha", "values": [11, 51, 31]}
    grid = {"seed": "0:4:5", "alpha": [0.1, 0.3, 0.5], "size": sizes, "margin": {"along": "seed", "values": "0:0.4:5"}}
    laid = plan.read({"quantity": "focusing", "block": points, "grid": grid})
    met = []
    for index in range(laid.count):
        static, columns, shape = laid.columns(index)
        assert len(columns["seed"]) == np.prod(shape) <= points
        met += [(static["alpha"], static["size"], seed, static["margin"]) for seed in columns["seed"].tolist()]
    loads = {11: 0.1, 51: 0.3, 31: 0.5}
    assert sorted(met) == sorted(
        (loads[size], size, seed, pytest.approx(0.1 * seed)) for size in sizes["values"] for seed in range(5)
    )
