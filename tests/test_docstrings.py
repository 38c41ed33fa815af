"""The public names, each with its docstring. The examples in docstrings run as doctests (`--doctest-modules`)."""

import importlib
import inspect

import pytest

import fmjax

PUBLIC = {
    "fmjax": {
        *("Binary", "Equilibrium", "FranzParisi", "Hermite", "LeakyReLU", "Margin", "Model", "Perceptron", "RobustEnsemble"),
        *(
            "Spherical",
            "SymmetricMargin",
            "TreeCommittee",
            "climb",
            "clusters",
            "curve",
            "message_passing",
            "networks",
            "open",
        ),
        *("quadrature", "solve", "special", "sweep", "sweeps", "thresholds"),
    },
    "fmjax.thresholds": {
        *("Threshold", "alpha_u", "capacity", "kappa_max", "kappa_min", "kappa_u", "perfect_generalisation", "spinodal"),
    },
    "fmjax.message_passing": {
        *("AMP", "Beliefs", "Edges", "Focused", "Instance", "LocalEntropy", "Polarisation", "PseudoReinforcement"),
        *("Reinforcement", "Schedule", "Scoping", "belief_propagation", "bethe_entropy", "bethe_free_entropy", "focusing"),
        *("local_entropy", "polarisation"),
    },
    "fmjax.networks": {
        *("STUDIES", "BinaryMLP", "Config", "Study", "Symmetry", "Task", "Trained", "class_scores", "flipped", "load"),
        *("load_task", "local_energy", "match", "mean_overlap", "mistakes", "overlap", "pair_overlaps", "random_networks"),
        *("run", "shape_at_zero", "sign", "threshold", "train"),
    },
    "fmjax.sweeps": {
        *("QUANTITIES", "Plan", "estimate", "interpolate", "open", "open_store", "outcomes", "read", "sweep"),
    },
}
NAMES = [(module, name) for module, names in PUBLIC.items() for name in sorted(names)]


@pytest.mark.parametrize("module", PUBLIC)
def test_the_public_names_are_these(module):
    assert set(importlib.import_module(module).__all__) == PUBLIC[module]


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{module}.{name}" for module, name in NAMES])
def test_every_public_name_says_what_it_is(module, name):
    thing = getattr(importlib.import_module(module), name)
    if isinstance(thing, dict):  # a table explains itself where it is made
        return
    text = inspect.getdoc(thing) or ""
    assert text.split("\n")[0].endswith((".", ":", ",")) or text.split("\n\n")[0].rstrip().endswith("."), text
    assert "dataclass" not in text


def test_the_tour_names_every_part():
    for part in ("Equilibrium", "FranzParisi", "thresholds", "message_passing", "networks", "solve", "curve", "clusters"):
        assert part in fmjax.__doc__
