"""Interpolation between the points of a sweep, and what is not interpolated."""

import numpy as np
import pytest

import fmjax
from fmjax.sweeps import plan, store
from tests.small_sweep import REQUEST


def test_interpolation_is_linear_in_every_control_and_exact_on_the_grid(out):
    found = fmjax.sweep(REQUEST, out)
    between = fmjax.sweeps.interpolate(found, alpha=[0.1, 0.33, 0.9], margin=[0.05, 0.7])
    alpha, margin = np.array([0.1, 0.33, 0.9])[:, None], found.margin.to_numpy()
    log_h = np.interp([0.05, 0.7], margin, fmjax.special.log_H(margin))
    np.testing.assert_allclose(between.entropy, np.log(2) + alpha * log_h, rtol=1e-12)  # linear in alpha
    assert between.entropy.dims == ("alpha", "margin")
    np.testing.assert_array_equal(between.alpha, alpha[:, 0])


def test_nothing_is_interpolated_across_a_point_without_a_value(out):
    found = fmjax.sweep(REQUEST, out)
    store.Store(out, plan.read(REQUEST)).forget(2)  # alpha = 0.3, margins 0 to 0.7... of its block
    found = fmjax.open(out)
    alphas, margins = (
        values[part] for values, part in zip(plan.read(REQUEST).axes.values(), plan.read(REQUEST).region(2), strict=True)
    )
    with pytest.raises(ValueError, match="not computed yet") as refusal:
        fmjax.sweeps.interpolate(found, alpha=alphas[0] - 0.01, margin=margins[0])
    assert f"alpha = {alphas[0]}" in str(refusal.value)
    on_the_grid = fmjax.sweeps.interpolate(found, alpha=found.alpha.to_numpy()[1], margin=margins[0])
    assert np.isfinite(on_the_grid.entropy)


@pytest.mark.parametrize(
    ("at", "named"),
    [
        ({"alpha": 0.5}, ["margin"]),
        ({"alpha": 0.5, "margin": 0.1, "kappa": 1}, ["kappa"]),
        ({"alpha": 0.95, "margin": 0.1}, ["alpha", "0.95", "0.9"]),
        ({"alpha": float("nan"), "margin": 0.1}, ["alpha", "nan"]),
    ],
    ids=str,
)
def test_a_query_outside_the_grid_is_refused_by_name(at, named, out):
    found = fmjax.sweep(REQUEST, out)
    with pytest.raises(ValueError, match=r"\w") as refusal:
        fmjax.sweeps.interpolate(found, **at)
    assert all(name in str(refusal.value) for name in named), str(refusal.value)
