"""What the theory cannot take is refused by name."""

from functools import partial

import jax
import numpy as np
import pytest

import fmjax


def test_thresholds_of_a_reference_without_entropy_refuse_continuous_weights():
    model = fmjax.Perceptron(weights=fmjax.Spherical())
    named = fmjax.thresholds
    for threshold in (
        named.alpha_u,
        *(partial(each, alpha=0.5) for each in (named.kappa_max, named.kappa_min, named.kappa_u)),
    ):
        for call in (threshold, jax.jit(threshold)):  # the kind of weights is known while a program is traced
            with pytest.raises(ValueError, match="Spherical weights"):
                call(model)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: typical_at(-0.5), "alpha = -0.5"),
        (lambda: local_at(0.5, 0.3, 1.5), "distance = 1.5"),
        (lambda: local_at(0.5, 0.6, 0.1), "kappa_max"),
        (lambda: fmjax.thresholds.kappa_u(fmjax.Perceptron(), 0.0), "alpha = 0"),
        (lambda: fmjax.thresholds.kappa_max(fmjax.Perceptron(), 1e-9), r"alpha = 1e-09 .* from 3e-05 on .* sqrt\(2 / \(pi"),
        (lambda: fmjax.thresholds.robust_capacity(fmjax.Perceptron(), 1.0), r"replicas = 1 .* capacity"),
        (lambda: typical_at(np.array([0.1, 0.2])), r"alpha .* shape \(2,\): use jax.vmap"),
        (lambda: local_at(np.array([0.1, 0.2]), 0.3, 0.1), r"alpha .* shape \(2,\): use jax.vmap"),
        (lambda: local_at(0.5, 0.3, np.array([0.1, 0.2])), r"distance .* shape \(2,\): use curve"),
        (lambda: local_at(0.5, 0.3, None), "pass distance"),
        (lambda: fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), 0.3), alpha=0.5, distance=[]), r"shape \(0,\)"),
        (lambda: fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), 0.3), alpha=0.5, distance=0.1), r"shape \(\): try"),
    ],
)
def test_impossible_requests_raise_one_sentence_that_names_the_value(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("fmjax.solve(fmjax.Perceptron(), alpha=0.5)", ["Equilibrium or FranzParisi", "not Model"]),
        ("fmjax.solve(fmjax.Equilibrium, alpha=0.5)", ["the class Equilibrium"]),
        ("fmjax.curve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=0.5, distance=[0.1])", ["FranzParisi or RobustEnsemble"]),
        ("fmjax.thresholds.capacity(fmjax.Equilibrium(fmjax.Perceptron()))", ["a model", "not Equilibrium"]),
        ("fmjax.thresholds.kappa_max(fmjax.Perceptron(), [0.1, 0.2])", ["alpha", "(2,)", "jax.vmap"]),
        ("fmjax.thresholds.capacity(fmjax.Perceptron(margin=np.array([0.0, 0.1])))", ["margin", "(2,)", "jax.vmap"]),
        ("fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha='0.5')", ["alpha must be a real number", "'0.5'"]),
        ("fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=True)", ["alpha must be a real number", "True"]),
        (
            "fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), 0.3), alpha=0.5, distance=np.ma.masked_less([1, 2], 2) / 9)",
            ["distance", "1 of 2 are masked"],
        ),
        ("fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=None)", ["alpha must be a real number", "None"]),
        ("fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(margin=None)), alpha=0.5)", ["margin must be a real number"]),
        ("fmjax.thresholds.capacity(fmjax.Perceptron(margin=1j))", ["margin must be a real number", "1j"]),
        (
            "fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), 'max'), alpha=0.5, distance=[0.1])",
            ["reference margin", "'max'"],
        ),
        (
            "fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), 0.3), alpha=0.5, distance=['0.1'])",
            ["distance must be", "'0.1'"],
        ),
        ("fmjax.Perceptron(teacher='no')", ["teacher must be True or False", "'no'"]),
        ("fmjax.Perceptron(weights='binary')", ["weights", "fmjax.Binary()", "'binary'"]),
    ],
)
def test_objects_of_the_wrong_kind_are_refused_by_name(call, words, without_type_checks):
    message = without_type_checks(call)
    assert all(word in message for word in words), message


