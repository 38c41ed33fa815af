"""Theory of tree committees: kernels of activations, against closed forms and scipy, and activations without one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

import fmjax
from fmjax.models import CommitteeArchitecture
from fmjax.replica import EquilibriumControls, FranzParisiControls
from fmjax.replica.franz_parisi_order import Covariances
from tests.oracles import committee as oracle
from tests.oracles.committee import KERNELS

OVERLAPS = jnp.array([-0.9, -0.4, -1e-3, 1e-6, 0.1, 0.5, 0.9, 0.999])

# By quadrature, not by the closed forms that the names stand for.
BY_QUADRATURE = {
    "sign": jnp.sign,
    "relu": lambda u: jnp.maximum(u, 0.0),
    "leaky-relu": lambda u: jnp.where(u > 0, u, 0.1 * u),
    "erf": jax.scipy.special.erf,
}


@pytest.mark.parametrize("name", BY_QUADRATURE)
def test_closed_forms_agree_with_quadrature_to_1e_12_relative_down_to_gaps_of_1e_12(name):
    closed, integrated = (CommitteeArchitecture.of(which) for which in (name, BY_QUADRATURE[name]))
    gaps = jnp.geomspace(1e-12, 1.9, 100)
    first, second = (jax.vmap(architecture.complement)(gaps) for architecture in (closed, integrated))
    np.testing.assert_allclose(first, second, rtol=1e-12)
    np.testing.assert_allclose(closed.variance(), integrated.variance(), rtol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_are_the_formulas_of_the_theory(name):
    architecture = CommitteeArchitecture.of(name)
    np.testing.assert_allclose(architecture.variance(), KERNELS[name].power, rtol=1e-13)
    expected = KERNELS[name].value(OVERLAPS) / KERNELS[name].power
    np.testing.assert_allclose(jax.vmap(architecture.kernel)(OVERLAPS), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("name", "activation"), [("tanh", np.tanh), ("gelu", lambda u: u * ndtr(u))], ids=["tanh", "gelu"])
def test_kernels_by_quadrature_agree_with_adaptive_integration_in_scipy(name, activation):
    architecture = CommitteeArchitecture.of(name)
    found = architecture.variance() * jax.vmap(architecture.kernel)(jnp.array([-0.5, 0.3, 0.8]))
    np.testing.assert_allclose(found, [oracle.covariance(activation, q) for q in (-0.5, 0.3, 0.8)], atol=1e-9)


def test_the_kernel_of_a_hermite_sum_is_its_power_series():
    coefficients = jnp.array([0.7, 0.2, -0.4])
    architecture = CommitteeArchitecture.of(fmjax.Hermite(coefficients))
    found = architecture.variance() * jax.vmap(architecture.kernel)(OVERLAPS)
    series = np.square(coefficients) @ jnp.stack([OVERLAPS, OVERLAPS**2, OVERLAPS**3])
    np.testing.assert_allclose(found, series, rtol=1e-11)
    by_hand = CommitteeArchitecture.of(jax.tree_util.Partial(fmjax.Hermite(coefficients)))  # by quadrature
    np.testing.assert_allclose(by_hand.variance(), architecture.variance(), rtol=1e-12)


@pytest.mark.parametrize("name", [None, "erf", "relu", "sign", "tanh"])
def test_covariances_of_a_committee_are_positive_wherever_overlaps_of_weights_are(name):
    """Overlaps are correlations of weights; of these a kernel makes covariances (Schur), down to the smallest variance."""
    model = fmjax.Perceptron(teacher=True) if name is None else fmjax.TreeCommittee(name, teacher=True)
    Q, complement = jax.vmap(model.architecture.kernel), jax.vmap(model.architecture.complement)

    def at(key):
        of_reference, of_counted, of_own = jax.random.split(key, 3)
        functional, alpha = fmjax.Equilibrium(model, 60), jnp.asarray(0.5)
        fields = jax.random.uniform(of_reference, (2,), minval=1e-3, maxval=4.0)
        reference = functional.saddle(fields, EquilibriumControls(alpha)).order
        controls = FranzParisiControls(alpha, jnp.asarray(0.1), reference)
        shared, R_hat, eta = jax.random.normal(of_counted, (3,)) * jnp.array([2.0, 1.0, 3.0])
        own = 10.0 ** jax.random.uniform(of_own, minval=-12.0, maxval=1.0)
        counted = fmjax.FranzParisi(model, 0.3, (20, 20, 160, 64))
        at, _ = counted._site(shared, own, eta, R_hat, controls, None)
        return reference, at, at.t, at.R, Covariances.of(at, model.architecture)

    reference, at, t, R, found = jax.jit(jax.vmap(at))(jax.random.split(jax.random.key(0), 500))
    g = (found.rest * found.v) ** 2
    assert jnp.all(g > 0)
    assert jnp.all(at.variance > 0)  # q > t²/q~ + (p-t)²/(1-q~) >= p²
    q, p = 1.0 - at.gap, 1.0 - at.p_gap
    np.testing.assert_allclose(at.variance, q - t**2 / reference.q - (p - t) ** 2 / reference.gap, atol=1e-11)
    q_ref, gap_ref, R_ref = Q(reference.q), complement(reference.gap), Q(reference.R)
    a, c, b = found.a, found.ratio * found.v, found.beside / found.rest
    np.testing.assert_allclose(g, 1.0 - complement(at.gap) - a**2 - c**2, atol=1e-11)
    np.testing.assert_allclose(a * jnp.sqrt(q_ref), Q(t), atol=1e-11)
    np.testing.assert_allclose(c * jnp.sqrt(gap_ref) + Q(t), Q(p), atol=1e-11)
    np.testing.assert_allclose(a * R_ref / jnp.sqrt(q_ref) + jnp.sqrt(g) * b, Q(R), atol=1e-11)
    assert jnp.all(b**2 <= 1.0 - R_ref**2 / q_ref + 1e-12)  # equal where the counted weights are the teacher's


@pytest.mark.parametrize(
    ("activation", "named"),
    [
        (3.0, ["function", "3.0", "tanh"]),
        (None, ["function", "None", "tanh"]),
        (jnp.maximum, ["one number", "trace", "argument"]),
        (lambda u: max(u, 0.0), ["one number", "trace", "jnp.where"]),
        (np.tanh, ["one number", "trace", "jnp.tanh"]),
        ("softsign", ["relu", "'softsign'"]),
        (lambda u: jnp.stack([u, u]), ["one number"]),
        (lambda u: u > 0, ["real number", "bool"]),
        (lambda u: 0.1 + 0.0 * u, ["zero variance", "0.1"]),
        (lambda u: -0.0 * u, ["zero variance", "is 0 everywhere"]),
        (fmjax.Hermite(jnp.zeros(2)), ["zero variance"]),
        (jnp.log, ["finite", "nan"]),
        (lambda u: 1.0 / u, ["finite", "at 0", "inf"]),
        (fmjax.LeakyReLU(jnp.nan), ["finite", "nan"]),
        (lambda u: u * jnp.exp(u**2), ["finite variance", "tanh"]),
        (lambda u: u * jnp.exp(jnp.abs(u) ** 2.7), ["finite variance", "tanh"]),
        (jnp.square, ["even", "odd"]),
        (jnp.cos, ["even", "odd"]),
        (fmjax.LeakyReLU(-1.0), ["even", "odd"]),
        (fmjax.Hermite(jnp.array([0.0, 1.0])), ["even", "odd"]),
        (lambda u: jnp.clip(u, -1.0, 1.0), ["kinks"]),
    ],
    ids=[
        *("number", "nothing", "of two numbers", "Python's if", "numpy", "unknown name", "vector", "truth value"),
        *(
            "constant",
            "zero",
            "zero sum",
            "log",
            "pole",
            "slope not a number",
            "infinite variance",
            "overflow",
        ),
        *("square", "cosine", "modulus", "even sum", "kink not named"),
    ],
)
def test_an_activation_without_a_kernel_is_refused_in_one_sentence(activation, named):
    with pytest.raises(ValueError, match=r".") as error:
        fmjax.TreeCommittee(activation)
    message = str(error.value)
    assert "\n" not in message
    for word in named:
        assert word in message


def test_an_activation_with_its_kinks_named_is_accepted():
    hard = fmjax.TreeCommittee(lambda u: jnp.clip(u, -1.0, 1.0), kinks=(-1.0, 1.0))
    assert fmjax.thresholds.capacity(hard).result == "converged"


def test_kinks_that_are_not_places_are_refused():
    with pytest.raises(ValueError, match="kinks"):
        fmjax.TreeCommittee("relu", kinks=(jnp.inf,))


def test_a_committee_made_with_float64_off_is_the_same():
    with jax.enable_x64(False):
        found = fmjax.TreeCommittee("relu")
    expected = fmjax.TreeCommittee("relu")
    assert jax.tree.all(jax.tree.map(np.array_equal, found, expected))
