"""Local energy: as many flips as asked, exact at both ends, slope and curvature with errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmjax import networks
from tests import small_networks
from tests.small_networks import KEY

digits, solved = small_networks.digits, small_networks.solved


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.2, 0.5, 1.0])
def test_as_many_weights_are_flipped_as_was_asked(fraction):
    weights = networks.random_networks((300, 200, 100), 1, KEY)
    fractions = jnp.array([fraction, 0.3], jnp.float32)
    found = networks.flipped(weights, fractions, jax.random.key(2))
    for old, new, f in zip(weights, found, (fraction, 0.3), strict=True):
        deviation = np.sqrt(f * (1 - f) / old.size)
        assert abs((np.asarray(new) == -old).mean() - f) <= 5 * deviation + 1e-9
        assert (np.abs(new) == 1).all()


def test_a_larger_fraction_flips_the_same_weights_and_more():
    weights = networks.random_networks((50, 40), 1, KEY)
    few, many = (networks.flipped(weights, jnp.array([f], jnp.float32), KEY)[0] != weights[0] for f in (0.1, 0.3))
    assert (many | ~few).all()
    assert few.sum() < many.sum()


def test_without_flips_the_local_energy_of_solutions_is_zero_and_with_all_flips_that_of_the_negative(digits, solved):
    _, found = solved
    weights = [np.asarray(w[1]) for w in found.weights]
    inputs, labels = digits[0][:40], digits[1][:40]
    fractions = np.array([0.0, 0.1, 0.5, 1.0])
    energy = networks.local_energy(weights, inputs, labels, fractions, KEY, draws=2)
    assert energy.shape == (3, 4, 4, 2)
    assert (energy[:, :, 0] == 0).all()
    assert (energy[:, 0, 2] > 0.5).all()
    for part, layers in enumerate([(0, 1, 2), (0,), (1,), (2,)]):
        for seed in range(3):
            negative = [-w[seed] if layer in layers else w[seed] for layer, w in enumerate(weights)]
            expected = float(networks.mistakes(negative, inputs, labels).mean())
            np.testing.assert_allclose(energy[seed, part, 3], expected, atol=1e-6)
    assert (energy[:, 1, 1, 0] != energy[:, 1, 1, 1]).any()
    some = networks.local_energy(weights, inputs, labels, fractions, KEY, draws=2, parts=[2, 0])
    np.testing.assert_array_equal(some, energy[:, [2, 0]])
    for parts in ([], [4], [-1]):
        with pytest.raises(ValueError, match=r"parts must be some of 0 to 3, not .*: try \[0\], all layers together"):
            networks.local_energy(weights, inputs, labels, fractions, KEY, parts=parts)


@pytest.mark.parametrize(
    ("fractions", "draws", "named"),
    [
        ([0.0, 1.1], 1, r"fractions .* between 0 and 1, not \[0.0, 1.1\]"),
        ([], 1, "fractions .* at least one, between 0 and 1"),
        ([0.0, np.nan], 1, r"fractions .* between 0 and 1, not \[0.0, nan\]"),
        ([0.0], 0, "draws must be at least 1, .*not 0"),
    ],
)
def test_wrong_fractions_and_draws_are_refused(fractions, draws, named, digits, solved):
    weights = [np.asarray(w[1]) for w in solved[1].weights]
    with pytest.raises(ValueError, match=named):
        networks.local_energy(weights, digits[0][:10], digits[1][:10], np.array(fractions), KEY, draws=draws)


def test_slope_and_curvature_are_those_of_a_cubic_with_errors_over_networks():
    f = np.array([0.0, 0.01, 0.02, 0.04, 0.05, 0.3])
    own = np.random.default_rng(0).normal(size=(6, 2))
    slopes, curvatures = 0.2 + own[:, 0], 30 + own[:, 1]
    energy = (0.1 + slopes[:, None] * f + curvatures[:, None] * f**2 / 2 - 90 * f**3)[:, None, :, None]
    energy[..., -1, :] = 0.9  # saturated, beyond the fit
    found = networks.shape_at_zero(f, energy, 0.05)
    assert found.slope[0] == pytest.approx(slopes.mean(), abs=1e-9)
    assert found.curvature[0] == pytest.approx(curvatures.mean(), abs=1e-6)
    assert found.slope_error[0] == pytest.approx(slopes.std(ddof=1) / np.sqrt(6), rel=1e-6)
    assert found.curvature_error[0] == pytest.approx(curvatures.std(ddof=1) / np.sqrt(6), rel=1e-6)
    with pytest.raises(ValueError, match="three more"):
        networks.shape_at_zero(f, energy, 0.01)