def test_distances_may_be_a_list():
    listed = fmjax.curve(fmjax.RobustEnsemble(fmjax.Perceptron(), 3.0), alpha=0.5, distance=[0.1, 0.2])
    array = fmjax.curve(fmjax.RobustEnsemble(fmjax.Perceptron(), 3.0), alpha=0.5, distance=np.array([0.1, 0.2]))
    np.testing.assert_array_equal(listed.entropy, array.entropy)


def typical_at(alpha):
    return fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=alpha)


def local_at(alpha, reference_margin, distance):
    return fmjax.solve(fmjax.FranzParisi(fmjax.Perceptron(), reference_margin), alpha=alpha, distance=distance)


DOUBLE = "jax.enable_x64(True)"
A = "fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=a)"
K = "fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(a)), alpha=0.5)"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (f"{DOUBLE}(jax.jit(lambda a: {A}.entropy))(0.5 + 2j)", ["alpha must be a real number, not complex"]),
        (f"{DOUBLE}(jax.jit(lambda a: {A}.entropy))(True)", ["alpha must be a real number, not bool"]),
        (f"{DOUBLE}(jax.vmap(lambda a: {A}.entropy))(np.array([0.5j, 0.4]))", ["alpha must be a real number, not complex"]),
        (f"{DOUBLE}(jax.jit(lambda a: {K}.entropy))(0.1 + 3j)", ["margin must be a real number, not complex"]),
        (
            f"{DOUBLE}(jax.jit(lambda a: fmjax.thresholds.kappa_max(fmjax.Perceptron(), a)))(0.5j)",
            ["alpha must be a real number, not complex"],
        ),
        (f"(lambda a: {A})(np.timedelta64(1, 'D'))", ["alpha must be a real number", "timedelta64"]),
        (f"(lambda a: {A})(np.inf)", ["alpha = inf", "positive and finite"]),
        (f"(lambda a: {A})('x')", ["alpha must be a real number, not 'x'"]),
        ("fmjax.Equilibrium(fmjax.Perceptron(), nodes=2.5)", ["nodes must be at least 8, a whole number, not 2.5"]),
        ("fmjax.RobustEnsemble(fmjax.Perceptron(), 4.0, nodes=5)", ["nodes must be 2 whole numbers", "5", "(160, 192)"]),
        ("fmjax.CentredEnsemble(fmjax.Perceptron(), 4.0, nodes=(4,))", ["nodes must be 2 whole numbers", "(4,)"]),
        ("fmjax.FranzParisi(fmjax.Perceptron(), 0.1, nodes='ab')", ["nodes must be 4 whole numbers", "'ab'"]),
        ("fmjax.replica.UltrametricEnsemble(fmjax.Perceptron(), 3.0, 4.0, nodes=(64, 90, -1))", ["at least 8", "-1"]),
        ("fmjax.LeakyReLU('a')", ["slope must hold real numbers", "'a'"]),
        ("fmjax.LeakyReLU(None)", ["slope must hold real numbers", "None"]),
        ("fmjax.LeakyReLU(True)", ["slope must be numbers, not True and False"]),
        ("fmjax.Hermite(2.0)", ["coefficients must be several numbers, not 2.0", "jnp.array([2.0])"]),
        ("fmjax.TreeCommittee('tanh', kinks='a')", ["kinks must hold real numbers", "'a'"]),
        ("fmjax.TreeCommittee('tanh', kinks=(1j,))", ["kinks must hold real numbers", "complex"]),
    ],
)
def test_what_the_theory_cannot_take_is_refused_by_name(call, named, without_type_checks):
    message = without_type_checks(call)
    assert all(name in message for name in named), message
