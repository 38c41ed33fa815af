"""What a sweep can compute: each quantity is one function of one point of a grid of named controls.

A new quantity is one row of `QUANTITIES`: its controls, its outputs, the sentences behind its status codes, and the
function. Whatever is compiled, batched, cut into blocks, written and resumed knows nothing else about it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmjax import models, thresholds
from fmjax.message_passing import Instance, focusing
from fmjax.models import Architecture, Binary, Margin, Model, PerceptronArchitecture, Spherical, SymmetricMargin
from fmjax.replica import Equilibrium, FranzParisi, OneStep, RobustEnsemble
from fmjax.solvers import clusters, curve, newton, solve
from fmjax.solvers.clusters import PHASES, UNKNOWN
from fmjax.special import log_H
from fmjax.sweeps.quantity import Control, Output, Quantity, Values

_CONSTRAINTS = {"margin": Margin, "symmetric": SymmetricMargin}
_WEIGHTS = {"binary": Binary, "spherical": Spherical}
_ACTIVATIONS = ("sign", "relu", "leaky-relu", "tanh", "erf", "gelu")
_MODEL = {
    "weights": Control("prior of a weight", "binary", words=tuple(_WEIGHTS), static=True),
    "constraint": Control("what a pattern asks for", "margin", words=tuple(_CONSTRAINTS), static=True),
    "architecture": Control("what the weights are wired into", "perceptron", words=("perceptron", "committee"), static=True),
    "activation": Control("hidden units of a committee", "none", words=("none", *_ACTIVATIONS), static=True),
    "task": Control("where labels come from", "storage", words=("storage", "teacher-student"), static=True),
}
_ALPHA = Control("load, patterns per weight", low=0.0, open_low=True)
_MARGIN = Control("margin kappa of the solutions", 0.0)
_SEED = Control("seed of the instance", low=0, high=2**31 - 1, integer=True)
_REFERENCE_MARGIN = Control("margin of the reference")
_DISTANCE = Control("Hamming distance per weight from the reference", low=0.0, high=1.0, along=True)
_LEARNABLE = {"task": Control("where labels come from", "teacher-student", words=("teacher-student",), static=True)}
_NATS = "nats per weight"
_BOUND = Output(_NATS, "absolute bound on the error, from a finer rule")
_TEACHER = Output("1", "overlap R with the teacher; 0 for random labels")
_RESIDUAL = Output(_NATS, "what Newton's method left of the equations")
_SENTENCES = tuple(str(newton.describe(code)) for code in range(newton.NO_CANDIDATE + 1))
_NO_SOLUTIONS = -1e-9  # an entropy below it


@lru_cache  # called first by the check of a request: inside a program the kernel of a committee could not be checked
def _architecture(activation: str) -> Architecture:
    if activation == "none":
        return PerceptronArchitecture()
    committee = getattr(models, "TreeCommittee", None)
    if committee is None:
        raise ValueError("this version of fmjax has no committees: architecture must be perceptron")
    return committee(activation).architecture


def _model(values: Values) -> Model:
    activation = values["activation"]
    if (values["architecture"] == "committee") != (activation != "none"):
        allowed = ", ".join(_ACTIVATIONS)
        raise ValueError(f"a committee, and nothing else, has an activation, one of {allowed}: not {activation!r} here")
    constraint = _CONSTRAINTS[values["constraint"]](values.get("margin", 0.0))
    return Model(_WEIGHTS[values["weights"]](), _architecture(activation), constraint, values["task"] == "teacher-student")


def _known(status: Any, **numbers: Any) -> dict[str, Any]:
    """Outputs that mean something only where a solve converged: NaN elsewhere, so that nobody draws them."""
    return {name: jnp.where(status == newton.CONVERGED, number, jnp.nan) for name, number in numbers.items()}


def _first_moment(values: Values) -> dict[str, Any]:
    return {"entropy": jnp.log(2.0) + values["alpha"] * log_H(values["margin"]), "result": jnp.asarray(0)}


def _entropy(values: Values) -> dict[str, Any]:
    point = solve(Equilibrium(_model(values)), alpha=values["alpha"])
    numbers = {
        "entropy": point.entropy,
        "overlap": point.order.q,
        "conjugate": point.order.q_hat,
        "distance": point.distance,
        "teacher_overlap": point.order.R,
    }
    known = _known(point.status, **numbers, error_estimate=point.error_estimate)
    return known | {"residual": point.residual, "result": point.status}


def _around_reference(solver: Callable[..., Any], values: Values) -> tuple[Any, jax.Array]:
    """What a solver finds around a typical solution of the reference's margin, and its status."""
    model, alpha, margin = _model(values), values["alpha"], values["reference_margin"]
    # Such a solution must exist: inside a program nobody checks it.
    reference = solve(Equilibrium(model.with_margin(margin)), alpha=alpha)
    exists = (reference.status == newton.CONVERGED) & (not model.weights.discrete or reference.entropy > _NO_SOLUTIONS)
    found = solver(FranzParisi(model, margin), alpha=alpha, distance=values["distance"])
    return found, jnp.where(exists, found.status, newton.REFERENCE_FAILED)


