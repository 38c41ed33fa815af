"""Capacity of continuous weights: what replica symmetry gives, whether it is stable there, and one step of breaking."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.solvers.shrinking import log_load
from fmjax.thresholds import capacity, one_step_capacity
from tests.oracles import spherical


def perceptron(margin):
    return fmjax.Perceptron(margin=margin, weights=fmjax.Spherical())


def committee(activation):
    return fmjax.TreeCommittee(activation, weights=fmjax.Spherical())


@pytest.mark.parametrize(
    ("model", "kernel", "off"),
    [(perceptron(-1.0), lambda overlap: overlap, 3e-6), (committee("relu"), spherical.relu, 5e-5)],
)
def test_loads_of_one_step_are_those_at_which_the_one_step_volume_vanishes_as_clusters_shrink(model, kernel, off):
    """By another rule, in two dimensions, at ``1 - q1 = 1e-8``: corrections are of this size, of ReLU units of its root."""
    for gap, ratio in ((0.3, 4.0), (0.7, 0.5), (0.5, 10.0)):
        found = float(jnp.exp(log_load(model, jnp.log(jnp.array([gap, ratio])), jnp.zeros(()))))
        assert found == pytest.approx(spherical.one_step_load(gap, ratio, 1e-8, float(model.margin), kernel), rel=off)


@pytest.mark.parametrize("model", [perceptron(-1.0), committee("relu")])
def test_one_step_capacity_is_the_lowest_load(model):
    found = one_step_capacity(model)
    gaps, ratios = np.meshgrid(np.geomspace(1e-3, 0.99, 25), np.geomspace(0.1, 100, 25))
    logs = jnp.log(jnp.stack([gaps.ravel(), ratios.ravel()], axis=1))
    loads = jnp.exp(jax.lax.map(lambda at: log_load(model, at, jnp.zeros(())), logs))
    assert float(found.value) < float(loads.min()) < 1.002 * float(found.value)
    assert float(gaps.ravel()[int(loads.argmin())]) == pytest.approx(2 * float(found.distance), rel=0.3)


def test_one_step_capacity_of_relu_units_is_the_published_one():
    found = one_step_capacity(committee("relu"))
    assert found.value == pytest.approx(2.6643, abs=5e-5)
    assert found.error_estimate < 1e-10


@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
def test_where_replica_symmetry_is_stable_one_step_changes_nothing(margin):
    symmetric, broken = capacity(perceptron(margin)), one_step_capacity(perceptron(margin))
    assert symmetric.replicon > -1e-12
    assert broken.value == symmetric.value
    assert broken.distance == 0


@pytest.mark.parametrize(
    "model", [perceptron(-0.001), perceptron(-0.5), perceptron(-3.0), committee("erf"), committee("relu")]
)
def test_where_replica_symmetry_is_unstable_one_step_has_less_room(model):
    symmetric, broken = capacity(model), one_step_capacity(model)
    assert symmetric.replicon < 0
    assert broken.result == "converged"
    assert broken.value < symmetric.value + broken.error_estimate


def test_breaking_sets_in_with_the_third_power_of_the_replicon():
    """Continuously at margin 0: what is said of margins at which the minimum is too shallow to be found."""
    margins = np.array([-0.1, -0.03, -0.01])
    found = [(capacity(perceptron(margin)), one_step_capacity(perceptron(margin))) for margin in margins]
    share = [float((1 - broken.value / symmetric.value) / -(symmetric.replicon**3)) for symmetric, broken in found]
    assert 0.3 < share[0] < share[1] < share[2] < 0.6


def test_the_replicon_at_capacity_is_the_limit_of_that_of_typical_solutions():
    model = perceptron(-0.5)
    limit = capacity(model)
    point = fmjax.solve(fmjax.Equilibrium(model), alpha=limit.value * (1 - 1e-5))
    assert point.order.gap < 1e-4
    assert point.replicon == pytest.approx(float(limit.replicon), abs=5e-3)


@pytest.mark.parametrize(("margin", "line"), [(-0.5, (3.950, 3.951)), (-1.0, (7.8735, 7.8736)), (-1.5, (18.7380, 18.7381))])
def test_typical_solutions_say_where_they_cross_the_line_of_almeida_and_thouless(margin, line):
    below, beyond = (fmjax.solve(fmjax.Equilibrium(perceptron(margin)), alpha=alpha) for alpha in line)
    assert below.stable
    assert not beyond.stable
    assert below.replicon > 0 > beyond.replicon


def test_derivatives_of_the_one_step_capacity_are_those_of_differences():
    def value(margin):
        return one_step_capacity(perceptron(margin)).value

    step = 1e-4
    slope = (float(value(-1.0 + step)) - float(value(-1.0 - step))) / 2 / step
    assert jax.grad(value)(-1.0) == pytest.approx(slope, rel=1e-6)
    assert jax.grad(value)(0.5) == jax.grad(lambda margin: capacity(perceptron(margin)).value)(0.5)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (fmjax.Perceptron(), "Binary weights do not shrink to a point"),
        (fmjax.Perceptron(weights=fmjax.Spherical(), teacher=True), "students of a teacher do not shrink"),
        (committee("sign"), "units that jump"),
        (perceptron(30.0), "margins between"),
    ],
)
def test_models_without_a_point_to_shrink_to_are_refused(model, named):
    with pytest.raises(ValueError, match=named):
        one_step_capacity(model)
