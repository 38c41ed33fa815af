"""The potential of clusters along the overlap inside them, and its barrier, as sweeps give them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.quantities.solved import read_one_step
from fmjax.replica import FranzParisiControls, OneStep
from fmjax.solvers.potential import cluster_potential

ALPHA = 0.75
DISTANCES = np.array([0.0070, 0.0075, 0.0080, 0.02, 0.1, 0.3])  # with no solution at m = 1, and with one


@pytest.fixture(scope="module")
def local():
    functional = fmjax.FranzParisi(fmjax.Perceptron(), reference_margin=0.0)
    return fmjax.clusters(functional, alpha=ALPHA, distance=DISTANCES)


def test_the_potential_of_clusters_goes_from_none_to_solutions_on_their_own(local):
    """It is that of the scan, and at its ends: 0 where q1 = q0, minus the symmetric entropy where q1 = 1."""
    rise = np.geomspace(1e-3, 40.0, 64)
    functional, place = fmjax.FranzParisi(fmjax.Perceptron(), 0.0), 4
    found = cluster_potential(functional, alpha=ALPHA, distance=DISTANCES[place], rise=rise)
    np.testing.assert_allclose(found.potential.q1, local.potential.q1[place], atol=1e-6)
    error = np.abs(np.asarray(found.potential.excess) - np.asarray(local.potential.excess[place]))
    assert (error <= np.asarray(found.error_estimate)).all()
    assert float(found.error_estimate.max()) < 2e-6
    assert float(found.potential.excess[0]) == pytest.approx(0.0, abs=1e-6)
    assert float(found.potential.excess[-1]) == pytest.approx(-float(found.symmetric.entropy), abs=1e-4)


def test_the_error_of_a_potential_is_below_its_estimate():
    local, rise = fmjax.FranzParisi(fmjax.Perceptron(), 0.2), np.geomspace(1e-3, 40.0, 20)
    found = cluster_potential(local, alpha=0.6, distance=0.05, rise=rise)
    point, controls = found.symmetric, FranzParisiControls(jnp.asarray(0.6), jnp.asarray(0.05), found.symmetric.reference)
    order, root = point.order, jnp.sqrt(point.reference.q_hat)
    fields = jnp.stack([order.t_hat / root, order.q_hat - (order.t_hat / root) ** 2, order.p_hat - order.t_hat])
    refined = OneStep(local).refined()
    finer = jax.jit(
        lambda rise: jax.lax.map(lambda one: refined(jnp.append(fields, one), controls, jnp.ones(()))[1].complexity, rise)
    )
    error = np.abs(np.asarray(found.potential.excess) + np.asarray(finer(jnp.asarray(rise))))
    assert (error <= np.asarray(found.error_estimate)).all()


def test_the_barrier_of_a_sweep_is_the_first_unstable_solution_and_the_minimum_of_the_potential(local):
    numbers = read_one_step(fmjax.Perceptron(), local)
    roots = jax.tree.map(np.asarray, local.roots)
    for row, distance in enumerate(DISTANCES):
        unstable = np.flatnonzero(~roots.stable[row] & np.isfinite(roots.q1[row]))
        wanted = (roots.q1[row, unstable[0]], roots.complexity[row, unstable[0]]) if unstable.size else (np.nan, np.nan)
        found = numbers["barrier_overlap"][row], numbers["barrier_complexity"][row]
        np.testing.assert_array_equal(found, wanted, err_msg=f"d = {distance}")
    at = -1  # one solution: the potential has one minimum
    assert np.isfinite(roots.q1[at]).sum() == 1
    assert float(numbers["barrier_complexity"][at]) == pytest.approx(-float(np.min(local.potential.excess[at])), rel=0.02)
    # A stable solution that comes first is no barrier, and one without an unstable one has none.
    stable = roots.stable.copy()
    stable[4:, 0] = True
    q1, complexity = roots.q1.copy(), roots.complexity.copy()
    q1[4, 1], complexity[4, 1] = 0.99, 0.01
    changed = eqx.tree_at(lambda p: (p.roots.q1, p.roots.complexity, p.roots.stable), local, (q1, complexity, stable))
    numbers = read_one_step(fmjax.Perceptron(), changed)
    np.testing.assert_array_equal(numbers["barrier_overlap"][4:], [0.99, np.nan])
    np.testing.assert_array_equal(numbers["barrier_complexity"][4:], [0.01, np.nan])
