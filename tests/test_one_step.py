"""One step of replica-symmetry breaking: its limits, its literal form, and what it says of known models."""

import json
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

import fmjax
from fmjax.cli import app
from fmjax.models import Constraint
from fmjax.replica import EquilibriumControls, FranzParisiControls, OneStep
from fmjax.solvers.one_step import ClusterSearch
from fmjax.special import log_H
from tests.oracles import one_step as oracle, stability

ALPHA = 0.75
BROKEN_ALPHA = 0.4
DISTANCES = np.array([0.0070, 0.0075, 0.0080, 0.02, 0.1, 0.3])


class Outside(Constraint):
    """Stability of at least ``margin`` in absolute value: replica symmetry is known to be unstable for margins above 0.8."""

    margin: jax.Array

    def log_weight(self, mean, std):
        return jnp.logaddexp(log_H((self.margin - mean) / std), log_H((self.margin + mean) / std))

    def edges(self):
        return jnp.stack([-self.margin, self.margin])

    def support(self):
        return jnp.asarray(-jnp.inf), jnp.asarray(jnp.inf)


def outside(margin):
    return eqx.tree_at(lambda model: model.constraint, fmjax.Perceptron(), Outside(jnp.asarray(margin)))


@pytest.fixture(scope="module")
def typical():
    return fmjax.clusters(fmjax.Equilibrium(fmjax.Perceptron()), alpha=ALPHA)


@pytest.fixture(scope="module")
def local():
    functional = fmjax.FranzParisi(fmjax.Perceptron(), reference_margin=0.0)
    return fmjax.clusters(functional, alpha=ALPHA, distance=DISTANCES)


@pytest.fixture(scope="module")
def broken():
    return fmjax.clusters(fmjax.Equilibrium(outside(1.2)), alpha=BROKEN_ALPHA)


def fields_of(order):
    """Those of typical solutions, random labels."""
    return jnp.stack([order.q_hat])


@jax.jit
def implied(one, unknowns, controls, m):
    """Free entropy, complexity, order parameters and ``q1``: the overlaps are those that the fields imply."""
    saddle, broken = one(unknowns, controls, jnp.asarray(m))
    return saddle.value + broken.value, broken.complexity, saddle.order, 1.0 - broken.gap, jax.nn.sigmoid(saddle.position)


def test_without_breaking_nothing_depends_on_m(typical):
    one = OneStep(fmjax.Equilibrium(fmjax.Perceptron()))
    order, controls = typical.symmetric.order, EquilibriumControls(jnp.asarray(ALPHA))
    for m in (0.05, 0.5, 0.999999, 1.0, 3.0):
        found, *_ = implied(one, jnp.append(fields_of(order), 0.0), controls, m)
        assert float(found) == pytest.approx(float(typical.symmetric.entropy), abs=1e-12)


@pytest.mark.parametrize("kind", ["perceptron", "relu", "outside"])
@pytest.mark.parametrize("m", [0.3, 0.8, 0.99999, 1.0, 1.00001, 2.0])
def test_it_is_the_literal_free_entropy_of_typical_solutions(m, kind):
    model, log_weight, kernel = {
        "perceptron": (fmjax.Perceptron(margin=0.1), oracle.margin(0.1), lambda q: q),
        "relu": (
            fmjax.TreeCommittee("relu", margin=0.1),
            oracle.margin(0.1 / np.sqrt(0.5 - 0.5 / np.pi)),
            lambda q: (np.sqrt(1 - q**2) + q * (np.pi / 2 + np.arcsin(q)) - 1) / (np.pi - 1),
        ),
        "outside": (outside(1.2), oracle.outside(1.2), lambda q: q),
    }[kind]
    one, alpha = OneStep(fmjax.Equilibrium(model)), 0.6
    controls = EquilibriumControls(jnp.asarray(alpha))
    value, complexity, order, q1, _ = implied(one, jnp.array([0.8, 0.9]), controls, m)
    q0, q1, q0_hat = float(order.q), float(q1), float(order.q_hat)
    q1_hat = q0_hat + 0.9
    at = SimpleNamespace(q=q0, q_hat=q0_hat, R=0.0, R_hat=0.0, Q=kernel)
    fields = stability.equilibrium_fields(at, q0, q0_hat)

    def literal(m):
        return oracle.free_entropy(fields, q0, q1, q0_hat, q1_hat, m, alpha, log_weight, kernel=kernel)

    step = 0.02
    finer, coarser = ((literal(m + s) - literal(m - s)) / (2 * s) for s in (step, 2 * step))
    assert float(value) == pytest.approx(literal(m), abs=2e-9)
    assert float(-complexity / m**2) == pytest.approx((4 * finer - coarser) / 3, abs=5e-6)


