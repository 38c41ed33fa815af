"""What is compiled, how often and where."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmjax
from fmjax import compilation
from fmjax.compilation import Program, compile_ahead, compiled_together
from fmjax.solvers.newton import root_of


def fresh_chain():
    @Program
    def first(x):
        return jnp.sin(x), jnp.sum(x)

    @Program
    def second(x, total, unused):
        return jnp.where(jnp.isnan(unused), x * total, x + total)

    def chain(call, x):
        sine, total = call(first, x)
        return call(second, sine, total, jnp.nan * total)

    return chain


def composed(x):
    return jnp.sin(x) * jnp.sum(x)


@pytest.fixture
def compilations_are_logged():
    jax.config.update("jax_log_compiles", True)  # the context manager of the same name is for one thread
    yield
    jax.config.update("jax_log_compiles", False)


@pytest.mark.usefixtures("compilations_are_logged")
def test_every_program_of_a_chain_is_compiled_once_and_in_another_thread(caplog):
    x = jnp.arange(4.0)
    found = compiled_together(fresh_chain(), x)
    compiled = [record for record in caplog.records if record.message.startswith("Finished XLA compilation of jit(")]
    threads = {name: [r.threadName for r in compiled if f"jit({name})" in r.message] for name in ("first", "second")}
    assert [len(where) for where in threads.values()] == [1, 1]
    assert threading.current_thread().name not in threads["first"] + threads["second"]
    assert jnp.array_equal(found, composed(x))


@pytest.mark.usefixtures("compilations_are_logged")
def test_a_few_distances_take_the_program_of_other_few_distances(caplog):
    local, distance = fmjax.FranzParisi(fmjax.Perceptron(), 0.3), [0.3, 0.1, 0.2, 0.05, 0.4]
    few = fmjax.curve(local, alpha=0.5, distance=distance[:3])
    caplog.clear()
    more = fmjax.curve(local, alpha=0.5, distance=distance)
    alone = fmjax.solve(local, alpha=0.5, distance=distance[1])
    assert not [record.message for record in caplog.records if "jit(_curve)" in record.message]
    assert [rows.slope.shape for rows in (few, more, alone)] == [(3,), (5,), ()]
    assert jnp.allclose(more.entropy[:3], few.entropy, rtol=0, atol=1e-11)
    assert jnp.allclose(alone.entropy, few.entropy[1], rtol=0, atol=1e-11)
    assert jnp.array_equal(more.distance, jnp.asarray(distance))


def test_a_chain_that_is_traced_gives_the_same_numbers_and_derivatives():
    x, chain = jnp.arange(4.0), fresh_chain()
    assert jnp.allclose(jax.jit(lambda x: compiled_together(chain, x))(x), composed(x))
    found = jax.jacobian(lambda x: compiled_together(chain, x))(x)
    assert jnp.allclose(found, jax.jacobian(composed)(x))


@pytest.mark.usefixtures("compilations_are_logged")
def test_a_program_in_the_rule_of_a_derivative_is_that_which_is_compiled_already(caplog):
    @Program
    def doubled(x):
        return 2.0 * jnp.sin(x)

    @jax.custom_jvp
    def same(x):
        return x

    @same.defjvp
    def _(primals, tangents):
        return primals[0], doubled(*primals) * tangents[0]

    x = jnp.asarray(0.3)
    compile_ahead(lambda call, x: call(doubled, x), x)
    expected = doubled(x)
    assert jax.grad(same)(x) == expected
    finished = [record.message for record in caplog.records if "Finished XLA compilation of jit(doubled)" in record.message]
    assert len(finished) == 1
    assert jax.jit(jax.grad(same))(x) == pytest.approx(float(expected), abs=1e-15)
    assert jax.grad(doubled)(x) == pytest.approx(2.0 * np.cos(0.3), abs=1e-15)


def test_what_a_program_raises_while_it_is_traced_reaches_the_caller():
    @Program
    def wrong(x):
        raise ValueError("no such program")

    with pytest.raises(ValueError, match="no such program"):
        compiled_together(lambda call, x: call(wrong, x), jnp.arange(4.0))


def test_newton_traces_its_equations_once_for_all_steps():
    traced = []

    def equations(inputs, y, tilt):
        traced.append(y)
        return y**3 - inputs, y

    root = root_of(equations, jnp.asarray(8.0), jnp.array([1.5]), numbers=1, positive=np.array([False]))
    assert jnp.allclose(root.unknowns, 2.0, atol=1e-12)
    assert len(traced) == 1


def test_the_program_of_a_curve_evaluates_its_equations_at_one_place(monkeypatch):
    evaluated = []
    saddle = fmjax.FranzParisi.saddle

    def counted(*arguments):
        evaluated.append(arguments)
        return saddle(*arguments)

    monkeypatch.setattr(fmjax.FranzParisi, "saddle", counted)
    functional = fmjax.FranzParisi(fmjax.Perceptron(), 0.3, nodes=(24, 24, 24, 24))
    jax.make_jaxpr(lambda d: fmjax.curve(functional, alpha=0.5, distance=d))(jnp.linspace(0.01, 0.4, 50))
    assert len(evaluated) == 1


def test_what_another_compiler_does_not_know_is_not_asked_of_it(monkeypatch):
    known = {"xla_disable_hlo_passes": "reshape-mover"}
    monkeypatch.setattr(compilation, "_SOON", {"cpu": {"xla_of_no_version": True} | known})
    assert compilation.soon.__wrapped__("cpu") == known
    assert compilation.soon.__wrapped__("gpu") is None


def test_tests_and_ci_are_compiled_as_our_programs_are():
    """By flags, which reach programs of a test's own; those who share compiled programs must write them alike."""
    options = compilation._SOON["cpu"]
    flags = [f"--{name}={str(value).lower()}" for name, value in options.items()]
    root = Path(__file__).resolve().parents[1]
    for path in (".ci/run", "tests/conftest.py"):
        assert re.findall(r"--xla_[\w=,-]+", (root / path).read_text(encoding="utf-8")) == flags


