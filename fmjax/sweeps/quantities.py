"""What a sweep can compute: each quantity is one function of one point of a grid of named controls.

A new quantity is one row of `QUANTITIES`: its controls, its outputs, the sentences behind its status codes, and the
function. Whatever is compiled, batched, cut into blocks, written and resumed knows nothing else about it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmjax import thresholds
from fmjax.message_passing import Instance, focusing
from fmjax.models import Binary, Margin, Model, PerceptronArchitecture, Spherical, SymmetricMargin
from fmjax.replica import Equilibrium, FranzParisi
from fmjax.solvers import curve, newton, solve
from fmjax.special import log_H

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Control:
    """A named control of a quantity, a number unless ``words`` lists what it may be.

    Attributes:
        about: what it is; becomes ``long_name``.
        default: used where the request is silent; None: the request must give it.
        low, high: closed range; ``open_low``: ``low`` itself is not allowed.
        integer: whole numbers only.
        words: the allowed words, for a control that is not a number.
        static: part of the compiled program: each value has its own program, and its own blocks.
        along: the whole axis goes into one call, as an array: a curve costs little more than one of its points.
    """

    about: str
    default: float | int | str | None = None
    low: float | int = -np.inf
    high: float | int = np.inf
    open_low: bool = False
    integer: bool = False
    words: tuple[str, ...] = ()
    static: bool = False
    along: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.words:
            return "one of " + ", ".join(self.words)
        kind = "an integer" if self.integer else "a finite number"
        low = f" {'above' if self.open_low else 'from'} {self.low:g}" if np.isfinite(self.low) else ""
        return kind + low + (f" up to {self.high:g}" if np.isfinite(self.high) else "")

    def allows(self, value: Any) -> bool:
        """Whether one value may be asked for."""
        if self.words:
            return value in self.words
        above = value > self.low if self.open_low else value >= self.low
        return bool(np.isfinite(value) and above and value <= self.high and (not self.integer or value == round(value)))


@dataclass(frozen=True)
class Output:
    """A number per point."""

    units: str
    about: str
    dtype: str = "float64"


@dataclass(frozen=True)
class Quantity:
    """What a sweep computes at every point of its grid.

    Attributes:
        about: one line.
        controls: by name, in the order in which they are documented.
        outputs: by name; ``result`` comes on top, the index of a sentence.
        sentences: what a status code stands for; the first one means success.
        evaluate: ``values -> outputs and result`` at one point. It is traced (numbers are scalars, controls
            ``along`` arrays, static ones Python values), unless the quantity is ``on_host``.
        block: points (curves, where a control runs ``along``) per block unless the request says so: about a second.
        seconds: of one point on one core, for estimates before anything ran (AMD EPYC, jax 0.10.2).
        vectorised: cheap enough to be computed for all points of a block together, on a CPU as well.
        on_host: `evaluate` is Python that calls compiled programs; every control is static.
    """

    about: str
    controls: Mapping[str, Control]
    outputs: Mapping[str, Output]
    sentences: tuple[str, ...]
    evaluate: Callable[[Values], dict[str, Any]]
    block: int
    seconds: float
    vectorised: bool = False
    on_host: bool = False

    @property
    def along(self) -> tuple[str, ...]:
        """Controls of which whole axes go into one call."""
        return tuple(name for name, control in self.controls.items() if control.along)


_CONSTRAINTS = {"margin": Margin, "symmetric": SymmetricMargin}
_WEIGHTS = {"binary": Binary, "spherical": Spherical}
_MODEL = {
    "weights": Control("prior of a weight", "binary", words=tuple(_WEIGHTS), static=True),
    "constraint": Control("what a pattern asks for", "margin", words=tuple(_CONSTRAINTS), static=True),
}
_ALPHA = Control("load, patterns per weight", low=0.0, open_low=True)
_MARGIN = Control("margin kappa of the solutions", 0.0)
_SEED = Control("seed of the instance", low=0, high=2**31 - 1, integer=True)
_NATS = "nats per weight"
_BOUND = Output(_NATS, "absolute bound on the error, from a finer rule")
_RESIDUAL = Output(_NATS, "what Newton's method left of the equations")
_SENTENCES = tuple(str(newton.describe(code)) for code in range(newton.NO_CANDIDATE + 1))
_NO_SOLUTIONS = -1e-9  # an entropy below it


def _model(values: Values) -> Model:
    constraint = _CONSTRAINTS[values["constraint"]](values.get("margin", 0.0))
    return Model(_WEIGHTS[values["weights"]](), PerceptronArchitecture(), constraint)


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
    }
    known = _known(point.status, **numbers, error_estimate=point.error_estimate)
    return known | {"residual": point.residual, "result": point.status}


def _franz_parisi(values: Values) -> dict[str, Any]:
    model, alpha, margin = _model(values), values["alpha"], values["reference_margin"]
    # A typical solution of that margin must exist: inside a program nobody checks it.
    reference = solve(Equilibrium(model.with_margin(margin)), alpha=alpha)
    exists = (reference.status == newton.CONVERGED) & (not model.weights.discrete or reference.entropy > _NO_SOLUTIONS)
    found = curve(FranzParisi(model, margin), alpha=alpha, distance=values["distance"])
    status = jnp.where(exists, found.status, newton.REFERENCE_FAILED)
    numbers = {"entropy": found.entropy, "slope": found.slope, "overlap": found.order.q, "cross_overlap": found.order.t}
    known = _known(status, **numbers, error_estimate=found.error_estimate)
    return known | {"residual": found.residual, "result": status}


def _threshold(solver: Callable[..., thresholds.Threshold], *arguments: str) -> Callable[[Values], dict[str, Any]]:
    def evaluate(values: Values) -> dict[str, Any]:
        found = solver(_model(values), *(values[name] for name in arguments))
        numbers = {"value": found.value, "error_estimate": found.error_estimate, "at_distance": found.distance}
        return _known(found.status, **numbers) | {"result": found.status}

    return evaluate


def _threshold_row(about: str, controls: Mapping[str, Control], solver: Any, block: int, cost: float) -> Quantity:
    units = "1"  # loads, and margins in units of the stability
    outputs = {
        "value": Output(units, about),
        "error_estimate": Output(units, _BOUND.about),
        "at_distance": Output("1", "Hamming distance per weight at which it happens"),
    }
    arguments = [name for name in controls if name == "alpha"]
    return Quantity(about, {**controls, **_MODEL}, outputs, _SENTENCES, _threshold(solver, *arguments), block, cost)


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


def _static(about: str, default: float | str | None = None, *, low: float = 1, words: tuple[str, ...] = ()) -> Control:
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
            "error_estimate": _BOUND,
            "residual": _RESIDUAL,
        },
        _SENTENCES,
        _entropy,
        block=512,
        seconds=1.5e-3,
    ),
    "franz-parisi": Quantity(
        "local entropy of solutions at a distance from a typical reference",
        {
            "alpha": _ALPHA,
            "reference_margin": Control("margin of the reference"),
            "margin": _MARGIN,
            "distance": Control("Hamming distance per weight from the reference", low=0.0, high=1.0, along=True),
            **_MODEL,
        },
        {
            "entropy": Output(_NATS, "local entropy phi"),
            "slope": Output(_NATS, "d phi / d distance"),
            "overlap": Output("1", "overlap q of two counted solutions"),
            "cross_overlap": Output("1", "overlap t of a counted solution with another reference"),
            "error_estimate": Output(_NATS, _BOUND.about + " of entropy and slope"),
            "residual": _RESIDUAL,
        },
        _SENTENCES,
        _franz_parisi,
        block=4,
        seconds=4e-3,
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
