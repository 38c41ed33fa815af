"""Theory inside programs: constants, checks while they are traced, sentences."""

import jax
import jax.numpy as jnp
import pytest

import fmjax

PERCEPTRON = fmjax.Perceptron()


@pytest.mark.parametrize(
    "program",
    [
        lambda d: fmjax.solve(fmjax.FranzParisi(PERCEPTRON, 0.3), alpha=0.5, distance=d).entropy,
        lambda d: d * fmjax.thresholds.capacity(fmjax.Perceptron(margin=0.1)).value,
        lambda d: d * fmjax.thresholds.robust_capacity(PERCEPTRON, 4.0).value,
    ],
    ids=["local entropy", "capacity", "replicas"],
)
def test_programs_may_hold_models_and_loads_as_constants(program):
    assert jax.eval_shape(program, jnp.asarray(0.1)).shape == ()


@pytest.mark.parametrize(
    ("program", "named"),
    [
        (lambda d: fmjax.solve(fmjax.FranzParisi(PERCEPTRON, 0.9), alpha=0.5, distance=d).entropy, "kappa_max = 0.418062"),
        (lambda d: d * fmjax.thresholds.capacity(fmjax.Perceptron(margin=-21.0)).value, "between -20 and 20"),
    ],
    ids=["local entropy", "capacity"],
)
def test_constants_of_a_program_are_checked_while_it_is_traced(program, named):
    with pytest.raises(ValueError, match=named):
        jax.eval_shape(program, jnp.asarray(0.1))


def test_a_sentence_inside_a_program_is_refused_by_a_sentence():
    def result(alpha):
        return len(fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=alpha).result)

    with pytest.raises(ValueError, match="return its status"):
        jax.eval_shape(result, 0.5)
