"""Settings of JAX that users choose, and those of its debugging, change no answer."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

import fmjax


def test_solving_with_float64_off_gives_the_float64_answer():
    with jax.enable_x64(False):
        point = fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(margin=0.0)), alpha=0.5)
    assert abs(np.float64(point.entropy) - 0.3143900668556252) < 1e-13


def test_tracing_with_float64_off_names_the_line_to_add():
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        jax.jit(lambda a: fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=a).entropy)(0.5)


@pytest.mark.parametrize(
    "setting", [jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise")], ids=["dtypes", "ranks"]
)
def test_rules_that_users_set_for_their_own_code_change_nothing(setting):
    def entropy(alpha):
        return fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=alpha).entropy

    expected = jax.value_and_grad(entropy)(0.5)
    with setting:
        found = jax.value_and_grad(entropy)(0.5)
        assert fmjax.TreeCommittee("relu").deviation > 0
    assert found == expected


STRICT = {"JAX_NUMPY_DTYPE_PROMOTION": "strict", "JAX_NUMPY_RANK_PROMOTION": "raise"}
PROGRAM = """
import dataclasses, jax, fmjax, numpy as np
from fmjax import networks
from fmjax.message_passing import *

kinds = {"samples": None}, {"samples": 2}, {"kind": "gaussian"}
one, *others = (Instance.random(jax.random.key(0), 31, 0.3, **kind) for kind in kinds)
for instance in (one, *others):
    signs = np.ones((*instance.patterns.shape[:-2], 31))
    instance.errors(signs)
    for form in ("amp", "edge"):
        beliefs = belief_propagation(instance, form=form)
        bethe_entropy(instance, beliefs), bethe_free_entropy(instance, beliefs)
        local_entropy(instance, signs, [0.0, 1.0], form=form)
        assert np.all(np.asarray(focusing(instance, form=form).errors) == 0)
for schedule in (Reinforcement(20), Scoping(), Scoping(y=3.0)):
    focusing(one, schedule)
polarisation(one, sweeps=3)
committee = Instance.random(jax.random.key(0), 33, 0.2, committee=Committee("sign", 3))
assert bool(focusing(committee).solved)
committee.errors(np.ones(33))

study = {"hidden": (9,), "patterns": (10, 20), "seeds": 2, "epochs": 2, "fractions": (0.0, 0.01, 0.02, 0.05), "draws": 1}
assert np.isfinite(networks.run(dataclasses.replace(networks.STUDIES["digits"], **study)).loss).all()
perceptron = fmjax.Perceptron()
for alpha, found in ((0.5, True), (5.0, False)):
    assert np.isfinite(fmjax.solve(fmjax.Equilibrium(perceptron), alpha=alpha).entropy) == found
assert np.isnan(fmjax.solve(fmjax.FranzParisi(perceptron, 0.0), alpha=0.5, distance=1e-5).entropy)
layers = [layer[0] for layer in networks.random_networks((64, 9, 10), 2, jax.random.key(0))]
networks.flipped(layers, np.array([0.0, 0.1]), jax.random.key(0))
"""


@pytest.mark.parametrize(
    "settings",
    [
        STRICT,
        STRICT | {"JAX_ENABLE_X64": "1", "JAX_DEBUG_NANS": "1"},
    ],
    ids=" ".join,
)
def test_everything_runs_under_the_strict_settings_of_jax(settings):
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=os.environ | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