def test_frozen_clusters_have_the_symmetric_entropy_over_m(typical):
    # As q1 -> 1 and q1^ -> infinity: 2cosh^m -> exp(m |h|) and H^m -> a step, which integrate to the symmetric forms of a
    # field m² q0^; the approach is like sqrt(1 - q1).
    one = OneStep(fmjax.Equilibrium(fmjax.Perceptron()), (480, 400, 400))
    order, entropy = typical.symmetric.order, float(typical.symmetric.entropy)
    controls = EquilibriumControls(jnp.asarray(ALPHA))
    for m in (0.4, 0.7):
        gaps = []
        for still in (18.0, 30.0):  # m² (q1^ - q0^): what is left of 1 - q1 vanishes exponentially
            unknowns = jnp.append(fields_of(order), still) / m**2
            value, *_ = implied(one, unknowns, controls, m)
            gaps.append(abs(float(value) - entropy / m))
        assert gaps[0] < 5e-3
        assert gaps[1] < 0.5 * gaps[0]


def test_typical_solutions_of_the_perceptron_are_isolated(typical):
    """Krauth and Mezard 1989: frozen, every solution a cluster of its own, and the replica-symmetric entropy is exact."""
    assert typical.result == "converged"
    assert typical.phase == "isolated solutions, replica symmetry is exact"
    assert float(typical.entropy) == float(typical.symmetric.entropy) == float(typical.complexity)
    assert (float(typical.q1), float(typical.m), float(typical.internal_entropy)) == (1.0, 1.0, 0.0)
    assert not np.any(typical.roots.stable)


def test_the_barrier_around_typical_solutions_is_the_minimum_of_the_local_entropy_at_equal_margins(typical, local):
    """At m = 1 a cluster of overlap q1 is a solution with its neighbours: the Franz-Parisi potential where it is flat."""
    symmetric = local.symmetric
    assert np.all(symmetric.converged)
    d, slope, phi = (np.asarray(values)[1:3] for values in (symmetric.distance, symmetric.slope, symmetric.entropy))
    assert slope[0] < 0.0 < slope[1] or slope[0] * slope[1] > 0.0
    bend = (slope[1] - slope[0]) / (d[1] - d[0])
    lowest = d[0] - slope[0] / bend
    barrier = float(typical.roots.q1[0])
    assert 0.5 * (1.0 - barrier) == pytest.approx(lowest, abs=2e-5)
    inside = phi[0] - 0.5 * slope[0] ** 2 / bend
    assert float(typical.roots.internal_entropy[0]) == pytest.approx(inside, abs=1e-7)


def test_the_small_solution_appears_where_the_replicon_vanishes(local):
    """Just before, its barrier has nearly the overlap q0; beyond, the potential falls nowhere near q0."""
    replicon, left = np.asarray(local.symmetric.replicon), np.asarray(local.potential.excess)[:, 5]
    assert np.any(replicon > 0)
    assert np.any(replicon < 0)
    np.testing.assert_array_equal(left < 0, replicon > 0)


def test_where_the_symmetric_entropy_is_negative_there_are_no_solutions(local):
    entropy, phase = np.asarray(local.symmetric.entropy), np.asarray(local.phase)
    assert np.any(entropy < 0)
    np.testing.assert_array_equal(phase == "no solutions", entropy < 0)
    np.testing.assert_array_equal(phase == "isolated solutions, replica symmetry is exact", entropy > 0)
    np.testing.assert_allclose(local.complexity, entropy, rtol=0, atol=0)


def test_at_m_one_complexity_and_internal_entropy_add_up_to_the_symmetric_entropy(local):
    total = local.roots.complexity + local.roots.internal_entropy
    found = np.isfinite(total)
    assert found.any()
    expected = np.broadcast_to(np.asarray(local.symmetric.entropy)[:, None], total.shape)
    np.testing.assert_allclose(np.asarray(total)[found], expected[found], rtol=0, atol=1e-12)


def test_broken_symmetry_is_stationary_in_all_order_parameters_of_the_literal_free_entropy(broken):
    """The perceptron with |stability| > 1.2: replica symmetry is unstable where its entropy is positive."""
    assert broken.result == "converged"
    assert broken.phase == "clusters, replica symmetry is broken"
    assert float(broken.symmetric.replicon) < 0.0
    assert 0.0 < float(broken.m) < 1.0
    assert float(broken.q0) < float(broken.symmetric.order.q) < float(broken.q1)
    assert float(broken.complexity) == pytest.approx(0.0, abs=1e-9)
    assert 0.0 < float(broken.entropy) < float(broken.symmetric.entropy) - 1e-5
    assert float(broken.internal_entropy) == pytest.approx(float(broken.entropy), abs=1e-8)

    at = np.array([float(getattr(broken, name)) for name in ("q0", "q1", "q0_hat", "q1_hat", "m")])

    def literal(parameters):
        q0, q1, q0_hat, q1_hat, m = parameters
        order = SimpleNamespace(q=q0, q_hat=q0_hat, R=0.0, R_hat=0.0, Q=lambda q: q)
        fields = stability.equilibrium_fields(order, q0, q0_hat)
        return oracle.free_entropy(fields, q0, q1, q0_hat, q1_hat, m, BROKEN_ALPHA, oracle.outside(1.2))

    assert literal(at) == pytest.approx(float(broken.entropy), abs=1e-9)
    for index in range(5):
        step = 1e-3 * np.eye(5)[index] * at[index]
        slope = (literal(at + step) - literal(at - step)) / (2e-3 * at[index])
        assert slope == pytest.approx(0.0, abs=2e-6)