# Lines of StableHLO of all modules together, in a fresh process: what the compiler's time depends on, and the same on every
# machine. What they call places in the source (`#loc`), as many lines again, costs nothing and is left out.
LARGEST = {
    "fmjax.solve(fmjax.Equilibrium(model), alpha=0.5)": 2_200,
    "curve(0.3)": 7_700,
    "jax.grad(lambda margin: curve(margin).entropy.sum())(0.3)": 13_100,
    "cluster_potential(fmjax.FranzParisi(model, 0.3), alpha=0.5, distance=0.1, rise=[0.1, 1.0])": 18_400,
    "fmjax.thresholds.capacity(model)": 2_900,
    "fmjax.thresholds.kappa_u(model, 0.5)": 22_000,
    "fmjax.thresholds.robust_capacity(model, 4)": 13_000,
    "fmjax.thresholds.robust_capacity(model, 4, 3)": 7_600,
    "fmjax.thresholds.centred_fold(model)": 33_400,
    "fmjax.curve(fmjax.CentredEnsemble(model, 'typical', 'solution'), alpha=0.6, distance=[0.05])": 15_600,
    "fmjax.curve(fmjax.CentredEnsemble(model, np.inf, 'solution'), alpha=0.6, distance=[0.05])": 15_000,
}
PROGRAM = """
import jax
import numpy as np
jax.config.update("jax_enable_x64", True)
import fmjax
from fmjax.solvers.potential import cluster_potential
model = fmjax.Perceptron()
def curve(margin):
    return fmjax.curve(fmjax.FranzParisi(model, margin), alpha=0.5, distance=np.linspace(0.005, 0.4, 64))
"""


@pytest.mark.parametrize("answer", LARGEST)
def test_programs_of_a_first_answer_are_few_and_no_larger_than_they_were(answer, tmp_path):
    environment = os.environ | {"JAX_DUMP_IR_TO": str(tmp_path), "JAX_DUMP_IR_MODES": "stablehlo"}
    subprocess.run([sys.executable, "-c", PROGRAM + answer], check=True, env=environment)
    modules = [sum(not line.startswith("#loc") for line in path.read_text().splitlines()) for path in tmp_path.iterdir()]
    assert len(modules) <= (15 if "grad" in answer else 10)
    assert 0.6 * LARGEST[answer] < sum(modules) <= LARGEST[answer], "smaller: lower the limit"
