"""Infinitely many replicas around a centre that is a solution: the integrals of the limit, identities, other ensembles."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_ndtr

import fmjax
from fmjax.replica import RobustEnsembleControls

ALPHA, MARGIN, STEP = 0.6, 0.2, 1e-4
MODEL = fmjax.Perceptron()
DISTANCES = np.array([0.01, 0.05, 0.1, 0.15 - STEP, 0.15, 0.15 + STEP, 0.2, 0.22])


def around(replicas=math.inf, margin=MARGIN, model=MODEL, **others):
    return fmjax.CentredEnsemble(model, replicas, centre="solution", centre_margin=margin, **others)


@pytest.fixture(scope="module")
def frozen():
    found = fmjax.curve(around(), alpha=ALPHA, distance=DISTANCES)
    assert np.all(found.converged), found.result
    return found


def largest(slope, low, high):
    """Where a concave function is largest, by halving where its ``slope`` changes sign."""
    for _ in range(50):
        middle = 0.5 * (low + high)
        up = slope(middle) > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return 0.5 * (low + high)


def test_the_entropy_is_that_of_maxima_over_what_replicas_share_at_the_saddle(frozen):
    """On a grid along the centre's own field and the rest of that of the replicas, in the other order."""
    o = jax.tree.map(lambda leaf: float(leaf[4]), frozen.order)
    grid = np.arange(-7.5, 7.5, 0.02)
    density = np.exp(-0.5 * grid**2)
    density /= density.sum()
    own, rest = grid[:, None], grid
    root, p = math.sqrt(o.centre_hat), 1 - 2 * DISTANCES[4]
    s = np.array([1.0, -1.0])[:, None, None]
    field = o.t_hat / root * own + math.sqrt(o.q0_hat - o.t_hat**2 / o.centre_hat) * rest + o.p_hat * s
    share = math.sqrt(o.stretch_hat)
    assert share < 1.0  # one maximum
    v = largest(lambda v: share * np.tanh(field + share * v) - v, -share + 0 * field, share + 0 * field)
    at = field + share * v
    site = np.max(s * root * own - 0.5 * v**2 + np.logaddexp(at, -at), axis=0)

    width, spread = math.sqrt(1 - o.q1), math.sqrt(o.stretch)
    free, follows = o.centre_stretch - o.t_stretch**2 / o.stretch, o.t_stretch / spread
    seen = p * own + math.sqrt(o.q1 - p**2) * rest

    def potential(w):
        lacks = np.maximum(MARGIN - own - follows * w, 0.0)
        return -0.5 * w**2 + log_ndtr((seen + spread * w) / width) - 0.5 * lacks**2 / free

    w = largest(lambda w: potential(w + 1e-6) - potential(w - 1e-6), -9.0 + 0 * seen, 9.0 + 0 * seen)
    entropy = density @ site @ density + ALPHA * density @ potential(w) @ density
    entropy -= 0.5 * (o.q0_hat * (1 - o.q1) + o.q1 * o.stretch_hat + o.q0_hat * o.stretch)
    entropy -= p * o.p_hat + o.t_stretch * o.t_hat + 0.5 * o.centre_hat * o.centre_stretch
    assert entropy == pytest.approx(float(frozen.entropy[4]), abs=1e-6)


def test_fields_imply_order_parameters_at_which_the_free_entropy_has_their_value_and_no_slope(frozen):
    order = jax.tree.map(lambda leaf: leaf[4], frozen.order)
    at = RobustEnsembleControls(jnp.asarray(ALPHA), jnp.asarray(DISTANCES[4]))
    value, slopes = jax.jit(jax.value_and_grad(lambda order: around()(order, at)))(order)
    assert value == pytest.approx(float(frozen.entropy[4]), abs=1e-10)
    assert max(abs(float(slope)) for slope in jax.tree.leaves(slopes)) < 1e-8


def test_the_slope_is_that_of_differences_and_derivatives_are(frozen):
    def entropy(margin, alpha):
        return fmjax.curve(around(margin=margin), alpha=alpha, distance=DISTANCES).entropy[4]

    assert frozen.slope[4] == pytest.approx(float(frozen.entropy[5] - frozen.entropy[3]) / (2 * STEP), abs=1e-6)
    by_margin, by_alpha = jax.grad(entropy, (0, 1))(MARGIN, ALPHA)
    for found, more, less in (
        (by_margin, (MARGIN + STEP, ALPHA), (MARGIN - STEP, ALPHA)),
        (by_alpha, (MARGIN, ALPHA + STEP), (MARGIN, ALPHA - STEP)),
    ):
        assert found == pytest.approx(float(entropy(*more) - entropy(*less)) / (2 * STEP), abs=1e-6)


