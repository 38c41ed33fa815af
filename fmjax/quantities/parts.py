"""Controls and outputs that quantities share: each stands here once, with its name, its units and its range."""

from dataclasses import replace

from fmjax.names import Activation, Architecture, Constraint, Loss, Task, Weights, words
from fmjax.quantities.quantity import Control, Late, Output

NATS = "nats per weight"
SOLVED = "fmjax.quantities.solved"  # where the functions of the theory are
MODEL_OF = Late(f"{SOLVED}:model_of")
WITH_MODEL = Late(f"{SOLVED}:with_model")
ENSEMBLE_OF = Late(f"{SOLVED}:ensemble_of")
CENTRED_OF = Late(f"{SOLVED}:centred_of")
GROUPS_OF = Late(f"{SOLVED}:groups_of")

# The parts of a model: of every quantity of the theory.
MODEL = {
    "weights": Control("prior of a weight", "binary", words=words(Weights), static=True),
    "constraint": Control("what a pattern asks for", "margin", words=words(Constraint), static=True),
    "architecture": Control("what the weights are wired into", "perceptron", words=words(Architecture), static=True),
    "activation": Control("hidden units of a committee", "none", words=("none", *words(Activation)), static=True),
    "slope": Control("slope of leaky-relu below zero, 0.1 unless given", static=True, optional=True, symbol="S"),
    "task": Control("where labels come from", "storage", words=words(Task), static=True),
}
# Of the models, those for which a quantity makes sense.
DISCRETE = {"weights": Control("prior of a weight", "binary", words=("binary",), static=True)}
CONTINUOUS = {"weights": Control("prior of a weight", "spherical", words=("spherical",), static=True)}
RANDOM_LABELS = {"task": Control("where labels come from", "storage", words=("storage",), static=True)}
LEARNABLE = {"task": Control("where labels come from", "teacher-student", words=("teacher-student",), static=True)}
# Of patterns with a loss, whose labels are random: what takes the place of a constraint.
SOFT = {
    "loss": Control("what a pattern below the margin costs", words=words(Loss), static=True),
    "sharpness": Control("sharpness gamma of a cross-entropy; the others have none", 1.0, low=0.0, symbol="G"),
    **MODEL,
    "constraint": Control("what a pattern asks for", "margin", words=("margin",), static=True),
    **RANDOM_LABELS,
}

ALPHA = Control("load, patterns per weight P/N", low=0.0, open_low=True, symbol="A")
MARGIN = Control("margin kappa of the solutions", 0.0, symbol="K")
LOSS_MARGIN = Control("margin kappa of the loss", 0.0, symbol="K")
BETA = Control("inverse temperature of the loss, or the power", low=0.0, symbol="B")
ENERGY = Control("mean loss of a pattern", symbol="E")
REFERENCE_MARGIN = Control("margin of the reference", symbol="KT")
DISTANCE = Control("Hamming distance per weight from the reference", low=0.0, high=1.0, along=True, symbol="D")
APART = Control("Hamming distance per weight of any two replicas", low=0.0, high=0.5, along=True, symbol="D")
REPLICAS = Control("number of replicas", low=1.0, high=64.0, open_low=True, infinite=True, static=True, symbol="Y|inf")
GROUPS = Control("groups of that many replicas", 1.0, low=1.0, high=16.0, static=True, symbol="G")
REPLICAS_AROUND = replace(REPLICAS, about="number of replicas; left out: as many as leave no centres", optional=True)
FROM_CENTRE = replace(APART, about="Hamming distance per weight of a replica from its centre")
CENTRE_MARGIN = replace(REFERENCE_MARGIN, about="margin of a centre that is a solution; left out: a free one", optional=True)
SEED = Control("seed of the instance", low=0, high=2**31 - 1, integer=True)

RESIDUAL = Output(NATS, "what Newton's method left of the equations")
REPLICON = Output("1", "positive where replica symmetry is locally stable")
OF_TEACHER = {
    "teacher_overlap": Output("1", "overlap R with the teacher; 0 for random labels"),
    "generalisation_error": Output("1", "probability to mislabel a new pattern; 1/2 for random labels"),
}


def bound(of: str = "", units: str = NATS) -> Output:
    """Of the error, ``of`` some outputs."""
    return Output(units, f"absolute bound on the error{of}, by twin quadrature rules")
