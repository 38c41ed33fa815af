"""What a sweep can compute: each quantity is one function of one point of a grid of named controls.

A new quantity is one row of `QUANTITIES`: its controls, its outputs, the sentences behind its status codes, and the
function, which stands in `evaluations`. Whatever is compiled, batched, cut into blocks, written and resumed knows nothing
else about it.
"""

from collections.abc import Mapping
from typing import Any

from fmjax import thresholds
from fmjax.message_passing.focusing import SENTENCES as FOCUSING_SENTENCES
from fmjax.names import Activation, Architecture, Constraint, Task, Weights, words
from fmjax.solvers import outcome
from fmjax.solvers.clusters import PHASES
from fmjax.sweeps import evaluations
from fmjax.sweeps.quantity import Control, Output, Quantity

_MODEL = {
    "weights": Control("prior of a weight", "binary", words=words(Weights), static=True),
    "constraint": Control("what a pattern asks for", "margin", words=words(Constraint), static=True),
    "architecture": Control("what the weights are wired into", "perceptron", words=words(Architecture), static=True),
    "activation": Control("hidden units of a committee", "none", words=("none", *words(Activation)), static=True),
    "task": Control("where labels come from", "storage", words=words(Task), static=True),
}
_ALPHA = Control("load, patterns per weight", low=0.0, open_low=True)
_MARGIN = Control("margin kappa of the solutions", 0.0)
_SEED = Control("seed of the instance", low=0, high=2**31 - 1, integer=True)
_REFERENCE_MARGIN = Control("margin of the reference")
_DISTANCE = Control("Hamming distance per weight from the reference", low=0.0, high=1.0, along=True)
_REPLICAS = Control("number of replicas", low=1.0, high=64.0, open_low=True, infinite=True, static=True)
# Of the models, those for which a quantity makes sense.
_DISCRETE = {"weights": Control("prior of a weight", "binary", words=("binary",), static=True)}
_RANDOM_LABELS = {"task": Control("where labels come from", "storage", words=("storage",), static=True)}
_LEARNABLE = {"task": Control("where labels come from", "teacher-student", words=("teacher-student",), static=True)}
_NATS = "nats per weight"
_BOUND = Output(_NATS, "absolute bound on the error, from the twin rules of the quadrature")
_TEACHER = Output("1", "overlap R with the teacher; 0 for random labels")
_RESIDUAL = Output(_NATS, "what Newton's method left of the equations")
_DATASETS = ("digits", "mnist-odd-even", "mnist", "fashion-mnist", "cifar10")
_SENTENCES = outcome.SENTENCES


def _threshold_row(about: str, controls: Mapping[str, Control], solver: Any, block: int, cost: float) -> Quantity:
    """A row whose value is a threshold; ``controls`` may narrow those that choose a model."""
    units = "1"  # loads, and margins in units of the stability
    outputs = {
        "value": Output(units, about),
        "error_estimate": Output(units, _BOUND.about),
        "at_distance": Output("1", "Hamming distance per weight at which it happens"),
    }
    arguments = [name for name in controls if name not in (*_MODEL, "margin")]
    solved = evaluations.threshold(solver, *arguments)
    return Quantity(
        about, {**controls, **_MODEL, **controls}, outputs, _SENTENCES, solved, block, cost, check=evaluations.model_of
    )


def _static(about: str, default: int | str | None = None, *, low: int = 1, words: tuple[str, ...] = ()) -> Control:
    return Control(about, default, low=low, integer=not words, words=words, static=True)


