"""Theory of tree committees: entropies around references, against an independent program, with their error estimates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.models import ACTIVATIONS
from fmjax.solvers import front
from tests.oracles import committee as oracle
from tests.oracles.committee import KERNELS
from tests.oracles.franz_parisi import Order

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


def test_far_from_a_reference_entropies_are_resolved_or_say_that_they_are_not():
    """There solutions of units that jump end ever more steeply: most of their entropy lies on the last hundredth."""
    local = fmjax.FranzParisi(fmjax.TreeCommittee("sign"), 0.1)
    found, finer = (fmjax.curve(each, alpha=0.5, distance=[0.98, 0.995, 0.999]) for each in (local, local.resized(2.0)))
    assert finer.converged.all()
    assert found.converged.tolist() == [True, True, False]
    assert found.result[2].startswith("the error estimate is as large as the answer")
    assert np.all(np.abs(found.entropy - finer.entropy)[:2] < (found.error_estimate + finer.error_estimate)[:2])
