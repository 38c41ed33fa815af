"""The entropy around a solution of one instance, from that of all solutions down to zero."""

import jax
import numpy as np
import pytest

from fmjax.message_passing import Instance, belief_propagation, bethe_entropy, focusing, local_entropy
from tests.single_instances import assert_finite, key


def test_the_local_entropy_goes_from_that_of_all_solutions_to_zero():
    instance = Instance.random(key(3), 501, 0.5)
    found = focusing(instance)
    local = local_entropy(instance, found.weights, np.linspace(0, 6, 31))
    good = np.asarray(local.converged)
    d, entropy = np.asarray(local.distance, dtype=float), np.asarray(local.entropy, dtype=float)
    assert good[:10].all()
    assert np.all(np.diff(d[good]) < 0)
    assert np.all(np.diff(entropy[good]) < 0)
    assert np.all(entropy[good] < (-d * np.log(d) - (1 - d) * np.log1p(-d))[good])
    beliefs = belief_propagation(instance)
    assert entropy[0] == pytest.approx(float(bethe_entropy(instance, beliefs)), abs=1e-5)
    # Below five flips nothing is called converged, and nothing is NaN.
    assert (501 * d < 5).any()
    assert not good[501 * d < 5].any()
    assert all("Gaussian" in reason or "sweeps" in reason for reason in local.result[501 * d < 5])
    assert_finite(local)


def test_fields_must_increase_and_the_reference_must_be_signs():
    instance = Instance.random(key(3), 11, 0.5)
    with pytest.raises(ValueError, match="increasing"):
        local_entropy(instance, np.ones(11), [1.0, 0.5])
    with pytest.raises(ValueError, match=r"\(11,\)"):
        local_entropy(instance, np.zeros(11))


def test_the_entropy_around_a_solution_may_be_part_of_a_program():
    instance = Instance.random(key(3), 11, 0.5)

    def around(reference):
        return local_entropy(instance, reference, [0.0, 1.0]).entropy

    reference = np.ones(11, np.float32)
    np.testing.assert_allclose(jax.jit(around)(reference), around(reference), atol=1e-6)