def test_twice_the_nodes_give_the_same_broken_entropy(broken):
    one = OneStep(fmjax.Equilibrium(outside(1.2)).resized(2.0), (960, 192, 128))

    def solve(alpha):
        point = fmjax.solve(one.symmetric, alpha=alpha)
        return ClusterSearch()(one, point, fields_of(point.order), EquilibriumControls(alpha), None)

    fine = jax.jit(solve)(jnp.asarray(BROKEN_ALPHA))
    assert fine.result == "converged"
    difference = abs(float(fine.entropy) - float(broken.entropy))
    assert difference < 1e-9
    assert difference <= float(broken.error_estimate) + 1e-10  # the complexity is zero to 1e-10, and m to what that allows


def test_the_command_gives_the_one_step_answer_of_every_row():
    arguments = ["--alpha", str(ALPHA), "--reference-margin", "0", "--rsb", "1"]
    flags = [flag for d in DISTANCES for flag in ("--distance", str(d))]
    result = CliRunner().invoke(app, ["franz-parisi", *arguments, *flags, "--json"])
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["rsb"] == 1
    for row in document["rows"]:
        assert row["result"] == "converged"
        assert row["block_size"] == 1.0
        assert row["cluster_overlap"] == 1.0
        assert row["symmetric_entropy"] == row["entropy"]
        assert row["complexity"] == row["entropy"]
        assert row["phase"] == ("no solutions" if row["entropy"] < 0 else "isolated solutions, replica symmetry is exact")


def test_only_binary_weights_and_symmetric_functionals_have_clusters():
    spherical = eqx.tree_at(lambda model: model.weights, fmjax.Perceptron(), fmjax.Spherical())
    with pytest.raises(ValueError, match="binary weights, not of Spherical"):
        fmjax.clusters(fmjax.Equilibrium(spherical), alpha=0.5)
    ensemble = fmjax.RobustEnsemble(fmjax.Perceptron(), 3.0)
    with pytest.raises(TypeError, match="not RobustEnsemble"):
        fmjax.clusters(ensemble, alpha=0.5, distance=np.array([0.1]))
    with pytest.raises(ValueError, match="one-dimensional"):
        fmjax.clusters(fmjax.FranzParisi(fmjax.Perceptron(), reference_margin=0.1), alpha=0.5, distance=0.1)


def test_a_reference_changes_the_fields_and_nothing_else():
    """The literal free entropy with the fields of a cavity that holds a reference."""
    model, alpha, m = fmjax.Perceptron(), 0.5, 0.6
    functional = fmjax.FranzParisi(model, reference_margin=0.2)
    reference = fmjax.solve(fmjax.Equilibrium(model.with_margin(0.2)), alpha=alpha).order
    controls = FranzParisiControls(jnp.asarray(alpha), jnp.asarray(0.1), reference)
    unknowns = jnp.array([0.7, 0.4, 0.8, 1.1])
    value, _, order, q1, distance = implied(OneStep(functional), unknowns, controls, m)
    at = SimpleNamespace(
        **{name: float(getattr(order, name)) for name in ("q", "t", "q_hat", "t_hat", "p_hat", "R", "R_hat")}
    )
    at.p, at.Q = 1.0 - 2.0 * float(distance), lambda q: q
    at.ref = SimpleNamespace(q=float(reference.q), q_hat=float(reference.q_hat), R=0.0, R_hat=0.0, margin=0.2)
    rest = at.t * at.t_hat - at.p * at.p_hat
    expected = oracle.free_entropy(
        stability.local_fields(at, at.q, at.q_hat),
        *(at.q, float(q1), at.q_hat, at.q_hat + float(unknowns[-1]), m, alpha, oracle.margin(0.0)),
        rest=rest,
    )
    assert float(value) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_clusters_of_a_sweep_are_those_of_the_front_door(local, out):
    grid = {"alpha": ALPHA, "reference_margin": [0.0, 0.5], "distance": DISTANCES[3:5]}
    found = fmjax.sweep({"quantity": "clusters", "grid": grid}, out)
    row = found.sel(reference_margin=0.0)
    np.testing.assert_allclose(row.entropy, local.entropy[3:5], atol=1e-12)
    np.testing.assert_allclose(row.symmetric_entropy, local.symmetric.entropy[3:5], atol=1e-12)
    for code, phase in zip(row.phase.to_numpy(), local.phase[3:5], strict=True):
        assert f"{code}: {phase}" in found.phase.long_name
    beyond = found.sel(reference_margin=0.5)  # kappa_max(0.75) = 0.08
    assert np.isnan(beyond.entropy).all()
    assert set(beyond.phase.to_numpy()) == {5}