def _franz_parisi(values: Values) -> dict[str, Any]:
    found, status = _around_reference(curve, values)
    numbers = {"entropy": found.entropy, "slope": found.slope, "overlap": found.order.q, "cross_overlap": found.order.t}
    numbers |= {"teacher_overlap": found.order.R}
    known = _known(status, **numbers, error_estimate=found.error_estimate)
    return known | {"residual": found.residual, "result": status}


def _clusters(values: Values) -> dict[str, Any]:
    found, status = _around_reference(clusters, values)
    numbers = {"symmetric_entropy": found.symmetric.entropy, "symmetric_replicon": found.symmetric.replicon}
    names = ("entropy", "slope", "q0", "q1", "m", "complexity", "internal_entropy", "error_estimate")
    numbers |= {name: getattr(found, name) for name in names}
    phase = jnp.where(status == newton.CONVERGED, found.code, UNKNOWN)
    counts = {"stable_clusters": jnp.sum(found.roots.stable, axis=-1), "phase": phase}
    return _known(status, **numbers) | counts | {"residual": found.residual, "result": status}


def _check_clusters(values: Values) -> None:
    try:
        OneStep(FranzParisi(_model(values), 0.0))
    except TypeError as error:
        raise ValueError(str(error)) from None


def _robust_ensemble(values: Values) -> dict[str, Any]:
    functional = RobustEnsemble(_model(values), values["replicas"])
    found = curve(functional, alpha=values["alpha"], distance=values["distance"])
    numbers = {"entropy": found.entropy, "slope": found.slope, "cross_overlap": found.order.q0}
    known = _known(found.status, **numbers, error_estimate=found.error_estimate)
    return known | {"residual": found.residual, "result": found.status}


def _threshold(solver: Callable[..., thresholds.Threshold], *arguments: str) -> Callable[[Values], dict[str, Any]]:
    def evaluate(values: Values) -> dict[str, Any]:
        found = solver(_model(values), *(values[name] for name in arguments))
        numbers = {"value": found.value, "error_estimate": found.error_estimate, "at_distance": found.distance}
        return _known(found.status, **numbers) | {"result": found.status}

    return evaluate


def _threshold_row(about: str, controls: Mapping[str, Control], solver: Any, block: int, cost: float) -> Quantity:
    """A row whose value is a threshold; ``controls`` may narrow those that choose a model."""
    units = "1"  # loads, and margins in units of the stability
    outputs = {
        "value": Output(units, about),
        "error_estimate": Output(units, _BOUND.about),
        "at_distance": Output("1", "Hamming distance per weight at which it happens"),
    }
    arguments = [name for name in controls if name == "alpha"]
    solved = _threshold(solver, *arguments)
    return Quantity(about, {**controls, **_MODEL, **controls}, outputs, _SENTENCES, solved, block, cost, check=_model)


def _focusing(values: Values) -> dict[str, Any]:
    instance = Instance.random(jax.random.key(values["seed"]), values["size"], values["alpha"], values["margin"])
    found = focusing(instance)
    stability = jnp.min(instance.sums(found.weights).astype(float), initial=jnp.inf) / jnp.sqrt(1.0 * instance.size)
    return {"errors": found.errors, "sweeps": found.sweeps, "min_stability": stability, "result": found.status}


_FOCUSING_SENTENCES = (
    "solved",
    "not solved: the schedule ended before a solution was found",
    "not solved: a sweep gave fields that are not finite",
    "not solved: some pattern cannot be satisfied by any weights",
)


