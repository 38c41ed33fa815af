"""One step of replica-symmetry breaking: the limits in which its free entropy is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax.replica import OneStepControls, OneStepEquilibrium

ALPHA = 0.75


@pytest.fixture(scope="module")
def typical():
    return fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=ALPHA)


@pytest.fixture(scope="module")
def one_step():
    functional = OneStepEquilibrium(fmjax.Perceptron())

    @jax.jit
    def value(free, m):
        def at(m):
            return functional(free, OneStepControls(jnp.asarray(ALPHA), m))

        return jax.value_and_grad(at)(m)

    return value


def coordinates(typical, apart, field):
    q, q_hat = typical.order.q, typical.order.q_hat
    return jnp.stack([jnp.log(q) - jnp.log1p(-q), jnp.asarray(apart), jnp.log(q_hat), jnp.asarray(field)])


@pytest.mark.parametrize("m", [0.05, 0.5, 0.999999, 1.0, 3.0])
def test_without_breaking_it_is_the_symmetric_entropy_for_every_m(typical, one_step, m):
    value, slope = one_step(coordinates(typical, -45.0, -45.0), jnp.asarray(m))
    assert float(value) == pytest.approx(float(typical.entropy), abs=1e-11)
    assert float(slope) == pytest.approx(0.0, abs=1e-11)


@pytest.mark.parametrize(("apart", "field"), [(-8.0, -8.0), (0.0, 0.3), (1.5, 1.0), (6.0, 2.0)])
def test_at_m_one_it_is_the_symmetric_entropy_whatever_q1(typical, one_step, apart, field):
    value, _ = one_step(coordinates(typical, apart, field), jnp.asarray(1.0))
    assert float(value) == pytest.approx(float(typical.entropy), abs=1e-9)


@pytest.mark.parametrize("m", [0.4, 0.7])
def test_frozen_clusters_have_the_symmetric_entropy_over_m(one_step, m):
    # As q1 -> 1 and q1^ -> infinity, m q1^ kept: 2cosh^m -> exp(m |h|) and H^m -> a step, which integrate to the symmetric
    # forms of a field m² q0^; the approach is like sqrt(1 - q1).
    typical = fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=ALPHA)
    q, q_hat = typical.order.q, typical.order.q_hat
    gaps = []
    for apart in (22.0, 26.0):
        free = jnp.stack([jnp.log(q) - jnp.log1p(-q), jnp.asarray(apart), jnp.log(q_hat) - 2 * np.log(m), jnp.log(300.0)])
        value, slope = one_step(free, jnp.asarray(m))
        gaps.append(abs(float(value) - float(typical.entropy) / m))
        # The internal entropy of a frozen cluster.
        assert float(value + m * slope) == pytest.approx(0.0, abs=1e-2)
    assert gaps[0] < 1e-3
    assert gaps[1] < 0.5 * gaps[0]