def test_more_nodes_give_the_same_within_the_error_estimates(frozen):
    finer = fmjax.curve(around(nodes=(1920, 180, 120)), alpha=ALPHA, distance=DISTANCES)
    for number in ("entropy", "slope"):
        changed = np.abs(np.asarray(getattr(finer, number) - getattr(frozen, number)))
        assert np.all(changed <= np.asarray(frozen.error_estimate))
        assert np.all(changed < 1e-9)


def test_more_replicas_see_denser_regions_up_to_infinitely_many_around_which_there_are_fewer_than_around_any_weights(frozen):
    few, many = (fmjax.curve(around(y), alpha=ALPHA, distance=DISTANCES).order.local_entropy for y in (16.0, 64.0))
    free = fmjax.curve(fmjax.CentredEnsemble(MODEL, math.inf), alpha=ALPHA, distance=DISTANCES)
    inside = slice(0, 4)  # beyond, the curve of infinitely many replicas is about to end
    assert np.all(few[inside] < many[inside])
    assert np.all(many[inside] < frozen.entropy[inside])
    assert np.all(frozen.entropy <= free.entropy + frozen.error_estimate)
    assert np.all(free.entropy[1:7] - frozen.entropy[1:7] > 1e-7)


def test_next_to_the_centre_it_solves_by_itself_what_its_replicas_solve(frozen):
    free = fmjax.curve(fmjax.CentredEnsemble(MODEL, math.inf), alpha=ALPHA, distance=DISTANCES)
    assert frozen.entropy[0] == pytest.approx(float(free.entropy[0]), abs=1e-10)
    assert frozen.slope[0] == pytest.approx(float(free.slope[0]), abs=1e-7)
    assert frozen.order.centre_hat[0] < 1e-15


@pytest.mark.parametrize(
    ("model", "alpha", "distance"),
    [
        (fmjax.Perceptron(margin=1.0), 0.25, 0.01),  # all replicas turn together: their field scatters by more than one
        (fmjax.Perceptron(margin=1.0), 0.25, 0.08),
        (fmjax.Perceptron(margin=-1.0), 3.0, 0.15),
        (fmjax.TreeCommittee("relu"), 0.6, 0.15),
        (fmjax.Perceptron(), 0.05, 0.15),
        (fmjax.Perceptron(), 0.3, 0.003),  # of a field that all groups share of 1e-28
        (fmjax.Perceptron(), 0.8, 0.1),
    ],
)
def test_every_model_and_load_has_the_slope_of_differences(model, alpha, distance):
    step = 2e-3 * distance
    found = fmjax.curve(around(margin=None, model=model), alpha=alpha, distance=distance + step * np.array([-1.0, 0.0, 1.0]))
    assert np.all(found.converged), found.result
    assert found.slope[1] == pytest.approx(float(found.entropy[2] - found.entropy[0]) / (2 * step), abs=1e-5)


@pytest.mark.parametrize(
    ("margin", "load", "centre_margin", "distance"),
    [
        (0.8, 0.054, 1.6, 0.032),
        (0.7845, 0.0539, 1.5923, 0.0296),
        (-0.4768, 0.4014, 0.2441, 0.02106),
        (-0.7429, 1.2718, -0.28, 0.0128),
    ],
)
def test_rows_close_to_centres_of_committees_lie_below_those_of_any_weights(margin, load, centre_margin, distance):
    """In coordinates that vanish with the field that groups share these had other entropies, also negative ones."""
    model, at = fmjax.TreeCommittee("relu", margin), np.array([distance])
    held = fmjax.curve(around(margin=centre_margin, model=model), alpha=load, distance=at)
    free = fmjax.curve(fmjax.CentredEnsemble(model, math.inf), alpha=load, distance=at)
    assert held.converged[0]
    assert free.converged[0]
    apart = float(free.entropy[0] - held.entropy[0])
    assert abs(apart) <= float(held.error_estimate[0] + free.error_estimate[0])


def test_a_row_does_not_depend_on_the_others_that_are_asked_for():
    model = fmjax.TreeCommittee("relu", -0.8897)
    lists = [0.00965], [0.00965, 0.02], [0.00965, 0.02, 0.05, 0.1], [0.009, 0.00965, 0.0105, 0.012]
    rows = [fmjax.curve(around(margin=-1.0401, model=model), alpha=2.8157, distance=each) for each in lists]
    entropies = [float(found.entropy[each.index(0.00965)]) for found, each in zip(rows, lists, strict=True)]
    np.testing.assert_allclose(entropies, entropies[0], rtol=0, atol=1e-12)
