"""Front doors of message passing: what people have in arrays is taken for what it is, or refused by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmjax.message_passing import Instance, belief_propagation, focusing, local_entropy
from tests.array_types import KEY, every_type


def test_signs_of_any_type_are_the_same_problem():
    """At even N a tie is an error: as real numbers, the patterns would have threshold 0 and not 2."""
    signs = np.asarray(Instance.random(KEY, 40, 0.5).patterns)
    weights = np.where(np.arange(40) % 3 == 0, -1, 1).astype(np.int8)
    sums = signs.astype(int) @ weights
    wanted = int((sums < 2).sum())
    assert (sums == 0).any()
    for patterns in every_type(signs):
        instance = Instance(patterns)
        assert instance.patterns.dtype == jnp.int8
        assert instance.threshold == 2
        assert int(instance.errors(weights)) == wanted
        np.testing.assert_array_equal(instance.patterns, signs)
    batch = Instance(np.stack([signs, -signs]).astype(np.int64))
    assert batch.errors(np.stack([weights, weights])).tolist() == [wanted, int((-sums < 2).sum())]


def test_inside_programs_a_tie_of_signs_is_an_error():
    """A traced float may be a sign: one that adds up to zero is on neither side."""
    errors = jax.jit(lambda patterns: Instance(patterns).errors(np.ones(4, np.int8)))
    assert int(errors(np.array([[1.0, 1.0, -1.0, -1.0], [1.0, 1.0, 1.0, -1.0]]))) == 1


def test_weights_and_references_of_any_type_are_the_same():
    instance = Instance.random(KEY, 40, 0.3)
    weights = np.where(np.arange(40) % 3 == 0, -1, 1)
    wanted, around = int(instance.errors(weights)), local_entropy(instance, weights, [0.0, 1.0]).entropy
    for same in every_type(weights):
        assert int(instance.errors(same)) == wanted
        np.testing.assert_array_equal(local_entropy(instance, same, [0.0, 1.0]).entropy, around)


def test_real_patterns_stay_real():
    drawn = np.random.default_rng(0).normal(size=(5, 12))
    for patterns in (drawn, drawn.astype(np.float32), jnp.asarray(drawn), drawn.tolist(), 2.0 * np.sign(drawn)):
        instance = Instance(patterns)
        assert instance.patterns.dtype == jnp.float32
        assert 0 < instance.threshold < 1e-37
        np.testing.assert_allclose(instance.patterns, np.asarray(patterns), rtol=1e-6)
    assert Instance(np.zeros((0, 12))).patterns.shape == (0, 12)


def test_labels_are_taken_in_any_type_and_as_a_column():
    signs, labels = np.asarray(Instance.random(KEY, 15, 1.0).patterns), np.where(np.arange(15) % 2, 1, -1)
    wanted = signs * labels[:, None]
    for same in [*every_type(labels), *every_type(labels[:, None])]:
        found = Instance.labelled(signs, same)
        assert found.patterns.shape == (15, 15)
        np.testing.assert_array_equal(found.patterns, wanted)
    traced = jax.jit(lambda labels: Instance.labelled(signs, labels).patterns)(labels[:, None])
    np.testing.assert_array_equal(traced, wanted)


def test_inside_programs_types_are_known_and_values_pass():
    batch = Instance.random(KEY, 20, 0.5, samples=3)
    weights = np.ones(20, np.int8)
    wanted = batch.errors(np.ones((3, 20))).tolist()
    for dtype in (jnp.int8, jnp.int32):
        patterns = batch.patterns.astype(dtype)
        assert jax.vmap(lambda one: Instance(one).errors(weights))(patterns).tolist() == wanted
        assert jax.jit(lambda all_of_them: Instance(all_of_them).threshold)(patterns) == 2
    found = jax.jit(lambda instance: focusing(instance).weights)(batch)
    np.testing.assert_array_equal(found, focusing(batch).weights)
    gradient = jax.grad(lambda gammas: local_entropy(Instance(batch.patterns[0]), weights, gammas).gamma.sum())
    assert gradient(jnp.asarray([0.0, 1.0])).tolist() == [1, 1]


@pytest.mark.parametrize("margin", [0.2, np.float32(0.2), jnp.float32(0.2), np.array(0.2), jnp.asarray(0.2)])
def test_a_margin_of_any_type_is_its_decimal_number(margin):
    """0.2 sqrt 100 = 2 lies on the lattice, and 0.2 of float32 is a little above."""
    assert Instance.random(KEY, 100, 0.1, margin).threshold == 2
    assert Instance(np.ones((1, 100)), margin).margin == 0.2


def test_numbers_of_any_type_are_sizes_and_loads_and_old_keys_are_keys():
    wanted = Instance.random(KEY, 20, 0.5)
    for size, alpha in ((20, 0.5), (np.int64(20), np.float32(0.5)), (20.0, jnp.float32(0.5)), (jnp.asarray(20), 0.5)):
        np.testing.assert_array_equal(Instance.random(jax.random.PRNGKey(0), size, alpha).patterns, wanted.patterns)


def test_messages_of_another_precision_are_a_start():
    instance = Instance.random(KEY, 51, 0.3)
    single, double = (belief_propagation(instance, dtype=dtype) for dtype in (jnp.float32, jnp.float64))
    again = belief_propagation(instance, start=single.messages, dtype=jnp.float64)
    np.testing.assert_allclose(again.fields, double.fields, atol=1e-5)


X = "np.where(np.arange(44).reshape(4, 11) % 3 == 0, -1, 1)"
I = f"fmjax.message_passing.Instance({X})"
E = "__import__('fmjax.message_passing.experiment', fromlist=['experiment'])"
B = "fmjax.message_passing.belief_propagation(fmjax.message_passing.Instance.random(jax.random.key(0), 11, 0.5))"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (f"fmjax.message_passing.Instance({X} > 0)", ["patterns", "True and False", "np.where(patterns, 1, -1)"]),
        (f"fmjax.message_passing.Instance(({X} > 0).astype(np.int8))", ["patterns", "but 0", "np.where(patterns, 1, -1)"]),
        (f"fmjax.message_passing.Instance(({X} > 0).astype(np.uint8))", ["patterns", "but 0", "np.where(patterns, 1, -1)"]),
        (f"fmjax.message_passing.Instance(({X} > 0).astype(float))", ["patterns", "but 0.0", "np.where(patterns, 1, -1)"]),
        (f"fmjax.message_passing.Instance(jax.numpy.asarray({X} > 0, int))", ["patterns", "but 0"]),
        (f"fmjax.message_passing.Instance(2 * {X})", ["patterns", "unit variance", "2"]),
        (f"fmjax.message_passing.Instance(np.where({X} > 0, np.nan, 1))", ["patterns", "NaN or infinite", "of 44"]),
        (f"fmjax.message_passing.Instance(np.where({X} > 0, np.inf, 0.5))", ["patterns", "NaN or infinite"]),
        (f"fmjax.message_passing.Instance(np.where({X} > 0, 1e300, 0.5))", ["patterns", "1e+300", "float32 holds"]),
        (f"fmjax.message_passing.Instance(1e-60 * np.where({X} > 0, 1, 0.5))", ["patterns", "1e-60", "their scale"]),
        (f"fmjax.message_passing.Instance({X}[0])", ["patterns", "(P, N)", "(11,)"]),
        ("fmjax.message_passing.Instance(1)", ["patterns", "(P, N)", "()"]),
        ("fmjax.message_passing.Instance(np.zeros((3, 0)))", ["patterns", "(3, 0)"]),
        ("fmjax.message_passing.Instance([[1, -1], [1]])", ["patterns", "rows differ"]),
        ("fmjax.message_passing.Instance([['a', 'b']])", ["patterns", "real numbers"]),
        (
            f"fmjax.message_passing.Instance(np.ma.masked_less({X}, 0))",
            ["patterns", "15 of 44 are masked", "leave them out"],
        ),
        (f"fmjax.message_passing.Instance({X}, True)", ["margin", "not True"]),
        (f"fmjax.message_passing.Instance({X}, np.ma.array(5.0, mask=True))", ["margin", "1 of 1 are masked"]),
        (f"fmjax.message_passing.Instance({X}.astype('m8[s]'))", ["patterns", "real numbers", "timedelta64"]),
        (f"fmjax.message_passing.Instance({X} * 1j)", ["patterns", "real numbers", "complex"]),
        (f"fmjax.message_passing.Instance({X}, float('nan'))", ["margin", "nan"]),
        (f"fmjax.message_passing.Instance({X}, np.array([0.1]))", ["margin", "shape (1,)"]),
        (f"jax.jit(lambda k: fmjax.message_passing.Instance({X}, k).threshold)(0.1)", ["margin", "traced", "jax.jit"]),
        (
            f"jax.jit(lambda x: fmjax.message_passing.Instance(x).threshold)({X} > 0)",
            ["patterns", "True and False", "np.where"],
        ),
        (f"jax.jit(lambda x: fmjax.message_passing.Instance(x).threshold)(({X} > 0).astype(np.uint8))", ["no -1"]),
        (f"fmjax.message_passing.Instance.labelled({X}, np.ones(1))", ["labels", "(4,)", "(1,)"]),
        (f"fmjax.message_passing.Instance.labelled({X}, np.ones((1, 4)))", ["labels", "(4,)", "(1, 4)"]),
        (f"fmjax.message_passing.Instance.labelled({X}, [True, False, True, True])", ["labels", "True and False"]),
        (f"fmjax.message_passing.Instance.labelled({X}, [1, 0, 1, 1])", ["labels", "but 0", "np.where(labels, 1, -1)"]),
        (f"fmjax.message_passing.Instance.labelled({X}, [1, 2, 1, 1])", ["labels", "but 2 is among them"]),
        (f"fmjax.message_passing.Instance.labelled({X} > 0, np.ones(4))", ["patterns", "True and False"]),
        (f"fmjax.message_passing.Instance.labelled({X}[None], np.ones(4))", ["patterns", "(P, N)", "(1, 4, 11)"]),
        (f"{I}.errors(np.ones(11) > 0)", ["weights", "True and False", "np.where(weights, 1, -1)"]),
        (f"{I}.errors(np.ones(1))", ["weights", "(11,)", "(1,)"]),
        (f"{I}.errors(np.ones((11, 1)))", ["weights", "(11,)", "(11, 1)"]),
        (f"{I}.errors(0.3 * np.ones(11))", ["weights", "0.3"]),
        (f"{I}.sums(np.zeros(11))", ["weights", "0.0"]),
        (f"{I}.sums([1, np.nan, *[1] * 9])", ["weights", "nan"]),
        ("fmjax.message_passing.Instance.random(0, 11, 0.5)", ["key", "jax.random.key(0)", "not 0"]),
        ("fmjax.message_passing.Instance.random(jax.random.split(jax.random.key(0)), 11, 0.5)", ["one key", "(2,)"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), 11.5, 0.5)", ["size", "whole number", "11.5"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), '11', 0.5)", ["size", "'11'"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), 11, [0.5])", ["alpha", "[0.5]"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), 11, 0.5, samples=0)", ["samples", "at least 1", "0"]),
        ("fmjax.message_passing.Instance.random(jax.random.key(0), 11, 0.5, kind='normal')", ["'gaussian'", "'normal'"]),
        (f"fmjax.message_passing.focusing({X})", ["instance", "Instance(patterns)", "(4, 11)"]),
        (f"fmjax.message_passing.focusing({I}, 500)", ["schedule", "PseudoReinforcement", "500"]),
        (f"fmjax.message_passing.focusing({I}, to_the_end='yes')", ["to_the_end must be True or False, not 'yes'"]),
        (f"fmjax.message_passing.focusing({I}, to_the_end=1)", ["to_the_end must be True or False, not 1"]),
        (
            f"fmjax.message_passing.FocusingClassifier().fit(np.ma.masked_less({X}, 0), [0, 1, 0, 1])",
            ["X", "15 of 44 are masked"],
        ),
        (
            f"fmjax.message_passing.FocusingClassifier().fit({X}, np.ma.masked_less([0, 1, 0, 1], 1))",
            ["y", "2 of 4 are masked"],
        ),
        (f"fmjax.message_passing.focusing({I}, damping=np.nan)", ["damping", "nan"]),
        (f"fmjax.message_passing.focusing({I}, tolerance=0)", ["tolerance", "positive", "0"]),
        (f"fmjax.message_passing.focusing({I}, form='map')", ["form", "'amp' or 'edge'", "'map'"]),
        (f"fmjax.message_passing.focusing({I}, fmjax.message_passing.Reinforcement(2.5))", ["steps", "2.5"]),
        ("fmjax.message_passing.PseudoReinforcement(0)", ["steps of a schedule", "at least 1", "not 0"]),
        ("fmjax.message_passing.Reinforcement(sweeps='all')", ["sweeps", "at least 1", "'all'"]),
        ("fmjax.message_passing.Scoping(y=1.5)", ["y must be at least 2, or inf, not 1.5"]),
        ("fmjax.message_passing.Scoping(gamma_max=np.inf)", ["gamma_max must be positive and finite, not inf"]),
        (f"fmjax.message_passing.polarisation({I}, sweeps=2.5)", ["sweeps", "2.5"]),
        (f"fmjax.message_passing.belief_propagation({I}, dtype='half')", ["dtype", "float32", "float16"]),
        (f"fmjax.message_passing.belief_propagation({I}, sweeps=1.5)", ["sweeps", "1.5"]),
        (f"fmjax.message_passing.belief_propagation({I}, np.full(11, np.inf))", ["fields", "11 of 11"]),
        (f"fmjax.message_passing.belief_propagation({I}, np.full(11, 1e39))", ["fields", "1e+39", "float32 holds"]),
        (f"fmjax.message_passing.belief_propagation({I}, np.ones(11) > 0)", ["fields", "True and False"]),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(11), [True])", ["gammas", "True and False"]),
        (f"fmjax.message_passing.belief_propagation({I}, start=np.zeros(11))", ["start", "beliefs.messages"]),
        (
            f"fmjax.message_passing.belief_propagation({I}, start=fmjax.message_passing.AMP(np.zeros(3), np.zeros(4)))",
            ["start.field", "(11,)", "(3,)"],
        ),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(11) > 0)", ["solution", "True and False"]),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(1))", ["solution", "(11,)", "(1,)"]),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(11), 0.5)", ["gammas", "increasing"]),
        (f"fmjax.message_passing.local_entropy({I}, np.ones(11), [])", ["gammas", "increasing"]),
        (f"fmjax.message_passing.bethe_entropy({I}, {X})", ["beliefs", "belief_propagation(instance)"]),
        (f"fmjax.message_passing.bethe_entropy({I}, {B})", ["beliefs.messages.response", "(4,)", "(6,)"]),
        (
            f"jax.jit(lambda i: fmjax.message_passing.belief_propagation(i).result)({I})",
            ["sentence", "inside jax.jit", "status"],
        ),
        (f"{E}.find_solutions(11, 0.5, seeds=[])", ["seeds", "at least one"]),
        (f"{E}.find_solutions(11, 0.5, seeds=[0.5])", ["seed", "0.5"]),
        (f"{E}.measure_entropies(11, 0.5, seeds=[0], rows=1)", ["rows", "at least 2"]),
    ],
)
def test_what_message_passing_cannot_take_is_refused_by_name(call, named, without_type_checks):
    message = without_type_checks(call)
    assert all(name in message for name in named), message
