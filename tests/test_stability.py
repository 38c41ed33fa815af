"""The replicon against its closed form, against the second variation of free entropies with broken symmetry, and limits."""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, log_ndtr

import fmjax
from fmjax.replica import EquilibriumControls, FranzParisiControls
from tests.oracles import stability as oracle


@partial(jax.jit, static_argnames="teacher")
def typical(alpha, margin, teacher=False):
    model = fmjax.Perceptron(margin=margin, teacher=teacher)
    return fmjax.solve(fmjax.Equilibrium(model), alpha=alpha)


@pytest.mark.parametrize("case", [(0.5, 0.1, False), (0.83, 0.0, False), (1.2, 0.0, True), (0.6, 0.2, True)], ids=str)
def test_the_replicon_of_typical_solutions_is_the_second_variation_with_broken_symmetry(case):
    alpha, margin, _ = case
    point = typical(*case)
    assert point.result == "converged"
    expected = oracle.replicon(oracle.plain(point.order), oracle.equilibrium_fields, alpha, margin)
    assert point.replicon == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("case", [(0.5, 0.1, False), (0.6, 0.2, True)], ids=str)
def test_the_replicon_of_typical_solutions_has_its_closed_form(case):
    """``1 - alpha E_E[F''^2] E_S[(1 - tanh^2)^2]`` with the derivatives of ``ln H`` written out."""
    alpha, margin, _ = case
    point = typical(*case)
    order = SimpleNamespace(**vars(oracle.plain(point.order)), Q=lambda q: q)
    (field, weight), (mean, probability) = oracle.equilibrium_fields(order, order.q, order.q_hat)
    x = (margin - mean) / np.sqrt(1 - order.q)
    ratio = np.exp(-0.5 * x**2 - log_ndtr(-x)) / np.sqrt(2 * np.pi)
    pattern = np.sum(probability * (ratio * (x - ratio) / (1 - order.q)) ** 2)
    site = np.sum(weight / np.cosh(field) ** 4)
    assert point.replicon == pytest.approx(1 - alpha * pattern * site, abs=1e-9)


@pytest.mark.parametrize("name", ["sign", "relu"])
def test_the_replicon_of_a_committee_has_the_terms_of_the_curvature_of_its_kernel(name):
    """``lambda = 1 - alpha (Q'² E[F''²] + Q'' E[F'²]) E[(1 - tanh²)²]`` ``Q`` in closed form."""
    alpha, margin = 0.7, 0.1
    point = jax.jit(lambda: fmjax.solve(fmjax.Equilibrium(fmjax.TreeCommittee(name, margin=margin)), alpha=alpha))()
    q, q_hat = float(point.order.q), float(point.order.q_hat)
    kernel, slope, curvature, power = {
        "sign": (
            2 / np.pi * np.arcsin(q),
            2 / np.pi / np.sqrt(1 - q**2),
            2 / np.pi * q / (1 - q**2) ** 1.5,
            1.0,
        ),
        "relu": (
            (np.sqrt(1 - q**2) + q * (np.pi / 2 + np.arcsin(q)) - 1) / (2 * np.pi),
            (np.pi / 2 + np.arcsin(q)) / (2 * np.pi),
            1 / (2 * np.pi * np.sqrt(1 - q**2)),
            0.5 - 0.5 / np.pi,
        ),
    }[name]
    u = np.linspace(-10, 10, 4001)
    weight = np.exp(-0.5 * u**2) / np.sqrt(2 * np.pi) * (u[1] - u[0])
    width = np.sqrt(power - kernel)
    x = (margin - np.sqrt(kernel) * u) / width
    ratio = np.exp(-0.5 * x**2 - log_ndtr(-x)) / np.sqrt(2 * np.pi)
    first, second = ratio / width, ratio * (x - ratio) / width**2
    pattern = slope**2 * np.sum(weight * second**2) + curvature * np.sum(weight * first**2)
    site = np.sum(weight / np.cosh(np.sqrt(q_hat) * u) ** 4)
    assert point.replicon == pytest.approx(1 - alpha * pattern * site, abs=1e-9)


@pytest.mark.parametrize("teacher", [False, True])
def test_the_replicon_around_a_reference_is_the_second_variation_with_broken_symmetry(teacher):
    """At fields of no saddle point: the two agree as functions."""
    alpha, margin = 0.7, 0.05
    model = fmjax.Perceptron(margin=margin, teacher=teacher)
    reference_fields = jnp.array([1.1, 0.8] if teacher else [1.1])
    fields = jnp.array([0.85, 0.37, 0.7, 1.2] if teacher else [0.85, 0.37, 1.2])
    load = jnp.asarray(alpha)
    reference = jax.jit(fmjax.Equilibrium(model).saddle)(reference_fields, EquilibriumControls(load)).order
    # The distance follows from the fields: no other one is looked at.
    controls = FranzParisiControls(load, jnp.asarray(jnp.nan), reference)
    saddle = jax.jit(fmjax.FranzParisi(model, reference_margin=0.2).saddle)(fields, controls)
    assert jnp.all(jnp.abs(saddle.residual) > 0.01)
    names = ("q", "t", "q_hat", "t_hat", "p_hat", "R", "R_hat")
    order = SimpleNamespace(
        **{name: float(getattr(saddle.order, name)) for name in names},
        p=1 - 2 * expit(float(saddle.position)),
        ref=SimpleNamespace(**vars(oracle.plain(reference)), margin=0.2),
    )
    assert saddle.replicon == pytest.approx(oracle.replicon(order, oracle.local_fields, alpha, margin), abs=1e-6)


def test_the_replicon_is_one_without_patterns():
    assert typical(1e-6, 0.0).replicon == pytest.approx(1.0, abs=1e-5)


def test_binary_weights_become_unstable_beyond_capacity_where_krauth_and_mezard_found_it():
    """Krauth and Mezard 1989: the line of de Almeida and Thouless at margin 0 is at ``alpha = 1.015``."""
    line = brentq(lambda alpha: float(typical(alpha, 0.0).replicon), 0.9, 1.1, xtol=1e-6)
    assert line == pytest.approx(1.015, abs=1e-3)
    assert typical(0.8330786, 0.0).replicon > 0.1


def test_spherical_weights_are_marginal_at_their_capacity():
    """Gardner and Derrida 1988: as ``q -> 1`` half of the patterns touch the margin 0, and ``lambda -> 1 - alpha / 2``."""
    gap = 1e-8
    functional = fmjax.Equilibrium(fmjax.Perceptron(weights=fmjax.Spherical()))
    saddle = jax.jit(functional.saddle)(jnp.array([(1 - gap) / gap**2]), EquilibriumControls(jnp.asarray(2.0)))
    assert saddle.order.gap == pytest.approx(gap, rel=1e-6)
    assert saddle.replicon == pytest.approx(0.0, abs=1e-3)