QUANTITIES: dict[str, Quantity] = {
    "first-moment": Quantity(
        "ln 2 + alpha ln H(kappa), the entropy of the mean number of solutions: an upper bound of the entropy",
        {"alpha": _ALPHA, "margin": _MARGIN},
        {"entropy": Output(_NATS, "log of the mean number of solutions")},
        ("converged",),
        evaluations.first_moment,
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
        evaluations.entropy,
        block=512,
        seconds=1.5e-3,
        check=evaluations.model_of,
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
        evaluations.franz_parisi,
        block=4,
        seconds=1.7e-3,
        check=evaluations.model_of,
    ),
    "clusters": Quantity(
        "one step of replica-symmetry breaking of solutions at a distance from a typical reference",
        {
            "alpha": _ALPHA,
            "reference_margin": _REFERENCE_MARGIN,
            "margin": _MARGIN,
            "distance": _DISTANCE,
            **_MODEL,
            **_DISCRETE,
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
        evaluations.one_step,
        block=1,
        seconds=0.35,
        check=evaluations.model_of,
    ),
    "robust-ensemble": Quantity(
        "entropy per replica of several solutions at a distance from each other",
        {
            "alpha": _ALPHA,
            "margin": _MARGIN,
            "replicas": _REPLICAS,
            "distance": Control("Hamming distance per weight of any two replicas", low=0.0, high=0.5, along=True),
            **_MODEL,
            **_DISCRETE,
            **_RANDOM_LABELS,
        },
        {
            "entropy": Output("nats per weight and replica", "log of the number of groups of replicas"),
            "slope": Output("nats per weight and replica", "d entropy / d distance"),
            "cross_overlap": Output("1", "overlap q0 of replicas of two groups"),
            "error_estimate": Output("nats per weight and replica", _BOUND.about + " of entropy and slope"),
            "residual": _RESIDUAL,
        },
        _SENTENCES,
        evaluations.robust_ensemble,
        block=4,
        seconds=0.01,
        check=evaluations.model_of,
    ),
    "capacity": _threshold_row(
        "alpha_c(kappa), the largest load with solutions", {"margin": _MARGIN}, thresholds.capacity, 64, 0.01
    ),
    "kappa-max": _threshold_row(
        "kappa_max(alpha), the largest margin with solutions",
        {"alpha": _ALPHA, **_DISCRETE},
        thresholds.kappa_max,
        64,
        0.01,
    ),
    "kappa-min": _threshold_row(
        "kappa_min(alpha), margin of the reference above which the local entropy is nowhere negative",
        {"alpha": _ALPHA, "margin": _MARGIN, **_DISCRETE},
        thresholds.kappa_min,
        2,
        3.0,
    ),
    "kappa-u": _threshold_row(
        "kappa_u(alpha), margin of the reference above which the local entropy rises up to its maximum",
        {"alpha": _ALPHA, "margin": _MARGIN, **_DISCRETE},
        thresholds.kappa_u,
        2,
        3.0,
    ),
    "alpha-u": _threshold_row(
        "alpha'_U, largest load with a monotonic local entropy",
        {"margin": _MARGIN, **_DISCRETE},
        thresholds.alpha_u,
        1,
        3.0,
    ),
    "robust-alpha-u": _threshold_row(
        "alpha_U, largest load with a monotonic entropy of infinitely many replicas",
        {"margin": _MARGIN, **_DISCRETE, **_RANDOM_LABELS},
        thresholds.robust_alpha_u,
        1,
        0.5,
    ),
    "robust-capacity": _threshold_row(
        "largest load with replicas at any distance",
        {"margin": _MARGIN, "replicas": _REPLICAS, **_DISCRETE, **_RANDOM_LABELS},
        thresholds.robust_capacity,
        1,
        0.5,
    ),
    "perfect-generalisation": _threshold_row(
        "load above which typical solutions are the teacher",
        {**_DISCRETE, **_LEARNABLE},
        thresholds.perfect_generalisation,
        1,
        0.01,
    ),
    "spinodal": _threshold_row(
        "load up to which solutions other than the teacher trap a search",
        {**_DISCRETE, **_LEARNABLE},
        thresholds.spinodal,
        1,
        0.01,
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
        FOCUSING_SENTENCES,
        evaluations.focused,
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
        ("converged", "not learned: some training patterns are still wrong", "the dataset has fewer images than patterns"),
        evaluations.trained_networks,
        block=1,
        seconds=5.0,
        on_host=True,
    ),
}