def _networks(values: Values) -> dict[str, Any]:
    from fmjax.networks import Config, load_task, train

    task = load_task(values["dataset"])
    if values["patterns"] > len(task.labels):
        raise ValueError(f"{values['dataset']} has {len(task.labels)} images, fewer than patterns = {values['patterns']}")
    sizes = (task.inputs.shape[1], *(values["width"],) * values["depth"], task.outputs)
    # One choice of patterns for all networks: solutions are compared that solve the same problem.
    chosen = np.random.default_rng(0).permutation(len(task.labels))[: values["patterns"]]
    config = Config(sizes, (values["patterns"],), seeds=1, epochs=values["epochs"])
    trained = train(config, task.inputs[chosen], task.labels[chosen], jax.random.key(values["seed"]))
    error = float(trained.error[0, 0])
    return {"train_error": error, "loss": float(trained.loss[-1, 0, 0]), "result": int(error > 0)}


_DATASETS = ("digits", "mnist-odd-even", "mnist", "fashion-mnist", "cifar10")


def _static(about: str, default: int | str | None = None, *, low: int = 1, words: tuple[str, ...] = ()) -> Control:
    return Control(about, default, low=low, integer=not words, words=words, static=True)


QUANTITIES: dict[str, Quantity] = {
    "first-moment": Quantity(
        "ln 2 + alpha ln H(kappa), the entropy of the mean number of solutions: an upper bound of the entropy",
        {"alpha": _ALPHA, "margin": _MARGIN},
        {"entropy": Output(_NATS, "log of the mean number of solutions")},
        ("converged",),
        _first_moment,
        block=16384,
        seconds=1e-6,
        vectorised=True,
    ),
    "entropy": Quantity(
        "entropy and overlap of typical solutions",
        {"alpha": _ALPHA, "margin": _MARGIN, **_MODEL},
        {
            "entropy": Output(_NATS, "entropy of typical solutions"),
            "overlap": Output("1", "overlap q of two typical solutions"),
            "conjugate": Output("1", "field q_hat that fixes the overlap"),
            "distance": Output("1", "Hamming distance per weight of two typical solutions"),
            "teacher_overlap": _TEACHER,
            "error_estimate": _BOUND,
            "residual": _RESIDUAL,
        },
        _SENTENCES,
        _entropy,
        block=512,
        seconds=1.5e-3,
        check=_model,
    ),
    "franz-parisi": Quantity(
        "local entropy of solutions at a distance from a typical reference",
        {
            "alpha": _ALPHA,
            "reference_margin": _REFERENCE_MARGIN,
            "margin": _MARGIN,
            "distance": _DISTANCE,
            **_MODEL,
        },
        {
            "entropy": Output(_NATS, "local entropy phi"),
            "slope": Output(_NATS, "d phi / d distance"),
            "overlap": Output("1", "overlap q of two counted solutions"),
            "cross_overlap": Output("1", "overlap t of a counted solution with another reference"),
            "teacher_overlap": _TEACHER,
            "error_estimate": Output(_NATS, _BOUND.about + " of entropy and slope"),
            "residual": _RESIDUAL,
        },
        _SENTENCES,
        _franz_parisi,
        block=4,
        seconds=1.7e-3,
        check=_model,
    ),
    "clusters": Quantity(
        "one step of replica-symmetry breaking of solutions at a distance from a typical reference",
        {
            "alpha": _ALPHA,
            "reference_margin": _REFERENCE_MARGIN,
            "margin": _MARGIN,
            "distance": _DISTANCE,
            **_MODEL,
        },
        {
            "symmetric_entropy": Output(_NATS, "replica-symmetric local entropy"),
            "symmetric_replicon": Output("1", "positive where replica symmetry is locally stable"),
            "entropy": Output(_NATS, "entropy of the one-step solution; negative: there are no solutions"),
            "slope": Output(_NATS, "d entropy / d distance"),
            "q0": Output("1", "overlap of two solutions of different clusters"),
            "q1": Output("1", "overlap of two solutions of one cluster"),
            "m": Output("1", "block size; 1 where the symmetric entropy is exact"),
            "complexity": Output(_NATS, "log of the number of clusters"),
            "internal_entropy": Output(_NATS, "entropy of one cluster"),
            "stable_clusters": Output("1", "stable solutions at m = 1 with q0 < q1 < 1", "int32"),
            "phase": Output("1", "; ".join(f"{code}: {phase}" for code, phase in enumerate(PHASES)), "int32"),
            "error_estimate": Output(_NATS, _BOUND.about + " of the entropy"),
            "residual": _RESIDUAL,
        },
        _SENTENCES,
        _clusters,
        block=1,
        seconds=0.35,
        check=_check_clusters,
    ),
    "robust-ensemble": Quantity(
        "entropy per replica of several solutions at a distance from each other",
        {
            "alpha": _ALPHA,
            "margin": _MARGIN,
            "replicas": Control("number of replicas", low=1.0, high=64.0, open_low=True, infinite=True, static=True),
            "distance": Control("Hamming distance per weight of any two replicas", low=0.0, high=0.5, along=True),
            **_MODEL,
        },
        {
            "entropy": Output("nats per weight and replica", "log of the number of groups of replicas"),
            "slope": Output("nats per weight and replica", "d entropy / d distance"),
            "cross_overlap": Output("1", "overlap q0 of replicas of two groups"),
            "error_estimate": Output("nats per weight and replica", _BOUND.about + " of entropy and slope"),
            "residual": _RESIDUAL,
        },
        _SENTENCES,
        _robust_ensemble,
        block=4,
        seconds=0.01,
        check=lambda values: RobustEnsemble(_model(values), 2.0),
    ),
    "capacity": _threshold_row(
        "alpha_c(kappa), the largest load with solutions", {"margin": _MARGIN}, thresholds.capacity, 64, 0.01
    ),
    "kappa-max": _threshold_row(
        "kappa_max(alpha), the largest margin with solutions", {"alpha": _ALPHA}, thresholds.kappa_max, 64, 0.01
    ),
    "kappa-min": _threshold_row(
        "kappa_min(alpha), margin of the reference above which the local entropy is nowhere negative",
        {"alpha": _ALPHA, "margin": _MARGIN},
        thresholds.kappa_min,
        2,
        3.0,
    ),
    "kappa-u": _threshold_row(
        "kappa_u(alpha), margin of the reference above which the local entropy rises up to its maximum",
        {"alpha": _ALPHA, "margin": _MARGIN},
        thresholds.kappa_u,
        2,
        3.0,
    ),
    "alpha-u": _threshold_row(
        "alpha'_U, largest load with a monotonic local entropy", {"margin": _MARGIN}, thresholds.alpha_u, 1, 3.0
    ),
    "perfect-generalisation": _threshold_row(
        "load above which typical solutions are the teacher", _LEARNABLE, thresholds.perfect_generalisation, 1, 0.01
    ),
    "spinodal": _threshold_row(
        "load up to which solutions other than the teacher trap a search", _LEARNABLE, thresholds.spinodal, 1, 0.01
    ),
    "focusing": Quantity(
        "solutions of random instances by focusing belief propagation",
        {
            "size": _static("number of weights N"),
            "alpha": Control("load, patterns per weight", low=0.0, static=True),
            "margin": Control("margin kappa of the solutions", 0.0, static=True),
            "seed": _SEED,
        },
        {
            "errors": Output("patterns", "patterns that the best weights violate", "int32"),
            "sweeps": Output("1", "sweeps done", "int32"),
            "min_stability": Output("1", "smallest stability of a pattern"),
        },
        _FOCUSING_SENTENCES,
        _focusing,
        block=8,
        seconds=0.1,
    ),
    "networks": Quantity(
        "binary multilayer networks that learn images",
        {
            "dataset": _static("images to learn", "digits", words=_DATASETS),
            "patterns": _static("training patterns P"),
            "width": _static("neurons of each hidden layer"),
            "depth": _static("hidden layers", 2),
            "epochs": _static("passes over the patterns", 100),
            "seed": Control("seed of the network", low=0, high=2**31 - 1, integer=True, static=True),
        },
        {
            "train_error": Output("1", "fraction of its training patterns that the network gets wrong"),
            "loss": Output("nats", "mean cross-entropy of the batches of the last epoch"),
        },
        ("converged", "not learned: some training patterns are still wrong"),
        _networks,
        block=1,
        seconds=5.0,
        on_host=True,
    ),
}
