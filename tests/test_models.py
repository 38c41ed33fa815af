"""Every model that can be made of the public parts: answers that keep what they must, or a sentence."""

from itertools import product

import numpy as np
import pytest

import fmjax
from fmjax.models import named_model
from fmjax.solvers import outcome

WEIGHTS, CONSTRAINTS, TASKS = ("binary", "spherical"), ("margin", "symmetric"), ("storage", "teacher-student")
WIRED = ({"architecture": "perceptron"}, *({"architecture": "committee", "activation": word} for word in ("relu", "sign")))
ALPHA, MARGINS = {"margin": 0.5, "symmetric": 0.8}, {"margin": 0.1, "symmetric": 0.9}
DISTANCES = [1e-3, 0.05, 0.2, 0.45, 0.7]


def products(*, made=False):
    """Weights, wiring, constraint and task of every model, or of those that are ``made``: a teacher's labels are signs."""
    for weights, wiring, constraint, task in product(WEIGHTS, WIRED, CONSTRAINTS, TASKS):
        if made and (constraint, task) == ("symmetric", "teacher-student"):
            continue
        yield pytest.param(
            {"weights": weights, "constraint": constraint, "task": task, **wiring},
            id=" ".join((weights, *wiring.values(), constraint, task)),
        )


@pytest.mark.parametrize("parts", list(products()))
def test_every_model_answers_or_is_refused_by_a_sentence(parts):
    """Of local entropies the largest is that of typical solutions, whatever the reference; beyond it there is none."""
    if parts["constraint"] == "symmetric" and parts["task"] == "teacher-student":
        with pytest.raises(ValueError, match="use a margin"):
            named_model(**parts)
        return
    model, alpha = named_model(**parts), ALPHA[parts["constraint"]]
    typical = fmjax.solve(fmjax.Equilibrium(model), alpha=alpha)
    assert typical.result == "converged"
    assert typical.stable
    assert typical.error_estimate < 1e-10
    # With a teacher solutions of the counted margin: larger ones are not always there.
    margin = model.margin if model.teacher else MARGINS[parts["constraint"]] * float(model.deviation)
    local = fmjax.curve(fmjax.FranzParisi(model, margin), alpha=alpha, distance=DISTANCES)
    assert np.all(np.isin(local.status, [outcome.CONVERGED, outcome.BRANCH_ENDED]))
    assert local.converged[:4].all()
    found = np.asarray(local.entropy)[np.asarray(local.converged)]
    assert np.all(found < typical.entropy + 1e-9)
    assert np.all(np.asarray(local.error_estimate)[:4] < 1e-4)


AROUND_CENTRES = ("centred_alpha_u", "centred_fold")
REFUSING = {
    "binary": {"one_step_capacity": "spherical weights"},
    "spherical": dict.fromkeys(
        ("kappa_max", "kappa_min", "kappa_u", "alpha_u", "robust_capacity", "robust_alpha_u", *AROUND_CENTRES),
        "binary|no limit",
    ),
    "storage": dict.fromkeys(("perfect_generalisation", "spinodal"), "teacher=True"),
    "teacher-student": {
        **dict.fromkeys(("robust_capacity", "robust_alpha_u"), "infinitely many replicas of a teacher|binary weights"),
        **dict.fromkeys(AROUND_CENTRES, "of a teacher|binary weights"),
        "one_step_capacity": "spherical weights",
    },
    "symmetric": {"robust_alpha_u": "no limit with a SymmetricMargin|binary weights"},
}


@pytest.mark.parametrize("parts", list(products(made=True)))
def test_thresholds_that_a_model_cannot_have_are_refused_by_what_it_is(parts):
    model = named_model(**parts)
    refused = {name: words for part in parts.values() for name, words in REFUSING.get(part, {}).items()}
    for name, words in refused.items():
        arguments = (model, 0.5) if name.startswith("kappa") else (model,)
        with pytest.raises(ValueError, match=words):
            getattr(fmjax.thresholds, name)(*arguments)
