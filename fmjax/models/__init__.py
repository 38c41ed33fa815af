"""What is learned: weights x architecture x constraint."""

from fmjax.models.activation import ACTIVATIONS, Activation, Erf, Hermite, LeakyReLU, ReLU, Sign
from fmjax.models.architecture import Architecture, PerceptronArchitecture
from fmjax.models.committee import CommitteeArchitecture
from fmjax.models.constraint import Constraint, Margin, SymmetricMargin
from fmjax.models.cross_entropy import CrossEntropy
from fmjax.models.losses import Hinge, Loss, Power, Temperature, refuse_loss
from fmjax.models.model import Model, Perceptron, TreeCommittee
from fmjax.models.named import named_loss, named_model
from fmjax.models.weights import Binary, LocalField, Site, Spherical, Weights

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Architecture",
    "Binary",
    "CommitteeArchitecture",
    "Constraint",
    "CrossEntropy",
    "Erf",
    "Hermite",
    "Hinge",
    "LeakyReLU",
    "LocalField",
    "Loss",
    "Margin",
    "Model",
    "Perceptron",
    "PerceptronArchitecture",
    "Power",
    "ReLU",
    "Sign",
    "Site",
    "Spherical",
    "SymmetricMargin",
    "Temperature",
    "TreeCommittee",
    "Weights",
    "named_loss",
    "named_model",
    "refuse_loss",
]
